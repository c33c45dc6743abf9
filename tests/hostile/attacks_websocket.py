"""A malicious visitor of a TCP service that is offered as a WebSocket."""

import time

from harness import frames
from harness.frames import BINARY, CLOSE, CONT, PING, PONG, TEXT, encode
from harness.net import eventually, is_silent, read_exact, reset

from arenas import Open, upgrade
from table import Table
from verdicts import closed, duplex, held, send, status

# ---- the handshake

door = Table("visitor's WebSocket at the door", Open)


def knock(arena, data):
    sock = arena.connect()
    send(sock, data)
    result = status(sock)
    assert is_silent(arena.target.listener, 0), "the service was connected to"
    return result


door.rows(
    knock,
    "400",
    {
        "a key of 15 bytes": upgrade("/tcp", key="c2hvcnQga2V5IDE1IGI="),
        "no key": upgrade("/tcp", key=" "),
        "two keys": upgrade("/tcp", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
        "two versions": upgrade("/tcp", "Sec-WebSocket-Version: 13"),
        "a body": upgrade("/tcp", "Content-Length: 5"),
        "a body in chunks": upgrade("/tcp", "Transfer-Encoding: chunked"),
        "no Connection": upgrade("/tcp").replace(b"Connection: Upgrade\r\n", b""),
    },
)
door.rows(
    knock,
    "426",
    {
        "version 8": upgrade("/tcp", version="8"),
        "an upgrade to HTTP/2": upgrade("/tcp").replace(b"websocket", b"h2c"),
        "HTTP/1.0": upgrade("/tcp").replace(b"HTTP/1.1", b"HTTP/1.0"),
        "no upgrade": upgrade("/tcp").replace(b"Upgrade: websocket\r\n", b""),
    },
)
door.rows(knock, "405", {"POST": upgrade("/tcp", method="POST")})
door.rows(
    knock,
    "403",
    {
        "a page that is not listed": upgrade("/pages", "Origin: https://evil.example"),
        "a page that only begins like one": upgrade("/pages", "Origin: https://a.example.evil"),
        "a page without TLS": upgrade("/pages", "Origin: http://a.example"),
        "a page with another port": upgrade("/pages", "Origin: https://a.example:8443"),
        "a page without an address": upgrade("/pages", "Origin: null"),
        "two pages": upgrade("/pages", "Origin: https://a.example", "Origin: https://evil.example"),
        "a list of pages": upgrade("/pages", "Origin: https://a.example, https://evil.example"),
    },
)

# ---- frames

wire = Table("visitor's WebSocket", Open)


def frame(op, payload=b"", **options):
    return encode(op, payload, **{"masked": True, **options})


def throw(arena, data):
    """The service's connection ends, too; a part of a message is no reason to end it politely."""
    peer, service = arena.web_socket()
    peer.send_frame(BINARY, b"good")
    assert read_exact(service, 4) == b"good"
    send(peer.sock, data)
    result = closed(peer)
    eventually(lambda: not is_silent(service, 0), "the service's connection ends")
    return result


wire.rows(
    throw,
    "close 1002",
    {
        "not masked": frame(BINARY, b"x", masked=False),
        "compressed": frame(BINARY, b"x", rsv=4),
        "second reserved bit": frame(BINARY, b"x", rsv=2),
        "third reserved bit": frame(BINARY, b"x", rsv=1),
        "opcode 3": frame(3, b"x"),
        "opcode 11": frame(11, b"x"),
        "continuation of nothing": frame(CONT, b"x"),
        "message within a message": frame(BINARY, b"x", fin=False) + frame(TEXT, b"x"),
        "ping in fragments": frame(PING, b"x", fin=False),
        "ping of 126 bytes": frame(PING, bytes(126)),
        "length in 16 bits that fits 7": frame(BINARY, b"x", width=16),
        "length in 64 bits that fits 16": frame(BINARY, bytes(200), width=64),
        "length of 2^63": b"\x82\xff\x80" + bytes(7) + b"mask",
        "close with half a code": frame(CLOSE, b"\x03"),
        "close code 1005": frame(CLOSE, b"\x03\xed"),
        "close code 65535": frame(CLOSE, b"\xff\xff"),
    },
)
wire.rows(
    throw,
    "close 1007",
    {
        "text that is not UTF-8": frame(TEXT, b"\xc3("),
        "text cut within a character": frame(TEXT, b"\xe2\x82"),
        "text with a surrogate in two fragments": frame(TEXT, b"\xed", fin=False)
        + frame(CONT, b"\xa0\x80"),
        "the beginning of an endless text": frame(TEXT, b"\xff" + bytes(60_000), fin=False),
    },
)
wire.rows(
    throw,
    "close 1002",
    {"close whose reason is not UTF-8": frame(CLOSE, b"\x03\xe8\xff")},
)


@wire("byte by byte, in fragments of a byte", "harmless")
def bytewise(arena):
    peer, service = arena.web_socket()
    parts = [frame(BINARY, b"h", fin=False), *[frame(CONT, b"i", fin=False)] * 30]
    for byte in b"".join(parts):
        peer.sock.sendall(bytes([byte]))
    assert read_exact(service, 31) == b"h" + b"i" * 30
    return "harmless"


@wire("20,000 empty fragments", "harmless")
def empty(arena):
    peer, service = arena.web_socket()
    parts = [frame(BINARY, fin=False), *[frame(CONT, fin=False)] * 20_000, frame(CONT, b"end")]
    peer.send_raw(b"".join(parts))
    assert read_exact(service, 3) == b"end"
    return "harmless"


@wire("a frame of 2^62 bytes", "harmless")
def huge(arena):
    """It is passed on as it comes, and ends with its visitor."""
    peer, service = arena.web_socket()
    peer.send_raw(b"\x82\xff\x40" + bytes(7) + bytes(4) + b"hello" * 1000)
    assert read_exact(service, 5000) == b"hello" * 1000
    return "harmless"


@wire("flood of pings whose pongs are not read", "held")
def pings(arena):
    peer, _ = arena.web_socket()
    return held(peer.sock, frame(PING, b"x" * 125) * 1000)


@wire("10,000 pongs that nobody asked for", "harmless")
def pongs(arena):
    peer, service = arena.web_socket()
    peer.send_raw(frame(PONG, b"x") * 10_000 + frame(BINARY, b"end"))
    assert read_exact(service, 3) == b"end"
    return "harmless"


@wire("what the service does not read", "held")
def unread_by_service(arena):
    peer, _ = arena.web_socket()
    return held(peer.sock, frame(BINARY, bytes(60_000)))


@wire("what the visitor does not read", "held")
def unread_by_visitor(arena):
    _, service = arena.web_socket()
    return held(service, bytes(1 << 16))


@wire("close, and then everything else", "close 1000")
def behind_close(arena):
    peer, service = arena.web_socket()
    send(peer.sock, frame(CLOSE, b"\x03\xe8") + frame(BINARY, b"late") * 10_000)
    result = closed(peer)
    assert service.recv(4) == b""
    return result


@wire("leaves within a frame", "gone")
def leave_within(arena):
    for leave in (reset, lambda sock: sock.close()):
        peer, service = arena.web_socket()
        peer.send_raw(frame(BINARY, bytes(1000))[:500])
        leave(peer.sock)
        eventually(lambda service=service: not is_silent(service, 0), "the service's end")
    return "gone"


@wire("frames glued to the request", "harmless")
def glued(arena):
    sock = arena.connect()
    early = b"".join(frame(PING, b"%d" % n) for n in range(2000))
    sock.sendall(upgrade("/tcp") + early)
    arena.keep(arena.target.accept())
    pong = frames.encode(PONG, b"1999", masked=False)
    duplex(sock, b"", lambda got: got.endswith(pong))
    return "harmless"


@wire("100 at once, each left at once", "gone")
def crowd(arena):
    for number in range(100):
        sock = arena.connect()
        sock.sendall(upgrade("/tcp"))
        if number % 2:
            reset(sock)
    return "gone"


def dialogue():
    return upgrade("/tcp") + frame(BINARY, b"hello") + frame(PING, b"x") + frame(CLOSE, b"\x03\xe8")


@wire("reset at every byte", "gone")
def cut(arena):
    whole = dialogue()
    for place in range(len(whole) + 1):
        sock = arena.connect()
        sock.sendall(whole[:place])
        reset(sock)
        if place % 50 == 0:
            arena.target.clear()
    return "gone"


@wire("silence behind the handshake", "held")
def silence(arena):
    for _ in range(20):
        arena.web_socket()
    time.sleep(0.1)
    return "held"


TABLES = [door, wire]
