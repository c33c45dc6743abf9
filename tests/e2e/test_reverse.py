"""The reverse proxy: which service a request goes to, what it becomes there, and who is refused."""

import re

import pytest

from harness.daemons import PATH
from harness.env import SCHEME
from harness.http_client import exchange, read_response
from harness.net import connect, eventually, how_it_ends
from harness.peer import SWITCH
from harness.reverse import HOST, REGISTERED, Rig, Service, landed, request, services


@pytest.fixture(scope="module")
def rig(shared_farm, shared_service):
    remote = shared_service.remote
    return Rig(
        shared_farm,
        remote("api"),
        remote("based", base="/base/"),
        remote("plain", base="/v1"),
        remote("a", base="/one/"),
        remote("a/b", base="/two/"),
        remote("a/b/c", base="/three/"),
        remote("%61pe", base="/ape/"),
        remote("proxy/sub", base="/sub/"),
        remote("Bare.example", mode="domain"),
        remote("custom.example", mode="domain", base="/dom/"),
    )


# ---- the mappings


@pytest.mark.parametrize(
    "remote, visited, mapped",
    [
        ("http://127.0.0.1:{}?mode=path&value=api", "mywsps.com:8010/api/greet", "/greet"),
        ("http://127.0.0.1:{}/api/?mode=path&value=api", "mywsps.com:8010/api/greet", "/api/greet"),
        (
            "http://127.0.0.1:{}?mode=domain&value=customwsp.com",
            "customwsp.com:8010/api/greet",
            "/api/greet",
        ),
        (
            "http://127.0.0.1:{}/api/?mode=domain&value=customapi.com",
            "customapi.com:8010/greet",
            "/api/greet",
        ),
    ],
)
def test_mappings_of_the_specification(farm, service, remote, visited, mapped):
    rig = Rig(farm, remote.format(service.port), wsps={"host": "mywsps.com"})
    host, _, path = visited.partition("/")
    assert landed(rig, service, "/" + path, host) == mapped


@pytest.mark.parametrize(
    "target, expected",
    [
        ("/api/greet", "/greet"),
        ("/api/greet/", "/greet/"),
        ("/api/", "/"),
        ("/api", "/"),
        ("/api?x=1", "/?x=1"),
        ("/api/?x=1", "/?x=1"),
        ("/api?", "/?"),
        ("/api/g?a=/b/../c&d=%2e%2e/&e=http://f/", "/g?a=/b/../c&d=%2e%2e/&e=http://f/"),
        ("/api//x", "//x"),
        ("/api/../x/./y", "/../x/./y"),
        ("/api/%2F%61%00?%", "/%2F%61%00?%"),
        ("/api/api/x", "/api/x"),
        ("/apix", 404),
        ("/apix/y", 404),
        ("/ap", 404),
        ("/api;v=1", 404),
        ("/api%2Fx", 404),
        ("/API/x", 404),
        ("/%61pi/x", 404),
        ("//api/x", 404),
        ("/./api/x", 404),
        ("/x/../api/y", 404),
        ("/x/api/y", 404),
        ("/", 404),
        ("/?/api/x", 404),
        ("*", 404),
        ("/based", "/base/"),
        ("/based/", "/base/"),
        ("/based?q", "/base/?q"),
        ("/based/x", "/base/x"),
        ("/based//x", "/base//x"),
        ("/based/...", "/base/..."),
        ("/based/.well-known/x", "/base/.well-known/x"),
        ("/based/a..b/..c/d..?../..", "/base/a..b/..c/d..?../.."),
        ("/plain", "/v1"),
        ("/plain?q", "/v1?q"),
        ("/plain/", "/v1/"),
        ("/plain/x", "/v1/x"),
        ("/a/x", "/one/x"),
        ("/a", "/one/"),
        ("/a/b", "/two/"),
        ("/a/b/x", "/two/x"),
        ("/a/bc/x", "/one/bc/x"),
        ("/a//b/x", "/one//b/x"),
        ("/a/b/c", "/three/"),
        ("/a/b/c/d", "/three/d"),
        ("/a/b/cd", "/two/cd"),
        ("/a/b?/c", "/two/?/c"),
        ("/a/%62/x", "/one/%62/x"),
        ("/ape/x", "/ape/x"),
        ("/proxy/sub/x", "/sub/x"),
        ("/proxy/other", 404),
    ],
)
def test_path_mode(rig, service, target, expected):
    assert landed(rig, service, target) == expected


@pytest.mark.parametrize(
    "host, target, expected",
    [
        ("bare.example", "/", "/"),
        ("bare.example", "/x?y", "/x?y"),
        ("bare.example", "//x/../y", "//x/../y"),
        ("bare.example:8010", "/x", "/x"),
        ("BARE.Example:1", "/x", "/x"),
        ("Bare.example", "/x", "/x"),
        ("bare.example", "/api/x", "/api/x"),  # the domain wins over the path
        ("bare.example", "/unknown", "/unknown"),
        ("custom.example", "/", "/dom/"),
        ("custom.example:8010", "/greet?q", "/dom/greet?q"),
        ("custom.example", "/?q", "/dom/?q"),
        ("custom.example", "//x", "/dom//x"),
        ("CUSTOM.EXAMPLE", "/a/b/c", "/dom/a/b/c"),
        ("www.bare.example", "/x", 404),
        ("bare.examples", "/x", 404),
        ("example", "/x", 404),
        ("api", "/x", 404),
        (HOST, "/api/x", "/x"),
        (HOST, "/x", 404),
        ("other.example", "/api/x", "/x"),
    ],
)
def test_domain_mode(rig, service, host, target, expected):
    assert landed(rig, service, target, host) == expected


def test_asterisk_form_reaches_a_domain(rig, service):
    assert landed(rig, service, "*", "bare.example", "OPTIONS") == "*"


@pytest.mark.parametrize("target", ["*", "x", "x/../y", "?x", "@127.0.0.1/", "//", "javascript:x"])
def test_nothing_leaves_a_base_path(rig, service, target):
    """Only what begins with a slash can be put behind it."""
    got = landed(rig, service, target, "custom.example", "OPTIONS")
    assert got in (400, 404) or got.startswith("/dom/"), got


def test_http_1_0(rig, service):
    """Without a Host: by path. The connection ends behind the answer."""
    for target, host, mapped in (("/api/x", "", "/x"), ("/y", "Host: bare.example\r\n", "/y")):
        service.forget()
        with rig.connect() as sock:
            sock.sendall(f"GET {target} HTTP/1.0\r\n{host}\r\n".encode())
            answer, how = how_it_ends(sock)
        assert answer.startswith(b"HTTP/1.") and answer.endswith(b" GET %s\n" % mapped.encode())
        assert how == "eof" and service.only_request().target == mapped


def test_services_alternate_on_one_connection(rig, service):
    targets = {"/api/1": "/1", "/based/2": "/base/2", "/a/b/3": "/two/3", "/nowhere": None}
    with rig.connect() as sock:
        for _ in range(3):
            for target, mapped in list(targets.items())[:3]:
                body = exchange(sock, request(f"GET {target}")).body
                assert body == f"{service.port} GET {mapped}\n".encode()
        body = exchange(sock, request("GET /4", host="bare.example")).body
        assert body.endswith(b" GET /4\n")
        assert exchange(sock, request("GET /nowhere")).status == 404


# ---- the link's own path


def upgrade(port, path, host):
    with connect(port) as sock:
        fields = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
        fields += ("Sec-WebSocket-Key: Uv38ByGCZU8WP18PmmIdcg==", "Proto: 0.10")
        sock.sendall(request(f"GET {path}", *fields, "Auth: s3cret-of-the-link", host=host))
        return read_response(sock).head


@pytest.mark.parametrize("host", ["bare.example", "custom.example", "127.0.0.1"])
def test_links_are_never_shadowed(rig, service, host):
    accept = "q9gJh2URkPK531679m/l+p3DSE4="
    assert upgrade(rig.port, PATH, host) == SWITCH.format(accept=accept).encode()
    assert service.requests == []


def test_links_on_the_root_path(farm, service):
    """As the original's default: services and links on one port all the same."""
    rig = Rig.__new__(Rig)
    rig.wsps = farm.wsps(path="/", host=HOST)
    rig.port = rig.wsps.config["port"]
    remotes = (service.remote("api"), service.remote("bare.example", mode="domain"))
    rig.wspc = farm.wspc(services(rig.port, *remotes, path="/"))
    rig.wspc.wait_line(REGISTERED, count=2)
    assert landed(rig, service, "/api/x") == "/x"
    service.forget()
    assert landed(rig, service, "/", "bare.example") == "/"
    assert upgrade(rig.port, "/", "bare.example").startswith(b"HTTP/1.1 101 ")


# ---- who and what is refused


BAD_HOSTS = {
    "missing": request("GET /api/x", host=None),
    "twice": request("GET /api/x", "Host: 127.0.0.1"),
    "twice, different": request("GET /api/x", "X-Between: 1", "host: other.example"),
    "with a blank": request("GET /api/x", host="a b"),
    "a list": request("GET /api/x", host="bare.example, custom.example"),
    "with a path": request("GET /api/x", host="bare.example/x"),
    "with a user": request("GET /api/x", host="u@bare.example"),
    "bad port": request("GET /api/x", host="bare.example:x"),
    "other than the target's": request("GET http://bare.example/api/x", host="other.example"),
    "target's has another port": request("GET http://bare.example:1/x", host="bare.example:2"),
    "target's has a user": request("GET http://u@bare.example/x", host="u@bare.example"),
    "target's is empty": request("GET http:///api/x", host=""),
}


@pytest.mark.parametrize("raw", BAD_HOSTS.values(), ids=BAD_HOSTS.keys())
def test_bad_hosts_are_400(rig, service, raw):
    assert rig.ask(raw, "GET").status == 400
    service.saw_only(rig, "/api/barrier")


def test_absolute_form(rig, service):
    """It decides like Host, with which it agrees."""
    for url, host, mapped in (
        ("http://bare.example/x?y", "bare.example", "/x?y"),
        ("http://bare.example:8010/x", "bare.example:8010", "/x"),
        ("http://custom.example/x", "custom.example", "/dom/x"),
        ("http://127.0.0.1/api/x", "127.0.0.1", "/x"),
        ("http://bare.example", "bare.example", "/"),
    ):
        service.forget()
        got = landed(rig, service, url, host)
        assert re.sub("^http://[^/]*(?=/)", "", got) == mapped


@pytest.mark.parametrize("target", ["127.0.0.1:80", "bare.example:80", "/api/x"])
def test_connect_is_405(rig, service, target):
    assert rig.ask(request(f"CONNECT {target}", host="bare.example"), "X").status == 405
    service.saw_only(rig, "/api/barrier")


@pytest.mark.parametrize(
    "rest",
    ["..", ".", "../x", "./x", "a/../x", "a/..", "a/.", "%2e%2e/x", "%2E%2e", "%2e", ".%2E/x",
     "%2E./x", "a/%2e/x", "../", "a/..?q", "..%2e/../x", "a//../../x"],
)  # fmt: skip
@pytest.mark.parametrize("place", ["/based/", "/plain/", "/a/b/", "dom"])
def test_dot_segments_are_400_with_a_base_path(rig, service, place, rest):
    host, place = ("custom.example", "/") if place == "dom" else ("127.0.0.1", place)
    assert landed(rig, service, place + rest, host) == 400
    service.saw_only(rig, "/api/barrier")


def test_unknown_is_404(rig):
    response = rig.ask(request("GET /nothing/here"))
    assert response.status == 404 and 0 < len(response.body) < 200
    assert response.get("x-content-type-options") == "nosniff"


# ---- headers


def test_forwarding_headers(rig, service):
    """X-Forwarded-For is appended to, the others are replaced, whoever says what."""
    rig.ask(request("GET /api/x", host=f"{HOST}:8010"))
    got = service.only_request()
    assert got.all("x-forwarded-for") == ["127.0.0.1"]
    assert got.all("x-forwarded-proto") == [SCHEME]
    assert got.all("x-forwarded-host") == [f"{HOST}:8010"]
    assert got.all("host") == [f"{HOST}:8010"]
    service.forget()
    fields = ["X-Forwarded-Proto: https", "x-forwarded-for: 1.2.3.4, ::1", "X-Forwarded-Host: evil"]
    rig.ask(request("GET /api/x", *fields, "X-FORWARDED-HOST: worse", "X-Forwarded-proto: gopher"))
    got = service.only_request()
    assert ", ".join(got.all("x-forwarded-for")) == "1.2.3.4, ::1, 127.0.0.1"
    assert got.all("x-forwarded-proto") == [SCHEME]
    assert got.all("x-forwarded-host") == ["127.0.0.1"]
    service.forget()
    rig.ask(request("GET /api/x", "X-Forwarded-For: 1.1.1.1", "X-Y: z", "X-Forwarded-For: 2.2.2.2"))
    got = service.only_request()
    assert ", ".join(got.all("x-forwarded-for")) == "1.1.1.1, 2.2.2.2, 127.0.0.1"


@pytest.mark.parametrize("listed", ["{}", "keep-alive, {}", "close,{}", "{}, Upgrade"])
def test_connection_list_cannot_remove_what_counts(rig, service, listed):
    """Host, framing and our own headers stay, whatever the visitor declares as hop-by-hop."""
    names = (
        "Host, Content-Length, Transfer-Encoding, Trailer, X-Forwarded-For, X-Forwarded-Proto, "
        "X-Forwarded-Host, X-Drop"
    )
    connection = "Connection: " + listed.format(names)
    rig.ask(request("POST /api/x", connection, "Content-Length: 5", "X-Drop: 1", body=b"first"))
    fields = ("Transfer-Encoding: chunked", "Trailer: X-T", "X-Forwarded-Proto: https")
    chunks = b"6\r\nsecond\r\n0\r\nX-T: 1\r\n\r\n"
    rig.ask(request("POST /api/x", *fields, connection.lower(), body=chunks))
    first, second = eventually(lambda: len(service.requests) == 2 and service.requests, "both")
    assert (first.body, second.raw_body) == (b"first", chunks)
    assert first.all("content-length") == ["5"] and first.all("x-drop") == []
    assert second.all("trailer") == ["X-T"]
    for got in first, second:
        assert got.all("host") == ["127.0.0.1"]
        assert got.all("x-forwarded-for") == ["127.0.0.1"]
        assert got.all("x-forwarded-proto") == [SCHEME]
        assert got.all("x-forwarded-host") == ["127.0.0.1"]


@pytest.mark.parametrize(
    "fields",
    [
        ("Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQ"),
        ("Upgrade: H2C", "Connection: upgrade", "http2-settings: AAMAAABkAAQ"),
        ("Upgrade: websocket, h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAM"),
        ("Upgrade: foo", "Upgrade: h2c", "Connection: Upgrade", "HTTP2-Settings: AAM"),
        ("Upgrade: h2c", "Connection: keep-alive"),
        ("HTTP2-Settings: AAMAAABkAAQ",),
    ],
)
def test_h2c_is_removed(rig, service, fields):
    assert rig.ask(request("GET /api/x", *fields)).status == 200
    got = service.only_request().head.lower()
    assert b"h2c" not in got and b"http2-settings" not in got


@pytest.mark.parametrize(
    "fields", [(), ("Upgrade: h2c", "Connection: Upgrade"), ("Upgrade: websocket",)]
)
def test_101_that_nobody_asked_for_is_502(farm, fields):
    def switch(_, sock, got):
        if got.target != "/evil":
            return service.reply(sock, got, b"fine")
        sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n")
        sock.sendall(b"Connection: Upgrade\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
        return True

    with Service(switch) as service:
        rig = Rig(farm, service.remote("api"))
        with rig.connect() as sock:
            sock.sendall(request("GET /api/evil", *fields))
            answer, _ = how_it_ends(sock)
        assert answer.startswith(b"HTTP/1.1 502 ") and answer.count(b"HTTP/1.1 ") == 1
        assert rig.ask(request("GET /api/x")).body == b"fine"
