"""What the HTTP proxy of wspc refuses: failures, bad requests, smuggling, credentials."""

import base64
import time

import pytest

from harness.daemons import PASSWORD, USER, entry
from harness.http_client import exchange, get, read_response
from harness.net import Blackhole, connect, free_port, how_it_ends

BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


@pytest.fixture
def client(http_client):
    return http_client


def assert_failure(sock, request, *statuses):
    response = exchange(sock, request, "X")
    assert response.status in statuses
    assert response.body.count(b"\n") <= 1 and len(response.body) > 3, "a one-line text"
    return response


def both_forms(authority):
    return [
        f"GET http://{authority}/x HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
        f"CONNECT {authority} HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    ]


@pytest.mark.parametrize("form", [0, 1], ids=["absolute", "connect"])
def test_refused_and_unresolvable_are_502(proxies, form):
    for authority in (f"127.0.0.1:{free_port()}", "no.such.invalid:80", f"[::1]:{free_port()}"):
        with connect(proxies.port("http")) as sock:
            assert_failure(sock, both_forms(authority)[form], 502)


@pytest.mark.parametrize("form", [0, 1], ids=["absolute", "connect"])
def test_dial_timeout_is_504(client, form):
    with Blackhole() as hole:
        began = time.monotonic()
        assert_failure(client, both_forms(f"127.0.0.1:{hole.port}")[form], 504)
        assert time.monotonic() - began < 4


@pytest.mark.parametrize("form", [0, 1], ids=["absolute", "connect"])
def test_no_link(farm, form):
    """Answered at once, not left hanging."""
    wspc = farm.wspc(entry(free_port()), link=False)
    began = time.monotonic()
    with connect(wspc.port("http")) as sock:
        assert_failure(sock, both_forms("127.0.0.1:9")[form], 502, 503)
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    "line",
    [
        "GET / HTTP/1.1",
        "GET /x HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "GET http:///x HTTP/1.1",
        "GET http://:80/x HTTP/1.1",
        "GET http://u:p@127.0.0.1:1/x HTTP/1.1",
        "GET http://127.0.0.1:99999/x HTTP/1.1",
        "GET http://127.0.0.1:1/x",
        "GET http://127.0.0.1:1/x HTTP/2.0",
        "GET  http://127.0.0.1:1/x HTTP/1.1",
        "G(T http://127.0.0.1:1/x HTTP/1.1",
    ],
)
def test_bad_request_lines_are_400(client, line):
    assert exchange(client, f"{line}\r\nHost: x\r\n\r\n".encode(), "X").status == 400


@pytest.mark.parametrize("scheme", ["https", "ftp", "ws"])
def test_other_schemes_are_refused(client, scheme):
    line = f"GET {scheme}://127.0.0.1:1/x HTTP/1.1\r\nHost: x\r\n\r\n"
    assert exchange(client, line.encode(), "X").status in (400, 501)


SMUGGLING = {
    "two lengths": "Content-Length: 4\r\nContent-Length: 5\r\n",
    "same length twice": "Content-Length: 4\r\nContent-Length: 4\r\n",
    "length list": "Content-Length: 4, 4\r\n",
    "length and chunked": "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
    "signed length": "Content-Length: +4\r\n",
    "hexadecimal length": "Content-Length: 0x4\r\n",
    "negative length": "Content-Length: -4\r\n",
    "empty length": "Content-Length: \r\n",
    "huge length": "Content-Length: 99999999999999999999\r\n",
    "unknown coding": "Transfer-Encoding: xchunked\r\n",
    "two codings": "Transfer-Encoding: gzip, chunked\r\n",
    "chunked twice": "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "obs-fold": "X-A: b\r\n Content-Length: 4\r\n",
    "space before colon": "Content-Length : 4\r\n",
    "bare LF": "X-A: b\nContent-Length: 4\r\n",
    "bare CR": "X-A: b\rContent-Length: 4\r\n",
    "NUL": "X-A: b\x00c\r\n",
    "no colon": "Content-Length 4\r\n",
    "empty name": ": 4\r\n",
}


@pytest.mark.parametrize("fields", SMUGGLING.values(), ids=SMUGGLING.keys())
def test_smuggling_shapes_are_refused(client, origin, fields):
    head = f"POST {origin.url('/a')} HTTP/1.1\r\nHost: x\r\n{fields}\r\n"
    hidden = get(origin.url("/hidden"))
    client.sendall(head.encode() + b"0\r\n\r\n" + hidden)
    assert read_response(client).status == 400
    how_it_ends(client)
    assert origin.requests == []


def test_chunked_in_http_1_0_is_refused(client, origin):
    head = f"POST {origin.url('/a')} HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert exchange(client, head.encode() + b"0\r\n\r\n", "X").status == 400
    assert origin.requests == []


@pytest.mark.parametrize(
    "chunks",
    [b"x\r\n", b"-1\r\n", b"5\nhello\n0\n\n", b"3\r\nabcd\r\n0\r\n\r\n", b"\r\n",
     b"3 \rabc", b"fffffffffffffffff\r\n", b"0x3\r\nabc\r\n0\r\n\r\n"],
)  # fmt: skip
def test_broken_chunks_end_the_connection(client, origin, chunks):
    head = f"POST {origin.url('/a')} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    client.sendall(head.encode() + chunks + get(origin.url("/hidden")))
    answer, _ = how_it_ends(client)
    assert answer == b"" or answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 502"))
    assert all(r.target != "/hidden" for r in origin.requests)


@pytest.mark.parametrize("value", [None, "Basic", "Basic dXNlcjp3cm9uZw==", "Bearer x", "Basic !!"])
def test_credentials_are_asked_for(proxies, origin, value):
    for request in (get(origin.url("/x")), both_forms(origin.authority)[1]):
        if value:
            request = request[:-2] + f"Proxy-Authorization: {value}\r\n\r\n".encode()
        with connect(proxies.port("http", entry=1)) as sock:
            response = exchange(sock, request, "X")
            assert response.status == 407
            assert response.get("proxy-authenticate").lower().startswith("basic realm=")
    assert origin.requests == []


def test_credentials_are_checked_on_each_request(proxies, origin):
    good = get(origin.url("/x"), Proxy_Authorization=BASIC)
    with connect(proxies.port("http", entry=1)) as sock:
        assert exchange(sock, good).status == 200
        assert exchange(sock, get(origin.url("/y"))).status == 407
    assert [r.all("proxy-authorization") for r in origin.requests] == [[]]


def test_head_that_is_too_long(client, origin):
    head = get(origin.url("/x"))[:-2] + b"X-Long: "
    client.sendall(head + b"x" * (65537 - len(head)))
    assert read_response(client).status == 431
    assert how_it_ends(client)[0] == b""
    assert origin.requests == []


def test_head_that_is_too_slow(client, origin):
    client.sendall(get(origin.url("/x"))[:-2])
    began = time.monotonic()
    assert how_it_ends(client, timeout=4)[0].startswith(b"HTTP/1.1 408")
    assert time.monotonic() - began > 0.8
    assert origin.requests == []


def test_secrets_never_reach_the_log(proxies, origin):
    test_credentials_are_checked_on_each_request(proxies, origin)
    assert "p:w0rd" not in proxies.log() and BASIC[6:] not in proxies.log()
