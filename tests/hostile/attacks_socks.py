"""A malicious user of wspc's SOCKS5 proxy."""

import time

from harness.daemons import PASSWORD, USER
from harness.net import is_silent, read_exact, reset
from harness.socks import BIND, UDP_ASSOCIATE, login_bytes, request_bytes

from arena import HANDSHAKE
from arenas import CONNECTIONS_MAX, Open, shut
from table import Table, times
from verdicts import duplex, held, reply, send, silent

HELLO = b"\x05\x01\x00"
LOCAL = b"\x7f\x00\x00\x01"

# ---- what is said

words = Table("user of SOCKS5", Open)


def greet(arena, data):
    sock = arena.socks()
    send(sock, data)
    return reply(sock)


def ask(arena, data):
    sock = arena.socks()
    sock.sendall(HELLO)
    assert read_exact(sock, 2) == b"\x05\x00"
    send(sock, data)
    return reply(sock)


def log_in(arena, data):
    sock = arena.socks(locked=True)
    sock.sendall(b"\x05\x01\x02")
    assert read_exact(sock, 2) == b"\x05\x02"
    send(sock, data)
    return reply(sock)


def name(text, port=80):
    return b"\x05\x01\x00\x03" + bytes([len(text)]) + text + port.to_bytes(2, "big")


words.rows(
    greet,
    "reply 05 ff",
    {
        "SOCKS4": b"\x04\x01\x00\x50\x7f\x00\x00\x01\x00",
        "version 0": b"\x00\x01\x00",
        "version 255": b"\xff" * 20,
        "HTTP": b"GET http://127.0.0.1/ HTTP/1.1\r\n\r\n",
        "TLS": bytes.fromhex("160301020001000100"),
        "no methods": b"\x05\x00",
        "only methods that nobody knows": b"\x05\xff" + bytes(range(1, 256)),
        "login, where none is wanted": b"\x05\x01\x02",
    },
)
words.rows(
    ask,
    "reply 05 07",
    {
        "BIND": request_bytes("127.0.0.1", 80, BIND),
        "UDP ASSOCIATE": request_bytes("127.0.0.1", 80, UDP_ASSOCIATE),
        "command 0": request_bytes("127.0.0.1", 80, 0),
        "command 255": request_bytes("127.0.0.1", 80, 255),
    },
)
words.rows(
    ask,
    "reply 05 08",
    {f"address type {kind}": bytes([5, 1, 0, kind]) + LOCAL + b"\x00\x50" for kind in (0, 2, 255)},
)
words.rows(
    ask,
    "reply 05 01",
    {
        "another version in the request": b"\x04\x01\x00\x01" + LOCAL + b"\x00\x50",
        "empty name": name(b""),
        "name with a slash": name(b"a/b"),
        "name with a question mark": name(b"a?b"),
        "name with NUL": name(b"a\0b"),
        "name with a blank": name(b"a b"),
        "name with CR LF": name(b"a\r\nX: y"),
        "name with a user": name(b"u:p@vault"),
        "name with an escape": name(b"%61"),
        "name with an escape sequence": name(b"\x1b[2J"),
        "name outside ASCII": name(b"\xc3\xbc"),
        "name in brackets": name(b"[::1]"),
        "name of blanks": name(b" " * 255),
    },
)
words.rows(
    ask,
    "reply 05 02",
    {
        "metadata": request_bytes("169.254.169.254", 80),
        "metadata, written as a name": name(b"169.254.169.254"),
        "metadata as mapped IPv6": request_bytes("::ffff:169.254.169.254", 80),
        "IPv6 link-local": request_bytes("fe80::1", 80),
    },
)
words.rows(
    log_in,
    "reply 01 01",
    {
        "wrong password": login_bytes(USER, "wrong"),
        "wrong user": login_bytes("wrong", PASSWORD),
        "empty user and password": login_bytes("", ""),
        "a part of the password": login_bytes(USER, PASSWORD[:-1]),
        "password with NUL behind it": login_bytes(USER, PASSWORD + "\0"),
        "user and password of 255 bytes": login_bytes("u" * 255, "p" * 255),
    },
)
words.rows(
    log_in,
    "eof",
    {
        "another version in the login": b"\x05\x01a\x01b",
        "a request instead of the login": request_bytes("127.0.0.1", 80),
    },
)


@words("no login, where one is wanted", "reply 05 ff")
def no_login(arena):
    sock = arena.socks(locked=True)
    send(sock, HELLO + request_bytes("127.0.0.1", arena.echo.port))
    return reply(sock)


@words("request behind a wrong login, not waiting", "reply 05 02")
def not_waiting(arena):
    """All that comes are the method and the refusal."""
    sock = arena.socks(locked=True)
    wrong = b"\x05\x01\x02" + login_bytes(USER, "wrong")
    send(sock, wrong + request_bytes("127.0.0.1", arena.target.port) + b"early")
    result = reply(sock)
    assert silent(arena.target.listener)
    return result


@words("100 wrong passwords", "reply 01 01")
def guesses(arena):
    return {log_in(arena, login_bytes(USER, str(number))) for number in range(100)}.pop()


# ---- how it is said

manners = Table("user of SOCKS5, in time", Open)


@manners("byte by byte", "harmless")
def bytewise(arena):
    sock = arena.socks()
    for byte in HELLO + request_bytes("127.0.0.1", arena.echo.port) + b"hello":
        sock.sendall(bytes([byte]))
    assert read_exact(sock, 2) == b"\x05\x00"
    read_exact(sock, 10)
    assert read_exact(sock, 5) == b"hello"
    return "harmless"


@manners("nothing at all", "eof")
def nothing(arena):
    return reply(arena.socks())


@manners("half of a request, and then nothing", "eof")
def half(arena):
    return ask(arena, request_bytes("127.0.0.1", 80)[:6])


@manners("a name that comes by a byte now and then", "eof")
def crumbs(arena):
    sock = arena.socks()
    sock.sendall(HELLO)
    assert read_exact(sock, 2) == b"\x05\x00"
    sock.sendall(b"\x05\x01\x00\x03\xff")
    began = time.monotonic()
    while is_silent(sock, 0.1) and time.monotonic() - began < 3 * HANDSHAKE:
        send(sock, b"x")
    return reply(sock)


@manners("300 that say nothing", "eof")
def crowd(arena):
    socks = [arena.socks() for _ in range(300)]
    arena.refresh()
    return {reply(sock) for sock in socks}.pop()


@manners("more than there may be", "eof")
def too_many(arena):
    socks = [arena.socks() for _ in range(CONNECTIONS_MAX + 20)]
    return {reply(sock) for sock in socks}.pop()


def dialogue(arena):
    return HELLO + request_bytes("127.0.0.1", arena.target.port) + b"early"


@manners("reset at every byte", "gone")
def cut(arena):
    for place in range(len(dialogue(arena)) + 1):
        sock = arena.socks()
        sock.sendall(dialogue(arena)[:place])
        reset(sock)
    return "gone"


@manners("end at every byte", "gone")
def cut_softly(arena):
    for place in range(len(dialogue(arena))):
        sock = arena.socks()
        sock.sendall(dialogue(arena)[:place])
        shut(sock)
    return "gone"


@manners("leaves while it is connected to what does not answer", "gone")
def leaves(arena):
    for number in range(50):
        sock = arena.socks()
        sock.sendall(HELLO + request_bytes("127.0.0.1", arena.hole.port))
        if number % 2:
            reset(sock)
    return "gone"


@manners("early bytes without end, before the target is there", "held")
def early(arena):
    sock = arena.socks()
    sock.sendall(HELLO + request_bytes("127.0.0.1", arena.hole.port))
    result = held(sock, bytes(1 << 16))
    assert not result == "reset"
    return result


@manners("what the target does not read", "held")
def unread(arena):
    sock, _ = arena.through()
    return held(sock, bytes(1 << 16))


@manners("what the user does not read", "held")
def unread_user(arena):
    _, target = arena.through()
    return held(target, bytes(1 << 16))


@manners("half-closed on both sides in turn", "harmless")
def half_closed(arena):
    sock, target = arena.through()
    shut(sock)
    assert target.recv(1) == b""
    target.sendall(b"answer")
    shut(target)
    assert duplex(sock, b"", lambda got: len(got) == 6) == b"answer"
    return "harmless"


@manners("500 connections, one after the other", "gone")
def many(arena):
    for number in range(times(500)):
        sock = arena.socks()
        sock.sendall(HELLO + request_bytes("127.0.0.1", arena.echo.port))
        if number % 3 == 0:
            reset(sock)
    return "gone"


TABLES = [words, manners]
