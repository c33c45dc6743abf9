"""https:// services: TLS ends in wsps, which verifies the service as it was told to."""

import asyncio
import hashlib
import random
import re
import ssl
import time
from urllib.parse import quote

import pytest
import websockets

from harness import messages
from harness.certificates import Authority
from harness.env import SCHEME, patience, volume
from harness.http_client import exchange, read_response
from harness.http_origin import pattern
from harness.messages import CONNECT, REMOTE, RESPOND, TRANSFER, Message
from harness.net import connect, eventually, how_it_ends, read_exact, read_until, reset
from harness.peer import link_to
from harness.reverse import ECHO_SWITCH, ECHO_UPGRADE, REFUSED, REGISTERED, Rig, request
from harness.reverse import services
from harness.tcp_origins import TcpOrigin
from harness.tls_service import TlsService

MIB = 1 << 20
ID = b"3MXEaTTv3gGxOcHjeVzsqNRZ1Xd"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def files(authority):
    """Of a certificate that is good for the names that the tests use."""
    return authority.issue("good", ["DNS:localhost", "IP:127.0.0.1"])


@pytest.fixture(scope="module")
def shared_service(files):
    with TlsService(files) as service:
        yield service


@pytest.fixture(scope="module")
def rig(shared_farm, shared_service, authority):
    """A service by its authority, under a path and a domain."""
    options = {"ca": "internal"}
    return Rig(
        shared_farm,
        shared_service.remote("api", **options),
        shared_service.remote("tls.example", mode="domain", **options),
        shared_service.remote("ip", host="127.0.0.1", **options),
        wsps={"upstream_ca": {"internal": str(authority.file)}},
    )


def judged(farm, remote, **wsps):
    """The status of a request to a service, and wsps' log of it."""
    rig = Rig(farm, remote, time={"open": 2}, wsps=wsps)
    name = "/api/x"
    first = rig.ask(request(f"GET {name}"))
    assert rig.ask(request(f"GET {name}")).status == first.status
    if first.status != 200:
        assert 3 < len(first.body) < 200
    return first.status, rig.wsps.log()


def assert_refused(farm, service, reason, *, wsps=(), **options):
    """502, the reason in the log, and the service has seen no request."""
    status, log = judged(farm, service.remote(**options), **dict(wsps))
    assert status == 502
    assert re.search(reason, log, re.I), log
    assert service.requests == [] and not service.log


# ---- what is trusted


def test_unknown_authority_is_refused(farm, service):
    assert_refused(farm, service, r"self.signed|unable to get (local )?issuer")


def test_roots_of_the_system(farm, service, authority, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    assert judged(farm, service.remote())[0] == 200


def test_insecure(farm, service):
    assert judged(farm, service.remote(insecure="1"))[0] == 200


@pytest.mark.parametrize("value", ["0"])
def test_insecure_but_not_really(farm, service, value):
    assert_refused(farm, service, r"self.signed|unable to get (local )?issuer", insecure=value)


def test_insecure_is_really_so(farm, authority):
    """Expired, for another name: all the same."""
    old = authority.issue("old-other", ["DNS:other.example"], days=-1)
    with TlsService(old) as service:
        assert judged(farm, service.remote(insecure="1"))[0] == 200


def test_pin(farm, service, authority, files):
    pin = quote("sha256:" + authority.pin(files[0]), safe=":")
    assert judged(farm, service.remote(pin=pin))[0] == 200


def test_pin_with_plus_and_slash(farm, authority):
    """As base64 gives it, without escapes: a '+' is a '+'."""
    for number in range(200):
        good = authority.issue(f"pin{number}", ["DNS:localhost"])
        pin = authority.pin(good[0])
        if "+" in pin and "/" in pin:
            break
    with TlsService(good) as service:
        assert judged(farm, service.remote(pin="sha256:" + pin))[0] == 200


def test_wrong_pin(farm, service, authority):
    other = authority.issue("other-key", ["DNS:localhost"])
    pin = quote("sha256:" + authority.pin(other[0]), safe=":")
    assert_refused(farm, service, "pin", pin=pin)
    wsps = {"upstream_ca": {"internal": str(authority.file)}}
    assert_refused(farm, service, "pin", wsps=wsps, pin=pin, ca="internal")


def assert_no_use(farm, service, wsps=(), **options):
    """Refused when it is registered, or when it is used: in no case is it trusted."""
    server = farm.wsps(time={"drain": 0.1}, **dict(wsps))
    port = server.config["port"]
    wspc = farm.wspc(services(port, service.remote(**options)), link=False)
    wspc.wait_line(f"{REGISTERED}|{REFUSED}.*{next(iter(options))}")
    with connect(port) as sock:
        assert exchange(sock, request("GET /api/x")).status in (404, 502)
    assert service.requests == []


PINS = ["", "sha256:", "sha256:AAAA", "md5:AAAA", "x", "sha256:" + "A" * 43, "sha256:" + "=" * 44]


@pytest.mark.parametrize("pin", PINS)
def test_malformed_pin_trusts_nothing(farm, service, pin):
    assert_no_use(farm, service, pin=pin)


@pytest.mark.parametrize("value", ["", "false", "yes", "11"])
def test_malformed_insecure_trusts_nothing(farm, service, value):
    assert_no_use(farm, service, insecure=value)


def test_named_authority(rig, service):
    for target, host in (("/api/x", "h"), ("/x", "tls.example"), ("/ip/x", "h")):
        service.forget()
        assert rig.ask(request(f"GET {target}", host=host)).status == 200
        got = service.only_request()
        assert got.target == "/x" and got.all("host") == [host]
        assert got.all("x-forwarded-proto") == [SCHEME]  # what the visitor spoke


@pytest.mark.parametrize("name", ["unknown", "", "/etc/ssl/certs/ca-certificates.crt", "../ca.pem"])
def test_unknown_name_of_an_authority(farm, service, authority, name):
    """Trusts nothing, and least of all a path."""
    wsps = {"upstream_ca": {"internal": str(authority.file)}}
    assert_no_use(farm, service, wsps, ca=quote(name, safe=""))


def test_file_of_a_client_is_never_opened(farm, service, authority):
    """The very file that would make it trusted, by its path."""
    wsps = {"upstream_ca": {"other": str(Authority(authority.directory, "other-ca").file)}}
    assert_no_use(farm, service, wsps, ca=quote(str(authority.file), safe=""))


def test_other_authority(farm, service, authority):
    other = Authority(authority.directory, "third-ca")
    wsps = {"upstream_ca": {"other": str(other.file)}}
    assert_refused(farm, service, r"issuer|self.signed|signature", wsps=wsps, ca="other")


@pytest.mark.parametrize(
    "host, names",
    [
        ("localhost", ["DNS:other.example"]),
        ("localhost", ["DNS:localhost.example"]),
        ("localhost", ["IP:127.0.0.1"]),
        ("127.0.0.1", ["DNS:localhost"]),
        ("127.0.0.1", ["IP:127.0.0.2"]),
        ("127.0.0.1", ["DNS:127.0.0.1"]),
    ],
)
def test_wrong_host(farm, authority, host, names):
    wrong = authority.issue("wrong-host", names)
    wsps = {"upstream_ca": {"internal": str(authority.file)}}
    with TlsService(wrong) as service:
        assert_refused(farm, service, "host|name|address", wsps=wsps, host=host, ca="internal")


def test_expired(farm, authority):
    old = authority.issue("expired", ["DNS:localhost"], days=-1)
    wsps = {"upstream_ca": {"internal": str(authority.file)}}
    with TlsService(old) as service:
        assert_refused(farm, service, "expired", wsps=wsps, ca="internal")


# ---- the handshake


def test_address_is_not_named(farm, files):
    """RFC 6066 section 3."""
    with TlsService(files) as service:
        assert judged(farm, service.remote(host="127.0.0.1", insecure="1"))[0] == 200
        assert set(service.names) == {None}


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions(farm, authority, files, version):
    with TlsService(files, version=version) as service:
        wsps = {"upstream_ca": {"internal": str(authority.file)}}
        assert judged(farm, service.remote(ca="internal"), **wsps)[0] == 200
        assert set(service.names) == {"localhost"}
        assert set(service.protocols) <= {None, "http/1.1"}


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", b"220 smtp\r\n", None]
)
def test_service_without_tls_is_502(farm, answer):
    """None: it resets."""

    class Plain(TcpOrigin):
        def serve(self, sock):
            got.append(sock.recv(65536))
            if answer is None:
                reset(sock)
            else:
                sock.sendall(answer)

    got = []
    with Plain() as plain:
        remote = f"https://127.0.0.1:{plain.port}?mode=path&value=api&insecure=1"
        assert judged(farm, remote)[0] == 502
    assert got and not any(b"GET" in data for data in got)


def test_service_that_never_answers(farm):
    class Mute(TcpOrigin):
        def serve(self, sock):
            while sock.recv(65536):
                pass

    with Mute() as mute:
        rig = Rig(farm, f"https://127.0.0.1:{mute.port}?mode=path&value=api", time={"open": 0.5})
        began = time.monotonic()
        assert rig.ask(request("GET /api/x")).status in (502, 504)
        assert 0.4 < time.monotonic() - began < patience(2)


def test_ciphertext_on_the_link(farm):
    """The client sees a ClientHello, and no request before its own answer to that."""
    port = farm.wsps().config["port"]
    url = "https://service.example:9?mode=path&value=api&insecure=1"
    with link_to(port) as peer, connect(port) as visitor:
        assert peer.open(ID, url, REMOTE) is None
        visitor.sendall(request("GET /api/x"))
        opened = peer.expect(CONNECT)
        assert messages.decode_request(opened.data) == (REMOTE, url)
        peer.send(Message(opened.id, RESPOND, messages.response()))
        hello = peer.expect(TRANSFER, opened.id).data
        assert hello[:2] == b"\x16\x03" and hello[5] == 1 and b"service.example" in hello
        assert b"GET" not in hello
        peer.send(Message(opened.id, TRANSFER, b"HTTP/1.1 400 Bad Request\r\n\r\n"))
        assert read_response(visitor).status == 502


# ---- HTTP within it


def test_kept_connections(rig, service):
    """One handshake for many requests."""
    rig.ask(request("GET /api/first"))
    count = len(service.protocols)
    for turn in range(20):
        assert rig.ask(request(f"GET /api/{turn}")).body == b"%d GET /%d\n" % (service.port, turn)
    assert len(service.protocols) == count


def test_bytes_are_the_same(rig, service):
    chunks = b"5;a\r\nhello\r\n0\r\nX-T: 1\r\n\r\n"
    fields = ("x-OdD:  1 ", "X-odd: 2", "X-Empty:", "Transfer-Encoding: chunked")
    assert rig.ask(request("POST /api/%2F//x?y", *fields, body=chunks)).status == 200
    got = bytes(service.log)
    assert got.startswith(b"POST /%2F//x?y HTTP/1.1\r\nHost: 127.0.0.1\r\nx-OdD:  1 \r\n")
    assert b"\r\nX-odd: 2\r\nX-Empty:\r\n" in got
    assert got.endswith(b"\r\n\r\n" + chunks)


def test_large_bodies_by_hash(rig, service):
    size = volume(16 * MIB, 4 * MIB)
    body = pattern(size)
    text = f"{size} {hashlib.sha256(body).hexdigest()}\n"
    got = rig.ask(request("POST /api/sha", f"Content-Length: {size}", body=body))
    assert got.body.decode() == text
    assert rig.ask(request(f"GET /api/length/{size}")).body == body
    assert rig.ask(request(f"GET /api/chunked/{size}")).body == body


def test_events_and_their_end(rig, service):
    """Not held back; the service hears that the visitor has left."""
    with rig.connect() as sock:
        sock.sendall(request("GET /api/gated"))
        head = read_until(sock, b"\r\n\r\n")
        assert b" 200 " in head and read_exact(sock, 6) == b"first "
    assert service.gone.wait(patience(1))


@pytest.mark.parametrize("polite, how", [(True, "eof"), (False, "reset")])
def test_end_of_a_body_without_length(farm, files, polite, how):
    """Only a close_notify makes it complete (RFC 9112 section 9.8)."""
    with TlsService(files, polite=polite) as service:
        rig = Rig(farm, service.remote(insecure="1"))
        with rig.connect() as sock:
            sock.sendall(request("GET /api/until_close/50000"))
            data, ending = how_it_ends(sock)
        assert data.endswith(pattern(50000)[-100:]) or not polite
        assert ending == how


def test_service_that_closes_after_each_reply(rig, service):
    """With a close_notify or without, its answers arrive whole."""
    for polite in (True, False):
        service.polite = polite
        with rig.connect() as sock:
            for turn in range(50):
                assert exchange(sock, request("GET /api/closing")).body == b"closing\n"
    service.polite = True


def test_upgrade(rig, service):
    def script(_, sock, got):
        sock.sendall(ECHO_SWITCH)
        while data := sock.recv(65536):
            sock.sendall(data)

    service.script = script
    blob = random.Random(5).randbytes(300_000)
    with rig.connect() as sock:
        sock.sendall(request("GET /api/x", *ECHO_UPGRADE))
        assert read_response(sock).status == 101
        for piece in (b"a", blob, b"b" * 16384, b"c" * 16385):
            sock.sendall(piece)
            assert read_exact(sock, len(piece)) == piece


def test_websocket(farm, files):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)

    async def echo(ws, path=None):
        async for message in ws:
            await ws.send(message)

    async def talk():
        async with websockets.serve(echo, "127.0.0.1", 0, ssl=context) as server:
            port = server.sockets[0].getsockname()[1]
            remote = f"https://127.0.0.1:{port}?mode=path&value=ws&insecure=1"
            rig = await asyncio.to_thread(Rig, farm, remote)
            async with websockets.connect(f"ws://127.0.0.1:{rig.port}/ws") as ws:
                for message in ("text", b"\x00" * 200_000, ""):
                    await ws.send(message)
                    assert await ws.recv() == message

    asyncio.run(asyncio.wait_for(talk(), patience(20)))


def test_dead_service(farm, files):
    with TlsService(files) as service:
        remote = service.remote(insecure="1")
    rig = Rig(farm, remote)
    assert rig.ask(request("GET /api/x")).status == 502
    eventually(lambda: "refused" in rig.wspc.log() + rig.wsps.log(), "a reason")
