"""What a service manager gives to the daemons and hears from them."""

import grp
import json
import os
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from harness import socks
from harness.certificates import Authority
from harness.channels import UnixScript, echoes
from harness.curl import curl, fetch
from harness.daemons import AUTH, Farm, command, entry, environment
from harness.env import BIN_DIR, ROOT, patience
from harness.http_origin import pattern
from harness.net import connect, eventually, free_port, listen
from harness.programs import run
from harness.reverse import REGISTERED, tool
from harness.service import Manager, activated

# ---- notifications


@pytest.fixture
def manager(tmp_path):
    with Manager(tmp_path) as manager:
        yield manager


@pytest.mark.parametrize("abstract", [False, True])
def test_wsps_says_when_it_is_ready(farm, tmp_path, abstract):
    with Manager(tmp_path, abstract) as manager:
        wsps = farm.wsps(launch=manager.launch())
        port = wsps.config["port"]
        assert manager.next() == {"READY": "1", "STATUS": f"listening on 127.0.0.1:{port}"}
        connect(port).close()
        wsps.signal(signal.SIGTERM)
        assert manager.next()["STOPPING"] == "1"
        assert wsps.wait_end() == 0


def test_wspc_says_how_its_links_are(farm, manager):
    """It is ready once its listeners are open: a server that is away keeps nothing from starting."""
    port = free_port()
    wspc = farm.wspc(entry(port), entry(free_port()), link=False, launch=manager.launch())
    assert manager.next() == {"READY": "1", "STATUS": "0 of 2 servers connected"}
    connect(wspc.port("socks5")).close()
    wsps = farm.wsps(port=port)
    manager.wait("STATUS", "1 of 2 servers connected")
    wsps.stop()
    manager.wait("STATUS", "0 of 2 servers connected")
    wspc.signal(signal.SIGTERM)
    manager.wait("STOPPING")
    assert wspc.wait_end() == 0


def test_status_follows_a_reload(farm, manager):
    port = free_port()
    wspc = farm.wspc(entry(port), link=False, launch=manager.launch())
    manager.wait("STATUS", "0 of 1 servers connected")
    wspc.reload(client=[entry(port), entry(free_port())])
    manager.wait("RELOADING")
    manager.wait("STATUS", "0 of 2 servers connected")
    manager.wait("READY")


def test_watchdog(farm, manager):
    """Signs of life come as long as the loop turns."""
    wsps = farm.wsps(launch=manager.launch(WATCHDOG_USEC=200_000))
    manager.wait("READY")
    for _ in range(3):
        assert manager.next() == {"WATCHDOG": "1"}
    wsps.signal(signal.SIGSTOP)
    while not manager.is_silent(0.4):
        manager.next()
    wsps.signal(signal.SIGCONT)
    manager.wait("WATCHDOG")


def test_watchdog_of_another_process(farm, manager):
    """The variables can be inherited: those for another pid are not ours."""
    launch = manager.launch(WATCHDOG_USEC=100_000)
    farm.wsps(launch={"env": {**launch["env"], "WATCHDOG_PID": "1"}})
    manager.wait("READY")
    assert manager.is_silent(0.3)


def test_failed_start_is_never_ready(farm, manager):
    wsps = farm.wsps()
    second = farm.start("wsps", wsps.config, **manager.launch())
    assert second.wait_end() == 1
    assert manager.is_silent(0)


# ---- socket activation

PASSED = r"listening on {} \(a socket that was passed\), links on path /proxy"


def test_passed_sockets(farm, tmp_path, echo):
    """It accepts on them, in both families and on a unix socket, and its own port stays free."""
    path = tmp_path / "wsps.sock"
    with listen() as four, listen("::1") as six, UnixScript(path) as unix:
        launch = activated(four, six, unix.listener)
        wsps = farm.wsps(launch=launch)
        ports = [sock.getsockname()[1] for sock in (four, six)]
    wsps.wait_line(PASSED.format(rf"127\.0\.0\.1:{ports[0]}"))
    wsps.wait_line(PASSED.format(rf"\[::1\]:{ports[1]}"))
    listen(port=wsps.config["port"]).close()
    for option, port, host in (
        ((), ports[0], "127.0.0.1"),
        ((), ports[1], "[::1]"),
        (("--unix-socket", path), 80, "unix"),
    ):
        assert curl("-w", "%{http_code}", *option, f"http://{host}:{port}/x").body.endswith(b"404")
    wspc = farm.wspc(entry(ports[0]))
    with socks.open_socks(wspc.port("socks5"), "127.0.0.1", echo.port) as sock:
        assert echoes(sock)


def test_reload_keeps_passed_sockets(farm):
    with listen() as sock:
        wsps = farm.wsps(launch=activated(sock))
        port = sock.getsockname()[1]
    moved = free_port()
    since = wsps.reload(port=moved)
    wsps.wait_line(PASSED.format(f"127.0.0.1:{port}"), since=since)
    connect(port).close()
    listen(port=moved).close()


def test_the_manager_goes_on_listening(farm):
    """While a passed socket's daemon is replaced, connections wait; none is refused."""
    with listen() as sock:
        port = sock.getsockname()[1]
        wsps = farm.wsps(launch=activated(sock))
        wsps.stop()
        with connect(port) as waiting:
            waiting.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
            farm.wsps(launch=activated(sock))
            assert waiting.recv(12) == b"HTTP/1.1 404"


def test_passed_socket_that_does_not_listen(farm):
    config = {"port": free_port(), "auth": AUTH}
    with socket.socket() as sock:
        wsps = farm.start("wsps", config, **activated(sock, LISTEN_FDNAMES="web"))
    assert wsps.wait_end() == 1
    assert "descriptor 3 (web): expected a stream socket that listens" in wsps.log()


def test_systemd_socket_activate(farm):
    """The real counterpart: it listens, and starts the daemon for the first connection."""
    port = free_port()
    under = (tool("systemd-socket-activate", "systemd"), "-l", f"127.0.0.1:{port}")
    config = {"port": free_port(), "auth": AUTH, "path": "/proxy"}
    wsps = farm.start("wsps", config, under=under)
    wsps.wait_line("Listening on ")
    with connect(port) as sock:
        wsps.wait_line(PASSED.format(f"127.0.0.1:{port}"))
        sock.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
        assert sock.recv(12) == b"HTTP/1.1 404"


# ---- the journal


def run_into_journal(config, directory, stream="matching"):
    """Runs a wsps with a pipe as the journal's stream, and returns the lines of its log."""
    file = directory / "wsps.json"
    file.write_text(json.dumps(config))
    reader, writer = os.pipe()
    status = os.fstat(writer)
    name = f"{status.st_dev}:{status.st_ino}" if stream == "matching" else stream
    process = subprocess.Popen(
        command("wsps", "-c", file),
        stdout=writer,
        stderr=writer,
        env={**environment(), "JOURNAL_STREAM": name},
    )
    os.close(writer)
    log = b""
    with open(reader, "rb", 0) as pipe:
        while piece := pipe.read(4096):
            log += piece
            if b"listening on" in log:
                process.terminate()
    process.wait(patience(10))
    return log.decode().strip().split("\n")


def test_priorities_for_the_journal(tmp_path):
    config = {"bind": "127.0.0.1", "port": free_port(), "log": {"level": "trace"}}
    lines = run_into_journal(config, tmp_path)
    assert all(re.match(r"<[3467]>\w", line) for line in lines), lines
    assert any(line.startswith("<4>wsps: NO AUTH IS SET") for line in lines)
    assert any(line.startswith("<6>wsps: listening on ") for line in lines)


def test_a_failed_start_has_a_priority(farm, tmp_path):
    taken = farm.wsps().config["port"]
    config = {"bind": "127.0.0.1", "port": taken, "auth": AUTH}
    lines = run_into_journal(config, tmp_path)
    assert lines[-1].startswith("<3>wsps: listen on 127.0.0.1:"), lines


@pytest.mark.parametrize("stream", ["", "1:2", "nonsense"])
def test_another_stream_is_not_the_journal(tmp_path, stream):
    config = {"bind": "127.0.0.1", "port": free_port(), "auth": AUTH}
    lines = run_into_journal(config, tmp_path, stream)
    assert all(re.match(r"\d{4}-\d\d-\d\dT[^ ]+ (info|warn) \w", line) for line in lines), lines


# ---- privileges

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
NOBODY = pwd.getpwnam("nobody")


def standing(daemon):
    """What the kernel says about a process."""
    text = Path(f"/proc/{daemon.process.pid}/status").read_text()
    return {key: value.split() for key, value in re.findall(r"^(\w+):\s*(.*)$", text, re.M)}


def is_confined(daemon):
    """No way to more rights and, where the build has one, a filter of system calls."""
    line = daemon.wait_line("system calls are( not)? filtered")
    status = standing(daemon)
    assert status["NoNewPrivs"] == ["1"]
    assert status["Seccomp"] == ["0" if "this build has no filter" in line else "2"]


def is_nobody(daemon):
    status = standing(daemon)
    assert status["Uid"] == [str(NOBODY.pw_uid)] * 4
    assert status["Gid"] == [str(NOBODY.pw_gid)] * 4
    assert status["Groups"] == [str(NOBODY.pw_gid)]
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(status[name][0], 16) == 0, name


@AS_ROOT
def test_work_goes_on_as_nobody(farm, origin):
    """Both have become another user, and curl gets through them both."""
    wsps = farm.wsps(user="nobody")
    port = wsps.config["port"]
    remote = [f"http://127.0.0.1:{origin.port}?mode=path&value=app"]
    wspc = farm.wspc(entry(port, remote=remote), user="nobody")
    wspc.wait_line(REGISTERED)
    for daemon in (wsps, wspc):
        daemon.wait_line("runs as nobody")
        is_nobody(daemon)
        is_confined(daemon)
    for option, scheme in (("--socks5-hostname", "socks5"), ("-x", "http")):
        url = f"http://localhost:{origin.port}/length/100000"
        assert fetch(option, f"127.0.0.1:{wspc.port(scheme)}", url) == pattern(100000)
    assert fetch(f"http://127.0.0.1:{port}/app/length/100000") == pattern(100000)


def test_confined_without_another_user(farm):
    for daemon in farm.pair():
        is_confined(daemon)


def test_the_filter_can_be_switched_off(farm):
    wsps = farm.wsps(seccomp=False)
    assert standing(wsps)["Seccomp"] == ["0"]
    assert "filtered" not in wsps.log()


@AS_ROOT
def test_ports_below_1024(farm):
    """They can be bound at the start, though the user is another one by then."""
    for port in random.sample(range(600, 1024), 20):
        with suppress(AssertionError):
            wsps = farm.wsps(port=port, user="nobody")
            break
        farm.daemons.pop().wait_end()
    wsps.wait_line("runs as nobody")
    is_nobody(wsps)
    connect(port).close()


@AS_ROOT
def test_files_are_opened_as_the_user(farm):
    """What it makes is its own, and what it could not open again fails at the start."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        log = {"output": str(directory / "wspc.log")}
        local = [f"unix://ssh@{directory}/ssh.sock"]
        config = {"client": [entry(free_port(), local=local)], "log": log, "user": "nobody"}
        refused = farm.start("wspc", config)
        assert refused.wait_end() == 1
        assert f"log.output: {log['output']}: Permission denied" in refused.log()
        os.chown(directory, NOBODY.pw_uid, NOBODY.pw_gid)
        wspc = farm.start("wspc", config)
        for file in ("wspc.log", "ssh.sock"):
            eventually((directory / file).exists, f"there is {file}")
            assert (directory / file).stat().st_uid == NOBODY.pw_uid
        wspc.stop()
        assert not (directory / "ssh.sock").exists()


@pytest.fixture
def open_farm():
    """Daemons in a directory that everybody can read."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        farm = Farm(Path(name))
        yield farm
        farm.close()


@AS_ROOT
def test_reload_as_nobody(open_farm, tmp_path):
    """Under the filter and as another user it reads all files again, and opens what is new."""
    logs = open_farm.directory / "logs"
    logs.mkdir()
    os.chown(logs, NOBODY.pw_uid, NOBODY.pw_gid)
    ca = open_farm.directory / "ca.pem"
    ca.write_bytes(Authority(tmp_path).file.read_bytes())
    log = logs / "wsps.log"
    with Manager(open_farm.directory) as manager:
        config = {"bind": "127.0.0.1", "port": free_port(), "auth": AUTH, "user": "nobody"}
        config["log"] = {"output": str(log)}
        wsps = open_farm.start("wsps", config, **manager.launch())
        manager.wait("READY")
        log.rename(logs / "wsps.log.1")
        port = free_port()
        wsps.file.write_text(json.dumps({**config, "port": port, "upstream_ca": {"own": str(ca)}}))
        wsps.signal(signal.SIGHUP)
        assert int(manager.wait("RELOADING")["MONOTONIC_USEC"]) > 0
        assert manager.wait("READY")["STATUS"] == f"listening on 127.0.0.1:{port}"
        eventually(lambda: "wsps: reloaded" in log.read_text(), "it is reloaded")
        assert "will fail" not in log.with_suffix(".log.1").read_text()
        connect(port).close()
        is_nobody(wsps)


@AS_ROOT
def test_reload_that_would_need_root(farm):
    """It is told at the start, not months later."""
    wsps = farm.wsps(user="nobody")
    wsps.wait_line("warn wsps: a reload will fail, .*json cannot be read any more: Permission")
    since = wsps.mark()
    wsps.signal(signal.SIGHUP)
    wsps.wait_line("not reloaded, nothing has changed: .*Permission denied", since=since)


def test_reload_does_not_change_the_process(farm):
    wsps = farm.wsps()
    wsps.wait_line("warn wsps: user, group, seccomp .* restart", since=wsps.reload(seccomp=False))
    is_confined(wsps)


@AS_ROOT
def test_group_alone(farm):
    wsps = farm.wsps(group="adm")
    wsps.wait_line("runs as adm")
    status = standing(wsps)
    assert status["Uid"][0] == "0"
    assert status["Gid"][0] == status["Groups"][0] == str(grp.getgrnam("adm").gr_gid)


# ---- limits


def test_descriptors(farm):
    """As many as it can have, or as many as it is told; few are warned about."""

    def limits(daemon):
        text = Path(f"/proc/{daemon.process.pid}/limits").read_text()
        return re.search(r"Max open files +(\d+) +(\d+)", text).groups()

    under = {"under": ("prlimit", "--nofile=100:300")}
    wsps = farm.wsps(launch=under)
    assert limits(wsps) == ("300", "300")
    wsps.wait_line("warn wsps: no more than 300 descriptors for up to 8192 ")
    wsps = farm.wsps(launch=under, limits={"descriptors": 200, "connections": 100})
    assert limits(wsps) == ("200", "300")
    wsps.wait_line("filtered")
    assert "descriptors" not in wsps.log()


def test_more_descriptors_than_allowed(farm):
    under = ["prlimit", "--nofile=100:300"]
    if os.geteuid() == 0:  # who may have as many as it likes
        under += ["setpriv", "--bounding-set=-sys_resource"]
    wsps = farm.start("wsps", {"port": free_port(), "limits": {"descriptors": 301}}, under=under)
    assert wsps.wait_end() == 1
    assert "limits.descriptors: 301 is more than this process may have" in wsps.log()


class Crowd:
    """Visitors from addresses that a PROXY header tells."""

    def __init__(self, farm, per_second, **config):
        limits = {"handshakes_per_second": per_second}
        self.wsps = farm.wsps(proxy_protocol="required", limits=limits, **config)
        self.port = self.wsps.config["port"]

    def visit(self, address):
        """Whether there is an answer; without one the connection is closed at once."""
        family = "TCP6" if ":" in address else "TCP4"
        head = f"PROXY {family} {address} {address} 4711 80\r\nGET /x HTTP/1.1\r\nHost: x\r\n\r\n"
        with connect(self.port) as sock:
            sock.sendall(head.encode())
            try:
                return sock.recv(12) == b"HTTP/1.1 404"
            except ConnectionResetError:
                return False

    def served(self, address, count):
        return sum(self.visit(address) for _ in range(count))


def test_handshakes_per_second(farm):
    """Ten seconds' worth at once, then no more; others are not concerned."""
    crowd = Crowd(farm, 1)
    assert crowd.served("203.0.113.7", 10) == 10
    assert crowd.served("203.0.113.7", 20) < 10  # as seconds go by, one more
    crowd.wsps.wait_line(
        r"front 203\.0\.113\.7:4711: closed: more than 1 connections a second from its address"
    )
    assert crowd.wsps.log().count("connections a second") == 1
    assert crowd.served("203.0.113.8", 10) == 10
    assert crowd.served("2001:db8:1:2::3", 10) == 10
    assert crowd.served("2001:db8:1:2:ffff::", 20) < 10


def test_no_limit_of_handshakes(farm):
    assert Crowd(farm, 0).served("203.0.113.7", 40) == 40


def test_handshakes_of_this_machine_and_of_proxies(farm):
    """Programs here, a web server in front among them, and trusted proxies stand for many."""
    crowd = Crowd(farm, 1, trusted_proxies=["203.0.113.0/24"])
    for address in ("127.0.0.1", "::1", "203.0.113.7"):
        assert crowd.served(address, 20) == 20
    assert "connections a second" not in crowd.wsps.log()


# ---- units

UNITS = {"wsps.service": "wsps.service", "wspc@home.service": "wspc@.service"}
SYSTEMD = shutil.which("systemd-analyze")
NEEDS_SYSTEMD = pytest.mark.skipif(not SYSTEMD, reason="there is no systemd-analyze here")


@pytest.fixture(scope="module")
def units(tmp_path_factory):
    """The units as they would be installed, with the programs where they are here."""
    directory = tmp_path_factory.mktemp("units")
    for name, source in {**UNITS, "wsps.socket": "wsps.socket"}.items():
        text = (ROOT / "configs" / source).read_text()
        text = re.sub(r"(?m)^ExecStart=(wsp[sc]) ", rf"ExecStart={BIN_DIR}/\1 ", text)
        (directory / name).write_text(text)
    return directory


@NEEDS_SYSTEMD
@pytest.mark.parametrize("name", [*UNITS, "wsps.socket"])
def test_units_are_right(units, name):
    done = subprocess.run(
        [SYSTEMD, "verify", "--man=no", units / name], capture_output=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


@NEEDS_SYSTEMD
@pytest.mark.parametrize("name", UNITS)
def test_units_expose_little(units, name):
    run(SYSTEMD, "security", "--offline=true", "--no-pager", "--threshold=15", units / name)
