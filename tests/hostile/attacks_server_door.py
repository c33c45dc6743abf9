"""A malicious wsps at the door: what it answers to the upgrade of a wspc."""

import time

from harness import frames
from harness.net import is_silent, listen, reset
from harness.peer import Peer, switch

from arena import HANDSHAKE
from arenas import Away
from table import Table, every
from verdicts import closed, duplex, send

FAILED = r"link 2(?:\.\d+)?: cannot connect: (.*); next try"

# ---- the answer to the upgrade

door = Table("server at the door", Away)


def key_of(head):
    return head.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]


def answer(arena, make):
    """The reason that wspc gives for making no link of it; `make` gets the right 101."""
    sock, head = arena.asked(arena.BARE)
    since = arena.wspc.mark()
    send(sock, make(switch(key_of(head), "wsp.1")))
    return arena.reason(since, FAILED)


def replaced(old, new):
    return lambda right: right.replace(old, new)


def with_line(line):
    return lambda right: right[:-2] + line.encode("latin-1") + b"\r\n\r\n"


def as_it_is(raw):
    return lambda right: raw


ACCEPT = 'handshake error: bad "Sec-WebSocket-Accept" header'
PROTOCOL = 'handshake error: bad "Sec-WebSocket-Protocol" header'
HTTP = "the server's answer is not valid HTTP"
UNEXPECTED = "unexpected HTTP response status: {}"

door.rows(
    answer,
    HTTP,
    {
        "no HTTP": as_it_is(b"SSH-2.0-OpenSSH_9.2\r\n"),
        "TLS": as_it_is(bytes.fromhex("15030100020250") + b"\n"),
        "HTTP/2": replaced(b"HTTP/1.1", b"HTTP/2.0"),
        "bare LF": lambda right: right.replace(b"\r\n", b"\n"),
        "NUL": with_line("X: \0"),
        "escape sequence": with_line("X: \x1b[2J"),
        "folded line": with_line("X: y\r\n z"),
        "blank before colon": with_line("X : y"),
        "129 fields": with_line("\r\n".join(["X: y"] * 128)),
        "head of 64 KiB": with_line("X: " + "y" * 65536),
        "head of 10 MB": with_line("X: " + "y" * 10_000_000),
        "a million empty lines": as_it_is(b"\r\n" * 1_000_000),
    },
)
for code in (100, 200, 204, 301, 302, 400, 403, 404, 426, 500, 503):
    door.rows(
        answer,
        UNEXPECTED.format(code),
        {f"status {code}": replaced(b"101 Switching Protocols", b"%d Otherwise" % code)},
    )
door.rows(
    answer,
    'the server refuses our "auth" (HTTP status 401): set it to the server\'s',
    {"status 401": replaced(b"101 Switching Protocols", b"401 No")},
)
door.rows(
    answer,
    ACCEPT,
    {
        "no accept": replaced(b"Sec-WebSocket-Accept", b"X-Accept"),
        "accept for another key": lambda right: switch(b"AAAAAAAAAAAAAAAAAAAAAA==", "wsp.1"),
        "accept in lower case": lambda right: right.lower().replace(b"http/1.1", b"HTTP/1.1"),
        "accept twice": with_line("Sec-WebSocket-Accept: x"),
    },
)
door.rows(
    answer,
    PROTOCOL,
    {
        "subprotocol that was not offered": replaced(b"wsp.1", b"wsp.2"),
        "subprotocols in a list": replaced(b"wsp.1", b"wsp.1, wsp.1"),
        "subprotocol twice": with_line("Sec-WebSocket-Protocol: wsp.1"),
        "subprotocol that is empty": replaced(b"wsp.1", b""),
    },
)
door.rows(
    answer,
    'handshake error: bad "Sec-WebSocket-Extensions" header',
    {"compression": with_line("Sec-WebSocket-Extensions: permessage-deflate")},
)
door.rows(
    answer,
    'handshake error: bad "Upgrade" header',
    {
        "no Upgrade": replaced(b"Upgrade: websocket\r\n", b""),
        "upgrade to something else": replaced(b"websocket", b"h2c"),
        "Upgrade twice": with_line("Upgrade: websocket"),
    },
)
door.rows(
    answer,
    'handshake error: bad "Connection" header',
    {
        "no Connection": replaced(b"Connection: Upgrade\r\n", b""),
        "Connection: close": replaced(b"Connection: Upgrade", b"Connection: close"),
    },
)


@door("redirect", UNEXPECTED.format(307))
def redirect(arena):
    """It is not followed: the secret goes to nobody else."""
    with listen() as other:
        port = other.getsockname()[1]
        head = b"HTTP/1.1 307 There\r\nLocation: ws://127.0.0.1:%d/proxy\r\n\r\n" % port
        result = answer(arena, as_it_is(head))
        assert is_silent(other, 0.3)
    return result


@door("a reason with escape sequences and lines of the log", UNEXPECTED.format(500) + ": a?[2Jb")
def reason(arena):
    text = b"a\x1b[2Jb\r2026-01-01 info link 2: up\n"
    head = b"HTTP/1.1 500 No\r\nContent-Type: text/plain\r\n\r\n" + text
    return answer(arena, as_it_is(head)).split("?2026")[0]


@door("nothing at all", "no answer to the handshake in time")
def nothing(arena):
    arena.asked(arena.BARE)
    return arena.reason(arena.wspc.mark(), FAILED)


@door("an answer that comes by a byte now and then", "no answer to the handshake in time")
def crumbs(arena):
    sock, head = arena.asked(arena.BARE)
    since, began = arena.wspc.mark(), time.monotonic()
    for byte in switch(key_of(head), "wsp.1") * 100:
        if not is_silent(sock, 0.02) or time.monotonic() - began > 3 * HANDSHAKE:
            break
        send(sock, bytes([byte]))
    return arena.reason(since, FAILED)


@door("an answer byte by byte, and frames behind it", "harmless")
def bytewise(arena):
    sock, head = arena.asked(arena.BARE)
    ping = frames.encode(frames.PING, b"x", masked=False)
    for byte in switch(key_of(head), "wsp.1") + ping:
        sock.sendall(bytes([byte]))
    mark = b"\x8a\x81"  # a pong, masked
    duplex(sock, b"", lambda got: mark in got)
    return "harmless"


@door("60,000 bytes of frames glued to the answer", "close 1002")
def glued(arena):
    """All are taken, up to the first that is wrong."""
    sock, head = arena.asked(arena.BARE)
    ping = frames.encode(frames.PING, b"x", masked=False)
    send(sock, switch(key_of(head)) + ping * 20_000 + frames.encode(3, b"x", masked=False))
    return closed(Peer(sock, client=False))


@door("reset here and there in the answer", "gone")
def cut(arena):
    """At every byte, in the long form."""
    listener = arena.listen(arena.BARE)
    for place in range(0, 180, every(9)):
        sock, head = arena.next_attempt(listener)
        sock.sendall(switch(key_of(head), "wsp.1")[:place])
        reset(sock)
    return "gone"


TABLES = [door]
