"""?proxy_protocol of an entry of `remote`: the service is told whose connection it serves."""

import pytest

from harness import frames
from harness.certificates import Authority
from harness.env import DIALECTS
from harness.front_proxies import haproxy, nginx
from harness.http_client import exchange
from harness.messages import REMOTE
from harness.net import connect, eventually, free_port, read_exact, read_until
from harness.peer import link_to
from harness.proxied import proxied
from harness.proxy_header import SIGNATURE, parse, v2
from harness.reverse import Rig, Service, request
from harness.tcp_origins import BannerOrigin
from harness.tls_service import TlsService

VISITOR = "127.0.0.7"
VERSIONS = ["v1", "v2"]
ID = b"3MXEaTTv3gGxOcHjeVzsqNRZ1Xd"


def read_header(sock):
    """(version, source, target) of the header that a connection begins with."""
    data = read_exact(sock, 16)
    if data.startswith(SIGNATURE):
        data += read_exact(sock, int.from_bytes(data[14:16], "big"))
        version = "v2"
    else:
        data += read_until(sock, b"\r\n")
        version = "v1"
    source, target, rest = parse(data)
    assert rest == b""
    return version, source, target


class Told:
    """Of a service: reads the header of each connection before anything else."""

    headers = ()

    def serve(self, sock):
        self.headers = [*self.headers, read_header(sock)]
        super().serve(sock)


class ToldService(Told, Service):
    pass


class ToldTls(Told, TlsService):
    pass


class ToldBanner(Told, BannerOrigin):
    pass


@pytest.fixture
def told():
    with ToldService() as service:
        yield service


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def files(authority):
    return authority.issue("service", ["DNS:localhost", "IP:127.0.0.1"])


def expected(version, sock, port):
    """The header for a visitor's socket."""
    return version, sock.getsockname()[:2], ("127.0.0.1", port)


def open_ws(sock, path):
    key = frames.new_key().decode()
    fields = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
    sock.sendall(request(f"GET {path}", *fields, f"Sec-WebSocket-Key: {key}"))
    assert read_until(sock, b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")


def read_frames(sock, size):
    """That many bytes of payload."""
    parser, data = frames.Parser(masked=False), b""
    while len(data) < size:
        piece = sock.recv(1 << 16)
        assert piece, "the stream ended"
        data += b"".join(f.payload for f in parser.feed(piece) if f.op == frames.BINARY)
    return data


# ---- what the header says


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("version", VERSIONS)
def test_http(farm, told, version, dialect):
    remote = told.remote("api", proxy_protocol=version)
    rig = Rig(farm, remote, wsps={"dialect": dialect})
    with connect(rig.port, source=VISITOR) as sock:
        assert exchange(sock, request("GET /api/x")).status == 200
        assert told.headers == [expected(version, sock, rig.port)]
    assert told.only_request().all("x-forwarded-for") == [VISITOR]


@pytest.mark.parametrize("version", VERSIONS)
def test_https(farm, files, authority, version):
    """In plain, ahead of the handshake."""
    with ToldTls(files) as service:
        remote = service.remote(ca="own", proxy_protocol=version)
        rig = Rig(farm, remote, wsps={"upstream_ca": {"own": str(authority.file)}})
        with connect(rig.port, source=VISITOR) as sock:
            assert exchange(sock, request("GET /api/x")).status == 200
            assert service.headers == [expected(version, sock, rig.port)]
        assert service.names == ["localhost"]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("version", VERSIONS)
def test_tcp(farm, version, dialect):
    """Also to a service that speaks first: nobody has to send anything for it."""
    with ToldBanner() as service:
        remote = f"tcp://127.0.0.1:{service.port}?mode=path&value=t&proxy_protocol={version}"
        rig = Rig(farm, remote, wsps={"dialect": dialect})
        with connect(rig.port, source=VISITOR) as sock:
            open_ws(sock, "/t")
            assert read_frames(sock, len(service.banner)) == service.banner
            sock.sendall(frames.encode(frames.BINARY, b"hello", masked=True))
            assert read_frames(sock, 5) == b"hello"
            assert service.headers == [expected(version, sock, rig.port)]


def test_data_sent_ahead(farm):
    """With the request of the WebSocket: it comes behind the header."""
    with ToldBanner() as service:
        remote = f"tcp://127.0.0.1:{service.port}?mode=path&value=t&proxy_protocol=v1"
        rig = Rig(farm, remote)
        with connect(rig.port) as sock:
            early = frames.encode(frames.BINARY, b"early", masked=True)
            key = frames.new_key().decode()
            fields = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
            sock.sendall(request("GET /t", *fields, f"Sec-WebSocket-Key: {key}") + early)
            assert read_until(sock, b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
            assert read_frames(sock, len(service.banner) + 5) == service.banner + b"early"


def test_ipv6_and_domain(farm, told):
    remote = told.remote("told.example", mode="domain", proxy_protocol="v2")
    rig = Rig(farm, remote, wsps={"bind": None})
    for host in "::1", "127.0.0.1":
        with connect(rig.port, host=host) as sock:
            assert exchange(sock, request("GET /x", host="told.example")).status == 200
            own = sock.getsockname()[:2]
        assert told.headers[-1] == ("v2", own, (host, rig.port))


# ---- from one header to the other


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("source, target", [("203.0.113.9", "203.0.113.1"),
                                            ("2001:db8::9", "2001:db8::1")])  # fmt: skip
def test_addresses_of_the_header(farm, told, version, source, target):
    """What came in the PROXY protocol goes on in it, both ends."""
    with proxied(farm, told.remote("api", proxy_protocol=version)) as rig:
        with rig.connect(v2(source, target, 4711, 443)) as sock:
            assert exchange(sock, request("GET /api/x")).status == 200
    assert told.headers == [(version, (source, 4711), (target, 443))]


@pytest.mark.parametrize("version", VERSIONS)
def test_visitors_of_a_trusted_proxy(farm, told, version):
    """On one connection of it, come from several: each gets his own to the service. No port is
    known; beside an IPv6 address, our own IPv4 one is a mapped one."""
    remote = told.remote("api", proxy_protocol=version)
    rig = Rig(farm, remote, wsps={"trusted_proxies": ["127.0.0.1"]})
    visitors = ["192.0.2.1", "2001:db8::9", "192.0.2.1", "2001:db8::9"]
    with rig.connect() as sock:
        for visitor in visitors:
            fields = f"X-Forwarded-For: {visitor}"
            assert exchange(sock, request("GET /api/x", fields)).status == 200
        assert [h[:2] for h in told.headers] == [(version, (v, 0)) for v in visitors[:2]]
        mapped = "::ffff:127.0.0.1" if version == "v2" else "::ffff:7f00:1"
        assert [h[2][0] for h in told.headers] == ["127.0.0.1", mapped]
        assert [r.connection for r in told.requests] == [1, 2, 1, 2]


# ---- whom a connection serves


@pytest.mark.parametrize("tls", [False, True])
def test_one_visitor_only(farm, files, authority, tls):
    """Kept for further requests of his, and never for another's; closed when he has gone."""
    with (ToldTls(files) if tls else ToldService()) as service:
        options = {"ca": "own"} if tls else {}
        remote = service.remote("api", proxy_protocol="v1", **options)
        rig = Rig(farm, remote, wsps={"upstream_ca": {"own": str(authority.file)}})
        with rig.connect() as first, rig.connect() as second:
            for sock in first, first, second, first, second:
                assert exchange(sock, request("GET /api/x")).status == 200
            assert [r.connection for r in service.requests] == [1, 1, 2, 1, 2]
            assert [h[1] for h in service.headers] == [s.getsockname() for s in (first, second)]
            first.close()
            eventually(lambda: service.ended == 1, "the first one's connection ends")
            assert exchange(second, request("GET /api/x")).status == 200
        eventually(lambda: service.ended == 2, "the second one's ends")


def test_many_visitors(farm, told):
    """What is kept for those who have come does not keep out those who come."""
    rig = Rig(farm, told.remote("api", proxy_protocol="v2"))
    socks = [rig.connect() for _ in range(80)]
    for _ in range(2):
        for sock in socks:
            assert exchange(sock, request("GET /api/x")).status == 200
    assert exchange(socks[-1], request("GET /api/x")).status == 200
    assert told.requests[-1].connection == told.requests[-2].connection
    for sock in socks:
        sock.close()
    eventually(lambda: told.ended == len(told.headers), "all connections end")


def test_requests_that_close(farm, told):
    rig = Rig(farm, told.remote("api", proxy_protocol="v1"))
    for number in range(1, 4):
        assert rig.ask(request("GET /api/x", "Connection: close")).status == 200
        eventually(lambda: told.ended == number, "the connection to the service ends")


# ---- what is refused


def test_value_is_checked_by_wsps(farm):
    """wspc refuses it in its file; whoever comes past that gets it from the server."""
    with link_to(farm.wsps().config["port"]) as peer:
        for scheme in "http", "https", "tcp":
            for value in "v3", "", "1", "v1,v2":
                url = f"{scheme}://127.0.0.1:9?mode=path&value=x&proxy_protocol={value}"
                assert peer.open(ID, url, REMOTE) == "proxy_protocol must be v1 or v2"


# ---- real services

HAPROXY = """
listen http
    mode http
    bind 127.0.0.1:{http} accept-proxy
    http-request return content-type text/plain lf-string "%[src] %[src_port] %[dst]"
listen https
    mode http
    bind 127.0.0.1:{https} accept-proxy ssl crt {pem}
    http-request return content-type text/plain lf-string "%[src] %[src_port] %[dst]"
"""

NGINX_HTTP = """
server {{
    listen 127.0.0.1:{http} proxy_protocol;
    return 200 "$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_addr";
}}
server {{
    listen 127.0.0.1:{https} ssl proxy_protocol;
    ssl_certificate {cert};
    ssl_certificate_key {key};
    return 200 "$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_addr";
}}
"""

NGINX_STREAM = """
server {{
    listen 127.0.0.1:{tcp} proxy_protocol;
    return "$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_addr";
}}
"""


def by_haproxy(directory, ports, cert, key):
    pem = directory / "both.pem"
    pem.write_text(cert.read_text() + key.read_text())
    return haproxy(directory, ports["https"], HAPROXY.format(pem=pem, **ports))


def by_nginx(directory, ports, cert, key):
    http = NGINX_HTTP.format(cert=cert, key=key, **ports)
    return nginx(directory, ports["https"], http, NGINX_STREAM.format(**ports))


@pytest.mark.parametrize("service, schemes", [(by_haproxy, ("http", "https")),
                                              (by_nginx, ("http", "https", "tcp"))])  # fmt: skip
def test_real_services(farm, files, authority, service, schemes, tmp_path):
    ports = {scheme: free_port() for scheme in ("http", "https", "tcp")}
    program = service(tmp_path, ports, *files)
    try:
        ways = [(scheme, version) for scheme in schemes for version in VERSIONS]
        remotes = [
            f"{s}://127.0.0.1:{ports[s]}?mode=path&value={s}{v}&proxy_protocol={v}"
            + ("&ca=own" if s == "https" else "")
            for s, v in ways
        ]
        rig = Rig(farm, *remotes, wsps={"upstream_ca": {"own": str(authority.file)}})
        for scheme, version in ways:
            with connect(rig.port, source=VISITOR) as sock:
                want = f"{VISITOR} {sock.getsockname()[1]} 127.0.0.1".encode()
                if scheme == "tcp":
                    open_ws(sock, f"/{scheme}{version}")
                    assert read_frames(sock, len(want)) == want
                else:
                    for _ in range(2):
                        got = exchange(sock, request(f"GET /{scheme}{version}/"))
                        assert got.body == want
    finally:
        program.end()
