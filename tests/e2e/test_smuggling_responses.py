"""
Response smuggling: whatever a service sends, no visitor ever gets what was an answer to another,
and what two parsers could read differently reaches nobody.
"""

import random
import threading
import time

import pytest

from harness.http_client import exchange, read_response
from harness.net import connect, eventually, how_it_ends
from harness.reverse import Rig, Service, in_threads, request, statuses

CHUNKED = "Transfer-Encoding: chunked"


@pytest.fixture(scope="module")
def rig(shared_farm, shared_service):
    return Rig(shared_farm, shared_service.remote("api"))


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst"
HIJACK = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhijack"


def res(*fields, status="200 OK", version="HTTP/1.1", body=b"first"):
    return ("\r\n".join([f"{version} {status}", *fields]) + "\r\n\r\n").encode("latin-1") + body


AMBIGUOUS = {
    "two lengths": res("Content-Length: 5", "Content-Length: 50"),
    "two lengths, the same": res("Content-Length: 5", "Content-Length: 5"),
    "list of lengths": res("Content-Length: 5, 5"),
    "length and coding": res("Content-Length: 5", CHUNKED, body=b"5\r\nfirst\r\n0\r\n\r\n"),
    "coding and length": res(CHUNKED, "Content-Length: 5", body=b"5\r\nfirst\r\n0\r\n\r\n"),
    "unknown coding": res("Transfer-Encoding: xchunked", body=b"5\r\nfirst\r\n0\r\n\r\n"),
    "two codings": res("Transfer-Encoding: gzip, chunked", body=b"5\r\nfirst\r\n0\r\n\r\n"),
    "coding twice": res(CHUNKED, CHUNKED, body=b"5\r\nfirst\r\n0\r\n\r\n"),
    "coding in 1.0": res(CHUNKED, version="HTTP/1.0", body=b"5\r\nfirst\r\n0\r\n\r\n"),
    "length with plus": res("Content-Length: +5"),
    "length negative": res("Content-Length: -5"),
    "length over 64 bits": res("Content-Length: 18446744073709551621"),
    "length empty": res("Content-Length:"),
    "length with NUL": res("Content-Length: 5\x00"),
    "bare LF": res("X: y\nContent-Length: 5"),
    "LF only": OK.replace(b"\r\n", b"\n") + b"\n\r\n\r\n",
    "bare CR": res("X: y\rZ: 1", "Content-Length: 5"),
    "obs-fold": res("X: y", " z", "Content-Length: 5"),
    "NUL": res("X: \x00", "Content-Length: 5"),
    "blank before colon": res("Content-Length : 5"),
    "no colon": res("nonsense", "Content-Length: 5"),
    "garbage": b"this is no HTTP\r\n\r\n",
    "garbage without lines": b"\x16\x03\x01\x00\x00" * 100 + b"\n",
    "empty line first": b"\r\n" + OK,
    "HTTP/2": res("Content-Length: 5", version="HTTP/2.0"),
    "ICY": res("Content-Length: 5", version="ICY"),
    "status of two digits": res("Content-Length: 5", status="20 OK"),
    "status of four digits": res("Content-Length: 5", status="2000 OK"),
    "status 0": res("Content-Length: 5", status="000 OK"),
    "status of letters": res("Content-Length: 5", status="2x0 OK"),
    "head too large": res("X: " + "y" * 70_000, "Content-Length: 5"),
    "too many fields": res(*["X: y"] * 200, "Content-Length: 5"),
    "interim without end": b"HTTP/1.1 103 Hints\r\nX: y\x00\r\n\r\n" + OK,
    "101": res("Upgrade: x", "Connection: Upgrade", status="101 Switching", body=HIJACK),
}

# Complete for the visitor, or cut short; either way never to be mixed up with what follows.
LOOSE = {
    "a second response": ("GET", OK + HIJACK, b"first"),
    "a byte more": ("GET", OK + b"x", b"first"),
    "an empty line more": ("GET", OK + b"\r\n", b"first"),
    "behind chunks": ("GET", res(CHUNKED, body=b"5\r\nfirst\r\n0\r\n\r\n") + HIJACK, b"first"),
    "body of HEAD": ("HEAD", HIJACK, b""),
    "chunks of HEAD": ("HEAD", res(CHUNKED, body=b"5\r\nfirst\r\n0\r\n\r\n"), b""),
    "body of 204": ("GET", res("Content-Length: 6", status="204 No", body=b"hijack"), b""),
    "body of 304": ("GET", res("Content-Length: 6", status="304 No", body=b"hijack"), b""),
    "response behind 204": ("GET", res(status="204 No", body=HIJACK), b""),
    "broken chunk": ("GET", res(CHUNKED, body=b"5\r\nfirstXX" + HIJACK), None),
    "chunk size of letters": ("GET", res(CHUNKED, body=b"5\r\nfirst\r\nzz\r\n" + HIJACK), None),
    "huge chunk": ("GET", res(CHUNKED, body=b"fffffffffffffffff\r\n" + HIJACK), None),
    "LF in chunks": ("GET", res(CHUNKED, body=b"5\nfirst\n0\n\n" + HIJACK), None),
    "LF in trailers": ("GET", res(CHUNKED, body=b"5\r\nfirst\r\n0\r\nX: y\n\n" + HIJACK), None),
}  # fmt: skip


def exchange_of(rig, target):
    return rig.ask(request(f"GET {target}")).body


def own_answers(rig, count=4):
    """Everyone gets what they asked for, one after the other and all at once."""
    keys = [f"/api/own/{random.randrange(1 << 40)}" for _ in range(count)]
    for key in keys:
        assert exchange_of(rig, key).endswith(key[4:].encode() + b"\n"), key
    socks = [rig.connect() for _ in keys]
    for sock, key in zip(socks, keys):
        sock.sendall(request(f"GET {key}"))
    for sock, key in zip(socks, keys):
        with sock:
            assert read_response(sock).body.endswith(key[4:].encode() + b"\n"), key


def evil(raw, closes=False):
    """Answers /evil with `raw`, everything else as it should be."""

    def script(service, sock, got):
        if got.target != "/evil":
            return service._answer(sock, got)
        sock.sendall(raw)
        return not closes

    return script


@pytest.mark.parametrize("closes", [False, True], ids=["stays open", "closes"])
@pytest.mark.parametrize("raw", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_ambiguous_responses_are_502(rig, service, raw, closes):
    service.script = evil(raw, closes)
    own_answers(rig, 1)
    with rig.connect() as sock:
        sock.sendall(request("GET /api/evil"))
        data, _ = how_it_ends(sock)
    assert statuses(data) == [b"502"] and b"first" not in data and b"hijack" not in data
    own_answers(rig, 2)


@pytest.mark.parametrize("method, raw, body", LOOSE.values(), ids=LOOSE.keys())
def test_nobody_gets_what_is_left_over(rig, service, method, raw, body):
    service.script = evil(raw)
    with rig.connect() as sock:
        sock.sendall(request(f"{method} /api/evil"))
        if body is None:
            data, how = how_it_ends(sock)
            assert b"hijack" not in data and how == "reset"
        else:
            assert read_response(sock, method).body == body
            try:  # the visitor's own connection goes on well, or ends
                assert exchange(sock, request("GET /api/mine")).body.endswith(b" GET /mine\n")
            except (EOFError, ConnectionError):
                pass
    own_answers(rig)


def test_answer_cut_short_is_seen_as_such(rig, service):
    shapes = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nfirst",
        res(CHUNKED, body=b"5\r\nfirst\r\n"),
        res(CHUNKED, body=b"5\r\nfir"),
        res(CHUNKED, body=b"5\r\nfirst\r\n0\r\n"),
    ]
    for raw in shapes:
        service.script = evil(raw, closes=True)
        with rig.connect() as sock:
            sock.sendall(request("GET /api/evil"))
            data, how = how_it_ends(sock)
        assert raw.startswith(data) and how == "reset"
        own_answers(rig, 1)
    service.script = evil(b"HTTP/1.1 200 OK\r\nContent-Le", closes=True)
    assert rig.ask(request("GET /api/evil")).status == 502


@pytest.mark.parametrize("junk", [HIJACK, b"x", b"\r\n", HIJACK[:20]])
def test_bytes_on_an_idle_pooled_connection(rig, service, junk):
    """They close it: the next request takes another."""

    def script(_, sock, got):
        service._answer(sock, got)
        if got.target == "/evil":
            threading.Timer(0.05, sock.sendall, [junk]).start()
        return True

    service.script = script
    ended = service.ended
    assert exchange_of(rig, "/api/evil").endswith(b" GET /evil\n")
    eventually(lambda: service.ended > ended, "the connection is closed")
    own_answers(rig)


def test_bytes_before_any_request(shared_farm):
    """
    Nobody but the one for whom the connection was opened can get them. In wsp.1 nothing keeps a
    request back until a service has had time to greet: there what comes may pass for the answer.
    """
    with Service(greeting=HIJACK) as service:
        rig = Rig(shared_farm, service.remote("api"), wsps={"dialect": "0.10"})
        for number in range(30):
            with rig.connect() as sock:
                sock.sendall(request(f"GET /api/{number}"))
                response = read_response(sock)
            own = b"%d GET /%d\n" % (service.port, number)
            assert response.status == 502 or response.body in (own, b"hijack")
        assert len(service.peers) >= 30, "a connection with bytes left over was used again"


def test_banner_of_another_protocol_is_502(shared_farm):
    with Service(greeting=b"220 mail.example ESMTP\r\n") as service:
        rig = Rig(shared_farm, service.remote("api"))
        for _ in range(3):
            assert rig.ask(request("GET /api/x")).status == 502


def test_pools_belong_to_one_registration(shared_farm):
    """Two names of one service share no connection."""
    with Service() as service:
        rig = Rig(shared_farm, service.remote("one"), service.remote("two", base="/2/"))
        for _ in range(3):
            for target in ("/one/x", "/two/x"):
                assert rig.ask(request(f"GET {target}")).status == 200
        assert {r.connection for r in service.requests if r.target == "/x"}.isdisjoint(
            {r.connection for r in service.requests if r.target == "/2/x"}
        )


def test_crowd_of_honest_and_hostile(rig, service):
    """All at once, on kept connections: every answer belongs to its question."""
    hostile = [*AMBIGUOUS.values(), *(raw for _, raw, _ in LOOSE.values())]

    def script(_, sock, got):
        if got.target != "/evil":
            return service._answer(sock, got)
        sock.sendall(random.choice(hostile))
        return random.random() < 0.5

    def visit(number):
        with rig.connect() as sock:
            for turn in range(25):
                target = f"/own/{number}/{turn}"
                if number % 4 == 0:
                    with rig.connect() as other:
                        other.sendall(request("GET /api/evil"))
                        other.recv(1)
                response = exchange(sock, request(f"GET /api{target}"))
                assert response.body.endswith(b" GET %s\n" % target.encode()), response

    service.script = script
    in_threads(16, visit)


def test_no_leftovers_of_these_tests(rig, service):
    """The pool is small: refused and cut exchanges have returned their connections."""
    own_answers(rig)
    began = time.monotonic()
    with connect(rig.port) as sock:
        assert exchange(sock, request("GET /api/last")).status == 200
    assert time.monotonic() - began < 1
    eventually(lambda: len(service.live) <= 16, "connections of earlier tests have ended")
