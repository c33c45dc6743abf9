"""The HTTP proxy of wspc: absolute-form requests and CONNECT, with the exact bytes they cause."""

import socket

import pytest

from harness.curl import curl, fetch
from harness.daemons import PASSWORD, USER
from harness.http_client import exchange, get, read_response
from harness.http_origin import HttpOrigin, chunked, pattern
from harness.net import eventually, how_it_ends, read_exact, reset
from harness.tcp_origins import EchoOrigin

CREDENTIALS = f"{USER}:{PASSWORD}"


@pytest.fixture(scope="module")
def proxy(proxies):
    return f"http://127.0.0.1:{proxies.port('http')}"


@pytest.fixture
def client(http_client):
    return http_client


# ---- by curl


@pytest.mark.parametrize("options", [(), ("-p",)], ids=["absolute", "connect"])
@pytest.mark.parametrize("path", ["/length/70000", "/chunked/70000", "/until_close/70000"])
def test_curl(proxy, origin, options, path):
    assert fetch(*options, "-x", proxy, origin.url(path)) == pattern(70000)


@pytest.mark.parametrize("options", [(), ("-p",)], ids=["absolute", "connect"])
def test_curl_ipv6_and_names(proxy, origin, options):
    assert fetch(*options, "-x", proxy, f"http://localhost:{origin.port}/x")
    with HttpOrigin(host="::1") as six:
        assert fetch(*options, "-x", proxy, six.url("/x"))
        assert six.requests[0].all("host") == [f"[::1]:{six.port}"]


@pytest.mark.parametrize("framing", [(), ("-H", "Transfer-Encoding: chunked")])
@pytest.mark.parametrize("options", [(), ("-p",)], ids=["absolute", "connect"])
def test_curl_upload(proxy, origin, options, framing):
    body = pattern(3_000_000)
    args = (*options, "-x", proxy, *framing, "--data-binary", "@-", origin.url("/echo"))
    assert fetch(*args, data=body) == body


def test_curl_reuses_one_connection_for_two_hosts(proxy, origin, origin_b):
    urls = [o.url(f"/{n}") for n in range(4) for o in (origin, origin_b)]
    lines = fetch("-x", proxy, *urls).decode().split("\n")[:-1]
    assert lines == [f"{o.port} GET /{n}" for n in range(4) for o in (origin, origin_b)]


def test_curl_with_credentials(proxies, origin):
    proxy = f"http://127.0.0.1:{proxies.port('http', entry=1)}"
    for options in ((), ("-p",)):
        assert fetch(*options, "-x", proxy, "-U", CREDENTIALS, origin.url("/x"))
        wrong = ("-x", proxy, "-U", f"{USER}:wrong", "-w", "%{http_code} %{http_connect}")
        assert b"407" in curl(*options, *wrong, origin.url("/x")).body


# ---- what the origin gets


def test_request_is_rewritten_to_origin_form(client, origin):
    head = (
        f"GET {origin.url('/p%2Fa/../b%20c?x=1&y=%00#')} HTTP/1.1\r\n".replace("#", "")
        + "Host: elsewhere.example\r\n"
        "User-Agent: test\r\n"
        "X-Case-KEPT: a  b\t c\r\n"
        "Proxy-Authorization: Basic c2VjcmV0\r\n"
        "proxy-connection: keep-alive\r\n"
        "Connection: X-Drop, keep-alive\r\n"
        "Keep-Alive: timeout=5\r\n"
        "X-Drop: 1\r\n"
        "TE: trailers\r\n"
        "Upgrade: h2c\r\n"
        "accept: a\r\n"
        "Accept: b\r\n"
        "Cookie: x=\u00e9; y\r\n"
        "\r\n"
    )
    assert exchange(client, head.encode("latin-1")).status == 200
    expected = (
        "GET /p%2Fa/../b%20c?x=1&y=%00 HTTP/1.1\r\n"
        f"Host: {origin.authority}\r\n"
        "User-Agent: test\r\n"
        "X-Case-KEPT: a  b\t c\r\n"
        "accept: a\r\n"
        "Accept: b\r\n"
        "Cookie: x=\u00e9; y\r\n"
        "\r\n"
    )
    assert origin.requests[0].head == expected.encode("latin-1")


@pytest.mark.parametrize(
    "method, suffix, target",
    [
        ("GET", "", "/"),
        ("GET", "?q=1", "/?q=1"),
        ("GET", "/", "/"),
        ("GET", "//x", "//x"),
        ("OPTIONS", "", "*"),
        ("OPTIONS", "/", "/"),
        ("GET", "/a?b=http://c.d/e", "/a?b=http://c.d/e"),
    ],
)
def test_targets(client, origin, method, suffix, target):
    line = f"{method} http://{origin.authority}{suffix} HTTP/1.1\r\n"
    assert exchange(client, f"{line}Host: x\r\n\r\n".encode()).status == 200
    request = origin.requests[0]
    assert (request.method, request.target) == (method, target)
    assert request.all("host") == [origin.authority]
    assert request.all("via") == [] and request.all("x-forwarded-for") == []


def test_scheme_in_any_case(client, origin):
    url = origin.url("/x").replace("http", "HTTP", 1)
    assert exchange(client, f"GET {url} HTTP/1.1\r\nHost: x\r\n\r\n".encode()).status == 200


def test_default_port(client):
    try:
        server = HttpOrigin(port=80)
    except OSError:
        pytest.skip("port 80 is not to be had")
    with server as origin:
        assert exchange(client, b"GET http://127.0.0.1/x HTTP/1.1\r\nHost: x\r\n\r\n").status == 200
        assert origin.requests[0].all("host") == ["127.0.0.1"]


METHODS = ["POST", "PUT", "PATCH", "DELETE", "PROPFIND", "M-SEARCH", "get"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [0, 1, 40000])
def test_bodies_with_length(client, origin, method, size):
    body = pattern(size)
    head = f"{method} {origin.url('/echo')} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n"
    assert exchange(client, head.encode() + body).body == body
    assert origin.requests[0].method == method
    assert exchange(client, get(origin.url("/next"))).status == 200


@pytest.mark.parametrize("method", METHODS)
def test_bodies_in_chunks_keep_their_framing(client, origin, method):
    raw = b"5;a=b\r\nhello\r\n0A\r\n, chunks..\r\n000\r\nX-Sum: 1\r\n\r\n"
    head = f"{method} {origin.url('/echo')} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
    response = exchange(client, f"{head}Trailer: X-Sum\r\n\r\n".encode() + raw)
    assert response.body == b"hello, chunks.."
    assert origin.requests[0].raw_body == raw
    assert exchange(client, get(origin.url("/next"))).status == 200


def test_body_byte_by_byte(client, origin):
    raw = b"3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"
    head = f"POST {origin.url('/echo')} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    for byte in head.encode() + raw:
        client.sendall(bytes([byte]))
    assert read_response(client).body == b"abcd"


def test_large_bodies_both_ways(client, origin):
    body = pattern(8 << 20)
    head = f"POST {origin.url('/echo')} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    client.sendall(head.encode())
    client.sendall(chunked(body, step=70000))
    assert read_response(client).body == body


# ---- several requests on one connection


def test_hosts_alternate_on_one_connection(client, origin, origin_b):
    for number in range(6):
        server = (origin, origin_b)[number % 2]
        response = exchange(client, get(server.url(f"/{number}")))
        assert response.body == f"{server.port} GET /{number}\n".encode()
    assert [r.target for r in origin.requests] == ["/0", "/2", "/4"]
    assert [r.target for r in origin_b.requests] == ["/1", "/3", "/5"]


def test_pipelining(client, origin, origin_b):
    """Answers come in the order of the requests, whichever host is faster."""
    servers = [origin, origin, origin_b, origin, origin_b, origin_b, origin, origin_b]
    post = f"POST {origin.url('/echo')} HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
    gets = [get(s.url(f"/{n}")) for n, s in enumerate(servers)]
    client.sendall(post.encode() + b"".join(gets))
    assert read_response(client).body == b"body"
    for number, server in enumerate(servers):
        assert read_response(client).body == f"{server.port} GET /{number}\n".encode()


def test_origin_that_closes_between_requests(client, origin):
    """A silently closed upstream connection costs the client nothing."""
    for number in range(3):
        response = exchange(client, get(origin.url("/closing")))
        assert (response.status, response.body) == (200, b"closing\n"), number
        eventually(lambda: not origin.live, "the origin has closed")


def test_close_asked_by_the_client(client, origin):
    response = exchange(client, get(origin.url("/x"), Connection="close"))
    assert response.status == 200
    assert how_it_ends(client) == (b"", "eof")


def test_http_1_0_client(client, origin):
    client.sendall(f"GET {origin.url('/length/100')} HTTP/1.0\r\n\r\n".encode())
    answer, how = how_it_ends(client)
    assert answer.startswith(b"HTTP/1.") and answer.endswith(pattern(100)) and how == "eof"


# ---- responses


def test_head_and_bodiless_responses(client, origin):
    head = exchange(client, f"HEAD {origin.url('/length/9')} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert (head.status, head.get("content-length")) == (200, "9")
    for status in (204, 304):
        response = exchange(client, get(origin.url(f"/status/{status}")))
        assert (response.status, response.get("x-kept")) == (status, "yes")
    assert exchange(client, get(origin.url("/x"))).status == 200


def test_interim_responses(client, origin):
    assert exchange(client, get(origin.url("/hints"))).status == 103
    assert read_response(client).body == b"after hints\n"
    head = f"POST {origin.url('/echo')} HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
    client.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
    assert read_response(client).status == 100
    assert exchange(client, b"abc", "POST").body == b"abc"
    assert exchange(client, get(origin.url("/x"))).status == 200


def test_until_close_response_ends_the_connection(client, origin):
    client.sendall(get(origin.url("/until_close/100000")))
    answer, how = how_it_ends(client)
    assert answer.endswith(b"\r\n\r\n" + pattern(100000)) and how == "eof"


def test_trailers_and_extensions_pass(client, origin):
    client.sendall(get(origin.url("/trailers")))
    end = b"\r\n\r\n3;note=1\r\nabc\r\n0\r\nX-Sum: 3\r\n\r\n"
    data = b""
    while not data.endswith(end):
        data += read_exact(client, 1)
    assert b"Trailer: X-Sum\r\n" in data
    assert exchange(client, get(origin.url("/x"))).status == 200


def test_response_is_not_held_back(client, origin):
    client.sendall(get(origin.url("/gated")))
    data = b""
    while not data.endswith(b"\r\n\r\nfirst "):
        data += read_exact(client, 1)
    origin.gate.set()
    assert read_exact(client, 6) == b"second"


@pytest.mark.parametrize("leave", [socket.socket.close, reset])
def test_origin_hears_that_the_client_left(client, origin, leave):
    client.sendall(get(origin.url("/gated")))
    while not client.recv(4096).endswith(b"first "):
        pass
    leave(client)
    assert origin.gone.wait(5)


@pytest.mark.parametrize("path", ["/two_lengths", "/length_and_chunked", "/garbage"])
def test_ambiguous_responses_are_502(client, origin, path):
    assert exchange(client, get(origin.url(path))).status == 502


def test_idle_kept_connection_goes_on(client, origin):
    """The time for a head starts with its first byte, once a request has been answered."""
    assert exchange(client, get(origin.url("/x"))).status == 200
    client.settimeout(1.4)
    with pytest.raises(TimeoutError):
        client.recv(1)
    client.settimeout(5)
    assert exchange(client, get(origin.url("/y"))).status == 200


# ---- CONNECT


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_connect(client, host):
    with EchoOrigin(host=host.strip("[]") if host[0] == "[" else "127.0.0.1") as echo:
        target = f"{host}:{echo.port}"
        head = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode()
        response = exchange(client, head)
        assert response.status == 200
        assert response.get("content-length") is None and response.get("transfer-encoding") is None
        client.sendall(b"\x00\xffbinary\r\n")
        assert read_exact(client, 10) == b"\x00\xffbinary\r\n"


def test_bytes_behind_the_connect_head_are_kept(client, echo):
    early = pattern(100000)
    head = f"CONNECT 127.0.0.1:{echo.port} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    assert exchange(client, head + early).status == 200
    assert read_exact(client, len(early)) == early


def test_connect_as_second_request(client, origin, echo):
    assert exchange(client, get(origin.url("/x"))).status == 200
    head = f"CONNECT 127.0.0.1:{echo.port} HTTP/1.1\r\nHost: x\r\n\r\nearly".encode()
    assert exchange(client, head).status == 200
    assert read_exact(client, 5) == b"early"


@pytest.mark.parametrize(
    "target",
    ["127.0.0.1", "[::1]", "127.0.0.1:", "127.0.0.1:0", ":80", "127.0.0.1:65536", "127.0.0.1:x",
     "u@127.0.0.1:80", "/"],
)  # fmt: skip
def test_connect_to_no_authority(client, target):
    head = f"CONNECT {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    assert exchange(client, head, "X").status == 400
