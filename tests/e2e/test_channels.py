"""Named channels on loopback: from a wspc through wsps to another wspc's service."""

import hashlib
import json
import os
import random
import re
import subprocess
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import pytest

from harness import socks
from harness.channels import MIXES, Opener, Rig, UnixEcho, connect_unix, echoes, offer, tcp
from harness.daemons import command, entry, environment
from harness.env import patience, volume
from harness.http_client import exchange, get
from harness.net import connect, eventually, free_port, how_it_ends, read_exact
from harness.reverse import REFUSED, REGISTERED, in_threads
from harness.tcp_origins import BannerOrigin, EchoOrigin, HashOrigin, SourceOrigin

MIB = 1 << 20
BULK = volume(16 * MIB, 2 * MIB)
BLOB = random.Random(425).randbytes(BULK)
SHA = hashlib.sha256(BLOB).digest()


class Origins:
    """One service of each kind."""

    def __init__(self, stack):
        self.echo = stack.enter_context(EchoOrigin())
        self.echo6 = stack.enter_context(EchoOrigin(host="::1"))
        self.banner = stack.enter_context(BannerOrigin())
        self.source = stack.enter_context(SourceOrigin(BLOB))
        self.hash = stack.enter_context(HashOrigin())


@pytest.fixture(scope="module")
def origins():
    with ExitStack() as stack:
        yield Origins(stack)


@pytest.fixture(scope="module", params=MIXES, ids=lambda mix: "-".join(mix))
def rig(request, shared_farm, origins):
    """With each dialect at either side."""
    remotes = [tcp(f"{name}:pw", getattr(origins, name)) for name in ("banner", "source", "hash")]
    remotes += [tcp("echo:pw", origins.echo), tcp("open", origins.echo),
                tcp("six:pw", origins.echo6, "[::1]"), tcp("name:pw", origins.echo, "localhost"),
                tcp("dead:pw", free_port())]  # fmt: skip
    names = ["echo:pw", "open", "open:", "six:pw", "name:pw", "banner:pw", "source:pw", "hash:pw",
             "dead:pw", "none:pw"]  # fmt: skip
    return Rig(shared_farm, remotes, names, request.param)


# ---- bytes


@pytest.mark.parametrize("name", ["echo:pw", "open", "open:", "six:pw", "name:pw"])
def test_echo(rig, name):
    assert rig.echoes(name)
    assert rig.echoes(name, random.Random(1).randbytes(100_000))


def test_listeners_on_ipv6(farm, rig):
    opener = Opener(farm, rig.port, "six:pw", "socks5://any", host="[::1]")
    with opener.connect("six:pw") as sock:
        assert echoes(sock)
    with opener.connect("socks5://any") as sock:
        sock.sendall(b"\x05\x01\x00")
        assert read_exact(sock, 2) == b"\x05\x00"


def test_server_speaks_first(rig):
    for number in range(volume(100, 40)):
        with rig.connect("banner:pw") as sock:
            assert read_exact(sock, len(BannerOrigin.banner)) == BannerOrigin.banner
            assert echoes(sock, b"%d" % number)


def test_bulk_down(rig):
    with rig.connect("source:pw") as sock:
        sock.sendall(BULK.to_bytes(8, "big"))
        data, end = how_it_ends(sock, rig.end_time)
        assert (len(data), hashlib.sha256(data).digest(), end) == (BULK, SHA, "eof")


def test_bulk_up(rig):
    with rig.connect("hash:pw") as sock:
        sock.sendall(BULK.to_bytes(8, "big") + BLOB)
        assert how_it_ends(sock, rig.end_time) == (SHA, "eof")


def test_bulk_both_ways_at_once(rig):
    with rig.connect("echo:pw") as sock:
        writer = threading.Thread(target=sock.sendall, args=(BLOB,))
        writer.start()
        assert hashlib.sha256(read_exact(sock, BULK)).digest() == SHA
        writer.join()


def descriptors(rig):
    return [len(os.listdir(f"/proc/{d.process.pid}/fd")) for d in rig.daemons.values()]


def test_hundred_at_once(rig):
    """Each with its own bytes, some echoed, some from a server that closes behind them."""
    before = descriptors(rig)
    every = threading.Barrier(100)

    def work(number):
        size = 1 + number * 1009
        with rig.connect("source:pw" if number % 2 else "echo:pw") as sock:
            every.wait(patience(10))
            if number % 2:
                sock.sendall(size.to_bytes(8, "big"))
                assert how_it_ends(sock, rig.end_time) == (BLOB[:size], "eof")
            else:
                data = BLOB[number * 1000 : number * 1000 + size]
                assert echoes(sock, data) and echoes(sock, b"again")

    in_threads(100, work)
    eventually(lambda: descriptors(rig) <= before, "all is given back", rig.end_time)


def test_both_ends_in_one_client(farm, origins):
    """A wspc may open what it offers itself: in wsps the link meets itself."""
    names = {name: free_port() for name in ("echo", "source", "hash")}
    port = farm.wsps().config["port"]
    remote = [tcp(name, getattr(origins, name)) for name in names]
    local = [tcp(name, listener) for name, listener in names.items()]
    wspc = farm.wspc(entry(port, dynamic=[], remote=remote, local=local))
    wspc.wait_line(REGISTERED, count=len(remote))
    with connect(names["echo"]) as sock:
        assert echoes(sock, BLOB[:100_000])
    with connect(names["source"]) as sock:
        sock.sendall(BULK.to_bytes(8, "big"))
        assert how_it_ends(sock) == (BLOB, "eof")
    with connect(names["hash"]) as sock:
        sock.sendall(BULK.to_bytes(8, "big") + BLOB)
        assert how_it_ends(sock) == (SHA, "eof")


# ---- names and passwords


def escaped(text):
    """Every byte percent-encoded."""
    return "".join(f"%{byte:02x}" for byte in text.encode())


NAMES = [
    ("ssh", "p+w!$&=~x"),
    ("s p:a/c@e?#[]%", "a:b:c"),
    ("caf\u00e9 \u4e2d\u6587", "\u00fc@/:?"),
    ("Case", "Case"),
    ("case", "case"),
    ("a+b", "100%"),
    ("..", " "),
    ("n" * 256, "p" * 256),
]


def test_percent_encoded(farm, origins):
    """Compared after decoding, however each side writes them."""
    # fmt: off
    plain = [f"{quote(n, safe='+')}:{quote(p, safe='!$&=+~')}" for n, p in NAMES]
    full = [f"{escaped(n)}:{escaped(p)}" for n, p in NAMES if len(n) < 100]
    # fmt: on
    rig = Rig(farm, [tcp(name, origins.echo) for name in plain], plain + full)
    for name in plain + full:
        assert rig.echoes(name), name
    other = offer(farm, rig.port, *(tcp(name, origins.echo) for name in full), registered=False)
    other.wait_line(REFUSED + ".*already registered", count=len(full))


def test_colons_in_a_password(farm, origins):
    rig = Rig(farm, [tcp("chan:a:b:c", origins.echo)], ["chan:a:b:c", "chan:a:b%3Ac", "chan:a"])
    assert rig.echoes("chan:a:b:c") and rig.echoes("chan:a:b%3Ac")
    assert rig.refuses("chan:a")


SECRET = "hunter2/\u00e9 right"
WRONG = ["hunter3/\u00e9 wrong", SECRET[:-1], SECRET + "x", SECRET.swapcase()]


def test_wrong_password(farm, origins):
    """One text for every wrong one; neither it nor the right one is ever shown."""
    wrong = ["chan", "chan:", *(f"chan:{quote(text, safe='')}" for text in WRONG), "open:hunter2"]
    right = f"chan:{quote(SECRET, safe='')}"
    proxies = [f"{scheme}://vpn:{quote(WRONG[0], safe='')}" for scheme in ("socks5", "http")]
    remotes = [tcp(right, origins.echo), f"tunnel://vpn:{quote(SECRET, safe='')}@",
               tcp("open", origins.echo)]  # fmt: skip
    rig = Rig(farm, remotes, [right, *wrong, *proxies], log={"level": "trace"})
    for name in wrong:
        assert rig.refuses(name), name
    assert rig.echoes(right)
    assert socks.code_of(rig.opener.ports[proxies[0]], "127.0.0.1", 1) == socks.NOT_ALLOWED
    with rig.connect(proxies[1]) as sock:
        assert exchange(sock, get("http://127.0.0.1:1/")).status == 403
    rig.opener.wspc.wait_line("RESPOND FAILED chan password is incorrect", count=len(wrong) - 1)
    for daemon in rig.daemons.values():
        shown = daemon.log() + Path(f"/proc/{daemon.process.pid}/cmdline").read_text()
        assert not re.search("hunter|HUNTER", shown), shown


def test_guessing_is_refused(farm, origins):
    """Ten wrong ones in a minute, then not even the right one; other links go on."""
    rig = Rig(farm, [tcp("chan:right", origins.echo)], ["chan:wrong", "chan:right"])
    other = Opener(farm, rig.port, "chan:right")
    for number in range(10):
        assert rig.echoes("chan:right"), number
        assert rig.refuses("chan:wrong")
    assert rig.refuses("chan:right")
    with other.connect("chan:right") as sock:
        assert echoes(sock)


# ---- what is not there


def test_unknown_channel(rig):
    since = rig.opener.wspc.mark()
    assert rig.refuses("none:pw")
    rig.opener.wspc.wait_line("channel none not registered", since=since)


def test_dead_target(rig):
    since = rig.opener.wspc.mark()
    began = time.monotonic()
    assert rig.refuses("dead:pw")
    assert time.monotonic() - began < patience(1)
    rig.opener.wspc.wait_line("connection refused", since=since)


def test_no_link(farm):
    """A local listener while no server is there: refused at once, not left waiting."""
    opener = Opener(farm, free_port(), "chan:pw", link=False)
    assert opener.refuses("chan:pw")


# ---- socket files


def test_unix_target(farm, tmp_path):
    """A service on a socket file; one that is not there."""
    with UnixEcho(tmp_path / "echo.sock") as echo:
        remotes = [f"unix://file:pw@{echo.path}", f"unix://gone@{tmp_path}/gone.sock"]
        rig = Rig(farm, remotes, ["file:pw", "file:no", "gone"])
        assert rig.echoes("file:pw", BLOB[:100_000])
        for name in ("file:no", "gone"):
            assert rig.refuses(name)


def test_unix_listener(farm, rig, tmp_path):
    """A socket file that was left behind is replaced, and ours is gone in the end."""
    path = tmp_path / "our.sock"
    url = f"unix://echo:pw@{path}"
    for end in ("kill", "stop"):
        wspc = farm.wspc(entry(rig.port, dynamic=[], local=[url]))
        with connect_unix(path) as sock:
            assert echoes(sock, BLOB[:100_000])
        getattr(wspc, end)()
        assert path.exists() == (end == "kill")


# ---- wspc -W


@pytest.fixture
def pipe(farm, rig, tmp_path):
    """pipe(name): a process that joins its input and output to the channel."""
    config = tmp_path / "pipe.json"
    listener = f"socks5://127.0.0.1:{next(iter(rig.opener.ports.values()))}"  # taken already
    only = {"dynamic": [listener], "remote": [tcp("echo:pw", 1)], "dialect": rig.mix[0]}
    entries = [entry(rig.port, **only)]
    config.write_text(json.dumps({"log": {"level": "debug"}, "client": entries}))
    pipes = []

    def start(name):
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        pipe = subprocess.Popen(command("wspc", "-c", config, "-W", name),
                                env=environment(), **streams)  # fmt: skip
        pipes.append(pipe)
        return pipe

    yield start
    for pipe in pipes:
        pipe.kill()
        pipe.wait()
        for stream in (pipe.stdin, pipe.stdout, pipe.stderr):
            stream.close()


def test_pipe(pipe, rig):
    """Only the channel's bytes are on standard output; the end of the input ends it well."""
    process = pipe("echo:pw")
    for number in range(10):
        process.stdin.write(b"%d\n" % number)
        process.stdin.flush()
        assert process.stdout.readline() == b"%d\n" % number
    process.stdin.close()
    assert process.wait(patience(rig.end_time)) == 0
    assert process.stdout.read() == b""


def test_pipe_whose_far_side_ends(pipe, rig):
    process = pipe("source:pw")
    process.stdin.write(BULK.to_bytes(8, "big"))
    process.stdin.flush()
    assert hashlib.sha256(process.stdout.read()).digest() == SHA
    if rig.mix == ("wsp.1", "wsp.1"):
        assert process.poll() is None, "the far side could be sent to still"
    process.stdin.close()
    assert process.wait(patience(5)) == 0


@pytest.mark.parametrize("name, why", [
    ("echo:hunter2", b"password is incorrect"),
    ("none", b"not registered"),
    ("dead:pw", b"connection refused"),
])  # fmt: skip
def test_pipe_that_cannot_be_opened(pipe, name, why):
    process = pipe(name)
    out, errors = process.communicate(timeout=patience(5))
    assert process.returncode == 1 and out == b""
    assert why in errors and b"hunter" not in errors


def test_pipe_ends_with_a_signal(pipe):
    process = pipe("banner:pw")
    assert process.stdout.read(len(BannerOrigin.banner)) == BannerOrigin.banner
    process.terminate()
    assert process.wait(patience(5)) is not None
