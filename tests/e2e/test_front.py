"""The public port of wsps, by raw bytes: the upgrade's checks and answers, and what is no link."""

import time

import pytest

from harness import frames
from harness.daemons import AUTH, PATH
from harness.frames import PING
from harness.http_client import exchange, read_response
from harness.net import connect, how_it_ends, is_silent, read_until
from harness.peer import SWITCH

KEY = b"Uv38ByGCZU8WP18PmmIdcg=="
ACCEPT = "q9gJh2URkPK531679m/l+p3DSE4="


@pytest.fixture(scope="module")
def wsps(shared_farm):
    return shared_farm.wsps(time={"handshake": 1})


@pytest.fixture(scope="module")
def port(wsps):
    return wsps.config["port"]


@pytest.fixture
def sock(port):
    with connect(port) as sock:
        yield sock


def upgrade(line=f"GET {PATH} HTTP/1.1", extra=(), **changes):
    """The request of protocol-0.10 section 1 with some fields changed, or left out when None."""
    fields = {
        "Host": "127.0.0.1",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": KEY.decode(),
        "Auth": AUTH,
        "Proto": "0.10",
    }
    fields.update({name.replace("_", "-"): value for name, value in changes.items()})
    lines = [line] + [f"{n}: {v}" for n, v in fields.items() if v is not None] + list(extra)
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


# ---- the upgrade


def test_accepted(sock):
    sock.sendall(upgrade())
    assert read_until(sock, b"\r\n\r\n") == SWITCH.format(accept=ACCEPT).encode()
    assert is_silent(sock, 0.1), "nothing may be glued to the 101"


@pytest.mark.parametrize(
    "change",
    [
        {"Upgrade": "WebSocket"},
        {"Connection": "keep-alive, Upgrade"},
        {"Connection": "upgrade"},
        {"Host": "any.example:1234"},
        {"Proto": "0.99"},
        {"Proto": "0"},
        {"Proto": "abc"},
        {"Proto": ""},
        {"Sec_WebSocket_Extensions": "permessage-deflate"},
        {"Sec_WebSocket_Protocol": "chat"},
        {"Sec_WebSocket_Protocol": "wsp.9"},
        {"X_Other": "x" * 8000},
    ],
    ids=lambda change: "-".join(change)[:30] + "=" + "".join(change.values())[:20],
)
def test_accepted_variants(sock, change):
    """Neither an extension nor a subprotocol is selected."""
    sock.sendall(upgrade(**change))
    assert read_until(sock, b"\r\n\r\n") == SWITCH.format(accept=ACCEPT).encode()


def test_accepted_byte_by_byte(sock):
    for byte in upgrade():
        sock.sendall(bytes([byte]))
    assert read_until(sock, b"\r\n\r\n") == SWITCH.format(accept=ACCEPT).encode()


NO_TOKEN = "token error, access denied!\n"
NO_PROTO = "client proto version {} not support, server proto is 0.10\n"
REFUSALS = [
    ({"Auth": None}, 401, NO_TOKEN),
    ({"Auth": ""}, 401, NO_TOKEN),
    ({"Auth": "wrong"}, 401, NO_TOKEN),
    ({"Auth": AUTH + "x"}, 401, NO_TOKEN),
    ({"Auth": AUTH[:-1]}, 401, NO_TOKEN),
    ({"Auth": AUTH.upper()}, 401, NO_TOKEN),
    ({"Auth": "wrong", "Proto": "1.0"}, 401, NO_TOKEN),
    ({"Auth": "wrong", "Sec_WebSocket_Key": None}, 401, NO_TOKEN),
    ({"Proto": "1.0"}, 400, NO_PROTO.format("1.00")),
    ({"Proto": "2.5"}, 400, NO_PROTO.format("2.50")),
    ({"Proto": "12"}, 400, NO_PROTO.format("12.00")),
    ({"Proto": "1.0", "Sec_WebSocket_Version": "12"}, 400, NO_PROTO.format("1.00")),
    ({"line": f"POST {PATH} HTTP/1.1"}, 405, "handshake error: bad HTTP request method"),
    ({"Connection": None}, 400, 'handshake error: bad "Connection" header'),
    ({"Connection": "close"}, 400, 'handshake error: bad "Connection" header'),
    ({"Sec_WebSocket_Key": None}, 400, 'handshake error: bad "Sec-WebSocket-Key" header'),
    ({"Sec_WebSocket_Key": "short"}, 400, 'handshake error: bad "Sec-WebSocket-Key" header'),
    ({"Sec_WebSocket_Version": None}, 400, 'handshake error: bad "Sec-WebSocket-Version" header'),
    ({"Sec_WebSocket_Version": "12"}, 426, None),
    ({"Origin": "http://evil.example"}, 403, None),
    ({"Origin": "null"}, 403, None),
    ({"Origin": "http://evil.example", "Auth": "wrong"}, 403, None),
]


@pytest.mark.parametrize("change, status, body", REFUSALS)
def test_refusals(sock, change, status, body):
    response = exchange(sock, upgrade(**change), "GET")
    assert response.status == status
    if body is not None:
        assert response.body.decode().rstrip("\n") == body.rstrip("\n")
    if status == 426:
        assert response.get("sec-websocket-version") == "13"
    assert how_it_ends(sock) == (b"", "eof")


@pytest.mark.parametrize("upgrade_field", [None, "h2c"])
def test_no_upgrade_on_the_links_path(sock, upgrade_field):
    """As the original answers it, or 404 since it is no link: never anything else."""
    response = exchange(sock, upgrade(Upgrade=upgrade_field), "GET")
    assert response.status in (400, 404)
    if response.status == 400:
        assert response.body.decode().strip() == 'handshake error: bad "Upgrade" header'


@pytest.mark.parametrize("field", ["Auth", "Proto", "Sec-WebSocket-Key", "Sec-WebSocket-Version"])
def test_doubled_fields_are_refused(sock, field):
    value = {"Auth": AUTH, "Proto": "0.10", "Sec-WebSocket-Key": KEY.decode()}.get(field, "13")
    assert exchange(sock, upgrade(extra=[f"{field}: {value}"]), "GET").status in (400, 401)


def test_server_without_auth(farm):
    """It says at its start that it is open; a token it does not have is wrong."""
    server = farm.wsps(auth=None)
    assert "open proxy" in server.log().lower()
    for auth, status in ((None, 101), ("", 101), ("anything", 401)):
        with connect(server.config["port"]) as sock:
            assert exchange(sock, upgrade(Auth=auth), "GET").status == status


def test_bytes_behind_the_request_do_no_harm(sock):
    """A client must wait for the 101; one that does not is served all the same."""
    sock.sendall(upgrade() + frames.encode(PING, b"early", masked=True))
    assert read_response(sock).status == 101
    answer = frames.encode(frames.PONG, b"early", masked=False)
    sock.sendall(frames.encode(PING, b"early", masked=True))
    got = read_until(sock, answer)
    assert got in (answer, answer + answer)


def test_refused_token_is_not_logged(wsps, sock):
    exchange(sock, upgrade(Auth="a-wrong-t0ken"), "GET")
    wsps.wait_line("401|token|auth")
    assert "a-wrong-t0ken" not in wsps.log() and AUTH not in wsps.log()


# ---- what is no link


@pytest.mark.parametrize(
    "path",
    ["/", "/proxy/", "/proxyx", "/prox", "/PROXY", "/%70roxy", "//proxy", "/x/../proxy", "*"],
)
def test_other_paths_are_404(sock, path):
    response = exchange(sock, upgrade(line=f"GET {path} HTTP/1.1"), "GET")
    assert response.status == 404


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "BREW"])
def test_other_requests_are_404(sock, method):
    line = f"{method} /index.html HTTP/1.1\r\nHost: x\r\n\r\n"
    response = exchange(sock, line.encode(), method)
    assert response.status == 404
    assert response.get("x-content-type-options") == "nosniff"
    assert how_it_ends(sock) == (b"", "eof")


def test_head_gets_no_body(sock):
    sock.sendall(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
    answer, _ = how_it_ends(sock)
    assert answer.startswith(b"HTTP/1.1 404 ") and answer.endswith(b"\r\n\r\n")
    assert answer.count(b"\r\n\r\n") == 1


@pytest.mark.parametrize("line", ["CONNECT 127.0.0.1:80", "GET http://127.0.0.1/"])
def test_public_port_is_no_forward_proxy(sock, line):
    request = f"{line} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    assert exchange(sock, request, "X").status in (400, 404, 405)


@pytest.mark.parametrize("start", [b"", b"G", b"GET /proxy HTTP/1.1\r\nHost: x\r\n"])
def test_slow_head_is_408(sock, start):
    began = time.monotonic()
    sock.sendall(start)
    answer, _ = how_it_ends(sock, timeout=4)
    assert time.monotonic() - began > 0.8
    assert answer.startswith(b"HTTP/1.1 408 ") or (answer == b"" and start == b"")


def test_time_for_the_head_is_for_all_of_it(sock):
    began = time.monotonic()
    try:
        while time.monotonic() - began < 4 and is_silent(sock, 0.1):
            sock.sendall(b"X")
    except ConnectionError:
        pass
    assert time.monotonic() - began < 3


def test_head_over_64_kib_is_431(sock):
    head = upgrade()[:-2] + b"X-Long: "
    sock.sendall(head + b"x" * (65537 - len(head)))
    assert read_response(sock).status == 431
    assert how_it_ends(sock)[0] == b""


def test_head_of_just_64_kib_is_served(sock):
    start, end = upgrade()[:-2] + b"X-Long: ", b"\r\n\r\n"
    sock.sendall(start + b"x" * (65536 - len(start) - len(end)) + end)
    assert read_response(sock).status == 101


MALFORMED = {
    "no http": b"hello\r\n\r\n",
    "socks": b"\x05\x01\x00\r\n\r\n",
    "tls": bytes.fromhex("160301020001000100") + b"\r\n\r\n",
    "http/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "version": b"GET / HTTP/1.7\r\nHost: x\r\n\r\n",
    "no version": b"GET /\r\n\r\n",
    "two spaces": b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
    "bare LF": b"GET / HTTP/1.1\nHost: x\n\n",
    "LF in head": b"GET / HTTP/1.1\r\nHost: x\nX: y\r\n\r\n",
    "CR in value": b"GET / HTTP/1.1\r\nHost: x\ry\r\n\r\n",
    "NUL": b"GET / HTTP/1.1\r\nHost: x\x00\r\n\r\n",
    "NUL in target": b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
    "obs-fold": b"GET / HTTP/1.1\r\nHost: x\r\n y\r\n\r\n",
    "space before colon": b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
    "no colon": b"GET / HTTP/1.1\r\nHost\r\n\r\n",
    "empty name": b"GET / HTTP/1.1\r\n: x\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "length and chunked": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n",
}


@pytest.mark.parametrize("head", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_heads_are_400(sock, head):
    sock.sendall(head)
    answer, _ = how_it_ends(sock)
    assert answer.startswith(b"HTTP/1.1 400 ")
