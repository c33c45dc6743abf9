"""A malicious visitor of the public port: heads, smuggling, floods. No service gets any of it."""

import time

from harness.http_client import exchange, read_response
from harness.http_origin import chunked
from harness.net import eventually, how_it_ends, is_silent, reset
from harness.proxied import HEADER, SERVER, VISITOR
from harness.proxy_header import v1
from harness.reverse import request, statuses

from arena import HANDSHAKE
from arenas import CONNECTIONS_MAX, Open, shut
from table import Table, times
from verdicts import held, send, status

CHUNKED = "Transfer-Encoding: chunked"
HIDDEN = request("GET /api/hidden")


def head(*fields, line="POST /api/x HTTP/1.1", host="Host: h"):
    lines = [line, *([host] if host else []), *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def say(arena, data):
    """What it gets for it, with something hidden behind it that nobody must take for a request."""
    arena.service.forget()
    sock = arena.connect()
    send(sock, data + b"0\r\n\r\n" + HIDDEN)
    result = status(sock)
    assert b"hidden" not in arena.service.log
    return result


# ---- heads

heads = Table("visitor's heads", Open)

heads.rows(
    say,
    "400",
    {
        "no HTTP": b"hello\r\n\r\n",
        "SOCKS5": b"\x05\x01\x00\r\n\r\n",
        "TLS": bytes.fromhex("160301020001000100") + b"\r\n\r\n",
        "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "PROXY header, version 1": v1(VISITOR, SERVER),
        "PROXY header, version 2": HEADER,
        "HTTP/0.9": b"GET /api/x\r\n\r\n",
        "HTTP/1.2": head(line="GET /api/x HTTP/1.2"),
        "HTTP/1.10": head(line="GET /api/x HTTP/1.10"),
        "version in small letters": head(line="GET /api/x http/1.1"),
        "two blanks": head(line="GET  /api/x HTTP/1.1"),
        "tabs": head(line="GET\t/api/x\tHTTP/1.1"),
        "blank in the target": head(line="GET /api/x y HTTP/1.1"),
        "NUL in the target": head(line="GET /api/\0 HTTP/1.1"),
        "obs-text in the target": head(line="GET /api/\xe9 HTTP/1.1"),
        "no target": head(line="GET HTTP/1.1"),
        "NUL in the method": head(line="G\0T /api/x HTTP/1.1"),
        "colon behind the method": head(line="GET: /api/x HTTP/1.1"),
        "LF alone": head().replace(b"\r\n", b"\n"),
        "one LF alone": head("X: y\nZ: z"),
        "CR alone": head("X: y\rZ: z"),
        "CR CR LF": head("X: y\r"),
        "NUL": head("X: \0"),
        "escape sequence": head("X: \x1b[2J"),
        "DEL": head("X: \x7f"),
        "folded line": head("X: y", " z"),
        "folded first field": head(host=" Host: h"),
        "blank before colon": head("X : y"),
        "tab before colon": head("X\t: y"),
        "blank in a name": head("X Y: z"),
        "obs-text in a name": head("X\xe9: z"),
        "no name": head(": z"),
        "no colon": head("X"),
        "no Host": head(host=None),
        "Host twice": head("Host: other"),
        "Host with a path": head(host="Host: a/b"),
        "Host with a user": head(host="Host: u@a"),
        "Host with a port that is none": head(host="Host: a:x"),
        "Host other than in the target": head(line="GET http://evil.example/api/x HTTP/1.1"),
        "target that is no path": head(line="GET api/x HTTP/1.1"),
        "options of all, with a query": head(line="OPTIONS *?x HTTP/1.1"),
    },
)
heads.rows(
    say,
    "431",
    {
        "129 fields": head(*["X: y"] * 128),
        "field of 64 KiB": head("X: " + "y" * 65536),
        "name of 64 KiB": head("X" * 65536 + ": y"),
        "target of 64 KiB": head(line="GET /api/" + "x" * 65536 + " HTTP/1.1"),
        "method of 64 KiB": head(line="G" * 65536 + " /api/x HTTP/1.1"),
        "a line of 10 MB": b"GET /" + b"x" * 10_000_000,
        "a million fields": head(*["X: y"] * 1_000_000),
        "cookies of 1 MB": head(*["Cookie: " + "x" * 8000] * 125),
    },
)
heads.rows(
    say,
    "404",
    {
        "path of another case": head(line="GET /API/x HTTP/1.1"),
        "path with an escape": head(line="GET /a%70i/x HTTP/1.1"),
        "path with two slashes": head(line="GET //api/x HTTP/1.1"),
        "path behind dots": head(line="GET /x/../api/x HTTP/1.1"),
        "path that only begins like one": head(line="GET /apix HTTP/1.1"),
        "path with a backslash": head(line="GET /\\api/x HTTP/1.1"),
        "path of 60,000 slashes": head(line="GET " + "/" * 60_000 + " HTTP/1.1"),
    },
)
heads.rows(
    say,
    "405",
    {
        "CONNECT": head(line="CONNECT 127.0.0.1:22 HTTP/1.1"),
        "CONNECT to a path": head(line="CONNECT /api/x HTTP/1.1"),
    },
)
heads.rows(
    say,
    "400",
    {
        "dots out of a base path": head(line="GET /based/../x HTTP/1.1"),
        "dots as escapes out of a base path": head(line="GET /based/%2e%2e/x HTTP/1.1"),
        "dots in two spellings out of a base path": head(line="GET /based/.%2E/x HTTP/1.1"),
    },
)


@heads("head that does not end", "408")
def unfinished(arena):
    sock = arena.connect()
    send(sock, head()[:-2])
    return status(sock)


@heads("head that grows by a byte now and then", "408")
def crumbs(arena):
    sock = arena.connect()
    began = time.monotonic()
    while is_silent(sock, 0.05) and time.monotonic() - began < 3 * HANDSHAKE:
        send(sock, b"G")
    return status(sock)


@heads("nothing at all", "eof")
def nothing(arena):
    return status(arena.connect())


@heads("empty lines without end", "eof")
def empty_lines(arena):
    sock = arena.connect()
    began = time.monotonic()
    while is_silent(sock, 0.02) and time.monotonic() - began < 3 * HANDSHAKE:
        send(sock, b"\r\n" * 1000)
    return status(sock)


@heads("400 connections that say half of a head", "408")
def slow_heads(arena):
    """Others are served meanwhile."""
    socks = [arena.connect() for _ in range(400)]
    for sock in socks:
        send(sock, head()[:-10])
    arena.refresh()
    results = {status(sock) for sock in socks}
    return results.pop() if len(results) == 1 else str(results)


@heads("more connections than there may be", "eof")
def connections(arena):
    """Those that are too many wait for their turn."""
    socks = [arena.connect() for _ in range(CONNECTIONS_MAX + 50)]
    time.sleep(0.1)
    results = {status(sock) for sock in socks}
    return results.pop() if len(results) == 1 else str(results)


# ---- where a message ends

framing = Table("visitor's smuggling", Open)

framing.rows(
    say,
    "400",
    {
        name: head(*fields)
        for name, fields in {
            "CL.TE": ["Content-Length: 6", CHUNKED],
            "TE.CL": [CHUNKED, "Content-Length: 6"],
            "CL.TE, in odd case": ["content-length: 6", "transfer-encoding: ChUnKeD"],
            "CL.TE, hidden by Connection": ["Connection: Transfer-Encoding", "Content-Length: 6",
                                            CHUNKED],
            "TE.CL, hidden by Connection": ["Connection: Content-Length", "Content-Length: 6",
                                            CHUNKED],
            "TE.TE": [CHUNKED, "Transfer-Encoding: identity"],
            "TE twice": [CHUNKED, CHUNKED],
            "TE list": ["Transfer-Encoding: gzip, chunked"],
            "TE list of the same": ["Transfer-Encoding: chunked, chunked"],
            "TE that nobody knows": ["Transfer-Encoding: xchunked"],
            "TE empty": ["Transfer-Encoding:"],
            "TE quoted": ['Transfer-Encoding: "chunked"'],
            "TE with parameter": ["Transfer-Encoding: chunked;q=1"],
            "TE behind VT": ["Transfer-Encoding: \x0bchunked"],
            "TE behind NBSP": ["Transfer-Encoding: \xa0chunked"],
            "TE folded": ["Transfer-Encoding:", " chunked"],
            "TE with blank before colon": ["Transfer-Encoding : chunked"],
            "TE behind a bare LF": ["X: y\nTransfer-Encoding: chunked"],
            "TE behind a bare CR": ["X: y\rTransfer-Encoding: chunked"],
            "TE with NUL in its name": ["Transfer-\0Encoding: chunked"],
            "CL twice": ["Content-Length: 4", "Content-Length: 5"],
            "CL twice, the same": ["Content-Length: 4", "Content-Length: 4"],
            "CL list": ["Content-Length: 4, 4"],
            "CL with plus": ["Content-Length: +4"],
            "CL negative": ["Content-Length: -4"],
            "CL hexadecimal": ["Content-Length: 0x4"],
            "CL with a fraction": ["Content-Length: 4.0"],
            "CL of two numbers": ["Content-Length: 4 4"],
            "CL empty": ["Content-Length:"],
            "CL of other digits": ["Content-Length: \xb2"],
            "CL over 64 bits": ["Content-Length: 18446744073709551620"],
            "CL over 63 bits": ["Content-Length: 9223372036854775808"],
            "CL of 300 digits": ["Content-Length: " + "4" * 300],
            "CL with blank before colon": ["Content-Length : 4"],
            "CL behind a bare LF": ["X: y\nContent-Length: 4"],
        }.items()
    },
)  # fmt: skip
framing.rows(say, "400", {"chunked in HTTP/1.0": head(CHUNKED, line="POST /api/x HTTP/1.0")})


def say_body(arena, body):
    """The head is good, and what comes behind it never becomes a request."""
    arena.service.forget()
    sock = arena.connect()
    send(sock, head(CHUNKED))
    eventually(lambda: arena.service.log.endswith(b"\r\n\r\n"), "the head has gone on")
    send(sock, body + HIDDEN)
    result = status(sock)
    assert b"hidden" not in arena.service.log
    return result


framing.rows(
    say_body,
    "400",
    {
        f"chunk: {name}": body
        for name, body in {
            "no size": b"\r\n",
            "letters": b"xyz\r\n",
            "negative": b"-1\r\n",
            "plus": b"+5\r\nhello\r\n0\r\n\r\n",
            "0x": b"0x5\r\nhello\r\n0\r\n\r\n",
            "blank before": b" 5\r\nhello\r\n0\r\n\r\n",
            "blank behind": b"5 \r\nhello\r\n0\r\n\r\n",
            "over 64 bits": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
            "over 63 bits": b"8000000000000000\r\nhello\r\n0\r\n\r\n",
            "zeros without end": b"0" * 5000,
            "bare LF behind the size": b"5\nhello\r\n0\r\n\r\n",
            "bare CR in an extension": b"5;a\rb\r\nhello\r\n0\r\n\r\n",
            "extension of 5,000 bytes": b"5;" + b"a" * 5000 + b"\r\nhello\r\n0\r\n\r\n",
            "no CRLF behind the data": b"5\r\nhelloworld\r\n0\r\n\r\n",
            "LF behind the data": b"5\r\nhello\n0\r\n\r\n",
            "NUL in a trailer": b"0\r\nX-T: \0\r\n\r\n",
            "trailers without end": b"0\r\n" + b"X-T: 1\r\n" * 4000,
        }.items()
    },
)


@framing("a body that never comes", "eof")
def lost_body(arena):
    """The service must not take the end of the visitor for the end of the body."""
    arena.service.forget()
    ended = arena.service.ended
    sock = arena.connect()
    send(sock, head("Content-Length: 100") + b"only this")
    eventually(lambda: arena.service.log.endswith(b"only this"), "the part that there is")
    shut(sock)
    eventually(lambda: arena.service.ended > ended, "the service's connection ends")
    assert not arena.service.requests
    result = status(sock)
    return "eof" if result == "502" else result


@framing("a body within a body", "harmless")
def nested(arena):
    arena.service.forget()
    sock = arena.connect()
    for fields, body in (
        ([f"Content-Length: {len(HIDDEN)}"], HIDDEN),
        ([CHUNKED], chunked(HIDDEN)),
    ):
        send(sock, head(*fields) + body)
        assert read_response(sock).status == 200
    assert [r.target for r in arena.service.requests] == ["/x", "/x"]
    return "harmless"


# ---- numbers, and leaving

flood = Table("visitor in numbers", Open)


@flood("a request byte by byte", "harmless")
def bytewise(arena):
    sock = arena.connect()
    for byte in head(CHUNKED) + chunked(b"hello", 1):
        sock.sendall(bytes([byte]))
    assert read_response(sock).status == 200
    return "harmless"


@flood("requests sent ahead whose answers are not read", "held")
def pipelined(arena):
    sock = arena.connect()
    return held(sock, request("GET /api/length/5000") * 100)


@flood("3,000 refusals on as many connections", "404")
def refusals(arena):
    results = set()
    for _ in range(times(3000)):
        with arena.visit() as sock:
            sock.sendall(request("GET /nothing"))
            results.update(statuses(how_it_ends(sock)[0]))
    return b" ".join(results).decode()


@flood("a response that is not read", "held")
def unread(arena):
    sock = arena.connect()
    sock.sendall(request("GET /api/length/50000000"))
    time.sleep(0.3)
    return "held"


@flood("an upload to a service that does not read", "held")
def upload(arena):
    sock = arena.connect()
    sock.sendall(head("Content-Length: 1000000000", line="POST /raw HTTP/1.1"))
    arena.keep(arena.target.accept())
    return held(sock, bytes(1 << 16))


@flood("200 requests whose visitors leave at once", "gone")
def leaves(arena):
    for number in range(times(200)):
        sock = arena.connect()
        sock.sendall(request("GET /api/length/100000"))
        (reset if number % 2 else shut)(sock)
    return "gone"


def whole():
    return head(CHUNKED, "X: y") + chunked(b"hello, world", 5)


@flood("reset at every byte of a request with a body", "gone")
def cut(arena):
    for place in range(len(whole()) + 1):
        sock = arena.connect()
        sock.sendall(whole()[:place])
        reset(sock)
    return "gone"


@flood("end at every byte of a request with a body", "gone")
def cut_softly(arena):
    for place in range(len(whole())):
        sock = arena.connect()
        sock.sendall(whole()[:place])
        shut(sock)
        how_it_ends(sock)
    return "gone"


@flood("who he is, by X-Forwarded-For, X-Real-IP and Forwarded", "only the address is believed")
def forged(arena):
    arena.service.forget()
    lies = ("X-Forwarded-For: 1.2.3.4", "X-Real-IP: 1.2.3.4", "Forwarded: for=1.2.3.4",
            "X-Forwarded-Proto: https", "X-Forwarded-Host: evil.example")  # fmt: skip
    for fields in (lies, (*lies, "Connection: X-Forwarded-For, X-Forwarded-Proto")):
        assert exchange(arena.connect(), request("GET /api/x", *fields)).status == 200
    for got in arena.service.requests:
        assert got.all("x-forwarded-for")[-1].endswith("127.0.0.1")
        assert got.all("x-forwarded-proto") == ["http"]
        assert got.all("x-forwarded-host") == ["127.0.0.1"]
        assert got.all("x-real-ip") == got.all("forwarded") == []
    return "only the address is believed"


TABLES = [heads, framing, flood]
