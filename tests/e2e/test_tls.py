"""TLS on the public port, as visitors and the openssl command see it."""

import asyncio
import hashlib
import re
import signal
import ssl
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import websockets

from harness import frames
from harness.curl import curl, fetch
from harness.daemons import AUTH, PATH, entry
from harness.env import patience, volume
from harness.http_client import exchange, read_response
from harness.http_origin import pattern
from harness.net import connect, eventually, how_it_ends, read_all, read_exact, read_until
from harness.reverse import HOST, REGISTERED, Service, request
from harness.secure import Pki, s_client

MIB = 1 << 20
BIG = volume(8 * MIB, 4 * MIB)


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


class Rig:
    """A wsps for TLS, and a wspc that has registered services there."""

    def __init__(self, farm, pki, *remotes, time=(), **ssl):
        time = {"drain": 0.1, **dict(time)}
        self.wsps = farm.wsps(host=HOST, ssl=pki.ssl("a", "wild", **ssl), time=time)
        self.port = self.wsps.config["port"]
        self.wspc = farm.wspc(pki.entry(self.port, dynamic=[], remote=list(remotes)), time=time)
        self.wspc.wait_line(REGISTERED, count=len(remotes))
        self.trust = ("--cacert", pki.ca)

    def url(self, path, scheme="https"):
        return f"{scheme}://localhost:{self.port}{path}"


@pytest.fixture(scope="module")
def service():
    with Service() as service:
        yield service


@pytest.fixture(scope="module")
def rig(shared_farm, pki, service, echo):
    remotes = (
        service.remote("api"),
        service.remote("site.example", mode="domain"),
        f"tcp://127.0.0.1:{echo.port}?mode=path&value=echo",
    )
    return Rig(shared_farm, pki, *remotes, time={"handshake": 1})


# ---- visitors


def test_path_and_domain(rig, service):
    assert fetch(*rig.trust, rig.url("/api/length/2000")) == pattern(2000)
    service.forget()
    domain = f"site.example:{rig.port}"
    there = ("--resolve", f"{domain}:127.0.0.1", "--insecure")
    assert fetch(*there, f"https://{domain}/length/2000") == pattern(2000)
    got = service.only_request()
    assert got.all("x-forwarded-proto") == ["https"]
    assert got.all("host") == [domain]


def test_large_bodies(rig):
    assert fetch(*rig.trust, rig.url(f"/api/length/{BIG}")) == pattern(BIG)
    digest = hashlib.sha256(pattern(BIG)).hexdigest()
    put = ("-T", "-", "-H", "Expect:", rig.url("/api/sha"))
    assert fetch(*rig.trust, *put, data=pattern(BIG)) == f"{BIG} {digest}\n".encode()


def test_many_requests_on_one_connection(rig, pki):
    with pki.connect(rig.port) as sock:
        for size in (1, 0, 70000, 16384, 16385, 5):
            sock.sendall(request(f"GET /api/length/{size}", host="localhost"))
            assert read_response(sock).body == pattern(size)
        for size in (3, 100000, 2):  # sent ahead
            sock.sendall(request(f"GET /api/length/{size}", host="localhost"))
        for size in (3, 100000, 2):
            assert read_response(sock).body == pattern(size)


def test_slow_reader(rig, pki):
    """What TLS holds back goes out when there is room, and the end behind it."""
    size = 8 * MIB  # more than the kernel takes
    with pki.connect(rig.port, buffer=1 << 16) as sock:
        sock.sendall(request(f"GET /api/length/{size}", "Connection: close", host="localhost"))
        time.sleep(0.3)
        assert read_all(sock).partition(b"\r\n\r\n")[2] == pattern(size)


def test_slow_readers_at_the_end(farm, pki, service):
    """The process outlives what TLS holds back; the last one to have all of it ends it."""
    rig = Rig(farm, pki, service.remote("api"), time={"drain": 20})
    sizes = [300_000 + 1777 * number for number in range(30)]
    readers = {}
    service.forget()
    for size in sizes:
        readers[size] = sock = pki.connect(rig.port, buffer=1 << 14)
        sock.sendall(request(f"GET /api/length/{size}", "Connection: close", host="localhost"))
    eventually(lambda: len(service.requests) == len(sizes), "all are asked for")
    rig.wsps.signal(signal.SIGTERM)
    got = dict.fromkeys(sizes, b"")
    while readers:
        for size, sock in list(readers.items()):
            piece = sock.recv(1 << 14)
            got[size] += piece
            if not piece:
                readers.pop(size).close()
        time.sleep(0.01)
    assert all(data.partition(b"\r\n\r\n")[2] == pattern(size) for size, data in got.items())


def test_websocket(rig, pki):
    data = pattern(BIG // 4)

    async def talk():
        async with websockets.connect(rig.url("/echo", "wss"), ssl=pki.context()) as ws:
            await ws.send(data)
            got = b""
            while len(got) < len(data):
                got += await ws.recv()
            assert got == data
        assert ws.close_code == 1000

    asyncio.run(asyncio.wait_for(talk(), patience(20)))


def upgrade(path, *fields):
    key = f"Sec-WebSocket-Key: {frames.new_key().decode()}"
    more = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", key, *fields)
    return request(f"GET {path}", *more, host="localhost")


def test_what_tls_has_read_is_not_forgotten(rig, pki):
    """The connection changes hands while the session holds more, and nothing comes after it."""
    data = pattern(15_000)  # in one record with the request
    with pki.connect(rig.port) as sock:
        sock.sendall(upgrade("/echo") + frames.encode(frames.BINARY, data, masked=True))
        assert b" 101 " in read_until(sock, b"\r\n\r\n")
        assert read_exact(sock, 4 + len(data))[4:] == data
    with pki.connect(rig.port) as sock:
        ping = frames.encode(frames.PING, b"x" * 100, masked=True)
        sock.sendall(upgrade(PATH, f"Auth: {AUTH}", "Proto: 0.10") + ping * 100)
        assert b" 101 " in read_until(sock, b"\r\n\r\n")
        pong = frames.encode(frames.PONG, b"x" * 100, masked=False)
        assert read_exact(sock, 100 * len(pong)) == pong * 100


# ---- the handshake


@pytest.mark.parametrize(
    "name, shown",
    [
        (None, "default"),
        ("localhost", "default"),
        ("a.example", "a"),
        ("A.Example", "a"),
        ("x.wild.example", "wild"),
        ("wild.example", "default"),
        ("x.y.wild.example", "default"),
    ],
)
def test_certificate_by_name(rig, name, shown):
    text, _ = s_client(rig.port, *(("-servername", name) if name else ("-noservername",)))
    assert re.search(rf"^subject=CN = {shown}$", text, re.M), text


WEAK = "ALL:COMPLEMENTOFALL:@SECLEVEL=0"
OLD = r"alert protocol version|unsupported protocol|no protocols available"
NO_CIPHER = r"alert handshake failure|no cipher match|no ciphers available"


@pytest.mark.parametrize(
    "args, fault",
    [
        (("-tls1_2",), None),
        (("-tls1_3",), None),
        (("-tls1", "-cipher", WEAK), OLD),
        (("-tls1_1", "-cipher", WEAK), OLD),
        (("-tls1_2", "-cipher", "eNULL:@SECLEVEL=0"), NO_CIPHER),
        (("-tls1_2", "-cipher", "aNULL:@SECLEVEL=0"), NO_CIPHER),
        (("-tls1_2", "-cipher", "EXPORT:@SECLEVEL=0"), NO_CIPHER),
        (("-tls1_2", "-cipher", "RC4:@SECLEVEL=0"), NO_CIPHER),
        (("-tls1_2", "-cipher", "3DES:@SECLEVEL=0"), NO_CIPHER),
        (("-tls1_2", "-cipher", "ECDHE+CHACHA20"), None),
    ],
)
def test_versions_and_ciphers(rig, args, fault):
    text, ok = s_client(rig.port, *args)
    assert ok == (fault is None), text
    assert not fault or re.search(fault, text), text


def test_what_is_agreed_on(rig):
    text, _ = s_client(rig.port, "-tls1_2", "-alpn", "h2,http/1.1")
    assert "ALPN protocol: http/1.1" in text
    assert "Compression: NONE" in text
    assert "Secure Renegotiation IS supported" in text
    text, _ = s_client(rig.port, "-alpn", "h2")
    assert "No ALPN negotiated" in text


def test_no_renegotiation(rig):
    text, ok = s_client(rig.port, "-tls1_2", data=b"R\nQ\n")
    assert "RENEGOTIATING" in text and "no renegotiation" in text and not ok


def test_min_version_and_ciphers(farm, pki):
    suite = "TLS_CHACHA20_POLY1305_SHA256"
    port = farm.wsps(ssl=pki.ssl(min_version="1.3", ciphers=suite)).config["port"]
    text, ok = s_client(port, "-tls1_2")
    assert not ok and re.search(OLD, text), text
    text, ok = s_client(port)
    assert ok and f"Cipher is {suite}" in text


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_plain_http(rig, method):
    with connect(rig.port) as sock:
        sock.sendall(request(f"{method} /api/x", "Content-Length: 0"))
        head, _, body = how_it_ends(sock)[0].partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert body == b"this port speaks HTTPS: use https:// or wss://\n"


def test_plain_link(farm, rig):
    """A wspc that is told ws:// shows what its user needs to see."""
    wspc = farm.wspc(entry(rig.port, dynamic=[]), link=False)
    wspc.wait_link_failed(1, ": 400: this port speaks HTTPS: use https:// or wss://")


@pytest.mark.parametrize("sent", [b"SSH-2.0-x\r\n", b"\x16\x03\x01\x02\x00" + b"x" * 512])
def test_garbage(rig, sent):
    since = rig.wsps.mark()
    with connect(rig.port) as sock:
        sock.sendall(sent)
        how_it_ends(sock)
    rig.wsps.wait_line(r" info front 127\.0\.0\.1:\d+: tls: handshake failed: ", since=since)


def test_health_check_is_not_logged(rig):
    since = rig.wsps.mark()
    connect(rig.port).close()
    with connect(rig.port) as sock:
        sock.sendall(b"SSH-2.0-x\r\n")
    rig.wsps.wait_line(r"tls: handshake failed", since=since)
    assert "the peer closed" not in "\n".join(rig.wsps.lines[since:])


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01\x00\x01"])
def test_stalled_handshake(rig, sent):
    began = time.monotonic()
    with connect(rig.port) as sock:
        sock.sendall(sent)
        assert how_it_ends(sock)[0] == b""
    assert time.monotonic() - began > 0.9


def test_stalled_handshakes_hold_up_nobody(rig, pki):
    socks = [connect(rig.port) for _ in range(300)]
    for sock in socks:
        sock.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01")
    with pki.connect(rig.port) as sock:
        assert exchange(sock, request("GET /api/length/9", host="localhost")).body == pattern(9)
    for sock in socks:
        assert how_it_ends(sock)[0] == b""
        sock.close()


def test_hundred_handshakes_at_once(rig, pki):
    context = pki.context()

    def ask(number):
        with context.wrap_socket(connect(rig.port), server_hostname="localhost") as sock:
            return exchange(sock, request(f"GET /api/length/{number}", host="localhost")).body

    with ThreadPoolExecutor(100) as threads:
        for number, body in enumerate(threads.map(ask, range(100))):
            assert body == pattern(number)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_session_is_resumed(rig, pki, version):
    context = pki.context(version=version)
    session = None
    for reused in (False, True):
        sock = context.wrap_socket(connect(rig.port), server_hostname="localhost", session=session)
        assert sock.session_reused == reused
        assert exchange(sock, request("GET /api/length/1", host="localhost")).status == 200
        session = sock.session
        sock.close()


def test_visitor_without_trust(rig):
    result = curl(rig.url("/api/length/1"))
    assert result.status == 60 and "unable to get local issuer" in result.errors
