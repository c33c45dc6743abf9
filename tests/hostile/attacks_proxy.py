"""A malicious user of wspc's HTTP proxy."""

import base64
import time

from harness.daemons import PASSWORD, USER
from harness.http_client import exchange, get, read_response
from harness.net import how_it_ends, is_silent, reset

from arena import HANDSHAKE
from arenas import Open
from table import Table
from verdicts import held, send, silent, status

CHUNKED = "Transfer-Encoding: chunked"
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


def head(line, *fields, host="Host: h"):
    return ("\r\n".join([line, host, *fields]) + "\r\n\r\n").encode("latin-1")


def connect(target, *fields):
    return head(f"CONNECT {target} HTTP/1.1", *fields)


words = Table("user of the HTTP proxy", Open)


def say(arena, data):
    """Nobody is connected to for it, here or behind it."""
    sock = arena.http()
    hidden = get(f"http://127.0.0.1:{arena.target.port}/hidden")
    send(sock, data.replace(b"TARGET", b"127.0.0.1:%d" % arena.target.port) + b"0\r\n\r\n" + hidden)
    result = status(sock)
    assert silent(arena.target.listener, 0), "somebody was connected to"
    return result


words.rows(
    say,
    "400",
    {
        "path alone": head("GET /x HTTP/1.1"),
        "options of all": head("OPTIONS * HTTP/1.1"),
        "https target": head("GET https://TARGET/ HTTP/1.1"),
        "ftp target": head("GET ftp://TARGET/ HTTP/1.1"),
        "ws target": head("GET ws://TARGET/ HTTP/1.1"),
        "no host": head("GET http:///x HTTP/1.1"),
        "port alone": head("GET http://:80/x HTTP/1.1"),
        "user in the target": head("GET http://u:p@TARGET/x HTTP/1.1"),
        "port 0": head("GET http://127.0.0.1:0/x HTTP/1.1"),
        "port 65536": head("GET http://127.0.0.1:65536/x HTTP/1.1"),
        "port of letters": head("GET http://127.0.0.1:x/x HTTP/1.1"),
        "host of 300 bytes": head(f"GET http://{'h' * 300}/x HTTP/1.1"),
        "open bracket": head("GET http://[::1/x HTTP/1.1"),
        "Host twice": head("GET http://TARGET/x HTTP/1.1", "Host: other"),
        "HTTP/2.0": head("GET http://TARGET/x HTTP/2.0"),
        "HTTP/0.9": b"GET http://TARGET/x\r\n\r\n",
        "SOCKS5": b"\x05\x01\x00\r\n\r\n",
        "TLS": bytes.fromhex("160301020001000100") + b"\r\n\r\n",
        **{f"CONNECT to {target or 'nothing'}": connect(target)
           for target in ("127.0.0.1", "[::1]", "127.0.0.1:", "127.0.0.1:0", ":80",
                          "127.0.0.1:65536", "127.0.0.1:x", "u@TARGET", "/", "http://TARGET",
                          "TARGET/x")},
    },
)  # fmt: skip
words.rows(
    say,
    "400",
    {
        name: head("POST http://TARGET/x HTTP/1.1", *fields)
        for name, fields in {
            "CL.TE": ["Content-Length: 6", CHUNKED],
            "TE.CL": [CHUNKED, "Content-Length: 6"],
            "TE twice": [CHUNKED, CHUNKED],
            "TE list": ["Transfer-Encoding: gzip, chunked"],
            "TE that nobody knows": ["Transfer-Encoding: xchunked"],
            "TE folded": ["Transfer-Encoding:", " chunked"],
            "CL twice": ["Content-Length: 4", "Content-Length: 5"],
            "CL list": ["Content-Length: 4, 4"],
            "CL with plus": ["Content-Length: +4"],
            "CL negative": ["Content-Length: -4"],
            "CL over 64 bits": ["Content-Length: 18446744073709551620"],
            "CL behind a bare LF": ["X: y\nContent-Length: 4"],
            "CL behind a bare CR": ["X: y\rContent-Length: 4"],
            "blank before colon": ["Content-Length : 4"],
            "NUL": ["X: \0"],
        }.items()
    },
)
words.rows(
    say,
    "431",
    {
        "field of 64 KiB": head("GET http://TARGET/x HTTP/1.1", "X: " + "y" * 65536),
        "200 fields": head("GET http://TARGET/x HTTP/1.1", *["X: y"] * 200),
        "target of 64 KiB": head(f"GET http://TARGET/{'x' * 65536} HTTP/1.1"),
        "CONNECT to 64 KiB": connect("h" * 65536 + ":80"),
    },
)
words.rows(
    say,
    "403",
    {
        "metadata": head("GET http://169.254.169.254/latest HTTP/1.1"),
        "metadata by CONNECT": connect("169.254.169.254:80"),
        "metadata as mapped IPv6": connect("[::ffff:a9fe:a9fe]:80"),
    },
)


def unlock(arena, fields):
    sock = arena.http(locked=True)
    request = head(f"GET http://127.0.0.1:{arena.target.port}/x HTTP/1.1", *fields)
    send(sock, request)
    result = status(sock)
    assert silent(arena.target.listener, 0), "somebody was connected to"
    return result


words.rows(
    unlock,
    "407",
    {
        "no password": [],
        "wrong password": ["Proxy-Authorization: Basic dXNlcjp3cm9uZw=="],
        "password of another kind": ["Proxy-Authorization: Bearer x"],
        "password that is no base64": ["Proxy-Authorization: Basic !!!!"],
        "password for somebody else": [f"Authorization: {BASIC}"],
        "right password twice": [f"Proxy-Authorization: {BASIC}"] * 2,
        "right password, and a wrong one": [f"Proxy-Authorization: {BASIC}",
                                            "Proxy-Authorization: Basic x"],
        "password of 60,000 bytes": ["Proxy-Authorization: Basic " + "QUJD" * 15_000],
    },
)  # fmt: skip


@words("password on the first request only", "407")
def once(arena):
    sock = arena.http(locked=True)
    good = head(f"GET {arena.well.url('/x')} HTTP/1.1", f"Proxy-Authorization: {BASIC}")
    assert exchange(sock, good).status == 200
    send(sock, get(arena.well.url("/y")))
    return status(sock)


# ---- in time and in numbers

manners = Table("user of the HTTP proxy, in time", Open)


@manners("head that does not end", "408")
def unfinished(arena):
    sock = arena.http()
    send(sock, b"GET http://127.0.0.1/ HTTP/1.1\r\nHost: h\r\n")
    return status(sock)


@manners("head that grows by a byte now and then", "408")
def crumbs(arena):
    sock = arena.http()
    began = time.monotonic()
    while is_silent(sock, 0.05) and time.monotonic() - began < 3 * HANDSHAKE:
        send(sock, b"G")
    return status(sock)


@manners("byte by byte, both in the head and behind CONNECT", "harmless")
def bytewise(arena):
    sock = arena.http()
    for byte in connect(f"127.0.0.1:{arena.echo.port}") + b"hello":
        sock.sendall(bytes([byte]))
    assert read_response(sock, "CONNECT").status == 200
    assert sock.recv(5) == b"hello"
    return "harmless"


@manners("requests sent ahead whose answers are not read", "held")
def pipelined(arena):
    return held(arena.http(), get(arena.well.url("/length/5000")) * 100)


@manners("early bytes without end behind CONNECT", "held")
def early(arena):
    sock = arena.http()
    send(sock, connect(f"127.0.0.1:{arena.hole.port}"))
    return held(sock, bytes(1 << 16))


@manners("1,000 hosts on one connection", "502")
def hosts(arena):
    """Where a host refuses, that is the answer, and the end."""
    sock = arena.http()
    for number in range(1000):
        if number % 10 == 9:
            continue
        assert exchange(sock, get(arena.well.url(f"/{number}"))).status == 200
    send(sock, get("http://127.0.0.1:1/"))
    return status(sock)


@manners("broken chunks", "eof")
def chunks(arena):
    """What was hidden behind them is never a request."""
    for body in (b"x\r\n", b"-1\r\n", b"5\nhello\n0\n\n", b"3\r\nabcd\r\n0\r\n\r\n", b"f" * 17):
        sock = arena.http()
        send(sock, head(f"POST {arena.well.url('/a')} HTTP/1.1", CHUNKED))
        send(sock, body + b"\r\n" + get(arena.well.url("/hidden")))
        data, _ = how_it_ends(sock)
        assert data == b"" or data.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 502 ")), data
        assert all(r.target != "/hidden" for r in arena.well.requests)
    return "eof"


def cut_at(arena, whole):
    for place in range(len(whole) + 1):
        sock = arena.http()
        sock.sendall(whole[:place])
        reset(sock)
    return "gone"


@manners("reset at every byte of a request", "gone")
def cut(arena):
    body = b"5\r\nhello\r\n0\r\n\r\n"
    return cut_at(arena, head(f"POST {arena.well.url('/echo')} HTTP/1.1", CHUNKED) + body)


@manners("reset at every byte of CONNECT", "gone")
def cut_connect(arena):
    return cut_at(arena, connect(f"127.0.0.1:{arena.echo.port}") + b"hello")


@manners("300 that say nothing", "eof")
def crowd(arena):
    socks = [arena.http() for _ in range(300)]
    arena.refresh()
    return {status(sock) for sock in socks}.pop()


TABLES = [words, manners]
