"""proxy_protocol of wsps.json: every connection begins with a header that says whose it is."""

import contextlib
import re
import socket
import ssl
import time

import pytest

from harness.certificates import Authority
from harness.daemons import PATH
from harness.env import patience
from harness.front_proxies import haproxy, nginx
from harness.http_client import exchange, read_response
from harness.net import connect, free_port, how_it_ends, is_silent, reset
from harness.proxied import HEADER, SERVER, VISITOR, proxied
from harness.proxy_header import SIGNATURE, v1, v2, v2_raw
from harness.reverse import Rig, request

ASK = request("GET /api/x")
WRONG_LINK = request(f"GET {PATH}", "Upgrade: websocket", "Proto: 0.10", "Auth: wrong")


@pytest.fixture(scope="module")
def rig(shared_farm, shared_service):
    with proxied(shared_farm, shared_service.remote("api")) as rig:
        yield rig


# ---- what counts as a header

HEADERS = {
    "v1": (v1(VISITOR, SERVER), VISITOR),
    "v1 TCP6": (v1("2001:db8::9", "::1"), "2001:db8::9"),
    "v1 UNKNOWN": (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    "v1 UNKNOWN with more": (b"PROXY UNKNOWN " + b"x" * 91 + b"\r\n", "127.0.0.1"),
    "v2": (HEADER, VISITOR),
    "v2 TCP6": (v2("2001:db8::9", "::1"), "2001:db8::9"),
    "v2 mapped": (v2(f"::ffff:{VISITOR}", "::1"), VISITOR),
    "v2 with TLVs": (v2(VISITOR, SERVER, extra=b"\x04\0\3abc" * 600), VISITOR),
    "v2 LOCAL": (v2_raw(0x20, 0x00), "127.0.0.1"),
    "v2 LOCAL with a block": (v2_raw(0x20, 0x11, HEADER[16:]), "127.0.0.1"),
    "v2 UNSPEC": (v2_raw(0x21, 0x00, b"abc"), "127.0.0.1"),
    "v2 unix": (v2_raw(0x21, 0x31, bytes(216)), "127.0.0.1"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_accepted(rig, service, name):
    header, visitor = HEADERS[name]
    with rig.connect(header + ASK) as sock:
        assert read_response(sock).status == 200
        assert service.only_request().all("x-forwarded-for") == [visitor]
        assert exchange(sock, ASK).status == 200, "and the connection goes on without another"


@pytest.mark.parametrize("name", ["v1", "v2 TCP6", "v1 UNKNOWN with more", "v2 LOCAL"])
def test_byte_by_byte(rig, service, name):
    header, visitor = HEADERS[name]
    with connect(rig.port) as sock:
        for byte in header + ASK:
            sock.sendall(bytes([byte]))
        assert read_response(sock).status == 200
    assert service.only_request().all("x-forwarded-for") == [visitor]


REFUSED = {
    "HTTP": ASK,
    "TLS": bytes.fromhex("16030100"),
    "SSH": b"SSH-2.0-x\r\n",
    "nothing but lines": b"\r\n\r\n\r\n",
    "v1 in lower case": HEADERS["v1"][0].lower(),
    "v1 without CR": HEADERS["v1"][0].replace(b"\r", b""),
    "v1 of 108 bytes": b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n",
    "v1 without end": b"PROXY UNKNOWN " + b"x" * 200,
    "v1 with a name": b"PROXY TCP4 localhost 127.0.0.1 1 2\r\n",
    "v1 of mixed families": b"PROXY TCP4 ::1 127.0.0.1 1 2\r\n",
    "v1 with a port too high": b"PROXY TCP4 192.0.2.1 127.0.0.1 1 65536\r\n",
    "v2 of version 3": SIGNATURE + b"\x31\x11\0\0",
    "v2 with an unknown command": v2_raw(0x22, 0x11, HEADER[16:]),
    "v2 with an unknown family": v2_raw(0x21, 0x41, HEADER[16:]),
    "v2 with half a block": v2_raw(0x21, 0x11, HEADER[16:22]),
    "v2 of 64 KiB": v2_raw(0x21, 0x11, bytes(65535)),
    "v2 just too long": v2_raw(0x21, 0x11, bytes(4081)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(rig, service, name):
    with connect(rig.port) as sock:
        with contextlib.suppress(OSError):
            sock.sendall(REFUSED[name] + ASK)
        assert how_it_ends(sock)[0] == b""
    assert service.requests == []


@pytest.fixture
def wsps(farm):
    """Without a client, and with all of the log's limit."""
    return farm.wsps(proxy_protocol="required", time={"handshake": 1})


def test_what_the_log_says(wsps):
    reasons = {
        "it does not begin with a PROXY header": ASK,
        "its PROXY header is too long": REFUSED["v2 of 64 KiB"],
        "it ends within its PROXY header": HEADER[:-1],
    }
    for reason, sent in reasons.items():
        with connect(wsps.config["port"]) as sock:
            number = sock.getsockname()[1]
            sock.sendall(sent)
            with contextlib.suppress(OSError):  # what is wrong in its beginning ends it before
                sock.shutdown(socket.SHUT_WR)
            assert how_it_ends(sock)[0] == b""
        wsps.wait_line(rf"info front 127\.0\.0\.1:{number}: closed: {reason}$")


def test_checks_are_silent(wsps):
    """Load balancers connect and go away to see whether we live."""
    for end in socket.socket.close, reset:
        end(connect(wsps.config["port"]))
    with connect(wsps.config["port"]) as sock:
        sock.sendall(HEADER + request("GET /x"))
        assert read_response(sock).status == 404
    assert "closed:" not in wsps.log()


@pytest.mark.parametrize("sent", [HEADER[:1], HEADER[:-1], v1(VISITOR, SERVER)[:-1]])
def test_ends_within_the_header(rig, sent):
    with connect(rig.port) as sock:
        sock.sendall(sent)
        sock.shutdown(socket.SHUT_WR)
        assert how_it_ends(sock)[0] == b""
    with connect(rig.port) as sock:
        sock.sendall(sent)
        reset(sock)


def test_too_late(wsps):
    """The time is for all of the header: bytes now and then don't stretch it."""
    start, port = time.monotonic(), wsps.config["port"]
    with connect(port) as silent, connect(port) as slow:
        with contextlib.suppress(OSError):
            for byte in v1("2001:db8::9", "2001:db8::1"):
                slow.sendall(bytes([byte]))
                if not is_silent(slow, 0.05):
                    break
        assert how_it_ends(slow)[0] == how_it_ends(silent)[0] == b""
    assert 0.9 < time.monotonic() - start < patience(3)
    wsps.wait_line("closed: no PROXY header in time", count=2)


# ---- whose connection it is


def test_second_header_is_a_bad_request(rig, service):
    """A visitor behind a proxy cannot add a header of his own."""
    for forged in v1("198.51.100.7", SERVER), v2("198.51.100.7", SERVER):
        with rig.connect(HEADER + forged) as sock:
            assert exchange(sock, ASK).status == 400
    assert service.requests == []


def test_off_by_default(farm, service):
    rig = Rig(farm, service.remote("api"))
    for forged in v1(VISITOR, SERVER), HEADER:
        with connect(rig.port) as sock:
            assert exchange(sock, forged + ASK, "GET").status == 400
    assert service.requests == []


def test_links_in_the_log(rig, wsps):
    rig.wsps.wait_line(r"link 1: up, from 203\.0\.113\.5:5$")
    with connect(wsps.config["port"]) as sock:
        assert exchange(sock, v2("2001:db8::9", "::1", 77) + WRONG_LINK, "GET").status == 401
    wsps.wait_line(r"front \[2001:db8::9\]:77: link refused with 401")


def test_ahead_of_tls(farm, tmp_path):
    authority = Authority(tmp_path)
    cert, key = authority.issue("wsps", ["DNS:wsps.example"])
    ssl_keys = {"enable": True, "cert": str(cert), "key": str(key)}
    wsps = farm.wsps(proxy_protocol="required", ssl=ssl_keys)
    context = ssl.create_default_context(cafile=authority.file)
    with connect(wsps.config["port"]) as sock:
        sock.sendall(HEADER)
        with context.wrap_socket(sock, server_hostname="wsps.example") as tls:
            assert exchange(tls, WRONG_LINK).status == 401
    wsps.wait_line(rf"front {re.escape(VISITOR)}:4711: link refused with 401")
    with connect(wsps.config["port"]) as sock, pytest.raises(OSError):
        context.wrap_socket(sock, server_hostname="wsps.example")
    wsps.wait_line("it does not begin with a PROXY header")


# ---- how many, how often, how long


def test_they_count_as_connections(farm, service):
    """A place is taken by who has not said anything yet, too, and given back."""
    with proxied(farm, service.remote("api"), limits={"connections": 2}) as rig:
        with connect(rig.port) as silent, rig.connect() as waiting:
            waiting.sendall(ASK)
            assert is_silent(waiting, 0.2)
            silent.sendall(ASK)
            assert read_response(waiting).status == 200
            assert how_it_ends(silent)[0] == b""


def test_log_is_limited(wsps):
    for _ in range(60):
        with connect(wsps.config["port"]) as sock:
            sock.sendall(ASK)
            how_it_ends(sock)
    assert 1 <= wsps.log().count("does not begin") <= 20


def test_end_of_the_server(farm):
    """Who has not said whose connection it is has nothing that could be waited for."""
    wsps = farm.wsps(proxy_protocol="required", time={"handshake": 60, "drain": 60})
    with connect(wsps.config["port"]) as sock, connect(wsps.config["port"]) as half:
        half.sendall(HEADER[:20])
        assert is_silent(half, 0.05)
        wsps.stop()
        assert how_it_ends(sock)[0] == how_it_ends(half)[0] == b""


def test_reload(farm):
    """For connections that come; those that are there have begun already."""
    wsps = farm.wsps()
    with connect(wsps.config["port"]) as sock:
        assert exchange(sock, HEADER + request("GET /x"), "GET").status == 400
    with connect(wsps.config["port"]) as sock:
        wsps.reload(proxy_protocol="required")
        assert exchange(sock, request("GET /x")).status == 404
    with connect(wsps.config["port"]) as sock:
        assert exchange(sock, HEADER + request("GET /x"), "GET").status == 404


# ---- real senders


def send_by_haproxy(directory, port, target):
    config = f"""
listen version1
    bind 127.0.0.1:{port[1]}
    server wsps 127.0.0.1:{target} send-proxy
listen version2
    bind 127.0.0.1:{port[2]}
    server wsps 127.0.0.1:{target} send-proxy-v2 proxy-v2-options crc32c,unique-id
"""
    return haproxy(directory, port[2], config)


def send_by_nginx(directory, port, target):
    """Version 1 is all that it sends."""
    servers = "".join(
        f"server {{ listen 127.0.0.1:{p}; proxy_pass 127.0.0.1:{target}; proxy_protocol on; }}\n"
        for p in port.values()
    )
    return nginx(directory, port[2], stream=servers)


@pytest.mark.parametrize("send", [send_by_haproxy, send_by_nginx])
def test_real_senders(wsps, send, tmp_path):
    port = {1: free_port(), 2: free_port()}
    program = send(tmp_path, port, wsps.config["port"])
    try:
        for version in port:
            with connect(port[version], source="127.0.0.7") as sock:
                number = sock.getsockname()[1]
                assert exchange(sock, WRONG_LINK).status == 401
            wsps.wait_line(rf"front 127\.0\.0\.7:{number}: link refused")
    finally:
        program.end()
