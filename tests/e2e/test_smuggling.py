"""
Request smuggling: what two parsers could read differently is refused before the service sees any of
it.
"""

import pytest

from harness.http_client import exchange, read_response
from harness.net import eventually, how_it_ends
from harness.reverse import Rig, request, statuses

HIDDEN = request("GET /api/hidden")
CHUNKED = "Transfer-Encoding: chunked"


@pytest.fixture(scope="module")
def rig(shared_farm, shared_service):
    names = [shared_service.remote("api"), shared_service.remote("evil.example", mode="domain")]
    return Rig(shared_farm, *names, time={"handshake": 0.5})


def head(*fields, line="POST /api/x HTTP/1.1", host="Host: h"):
    lines = [line, *([host] if host else []), *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


FRAMING = {
    "CL.TE": ["Content-Length: 6", CHUNKED],
    "TE.CL": [CHUNKED, "Content-Length: 6"],
    "CL.TE, length 0": ["Content-Length: 0", CHUNKED],
    "CL.TE in odd case": ["content-length: 6", "transfer-encoding: ChUnKeD"],
    "CL.TE, coding unknown": ["Content-Length: 6", "Transfer-Encoding: xchunked"],
    "CL.TE, coding empty": ["Content-Length: 6", "Transfer-Encoding:"],
    "CL.TE, coding listed in Connection": ["Connection: Transfer-Encoding", "Content-Length: 6",
                                           CHUNKED],
    "TE.CL, length listed in Connection": ["Connection: Content-Length", "Content-Length: 6",
                                           CHUNKED],
    "TE.TE": [CHUNKED, "Transfer-Encoding: identity"],
    "TE.TE, chunked last": ["Transfer-Encoding: identity", CHUNKED],
    "TE.TE, twice": [CHUNKED, CHUNKED],
    "TE.TE, odd": [CHUNKED, "Transfer-encoding: x"],
    "TE list": ["Transfer-Encoding: gzip, chunked"],
    "TE list, chunked first": ["Transfer-Encoding: chunked, identity"],
    "TE list of the same": ["Transfer-Encoding: chunked, chunked"],
    "TE list with a gap": ["Transfer-Encoding: chunked,"],
    "TE list with a leading gap": ["Transfer-Encoding: ,chunked"],
    "TE xchunked": ["Transfer-Encoding: xchunked"],
    "TE chunkedx": ["Transfer-Encoding: chunkedx"],
    "TE chunk": ["Transfer-Encoding: chunk"],
    "TE identity": ["Transfer-Encoding: identity"],
    "TE gzip": ["Transfer-Encoding: gzip"],
    "TE empty": ["Transfer-Encoding: "],
    "TE quoted": ['Transfer-Encoding: "chunked"'],
    "TE in quotes of another kind": ["Transfer-Encoding: 'chunked'"],
    "TE with parameter": ["Transfer-Encoding: chunked;q=1"],
    "TE with two words": ["Transfer-Encoding: chunked foo"],
    "TE behind VT": ["Transfer-Encoding: \x0bchunked"],
    "TE before FF": ["Transfer-Encoding: chunked\x0c"],
    "TE behind NBSP": ["Transfer-Encoding: \xa0chunked"],
    "TE with obs-text": ["Transfer-Encoding: chunked\xff"],
    "TE with NUL": ["Transfer-Encoding: chunked\x00"],
    "TE with blank before colon": ["Transfer-Encoding : chunked"],
    "TE with tab before colon": ["Transfer-Encoding\t: chunked"],
    "TE behind a blank": ["X: y", " Transfer-Encoding: chunked"],
    "TE folded": ["Transfer-Encoding:", " chunked"],
    "TE folded by tab": ["Transfer-Encoding:", "\tchunked"],
    "TE behind bare LF": ["X: y\nTransfer-Encoding: chunked"],
    "TE behind bare CR": ["X: y\rTransfer-Encoding: chunked"],
    "TE behind LF CR": ["X: y\n\rTransfer-Encoding: chunked"],
    "TE with LF before colon": ["Transfer-Encoding\n: chunked"],
    "TE with NUL in name": ["Transfer-\x00Encoding: chunked"],
    "CL twice": ["Content-Length: 4", "Content-Length: 5"],
    "CL twice, the same": ["Content-Length: 4", "Content-Length: 4"],
    "CL twice in odd case": ["Content-Length: 4", "CONTENT-LENGTH: 0"],
    "CL list": ["Content-Length: 4, 5"],
    "CL list of the same": ["Content-Length: 4, 4"],
    "CL with plus": ["Content-Length: +4"],
    "CL negative": ["Content-Length: -4"],
    "CL hexadecimal": ["Content-Length: 0x4"],
    "CL fraction": ["Content-Length: 4.0"],
    "CL exponent": ["Content-Length: 4e0"],
    "CL grouped": ["Content-Length: 1_0"],
    "CL of two numbers": ["Content-Length: 4 4"],
    "CL with a letter": ["Content-Length: 4a"],
    "CL empty": ["Content-Length:"],
    "CL quoted": ['Content-Length: "4"'],
    "CL of other digits": ["Content-Length: \xb2"],
    "CL over 64 bits": ["Content-Length: 18446744073709551620"],
    "CL over 63 bits": ["Content-Length: 9223372036854775808"],
    "CL endless": ["Content-Length: " + "4" * 300],
    "CL with NUL": ["Content-Length: 4\x00"],
    "CL with blank before colon": ["Content-Length : 4"],
    "CL folded": ["Content-Length:", " 4"],
    "CL behind bare LF": ["X: y\nContent-Length: 4"],
    "CL behind bare CR": ["X: y\rContent-Length: 4"],
}  # fmt: skip

SHAPES = {
    "obs-fold": head("X-A: b", " folded"),
    "obs-fold by tab": head("X-A: b", "\tfolded"),
    "blank line of a blank": head("X-A: b", " "),
    "field before Host folded": head("\tX: y"),
    "blank before colon": head("X-A : b"),
    "NUL in value": head("X-A: b\x00c"),
    "NUL in name": head("X-A\x00: b"),
    "NUL as a line": head("\x00"),
    "SOH in value": head("X-A: b\x01c"),
    "ESC in value": head("X-A: b\x1b[0m"),
    "DEL in value": head("X-A: b\x7fc"),
    "DEL in name": head("X\x7fA: b"),
    "obs-text in name": head("X-\xe9: b"),
    "blank in name": head("X A: b"),
    "parenthesis in name": head("X(A): b"),
    "quoted name": head('"X": b'),
    "no name": head(": b"),
    "no colon": head("X-A b"),
    "bare LF": head("X-A: b\nX-B: c"),
    "bare CR": head("X-A: b\rX-B: c"),
    "CR CR LF": head("X-A: b\r"),
    "LF at the end": head()[:-2] + b"\n",
    "LF only": head().replace(b"\r\n", b"\n"),
    "CR only": head().replace(b"\r\n", b"\r") + b"\r\n\r\n",
    "Host twice": head("Host: h"),
    "Host twice, different": head("Host: other"),
    "Host behind bare LF": head("X: y\nHost: evil.example"),
    "Host with blank before colon": head("Host : evil.example"),
    "Host folded": head(" evil.example", host="Host: h"),
    "no Host": head(host=None),
    "Host and target differ": head(line="POST http://evil.example/x HTTP/1.1"),
    "two blanks": head(line="POST  /api/x HTTP/1.1"),
    "two blanks before version": head(line="POST /api/x  HTTP/1.1"),
    "blank in target": head(line="POST /api/x y HTTP/1.1"),
    "blank before method": head(line=" POST /api/x HTTP/1.1"),
    "blank behind version": head(line="POST /api/x HTTP/1.1 "),
    "tab for a blank": head(line="POST\t/api/x\tHTTP/1.1"),
    "tab in target": head(line="POST /api/x\ty HTTP/1.1"),
    "VT for a blank": head(line="POST\x0b/api/x HTTP/1.1"),
    "NUL in target": head(line="POST /api/x\x00 HTTP/1.1"),
    "NUL in method": head(line="PO\x00ST /api/x HTTP/1.1"),
    "CR in target": head(line="POST /api/x\ry HTTP/1.1"),
    "LF in target": head(line="POST /api/x\nX: y HTTP/1.1"),
    "obs-text in target": head(line="POST /api/\xe9 HTTP/1.1"),
    "DEL in target": head(line="POST /api/\x7f HTTP/1.1"),
    "no target": head(line="POST HTTP/1.1"),
    "no version": head(line="POST /api/x"),
    "version 0.9": head(line="POST /api/x HTTP/0.9"),
    "version 1.2": head(line="POST /api/x HTTP/1.2"),
    "version 1.10": head(line="POST /api/x HTTP/1.10"),
    "version 2.0": head(line="POST /api/x HTTP/2.0"),
    "version 1": head(line="POST /api/x HTTP/1"),
    "version in small letters": head(line="POST /api/x http/1.1"),
    "version of other digits": head(line="POST /api/x HTTP/1.\xb9"),
    "method with colon": head(line="POST: /api/x HTTP/1.1"),
    "chunked in 1.0": head(CHUNKED, line="POST /api/x HTTP/1.0"),
    "chunked in 1.0, kept alive": head(CHUNKED, "Connection: keep-alive",
                                       line="POST /api/x HTTP/1.0"),
    **{name: head(*fields) for name, fields in FRAMING.items()},
    **{f"GET, {name}": head(*FRAMING[name], line="GET /api/x HTTP/1.1")
       for name in ("CL.TE", "TE.CL", "TE xchunked", "CL twice", "CL with plus")},
}  # fmt: skip


@pytest.mark.parametrize("first", [False, True], ids=["alone", "behind another"])
@pytest.mark.parametrize("raw", SHAPES.values(), ids=SHAPES.keys())
def test_shapes_are_refused(rig, service, raw, first):
    """One 400 and the end; the service sees neither the request nor what was hidden behind it."""
    with rig.connect() as sock:
        if first:
            assert exchange(sock, request("GET /api/before")).status == 200
            service.forget()
        sock.sendall(raw + b"0\r\n\r\n" + HIDDEN)
        data, _ = how_it_ends(sock)
    assert statuses(data) == [b"400"], data
    service.saw_only(rig, "/api/barrier")


@pytest.mark.parametrize(
    "raw",
    [
        head("X-Long: " + "x" * 65536),
        head(line="GET /api/" + "x" * 65536 + " HTTP/1.1"),
        head(*["X: y"] * 20_000),
    ],
    ids=["field", "target", "fields"],
)
def test_too_large_is_431(rig, service, raw):
    with rig.connect() as sock:
        sock.sendall(raw[:66_000])
        data, _ = how_it_ends(sock)
    assert statuses(data) == [b"431"]
    service.saw_only(rig, "/api/barrier")


@pytest.mark.parametrize("cut", [1, 20, 40, -1])
def test_unfinished_head_is_408(rig, service, cut):
    with rig.connect() as sock:
        sock.sendall(head("X-A: b", "X-B: c")[:cut])
        data, _ = how_it_ends(sock)
    assert statuses(data) == [b"408"]
    service.saw_only(rig, "/api/barrier")


CHUNKS = {
    "no size": b"\r\n",
    "letters": b"xyz\r\n",
    "negative": b"-1\r\n",
    "plus": b"+5\r\nhello\r\n0\r\n\r\n",
    "0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "blank before": b" 5\r\nhello\r\n0\r\n\r\n",
    "blank behind": b"5 \r\nhello\r\n0\r\n\r\n",
    "grouped": b"1_0\r\n0123456789abcdef\r\n0\r\n\r\n",
    "over 64 bits": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "over 64 bits by far": b"f" * 60 + b"\r\n",
    "over 63 bits": b"8000000000000000\r\nhello\r\n0\r\n\r\n",
    "all ones": b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "endless size": b"0" * 5000,
    "bare LF behind size": b"5\nhello\r\n0\r\n\r\n",
    "bare CR behind size": b"5\rhello\r\n0\r\n\r\n",
    "bare LF in extension": b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    "bare CR in extension": b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    "NUL in extension": b"5;a\x00\r\nhello\r\n0\r\n\r\n",
    "too long extension": b"5;" + b"a" * 5000 + b"\r\nhello\r\n0\r\n\r\n",
    "no CRLF behind data": b"5\r\nhelloworld\r\n0\r\n\r\n",
    "LF behind data": b"5\r\nhello\n0\r\n\r\n",
    "other bytes behind data": b"5\r\nhelloXX0\r\n\r\n",
    "data too short": b"5\r\nhel\r\n0\r\n\r\n",
    "LF in the last chunk": b"5\r\nhello\r\n0\n\n",
    "LF behind trailer": b"0\r\nX-T: 1\n\r\n",
    "NUL in trailer": b"0\r\nX-T: \x00\r\n\r\n",
    "trailers without end": b"0\r\n" + b"X-T: 1\r\n" * 4000,
}


@pytest.mark.parametrize("body", CHUNKS.values(), ids=CHUNKS.keys())
@pytest.mark.parametrize("together", [False, True], ids=["apart", "together"])
def test_broken_chunks(rig, service, body, together):
    """The head was good and may have gone on; what follows never becomes a request."""
    with rig.connect() as sock:
        sock.sendall(head(CHUNKED) if not together else head(CHUNKED) + body + HIDDEN)
        if not together:
            eventually(lambda: bytes(service.log).endswith(b"\r\n\r\n"), "the head has gone on")
            sock.sendall(body + HIDDEN)
        data, _ = how_it_ends(sock)
    assert statuses(data) in ([], [b"400"], [b"502"]), data
    assert rig.ask(request("GET /api/barrier")).status == 200
    assert [r.target for r in service.requests if r.target != "/x"] == ["/barrier"]
    assert b"hidden" not in service.log
    for got in service.requests[:-1]:
        assert not got.raw_body.endswith(b"0\r\n\r\n"), "a body that was never finished"


def test_body_is_no_request(rig, service):
    """What is a body for one is a body for all."""
    bodies = (
        [f"Content-Length: {len(HIDDEN)}"],
        HIDDEN,
        [CHUNKED],
        b"%x\r\n%s\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN),
    )
    for fields, body in zip(bodies[::2], bodies[1::2]):
        for method in ("GET", "POST", "OPTIONS", "DELETE", "X"):
            service.forget()
            with rig.connect() as sock:
                raw = head(*fields, line=f"{method} /api/body HTTP/1.1")
                sock.sendall(raw + body + request("GET /api/behind"))
                assert read_response(sock).status == 200
                assert read_response(sock).body.endswith(b" GET /behind\n")
            got = [r for r in service.requests if r.target != "/x"]  # late ones of earlier tests
            assert [r.target for r in got] == ["/body", "/behind"]
            assert got[0].raw_body == body


def test_body_that_never_comes(rig, service):
    """The visitor leaves in the middle: the service must not take that for the end."""
    with rig.connect() as sock:
        sock.sendall(head("Content-Length: 100") + b"only this")
        eventually(lambda: service.log.endswith(b"only this"), "the part that there is")
    eventually(lambda: service.ended, "the service's connection ends")
    assert rig.ask(request("GET /api/next")).body == b"%d GET /next\n" % service.port
