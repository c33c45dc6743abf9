"""
Byte-exact relaying: the same request sent to a service directly and through wsps arrives as the
same bytes, but for what a reverse proxy must change; and so do responses on their way back.
"""

import re

import pytest

from harness.http_origin import pattern
from harness.net import connect, read_all
from harness.reverse import Rig, read_raw

DOMAIN = "bytes.example"

# <P> is what stands before the path, <H> the host.
LARGE = pattern(100_000)


def req(line, *fields, body=b"", host=b"Host: <H>", version=b"HTTP/1.1"):
    fields = [f.encode("latin-1") if isinstance(f, str) else f for f in fields]
    head = [line.encode("latin-1") + b" " + version, *([host] if host else []), *fields]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def post(*fields, body=b"hello", line="POST <P>/post"):
    return req(line, *fields, f"Content-Length: {len(body)}", body=body)


def chunks(*fields, body, line="POST <P>/chunks"):
    return req(line, *fields, "Transfer-Encoding: chunked", body=body)


TARGETS = [
    "/",
    "/plain",
    "/trailing/",
    "//",
    "//double//slashes///",
    "/%41%7a%2f%2F%5C%25%00%0d%0a%ff",
    "/%zz%4%",
    "/a/./b/../c/...",
    "/%2e%2E/.%2e",
    "/;a=1;b/c;d",
    "/?",
    "/??",
    "/?a=b&&c==d&%26=+&a",
    "/?/x/../y?z=http://h/p",
    "/x?[]{}|^`\"<>\\",
    "/[]{}|^`\"<>\\~!$&'()*+,;=:@-._",
    "/http://other.example:80/x",
    "/*",
    "/" + "long" * 2000,
    "/q?" + "x" * 60000,
]

METHODS = ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "M-SEARCH", "BREW", "get",
           "Get", "PRI", "x", "!#$%&'*+-.^_`|~09", "X" * 200]  # fmt: skip

FIELDS = {
    "empty": ["X-Empty:", "X-Blank: ", "X-Blanks: \t  "],
    "no blank": ["X-A:b", "Accept:*/*"],
    "tabs and blanks": ["X-A:\tb", "X-B:   c  ", "X-C: d\t", "X-D: e  f\tg"],
    "odd case": ["x-lower: 1", "X-UPPER: 2", "X-mIxEd: 3", "ACCEPT: */*"],
    "duplicates": ["X-A: 1", "x-a: 2", "X-B: 3", "X-A: 1", "X-A:"],
    "two cookies": ["Cookie: a=1; b=\"2\"", "Cookie: c=3"],
    "obs-text": ["X-Latin: \xe9\xff\x80", "X-Utf8: \xe2\x82\xac"],
    "odd names": ["!#$%&'*+-.^_`|~: token", "0: digit", "_x_: u", "X.Y: dot",
                  "Content_Length: 9"],
    "odd values": ["X-A: :", "X-B: ,,,", "X-C: \"unclosed", "X-D: a=b; c=\"\\\"\"",
                   "X-E: <%0d%0a>"],
    "many": [f"X-{n}: {n}" for n in range(100)],
    "long value": ["X-Long: " + "v" * 50_000],
    "long name": ["X-" + "n" * 1000 + ": v"],
    "credentials": ["Authorization: Basic dTpw", "Cookie: sid=s3cret", "X-Api-Key: k"],
    "conditional": ['If-None-Match: W/"x", *', "If-Modified-Since: yesterday",
                    "Range: bytes=0-,-5"],
    "negotiation": ["Accept-Encoding: br;q=1.0, *;q=0", "Accept-Language: *", "Accept: a/b;c=d"],
    "proxies before": ["Via: 1.0 fred, 1.1 p.example", "Forwarded: for=1.2.3.4", "Max-Forwards: 0"],
    "the link's": ["Auth: not-ours", "Proto: 0.10", "Origin: http://o.example",
                   "Sec-Fetch-Mode: cors"],
    "other hosts": ["X-Host: x", "X-Original-Host: y", "X-Rewrite-URL: /z", "X-Real-IP: 9.9.9.9"],
    "date and type": ["Date: now", "Content-Type: text/plain", "Content-Encoding: none"],
    "upgrade wish": ["Upgrade-Insecure-Requests: 1", "DNT: 1", "Priority: u=1"],
    "hop by hop": ["X-Before: 1", "Keep-Alive: 5", "TE: trailers", "Proxy-Connection: x",
                   "X-After: 2"],
    "connection list": ["Connection: keep-alive, X-Hop", "X-Hop: 1", "X-Stays: 2"],
    "connection close": ["X-A: 1", "connection: CLOSE", "X-B: 2"],
    "h2c": ["Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAM", "X-Z: 1"],
    "forwarded for": ["X-Forwarded-For: 1.2.3.4", "X-Forwarded-Port: 1", "X-Forwarded: z"],
}  # fmt: skip

REQUESTS = {
    **{f"target {t[:20]}": req(f"GET <P>{t}") for t in TARGETS},
    **{f"method {m[:20]}": req(f"{m} <P>/m") for m in METHODS},
    **{f"fields {name}": req("GET <P>/f", *fields) for name, fields in FIELDS.items()},
    "HEAD": req("HEAD <P>/x"),
    "Host last": req("GET <P>/x", "X-A: 1", "Host: <H>", host=None),
    "Host in odd form": req("GET <P>/x", "X-A: 1", host=b"hOST:<H>  "),
    "Host with port": req("GET <P>/x", host=b"Host: <H>:8010"),
    "absolute-form": req("GET http://<H><P>/x?y"),
    "absolute-form with port": req("GET http://<H>:81<P>//x", host=b"Host: <H>:81"),
    "1.0": req("GET <P>/x", "X-A: 1", version=b"HTTP/1.0"),
    "1.0 kept alive": req("GET <P>/x", "Connection: keep-alive", version=b"HTTP/1.0"),
    "1.0 body": req("POST <P>/x", "Content-Length: 3", body=b"abc", version=b"HTTP/1.0"),
    "body": post(),
    "body of nothing": post(body=b""),
    "body that looks like a request": post(body=b"GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"),
    "body of all bytes": post(body=bytes(range(256)) * 40),
    "large body": post("Content-Type: x/y", body=LARGE),
    "length of zeros": req("POST <P>/x", "Content-Length: 0000000005", body=b"hello"),
    "length in odd form": req("POST <P>/x", "content-LENGTH:\t5 ", body=b"hello"),
    "GET with body": post(line="GET <P>/x"),
    "DELETE with body": post(line="DELETE <P>/x"),
    "HEAD with body": post(line="HEAD <P>/x"),
    "odd method with body": post(line="X-Y <P>/x"),
    "chunks": chunks(body=b"5\r\nhello\r\n0\r\n\r\n"),
    "chunks of nothing": chunks(body=b"0\r\n\r\n"),
    "chunks one by one": chunks(body=b"1\r\nx\r\n" * 500 + b"0\r\n\r\n"),
    "one large chunk": chunks(body=b"186A0\r\n" + LARGE + b"\r\n0\r\n\r\n"),
    "sizes in odd form": chunks(body=b"00a\r\n0123456789\r\n0A\r\n0123456789\r\n000\r\n\r\n"),
    "chunk extensions": chunks(body=b'1;a\r\nx\r\n1;a=b;c="d e\t;"\r\ny\r\n0;last\r\n\r\n'),
    "trailers": chunks("Trailer: X-T", body=b"1\r\nx\r\n0\r\nX-T: 1\r\nx-t:\r\nX-U: \xe9\r\n\r\n"),
    "chunks that look like a request": chunks(body=b"12\r\nGET / HTTP/1.1\r\n\r\n\r\n0\r\n\r\n"),
    "coding in odd form": req("POST <P>/x", "TRANSFER-encoding:CHUNKED ",
                              body=b"1\r\nx\r\n0\r\n\r\n"),
    "GET with chunks": chunks(line="GET <P>/x", body=b"1\r\nx\r\n0\r\n\r\n"),
    "expectation": post("Expect: 100-continue"),
    "expectation of chunks": chunks("expect: 100-Continue", body=b"1\r\nx\r\n0\r\n\r\n"),
}  # fmt: skip

assert len(REQUESTS) >= 60

DROPPED = {b"connection", b"keep-alive", b"proxy-connection", b"te", b"upgrade", b"http2-settings",
           b"forwarded", b"x-real-ip"}  # fmt: skip
OURS = {b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"}


@pytest.fixture(scope="module")
def rig(shared_farm, shared_service):
    remote = shared_service.remote
    return Rig(
        shared_farm,
        remote("p"),
        remote("several/segments", base="/base/"),
        remote(DOMAIN, mode="domain"),
    )


# How a visitor reaches the service: what stands before the path, and what for it at the service.
WAYS = {"path": (b"/p", b"", b"any.example"), "domain": (b"", b"", DOMAIN.encode())}
WAYS["base"] = (b"/several/segments", b"/base", b"any.example")
ways = pytest.mark.parametrize("way", WAYS)


def send(port, raw):
    """Sends it, with the body after a 100 where one is expected; the response's heads and body."""
    head, end, body = raw.partition(b"\r\n\r\n")
    method = raw.split(b" ")[0].decode()
    with connect(port) as sock:
        if re.search(rb"\r\nexpect:", head, re.I):
            sock.sendall(head + end)
            interim = b""
            while not interim.endswith(b"\r\n\r\n"):
                interim += sock.recv(1)
            assert interim.startswith(b"HTTP/1.1 100 ")
            sock.sendall(body)
        else:
            sock.sendall(raw)
        return read_raw(sock, method)


def expected(head, replaced=frozenset()):
    """What a head becomes on its way: origin-form, nothing hop-by-hop."""
    line, *fields = head.split(b"\r\n")
    line = re.sub(rb"^(\S+ )http://[^/ ]*", rb"\1", line)
    names = [f.split(b":")[0].lower() for f in fields]
    values = [f.split(b":", 1)[1].lower() for n, f in zip(names, fields) if n == b"connection"]
    listed = {token.strip() for value in values for token in value.split(b",")}
    gone = DROPPED | replaced | listed
    return b"\r\n".join([line] + [f for n, f in zip(names, fields) if n not in gone])


def without_ours(head):
    fields = head.split(b"\r\n")
    return b"\r\n".join(f for f in fields if f.split(b":")[0].lower() not in OURS)


def first_lines(heads):
    return [head.split(b"\r\n")[0] for head in heads]


def is_legal(way, raw):
    """A dot segment is refused behind a base path."""
    return way != "base" or not re.search(rb"^\S+ \S*/(\.|%2e){1,2}(/|\?| )", raw, re.I)


CASES = [(way, name) for way in WAYS for name, raw in REQUESTS.items() if is_legal(way, raw)]


@pytest.mark.parametrize("way, name", CASES)
def test_requests(rig, service, way, name):
    raw = REQUESTS[name]
    public, local, host = WAYS[way]
    direct_answer = send(service.port, raw.replace(b"<P>", local).replace(b"<H>", host))
    direct = service.only_request()
    service.forget()
    answer = send(rig.port, raw.replace(b"<P>", public).replace(b"<H>", host))
    got = service.only_request()
    assert without_ours(got.head) == expected(direct.head, OURS)
    assert got.raw_body == direct.raw_body
    assert bytes(service.log) == got.head + got.raw_body
    assert first_lines(answer[0]) == first_lines(direct_answer[0])
    assert answer[1] == direct_answer[1] or b"http://" in raw


def test_byte_by_byte(rig, service):
    raw = chunks(body=b'3;x="y"\r\nabc\r\n0\r\nX-T: 1\r\n\r\n')
    raw = raw.replace(b"<P>", b"/p").replace(b"<H>", b"h")
    with rig.connect() as sock:
        for byte in raw:
            sock.sendall(bytes([byte]))
        read_raw(sock)
    assert without_ours(bytes(service.log)) == raw.replace(b"/p/", b"/", 1)


@ways
def test_pipelined(rig, service, way):
    """All of them in one write: the answers come in order, the service sees each unharmed."""
    public, local, host = WAYS[way]
    names = ["HEAD", "body", "target /%41%7a%2f%2F%5C%25%", "chunks", "fields duplicates",
             "large body", "trailers", "body of nothing", "fields odd case"]  # fmt: skip
    raws = [REQUESTS[name] for name in names] * 3
    sent = b"".join(raws).replace(b"<P>", public).replace(b"<H>", host)
    with rig.connect() as sock:
        sock.sendall(sent)
        answers = [read_raw(sock, raw.split(b" ")[0].decode()) for raw in raws]
    want = [raw.replace(b"<P>", local).replace(b"<H>", host) for raw in raws]
    got = [without_ours(r.head) + r.raw_body for r in service.requests]
    assert sorted(got) == sorted(want) and got == want
    for raw, (heads, body) in zip(want, answers):
        method, target = raw.split(b" ")[:2]
        text = b"%d %s %s\n" % (service.port, method, target)
        assert body == (b"" if method == b"HEAD" else text)
        assert heads[0].startswith(b"HTTP/1.1 200 ")


def test_empty_lines_before_a_request(rig, service):
    """RFC 9112 section 2.2."""
    raw = REQUESTS["body"].replace(b"<P>", b"/p").replace(b"<H>", b"h")
    with rig.connect() as sock:
        for _ in range(2):
            sock.sendall(b"\r\n\r\n" + raw)
            assert read_raw(sock)[0][0].startswith(b"HTTP/1.1 200 ")
    assert without_ours(bytes(service.log)) == raw.replace(b"/p/", b"/") * 2


# ---- responses


def res(*fields, status="200 OK", body=b"", version="HTTP/1.1"):
    head = [f"{version} {status}", *fields]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


def sized(*fields, body=b"hello", **options):
    return res(*fields, f"Content-Length: {len(body)}", body=body, **options)


CHUNKED = "Transfer-Encoding: chunked"
EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nlink: </b.css>\r\n\r\n"

# (method, bytes, whether the service then closes)
RESPONSES = {
    "plain": ("GET", sized(), False),
    "empty": ("GET", sized(body=b""), False),
    "large": ("GET", sized(body=LARGE), False),
    "all bytes": ("GET", sized(body=bytes(range(256)) * 40), False),
    "looks like a response": ("GET", sized(body=sized()), False),
    "no reason": ("GET", sized(status="200 "), False),
    "odd reason": ("GET", sized(status="200 \xe9 it's: (fine)\tso"), False),
    "odd status": ("GET", sized(status="799 Odd"), False),
    "status 299": ("GET", sized(status="299 "), False),
    "not found": ("GET", sized(status="404 Not Here"), False),
    "error": ("GET", sized(status="500 Oops"), False),
    "redirect": ("GET", sized("Location: http://127.0.0.1:1/x?y#z", status="302 Found"), False),
    "challenges": ("GET", sized("WWW-Authenticate: Basic realm=x", "www-authenticate: Digest y",
                                status="401 Who"), False),
    "proxy challenge": ("GET", sized("X-Q: 1", status="407 Odd from a service"), False),
    "cookies": ("GET", sized("Set-Cookie: a=1; Path=/", "Set-Cookie: b=2", "set-cookie: a=3"),
                False),
    "empty values": ("GET", sized("X-A:", "X-B: ", "X-C: \t", "X-D:e"), False),
    "odd case": ("GET", res("SERVER: x", "cONTENT-lENGTH:5 ", "dAte: now", body=b"hello"), False),
    "obs-text": ("GET", sized("X-A: \xe9\xff", "X-B: \xe2\x82\xac"), False),
    "many fields": ("GET", sized(*[f"X-{n}: {n}" for n in range(120)]), False),
    "large head": ("GET", sized("X-Long: " + "v" * 60_000), False),
    "encoded": ("GET", sized("Content-Encoding: gzip", "Vary: *", body=b"\x1f\x8b\x08 not really"),
                False),
    "partial": ("GET", sized("Content-Range: bytes 0-4/9", status="206 Part"), False),
    "own forwarding": ("GET", sized("X-Forwarded-For: 1", "Via: 1.1 x", "X-Powered-By: y"), False),
    "hop by hop": ("GET", sized("Keep-Alive: timeout=5", "Connection: X-H, keep-alive", "X-H: 1",
                                "X-I: 2", "Proxy-Connection: z"), False),
    "upgrade offered": ("GET", sized("Upgrade: h2c", "Connection: Upgrade", "X-I: 2"), False),
    "close announced": ("GET", sized("X-A: 1", "Connection: close", "X-B: 2"), True),
    "chunks": ("GET", res(CHUNKED, body=b"5\r\nhello\r\n0\r\n\r\n"), False),
    "chunks of nothing": ("GET", res(CHUNKED, body=b"0\r\n\r\n"), False),
    "chunks one by one": ("GET", res(CHUNKED, body=b"1\r\nx\r\n" * 999 + b"0\r\n\r\n"), False),
    "one large chunk": ("GET", res(CHUNKED, body=b"186a0\r\n" + LARGE + b"\r\n0\r\n\r\n"), False),
    "chunk extensions": ("GET", res(CHUNKED, body=b'05;a="b;\t"\r\nhello\r\n00;z\r\n\r\n'), False),
    "trailers": ("GET", res(CHUNKED, "Trailer: X-T",
                            body=b"1\r\nx\r\n0\r\nX-T: \xe9\r\nx-t:\r\n\r\n"), False),
    "coding in odd form": ("GET", res("transfer-ENCODING:\tChunked ", body=b"1\r\nx\r\n0\r\n\r\n"),
                           False),
    "until close": ("GET", res("X-A: 1", body=LARGE), True),
    "until close, nothing": ("GET", res("X-A: 1"), True),
    "1.0": ("GET", sized(version="HTTP/1.0"), True),
    "1.0 until close": ("GET", res(body=b"hello", version="HTTP/1.0"), True),
    "1.0 kept alive": ("GET", sized("Connection: keep-alive", version="HTTP/1.0"), False),
    "204": ("GET", res("X-A: 1", status="204 Nothing"), False),
    "304": ("GET", res("ETag: \"x\"", "Content-Length: 99", status="304 Same"), False),
    "304 with coding": ("GET", res(CHUNKED, status="304 Same"), False),
    "HEAD": ("HEAD", res("Content-Length: 12345"), False),
    "HEAD with coding": ("HEAD", res(CHUNKED), False),
    "HEAD without length": ("HEAD", res("X-A: 1"), False),
    "HEAD of an error": ("HEAD", res("Content-Length: 3", status="500 No"), False),
    "early hints": ("GET", EARLY + EARLY + sized(), False),
    "early hints and 204": ("DELETE", EARLY + res(status="204 None"), False),
    "processing": ("POST", b"HTTP/1.1 102 Processing\r\n\r\n" + sized(), False),
    "unknown interim": ("GET", b"HTTP/1.1 199 Odd\r\nX-A: 1\r\n\r\n" + sized(), False),
}  # fmt: skip


def expected_response(heads):
    """The heads as they leave wsps; "Connection: close" is compared elsewhere."""
    return [expected(head) for head in heads]


@pytest.mark.parametrize("method, raw, closes", RESPONSES.values(), ids=RESPONSES.keys())
def test_responses(rig, service, method, raw, closes):
    def script(_, sock, got):
        sock.sendall(raw)
        return not closes

    service.script = script
    ask = req(f"{method} <P>/x").replace(b"<H>", b"h")
    direct = send(service.port, ask.replace(b"<P>", b""))
    with rig.connect() as sock:
        sock.sendall(ask.replace(b"<P>", b"/p"))
        heads, body = read_raw(sock, method)
        assert expected_response(heads) == expected_response(direct[0])
        assert body == direct[1]
        if b"\r\nConnection: close" in heads[-1]:
            assert read_all(sock) == b""
            return
        assert re.search(rb"\r\n(content-length|transfer-encoding):", heads[-1], re.I) or (
            method == "HEAD" or heads[-1].split(b" ")[1] in (b"204", b"304")
        )
        service.script = None
        sock.sendall(req("GET /p/next").replace(b"<H>", b"h"))
        assert read_raw(sock)[1] == b"%d GET /next\n" % service.port


@pytest.mark.parametrize("pause", [False, True])
def test_response_byte_by_byte(rig, service, pause):
    """Every byte in a segment of its own, or nearly."""

    def script(_, sock, got):
        for byte in raw:
            sock.sendall(bytes([byte]))
            if pause:
                service.gate.wait(0.0005)
        return True

    raw = EARLY + RESPONSES["trailers"][1]
    service.script = script
    heads, body = send(rig.port, req("GET /p/x").replace(b"<H>", b"h"))
    assert b"".join(heads) + body == raw


def test_no_interim_responses_for_1_0(rig, service):
    """RFC 9110 section 15.2."""

    def script(_, sock, got):
        sock.sendall(EARLY + sized())
        return False

    service.script = script
    heads, body = send(rig.port, b"GET /p/x HTTP/1.0\r\n\r\n")
    assert (len(heads), body) == (1, b"hello") and b" 200 " in heads[0]
