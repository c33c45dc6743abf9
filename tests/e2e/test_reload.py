"""SIGHUP to either daemon: files with faults, the log, load, and what is left behind."""

import asyncio
import os
import pty
import random
import re
import signal
import socket
import subprocess

import pytest

from harness import socks
from harness.channels import echoes
from harness.daemons import NOT_RELOADED, command, descriptors, entry, environment
from harness.env import DIALECTS, ROOT, SANITIZED, patience, volume
from harness.net import eventually, free_port, how_it_ends, read_exact
from harness.programs import run
from harness.reverse import REGISTERED, request, tool
from harness.tcp_origins import ScriptOrigin

MIB = 1 << 20
SIZE = volume(MIB, 256 << 10)  # of one transfer
BLOB = random.Random(99).randbytes(SIZE + 200 * 997)  # every transfer is a different slice

both = pytest.mark.parametrize("who", ["wsps", "wspc"])


@pytest.fixture
def pair(farm):
    return dict(zip(("wsps", "wspc"), farm.pair()))


def open_to(pair, port):
    return socks.open_socks(pair["wspc"].port("socks5"), "127.0.0.1", port)


# ---- files with faults


@both
@pytest.mark.parametrize(
    "text, fault",
    [
        ("{\n", r"{}:2:1: "),
        ('{"log": {"level": "debug"},\n "nonsense": 1}', r'{}:2:2: unknown key "nonsense"'),
        ('{"time": {"drain": "x"}}', r"{}:1:20: time.drain: expected a number"),
        (None, r"{}: cannot open: No such file"),
    ],
)
def test_fault_changes_nothing(pair, echo, who, text, fault):
    daemon = pair[who]
    with open_to(pair, echo.port) as sock:
        daemon.file.unlink()
        if text:
            daemon.file.write_text(text)
        since = daemon.mark()
        daemon.signal(signal.SIGHUP)
        daemon.wait_line(" error " + NOT_RELOADED + fault.format(daemon.file), since=since)
        with open_to(pair, echo.port) as another:
            assert echoes(sock) and echoes(another)
        daemon.reload()
        assert echoes(sock)


# ---- the log


def lines_of(file):
    return file.read_text().splitlines() if file.exists() else []


def wait_lines(file, text):
    eventually(lambda: any(text in line for line in lines_of(file)), f"{text} in {file}")


def start_with_log(farm, who, log):
    config = {"bind": "127.0.0.1", "port": free_port()}
    if who == "wspc":
        config = {"client": [entry(free_port())]}
    daemon = farm.start(who, {"log": {"output": str(log)}, **config})
    wait_lines(log, "listening on")
    return daemon


@both
def test_log_is_rotated(farm, tmp_path, who):
    """Lines go to the renamed file until SIGHUP, which opens it though the file has a fault."""
    log, old = tmp_path / "x.log", tmp_path / "x.log.1"
    daemon = start_with_log(farm, who, log)
    log.rename(old)
    daemon.file.write_text("{")
    daemon.signal(signal.SIGHUP)
    wait_lines(log, "not reloaded")
    assert not any("Hangup" in line for line in lines_of(old))


def test_logrotate(farm, tmp_path):
    """What docs/operations.md gives it, but for the way to reload."""
    logrotate = tool("logrotate", "logrotate")
    log = tmp_path / "x.log"
    daemon = start_with_log(farm, "wsps", log)
    page = (ROOT / "docs" / "operations.md").read_text()
    text = re.search(r"```\n(/var/log/.*?)```", page, re.S).group(1)
    text = text.replace("/var/log/wsps/*.log", f'"{log}"')
    file = tmp_path / "logrotate.conf"
    file.write_text(text.replace("systemctl reload wsps", f"kill -HUP {daemon.process.pid}"))
    file.chmod(0o600)
    run(logrotate, "--force", "--state", tmp_path / "state", file)
    wait_lines(log, "reloaded")
    assert any("listening on" in line for line in lines_of(tmp_path / "x.log.1"))


@both
def test_log_goes_elsewhere(farm, tmp_path, who):
    a, b, nowhere = tmp_path / "a.log", tmp_path / "b.log", tmp_path / "none" / "c.log"
    daemon = start_with_log(farm, who, a)
    daemon.configure(log={"output": str(b)})
    daemon.signal(signal.SIGHUP)
    wait_lines(b, "reloaded")
    daemon.configure(log={"output": str(nowhere)})
    daemon.signal(signal.SIGHUP)
    wait_lines(b, f" error {who}: the log stays where it is: log.output: {nowhere}: No such")
    daemon.reload(log={})  # to standard output, where the harness waits for it


@both
def test_log_level(pair, echo, who):
    daemon = pair[who]
    daemon.reload(log={"level": "info"})
    since = daemon.mark()  # lines of before may come late
    with open_to(pair, echo.port):
        quiet = daemon.lines[since:]
        daemon.reload(log={"level": "debug"})
    assert not [line for line in quiet if " debug " in line]
    open_to(pair, echo.port).close()
    daemon.wait_line(" debug .*CONNECT", since=since)


# ---- other signals


def test_while_it_ends(farm, tmp_path):
    """Only the log is opened anew: what is configured does not count any more."""
    log = tmp_path / "x.log"
    server = farm.wsps()
    wspc = farm.wspc(entry(server.config["port"]), time={"drain": 30})
    wspc.reload(log={"level": "debug"})
    with ScriptOrigin() as script:
        with open_to({"wspc": wspc}, script.port) as sock:
            target = script.accept()
            since = wspc.mark()
            wspc.signal(signal.SIGTERM)
            wspc.wait_line("ending once", since=since)
            wspc.configure(log={"output": str(log)})
            wspc.signal(signal.SIGHUP)
            target.sendall(b"the rest")
            assert read_exact(sock, 8) == b"the rest"
            target.shutdown(2)
            how_it_ends(sock)
        assert wspc.wait_end() == 0
    assert not log.exists()


def has_reloaded(process, log):
    """A second SIGHUP is lost while the first, the kernel's, waits to be seen."""

    def ask():
        process.send_signal(signal.SIGHUP)
        return any("reloaded" in line for line in lines_of(log))

    return eventually(ask, "a reload")


@pytest.mark.parametrize("nohup", [False, True])
def test_terminal_is_closed(tmp_path, nohup):
    """The kernel's SIGHUP: the daemon ends, unless it was told to ignore that."""
    file = tmp_path / "wsps.json"
    file.write_text(f'{{"bind": "127.0.0.1", "port": {free_port()}, "log": {{"output": "x.log"}}}}')
    near, far = pty.openpty()

    def in_terminal():
        if nohup:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        os.login_tty(far)

    process = subprocess.Popen(
        command("wsps", "-c", file),
        cwd=tmp_path,
        env=environment(),
        preexec_fn=in_terminal,
        restore_signals=False,
    )
    os.close(far)
    try:
        wait_lines(tmp_path / "x.log", "listening on")
        os.close(near)
        if nohup:
            assert has_reloaded(process, tmp_path / "x.log")
        else:
            assert process.wait(patience(10)) == 0
    finally:
        process.terminate()
        assert process.wait(patience(10)) == 0


# ---- under load

TRANSFERS = 200


class Slow:
    """Sends the slice of the blob that a request names, so slowly that reloads come in between."""

    def __init__(self):
        self.begun = 0

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=1024)
        self.port = self.server.sockets[0].getsockname()[1]

    async def serve(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        start = int(head.split()[1].strip(b"/")) * 997
        piece = SIZE // 32
        self.begun += 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % SIZE)
        for at in range(start, start + SIZE, piece):
            writer.write(memoryview(BLOB)[at : at + piece])
            await writer.drain()
            await asyncio.sleep(0.02)
        writer.close()


async def fetch(loop, sock, path, number):
    got = bytearray()
    with sock:
        await loop.sock_sendall(sock, request(f"GET {path}/{number}", "Connection: close"))
        while piece := await loop.sock_recv(sock, 1 << 16):
            got += piece
    start = number * 997
    body = bytes(got).partition(b"\r\n\r\n")[2]
    assert body == memoryview(BLOB)[start : start + SIZE], f"{len(got)} bytes: {bytes(got[:80])}"


async def fetch_by_socks(loop, wspc, origin, number):
    sock = await socks.open_async(loop, wspc.port("socks5"), "127.0.0.1", origin.port)
    await fetch(loop, sock, "", number)


async def fetch_as_visitor(loop, port, number):
    sock = socket.socket()
    sock.setblocking(False)
    await loop.sock_connect(sock, ("127.0.0.1", port))
    await fetch(loop, sock, "/slow", number)


def change(server, wspc):
    """Port, secret and rules of wsps; a listener, a name, limits and an entry of wspc."""
    secret = {"auth": "other"} if server.config["auth"] != "other" else {"auth": "and another"}
    server.reload(port=free_port(), egress={"deny": ["192.0.2.1"]}, **secret)
    only = wspc.config["client"][0]
    more = {
        "dynamic": [*only["dynamic"], f"http://127.0.0.1:{free_port()}"],
        "remote": [*only["remote"], f"http://127.0.0.1:1?mode=path&value={free_port()}"],
    }
    other = {**only, "auth": secret["auth"], "dynamic": [], "remote": []}
    wspc.reload(client=[other, {**only, **more}], limits={"memory": 64 * MIB})
    wspc.reload(client=[only], limits=None)


async def transfer_and_reload(server, wspc, origin, port):
    """All of the transfers are running when the first reload begins."""
    loop = asyncio.get_running_loop()
    jobs = []
    for number in range(0, TRANSFERS, 2):
        jobs.append(asyncio.ensure_future(fetch_by_socks(loop, wspc, origin, number)))
        jobs.append(asyncio.ensure_future(fetch_as_visitor(loop, port, number + 1)))
    while origin.begun < TRANSFERS and not any(job.done() for job in jobs):
        await asyncio.sleep(0.01)
    assert origin.begun == TRANSFERS, f"{origin.begun} transfers are running"
    rounds = 0
    while not all(job.done() for job in jobs):
        await loop.run_in_executor(None, change, server, wspc)
        rounds += 1
    return rounds, [repr(job.exception()) for job in jobs if job.exception()]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_200_transfers_at_once(farm, dialect):
    server = farm.wsps()

    async def main():
        origin = Slow()
        await origin.start()
        remote = [f"http://127.0.0.1:{origin.port}?mode=path&value=slow"]
        only = entry(server.config["port"], dialect=dialect, remote=remote)
        wspc = farm.wspc(only)
        wspc.wait_line(REGISTERED)
        rounds, faults = await transfer_and_reload(server, wspc, origin, server.config["port"])
        assert not faults
        assert rounds > 1
        assert not [line for line in wspc.lines if "link 1: down: " in line]

    asyncio.run(main())
    assert not [line for line in server.lines if "link 1: ended: " in line]


def resident(daemon):
    with open(f"/proc/{daemon.process.pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_200_reloads_leave_nothing_behind(farm, echo):
    server, wspc = farm.pair(remote=[])
    daemons = (server, wspc)
    for number in range(210):
        change(server, wspc)
        if number == 9:
            before = [(descriptors(daemon), resident(daemon)) for daemon in daemons]
    with open_to({"wspc": wspc}, echo.port) as sock:
        assert echoes(sock)
    for daemon, (fds, memory) in zip(daemons, before):
        eventually(lambda: descriptors(daemon) == fds, f"{daemon.name} has {fds} descriptors")
        assert SANITIZED or resident(daemon) < memory + MIB // 2
