"""libwebsockets' own ws role, independent of our RFC 6455 code, as the other end of a link.

WSP_LWS_PEER_TOOL names the program built from lws_peer_tool.c.
"""

import os
import subprocess
import threading

import pytest

from harness import socks
from harness.daemons import AUTH, PATH, entry, environment
from harness.env import BIN_DIR, patience
from harness.net import connect, free_port, read_exact, read_until

TOOL = os.environ.get("WSP_LWS_PEER_TOOL", BIN_DIR / "tests" / "lws_peer_tool")


class Tool:
    """The tool at work; its lines are collected as they come."""

    def __init__(self, *args):
        self.lines = []
        self.ended = False
        self.news = threading.Condition()
        self.process = subprocess.Popen(
            [str(TOOL), *map(str, args)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment(),
            text=True,
            errors="replace",
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
        assert self.end() == 0, self.lines

    def _read(self):
        for line in self.process.stdout:
            with self.news:
                self.lines.append(line.rstrip("\n"))
                self.news.notify_all()
        with self.news:
            self.ended = True
            self.news.notify_all()

    def wait_line(self, line, count=1, timeout=10):
        with self.news:
            self.news.wait_for(
                lambda: self.ended or self.lines.count(line) >= count, patience(timeout)
            )
            found = self.lines.count(line)
        assert found >= count, f"{line!r} not {count} times in {self.lines}"

    def end(self, timeout=30):
        try:
            status = self.process.wait(patience(timeout))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the tool does not end: {self.lines}")
        self.reader.join(5)
        return status


def client(wsps, url, path=PATH, auth=AUTH):
    return Tool("client", wsps.config["port"], path, auth, url)


# ---- their client, our wsps


@pytest.fixture(scope="module")
def wsps(shared_farm):
    return shared_farm.wsps()


def test_client_exchange(wsps, echo):
    tool = client(wsps, f"socks5://127.0.0.1:{echo.port}")
    assert tool.end(60) == 0, tool.lines
    assert tool.lines[:2] == ["ready", "link up"]
    assert tool.lines[-1] == "link closed"
    assert tool.lines.count("opened") == 1
    assert tool.lines.count("pong") > 100


def test_clients_side_by_side(wsps, echo):
    tools = [client(wsps, f"http://127.0.0.1:{echo.port}") for _ in range(5)]
    for tool in tools:
        assert tool.end(60) == 0, tool.lines


def test_client_open_fails(wsps):
    tool = client(wsps, f"socks5://127.0.0.1:{free_port()}")
    assert tool.end() == 1
    assert any(line.startswith("refused: dial tcp 127.0.0.1:") for line in tool.lines), tool.lines


@pytest.mark.parametrize(
    "auth, path, status", [("wrong", PATH, "401"), (AUTH, "/elsewhere", "404")]
)
def test_client_is_refused(wsps, auth, path, status):
    tool = client(wsps, "socks5://127.0.0.1:1", path, auth)
    assert tool.end() == 1
    assert "link up" not in tool.lines
    assert any(line.startswith("cannot connect:") for line in tool.lines), tool.lines


# ---- their server, our wspc


@pytest.fixture
def server():
    port = free_port()
    with Tool("server", port) as tool:
        tool.wait_line("ready")
        tool.port = port
        yield tool


def round_trip(wspc, data):
    with socks.open_socks(wspc.port("socks5"), "anything.example", 80) as sock:
        pump = threading.Thread(target=sock.sendall, args=(data,))
        pump.start()
        assert read_exact(sock, len(data)) == data
        pump.join()


def test_server_exchange(farm, server):
    wspc = farm.wspc(entry(server.port, dialect="0.10"))  # lws refuses what it has not
    for size in (1, 80, 125, 126, 65000, 66000, 2_000_000):
        round_trip(wspc, (bytes(range(251)) * (size // 251 + 1))[:size])
    server.wait_line("open socks5://anything.example:80", 7)
    server.wait_line("pong", 20)
    assert server.lines.count("link up") == 1


def test_server_many_channels(farm, server):
    wspc = farm.wspc(entry(server.port, dialect="0.10"))  # lws refuses what it has not
    threads = [
        threading.Thread(target=round_trip, args=(wspc, b"%03d" % number * 10_000))
        for number in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    server.wait_line("open socks5://anything.example:80", 20)
    assert "link closed" not in server.lines


def test_server_http_proxy(farm, server):
    wspc = farm.wspc(entry(server.port, dialect="0.10"))  # lws refuses what it has not
    with connect(wspc.port("http")) as sock:
        sock.sendall(b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n")
        assert read_until(sock, b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")
        sock.sendall(b"through the tunnel")
        assert read_exact(sock, 18) == b"through the tunnel"
    server.wait_line("open http://a.example:443")


def test_server_closes(farm, server):
    wspc = farm.wspc(entry(server.port, dialect="0.10"))  # lws refuses what it has not
    with socks.open_socks(wspc.port("socks5"), "anything.example", 80) as sock:
        sock.sendall(b"before")
        assert read_exact(sock, 6) == b"before"
        with pytest.raises((socks.SocksError, OSError, EOFError)):
            socks.open_socks(wspc.port("socks5"), "close.example", 80)
        server.wait_line("link closed")
        with pytest.raises((OSError, EOFError)):
            read_exact(sock, 1)
    server.wait_line("link up", 2)
    round_trip(wspc, b"after")


def test_server_sees_orderly_end(farm, server):
    wspc = farm.wspc(entry(server.port, dialect="0.10"))  # lws refuses what it has not
    wspc.stop()
    server.wait_line("link closed")
