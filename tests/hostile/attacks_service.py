"""
A malicious service: what it answers to visitors of wsps, to users of wspc's HTTP proxy, and over a
named channel.
"""

import socket
import threading
import time

from harness.http_client import exchange, get, read_response
from harness.net import eventually, how_it_ends, read_until, reset
from harness.reverse import ECHO_SWITCH, ECHO_UPGRADE, request

from arenas import Open, shut
from table import Table, every
from verdicts import held, reply, send, status

CHUNKED = "Transfer-Encoding: chunked"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst"
HIJACK = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhijack"
SIZED = b"5\r\nfirst\r\n0\r\n\r\n"


def answer(*fields, line="HTTP/1.1 200 OK", body=b"first"):
    return ("\r\n".join([line, *fields]) + "\r\n\r\n").encode("latin-1") + body


def own_answers(arena):
    """Each visitor gets what he has asked for, whatever has been left over."""
    for key in ("one", "two"):
        got = exchange(arena.connect(), request(f"GET /api/own/{key}"))
        assert got.body.endswith(f" GET /own/{key}\n".encode()), got.body


def serve(arena, raw, closes=False):
    """The service answers /evil with these bytes, and all else as it should."""

    def script(service, sock, got):
        if got.target != "/evil":
            return service._answer(sock, got)
        sock.sendall(raw)
        return not closes

    arena.service.script = script
    arena.later(setattr, arena.service, "script", None)


# ---- heads

heads = Table("service's heads", Open)

AMBIGUOUS = {
    "two lengths": answer("Content-Length: 5", "Content-Length: 50"),
    "two lengths, the same": answer("Content-Length: 5", "Content-Length: 5"),
    "list of lengths": answer("Content-Length: 5, 5"),
    "length and coding": answer("Content-Length: 5", CHUNKED, body=SIZED),
    "coding and length": answer(CHUNKED, "Content-Length: 5", body=SIZED),
    "coding that nobody knows": answer("Transfer-Encoding: xchunked", body=SIZED),
    "two codings": answer("Transfer-Encoding: gzip, chunked", body=SIZED),
    "coding twice": answer(CHUNKED, CHUNKED, body=SIZED),
    "coding in HTTP/1.0": answer(CHUNKED, line="HTTP/1.0 200 OK", body=SIZED),
    "length with plus": answer("Content-Length: +5"),
    "negative length": answer("Content-Length: -5"),
    "length over 64 bits": answer("Content-Length: 18446744073709551621"),
    "empty length": answer("Content-Length:"),
    "length with NUL": answer("Content-Length: 5\0"),
    "bare LF": answer("X: y\nContent-Length: 5"),
    "bare CR": answer("X: y\rZ: z", "Content-Length: 5"),
    "LF only": OK.replace(b"\r\n", b"\n") + b"\n\r\n\r\n",
    "folded line": answer("X: y", " z", "Content-Length: 5"),
    "NUL": answer("X: \0", "Content-Length: 5"),
    "escape sequence": answer("X: \x1b[2J", "Content-Length: 5"),
    "blank before colon": answer("Content-Length : 5"),
    "no colon": answer("nonsense", "Content-Length: 5"),
    "no HTTP": b"this is no HTTP\r\n\r\n",
    "banner of SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "TLS": b"\x15\x03\x01\x00\x02\x02\x0a" * 100 + b"\n",
    "empty line first": b"\r\n" + OK,
    "HTTP/2": answer("Content-Length: 5", line="HTTP/2.0 200 OK"),
    "HTTP/0.9": b"<html>first</html>\n",
    "status of two digits": answer("Content-Length: 5", line="HTTP/1.1 20 OK"),
    "status of four digits": answer("Content-Length: 5", line="HTTP/1.1 2000 OK"),
    "status 0": answer("Content-Length: 5", line="HTTP/1.1 000 OK"),
    "status of letters": answer("Content-Length: 5", line="HTTP/1.1 2x0 OK"),
    "reason with NUL": answer("Content-Length: 5", line="HTTP/1.1 200 \0"),
    "reason of 70,000 bytes": answer("Content-Length: 5", line="HTTP/1.1 200 " + "O" * 70_000),
    "head of 70,000 bytes": answer("X: " + "y" * 70_000, "Content-Length: 5"),
    "200 fields": answer(*["X: y"] * 200, "Content-Length: 5"),
    "101 that nobody asked for": answer("Upgrade: x", "Connection: Upgrade",
                                        line="HTTP/1.1 101 Switching", body=HIJACK),
    "a hundred interim answers and one": answer(line="HTTP/1.1 103 Hints", body=b"") * 101 + OK,
    "interim answer that is wrong": b"HTTP/1.1 103 Hints\r\nX: \0\r\n\r\n" + OK,
}  # fmt: skip


def verdict(arena, raw):
    """What the last answer is: those before may be interim ones that were good."""
    serve(arena, raw)
    sock = arena.connect()
    sock.sendall(request("GET /api/evil"))
    result = status(sock).split(" ")[-1]
    own_answers(arena)
    return result


def verdict_of_proxy(arena, raw):
    serve(arena, raw)
    sock = arena.http()
    sock.sendall(get(arena.service.url("/evil")))
    return status(sock).split(" ")[-1]


heads.rows(verdict, "502", AMBIGUOUS)
heads.rows(
    verdict_of_proxy,
    "502",
    {f"{name}, to a proxy's user": AMBIGUOUS[name]
     for name in ("two lengths", "length and coding", "bare LF", "no HTTP", "200 fields",
                  "101 that nobody asked for", "a hundred interim answers and one")},
)  # fmt: skip


def play(arena, act):
    """The service is played by act(its socket); what the visitor gets."""
    sock = arena.connect()
    sock.sendall(request("GET /raw/x"))
    act(arena.keep(arena.target.accept()))
    return status(sock)


def read_and(act):
    def after_request(sock):
        read_until(sock, b"\r\n\r\n")
        act(sock)

    return after_request


heads.rows(
    play,
    "502",
    {
        "end at once": lambda sock: sock.close(),
        "reset at once": reset,
        "end of its side at once": shut,
        "end behind the request": read_and(lambda sock: sock.close()),
        "reset behind the request": read_and(reset),
        "end within the status line": read_and(lambda sock: (send(sock, OK[:11]), shut(sock))),
        "end within the head": read_and(lambda sock: (send(sock, OK[:20]), shut(sock))),
        "head without end": read_and(lambda sock: send(sock, OK[:20] + b"x" * 5_000_000)),
        "fields without end": read_and(lambda sock: send(sock, OK[:17] + b"X: y\r\n" * 500_000)),
        "blank lines without end": read_and(lambda sock: send(sock, b"\r\n" * 500_000)),
    },
)


@heads("head that comes by a byte now and then", "held")
def slow_head(arena):
    """It is for the visitor to lose patience."""
    sock = arena.connect()
    sock.sendall(request("GET /raw/x"))
    service = arena.keep(arena.target.accept())
    read_until(service, b"\r\n\r\n")
    for byte in OK[:30]:
        service.sendall(bytes([byte]))
        time.sleep(0.01)
    sock.close()
    how_it_ends(service)
    return "held"


@heads("reset here and there in a response", "reset")
def cut(arena):
    """A part is never taken for the whole; before any of it has gone on, it is 502."""
    whole = answer(CHUNKED, "X: y", body=b"5\r\nfirst\r\n6\r\nsecond\r\n0\r\nX-T: z\r\n\r\n")
    for place in range(0, len(whole), every(3)):
        result = play(arena, read_and(lambda sock, n=place: (send(sock, whole[:n]), reset(sock))))
        allowed = ("502", "reset") if place < whole.index(b"\r\n\r\n") + 4 else ("200", "reset")
        assert result in allowed, (place, result)
        arena.target.clear()
    return "reset"


# ---- bodies

bodies = Table("service's bodies", Open)


def left_over(arena, what):
    """(method, bytes, what is the visitor's): the rest is nobody's."""
    method, raw, body = what
    serve(arena, raw)
    sock = arena.connect()
    sock.sendall(request(f"{method} /api/evil"))
    if body is not None:
        assert read_response(sock, method).body == body
        own_answers(arena)
        return "nobody gets it"
    data, how = how_it_ends(sock)
    assert b"hijack" not in data
    own_answers(arena)
    return how


bodies.rows(
    left_over,
    "nobody gets it",
    {
        "a second response": ("GET", OK + HIJACK, b"first"),
        "a byte more": ("GET", OK + b"x", b"first"),
        "an empty line more": ("GET", OK + b"\r\n", b"first"),
        "a response behind chunks": ("GET", answer(CHUNKED, body=SIZED) + HIJACK, b"first"),
        "a body for HEAD": ("HEAD", HIJACK, b""),
        "chunks for HEAD": ("HEAD", answer(CHUNKED, body=SIZED), b""),
        "a body with 204": ("GET", answer("Content-Length: 6", line="HTTP/1.1 204 No",
                                          body=b"hijack"), b""),
        "a body with 304": ("GET", answer("Content-Length: 6", line="HTTP/1.1 304 No",
                                          body=b"hijack"), b""),
        "a response behind 204": ("GET", answer(line="HTTP/1.1 204 No", body=HIJACK), b""),
    },
)  # fmt: skip
bodies.rows(
    left_over,
    "reset",
    {
        "broken chunk": ("GET", answer(CHUNKED, body=b"5\r\nfirstXX" + HIJACK), None),
        "size of letters": ("GET", answer(CHUNKED, body=b"5\r\nfirst\r\nzz\r\n" + HIJACK), None),
        "size over 64 bits": ("GET", answer(CHUNKED, body=b"f" * 17 + b"\r\n" + HIJACK), None),
        "size without end": ("GET", answer(CHUNKED, body=b"0" * 100_000), None),
        "extension without end": ("GET", answer(CHUNKED, body=b"5;" + b"x" * 100_000), None),
        "trailers without end": (
            "GET", answer(CHUNKED, body=b"0\r\n" + b"X: y\r\n" * 20_000), None),
        "bare LF in chunks": ("GET", answer(CHUNKED, body=b"5\nfirst\n0\n\n" + HIJACK), None),
        "bare LF in trailers": (
            "GET", answer(CHUNKED, body=b"5\r\nfirst\r\n0\r\nX: y\n\n" + HIJACK), None),
    },
)  # fmt: skip


def cut_short(arena, raw):
    """It closes in the middle, politely."""
    serve(arena, raw, closes=True)
    sock = arena.connect()
    sock.sendall(request("GET /api/evil"))
    _, how = how_it_ends(sock)
    own_answers(arena)
    return how


bodies.rows(
    cut_short,
    "reset",
    {
        "less than its length": answer("Content-Length: 50"),
        "end between chunks": answer(CHUNKED, body=b"5\r\nfirst\r\n"),
        "end within a chunk": answer(CHUNKED, body=b"5\r\nfir"),
        "end within the trailers": answer(CHUNKED, body=b"5\r\nfirst\r\n0\r\nX: y\r\n"),
    },
)


@bodies("bytes on a connection that is kept", "nobody gets it")
def late_bytes(arena):
    """They close it; the next request takes another."""

    def script(service, sock, got):
        service._answer(sock, got)
        if got.target == "/evil":
            threading.Timer(0.03, sock.sendall, [HIJACK]).start()
        return True

    arena.service.script = script
    arena.later(setattr, arena.service, "script", None)
    ended = arena.service.ended
    assert exchange(arena.connect(), request("GET /api/evil")).body.endswith(b" GET /evil\n")
    eventually(lambda: arena.service.ended > ended, "the connection is closed")
    own_answers(arena)
    return "nobody gets it"


@bodies("a response without end that is not read", "held")
def endless(arena):
    sock = arena.connect()
    sock.sendall(request("GET /raw/x"))
    service = arena.keep(arena.target.accept())
    read_until(service, b"\r\n\r\n")
    service.sendall(answer(CHUNKED, body=b""))
    return held(service, b"1000\r\n" + bytes(0x1000) + b"\r\n")


@bodies("a response in chunks of a byte, of which 20,000 come at once", "harmless")
def crumbs(arena):
    serve(arena, answer(CHUNKED, body=b"1\r\nx\r\n" * 20_000 + b"0\r\n\r\n"))
    got = exchange(arena.connect(), request("GET /api/evil"))
    return "harmless" if got.body == b"x" * 20_000 else str(got)


@bodies("a response before the request is all there", "harmless")
def early(arena):
    """Both are finished with then: what is still to come of the body is nobody's answer."""
    sock = arena.connect()
    sock.sendall(request("POST /raw/x", "Content-Length: 100000", body=bytes(10)))
    service = arena.keep(arena.target.accept())
    read_until(service, b"\r\n\r\n")
    service.sendall(OK + HIJACK)
    data, _ = how_it_ends(sock)
    assert data.endswith(b"first") and b"hijack" not in data
    own_answers(arena)
    return "harmless"


@bodies("an upgrade, and then everything else", "harmless")
def upgraded(arena):
    """What comes behind the 101 is its own business; what it leaves open ends with the visitor."""
    sock = arena.connect()
    sock.sendall(request("GET /raw/x", *ECHO_UPGRADE))
    service = arena.keep(arena.target.accept())
    read_until(service, b"\r\n\r\n")
    service.sendall(ECHO_SWITCH + HIJACK * 100)
    assert read_until(sock, b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
    sock.close()
    how_it_ends(service)
    return "harmless"


# ---- over a channel

channel = Table("service of a channel", Open)


@channel("what its user does not read", "held")
def unread(arena):
    _, target = arena.through()
    return held(target, bytes(1 << 16))


@channel("100 connections that it resets at once", "reset")
def resets(arena):
    results = set()
    for _ in range(100):
        sock, target = arena.through()
        reset(target)
        results.add(reply(sock))
    return results.pop() if len(results) == 1 else str(results)


@channel("connections that it neither takes nor refuses", "reply 05 06")
def blackhole(arena):
    results = set()
    socks = [arena.socks() for _ in range(20)]
    for sock in socks:
        sock.sendall(b"\x05\x01\x00\x05\x01\x00\x01\x7f\0\0\1" + arena.hole.port.to_bytes(2, "big"))
    for sock in socks:
        assert sock.recv(2) == b"\x05\x00"
        results.add(reply(sock))
    return results.pop() if len(results) == 1 else str(results)


@channel("an end with data behind it that is not read", "reset")
def reset_with_data(arena):
    sock, target = arena.through()
    sock.sendall(bytes(100_000))
    target.recv(1, socket.MSG_PEEK)
    target.close()  # with unread bytes in it: a reset
    return reply(sock)


@channel("half of the connections half-closed, for ever", "held")
def half_closed(arena):
    for _ in range(20):
        _, target = arena.through()
        shut(target)
    return "held"


TABLES = [heads, bodies, channel]
