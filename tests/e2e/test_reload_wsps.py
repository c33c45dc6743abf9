"""SIGHUP to wsps: what changed counts for what comes after, what is open is not touched."""

import pytest

from harness import socks
from harness.certificates import Authority
from harness.daemons import LISTENING, NOT_RELOADED, PATH, entry
from harness.http_client import exchange
from harness.net import connect, free_port, is_silent, read_exact
from harness.reverse import REFUSED, REGISTERED, request, services
from harness.tls_service import TlsService

OTHER = "another-secret"


class Open:
    """A connection through the daemons that is open all along."""

    def __init__(self, wspc, echo):
        self.wspc = wspc
        self.echo = echo
        self.sock = socks.open_socks(wspc.port("socks5"), "127.0.0.1", echo.port)

    def code(self):
        """What one more connection gets."""
        return socks.code_of(self.wspc.port("socks5"), "127.0.0.1", self.echo.port)

    def lives(self):
        self.sock.sendall(b"still there?")
        return read_exact(self.sock, 12) == b"still there?"


@pytest.fixture
def pair(farm):
    return farm.pair()


@pytest.fixture
def stream(pair, echo):
    stream = Open(pair[1], echo)
    yield stream
    with stream.sock:
        assert stream.lives(), "the reload has cut an open connection"


# ---- what is applied


def test_auth(farm, pair, stream):
    """A link that was made with the old secret stays, and opens new connections."""
    server, _ = pair
    server.reload(auth=OTHER)
    assert stream.code() == socks.SUCCEEDED
    farm.wspc(entry(server.config["port"]), link=False).wait_link_failed(1, "401")
    farm.wspc(entry(server.config["port"], auth=OTHER))
    server.wait_line("NO AUTH IS SET", since=server.reload(auth=None))
    farm.wspc(entry(server.config["port"], auth=None))


def test_path(farm, pair, stream):
    server, _ = pair
    server.reload(path="/elsewhere")
    farm.wspc(entry(server.config["port"]), link=False).wait_link_failed(1, "404")
    farm.wspc(entry(server.config["port"], path="/elsewhere"))


def test_host(farm, pair):
    server, _ = pair
    by_domain = services(server.config["port"], "http://127.0.0.1:1?mode=domain&value=a.test")
    farm.wspc(by_domain).wait_line(REFUSED + ".*does not set host")
    server.reload(host="proxy.example")
    farm.wspc(by_domain).wait_line(REGISTERED)


def test_egress(pair, stream, echo):
    server, _ = pair
    server.reload(egress={"deny": ["127.0.0.0/8"]})
    assert stream.code() == socks.NOT_ALLOWED
    server.reload(egress=None)
    assert stream.code() == socks.SUCCEEDED


def test_limits(farm, pair, stream):
    server, _ = pair
    server.reload(limits={"links": 1, "memory": 1 << 20})
    refused = farm.wspc(entry(server.config["port"]), link=False)
    refused.wait_link_failed(1, "503")
    server.reload(limits={"links": 2})
    refused.wait_link()


def test_limit_of_connections(pair, stream):
    """Below what is open: the next one waits until there is room."""
    server, _ = pair
    server.reload(limits={"connections": 1})  # the link
    with connect(server.config["port"]) as sock:
        sock.sendall(request("GET /x"))
        assert is_silent(sock, 0.1)
        server.reload(limits={"connections": 2})
        assert read_exact(sock, 12) == b"HTTP/1.1 404"


def test_dialect(farm, pair, stream):
    server, _ = pair
    server.reload(dialect="wsp.1")
    old = entry(server.config["port"], dialect="0.10")
    farm.wspc(old, link=False).wait_link_failed(1, "400")


def test_time(pair, stream):
    """A request head that is never finished."""
    server, _ = pair
    server.reload(time={**server.config["time"], "handshake": 0.2})
    with connect(server.config["port"]) as sock:
        sock.sendall(b"GET ")
        assert sock.recv(12) == b"HTTP/1.1 408"


def test_upstream_ca(farm, tmp_path):
    """The file of a name is replaced: connections to services are trusted by what is in it now."""
    good, other = Authority(tmp_path, "good"), Authority(tmp_path, "other")
    files = good.issue("service", ["DNS:localhost", "IP:127.0.0.1"])
    named = tmp_path / "named.pem"
    named.write_bytes(other.file.read_bytes())
    server = farm.wsps(upstream_ca={"internal": str(named)})

    def status():
        with connect(server.config["port"]) as sock:
            return exchange(sock, request("GET /api/length/5")).status

    with TlsService(files) as service:
        remote = service.remote(ca="internal")
        farm.wspc(services(server.config["port"], remote)).wait_line(REGISTERED)
        assert status() == 502
        named.write_bytes(good.file.read_bytes())
        server.reload()
        assert status() == 200
        server.reload(upstream_ca=None)
        assert status() == 502
        server.wait_line("service http:path:api: wsps does not know this ca")


# ---- the port


@pytest.mark.parametrize("change", ["port", "bind"])
def test_listener_moves(farm, pair, stream, change):
    """The old one is closed; links that came through it live on, and count."""
    server, wspc = pair
    old = server.config["port"]
    port = free_port() if change == "port" else old
    since = server.reload(port=port, bind=None if change == "bind" else "127.0.0.1")
    server.wait_line(LISTENING + rf".*:{port}, links on path {PATH}$", since=since)
    if change == "port":
        with pytest.raises(ConnectionRefusedError):
            connect(old)
    assert stream.code() == socks.SUCCEEDED
    farm.wspc(entry(port))
    since = wspc.mark()
    server.reload(port=old, bind="127.0.0.1")
    farm.wspc(entry(old))
    assert "down" not in wspc.log()[since:]


def test_port_is_taken(farm, pair, stream, echo):
    """Then nothing changes at all."""
    server, _ = pair
    port = server.config["port"]
    since = server.reload(
        NOT_RELOADED + rf"listen on 127.0.0.1:{echo.port}: Address already in use",
        port=echo.port,
        auth=OTHER,
        egress={"deny": ["*"]},
    )
    server.wait_line(r" error wsps: not reloaded", since=since)
    assert stream.code() == socks.SUCCEEDED
    farm.wspc(entry(port))


def test_unusable_ca_file(pair, stream):
    server, _ = pair
    server.reload(NOT_RELOADED + "upstream_ca.x: .*/nowhere.pem", upstream_ca={"x": "/nowhere.pem"})
    assert stream.code() == socks.SUCCEEDED
