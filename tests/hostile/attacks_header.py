"""Who reaches a port that wants a PROXY header, and lies in it, or about it."""

import time

from harness.http_client import exchange
from harness.net import how_it_ends, is_silent, reset
from harness.proxied import HEADER, SERVER, VISITOR
from harness.proxy_header import SIGNATURE, v1, v2, v2_raw
from harness.reverse import request

from arena import HANDSHAKE
from arenas import Proxied, shut
from table import Table
from verdicts import send, status

table = Table("peer of the PROXY port", Proxied)
ASK = request("GET /api/x")


def refused(arena, header):
    """Closed without a byte; the service sees nothing."""
    arena.service.forget()
    sock = arena.connect()
    send(sock, header + ASK)
    data, _ = how_it_ends(sock)
    assert not arena.service.requests
    return data.decode("latin-1") or "closed"


table.rows(
    refused,
    "closed",
    {
        "no header": b"",
        "TLS": bytes.fromhex("160301020001000100"),
        "SSH": b"SSH-2.0-x\r\n",
        "empty lines": b"\r\n\r\n\r\n",
        "version 1 in small letters": v1(VISITOR, SERVER).lower(),
        "version 1 without CR": v1(VISITOR, SERVER).replace(b"\r", b""),
        "version 1 of 108 bytes": b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n",
        "version 1 without end": b"PROXY UNKNOWN " + b"x" * 100_000,
        "version 1 with a name": b"PROXY TCP4 localhost 127.0.0.1 1 2\r\n",
        "version 1 with octal numbers": b"PROXY TCP4 0177.0.0.1 127.0.0.1 1 2\r\n",
        "version 1 with short address": b"PROXY TCP4 127.1 127.0.0.1 1 2\r\n",
        "version 1 of two families": b"PROXY TCP4 ::1 127.0.0.1 1 2\r\n",
        "version 1 with a port too high": b"PROXY TCP4 192.0.2.1 127.0.0.1 1 65536\r\n",
        "version 1 with a negative port": b"PROXY TCP4 192.0.2.1 127.0.0.1 -1 1\r\n",
        "version 1 with two blanks": b"PROXY  TCP4 192.0.2.1 127.0.0.1 1 2\r\n",
        "version 1 with more behind it": b"PROXY TCP4 192.0.2.1 127.0.0.1 1 2 3\r\n",
        "version 1 for UDP": b"PROXY UDP4 192.0.2.1 127.0.0.1 1 2\r\n",
        "version 3": SIGNATURE + b"\x31\x11\0\0",
        "version 2 with a command nobody knows": v2_raw(0x22, 0x11, HEADER[16:]),
        "version 2 with a family nobody knows": v2_raw(0x21, 0x41, HEADER[16:]),
        "version 2 with half of its addresses": v2_raw(0x21, 0x11, HEADER[16:22]),
        "version 2 of 64 KiB": v2_raw(0x21, 0x11, bytes(65535)),
        "version 2 just too long": v2_raw(0x21, 0x11, bytes(4081)),
        "signature of version 2 cut short": SIGNATURE[:11] + b"x",
    },
)


def second(arena, forged):
    """What a visitor sends himself, behind the header of the proxy."""
    arena.service.forget()
    sock = arena.connect()
    send(sock, HEADER + forged + ASK)
    result = status(sock)
    assert not arena.service.requests
    return result


table.rows(
    second,
    "400",
    {
        "a second header, version 1": v1("198.51.100.7", SERVER),
        "a second header, version 2": v2("198.51.100.7", SERVER),
    },
)


def claimed(arena, header):
    """Whose request it is to the service."""
    arena.service.forget()
    sock = arena.connect()
    assert exchange(sock, header + ASK, "GET").status == 200
    (got,) = arena.service.requests
    return " ".join(got.all("x-forwarded-for"))


table.rows(
    claimed,
    "127.0.0.1",
    {
        "UNKNOWN": b"PROXY UNKNOWN\r\n",
        "UNKNOWN with an address": b"PROXY UNKNOWN 203.0.113.9 203.0.113.1 1 2\r\n",
        "LOCAL with an address": v2_raw(0x20, 0x11, HEADER[16:]),
        "a unix socket": v2_raw(0x21, 0x31, bytes(216)),
    },
)
table.rows(
    claimed,
    VISITOR,
    {
        "IPv4 written as IPv6": v2(f"::ffff:{VISITOR}", "::1"),
        "4,000 bytes behind the addresses": v2(VISITOR, SERVER, extra=b"\x04\0\1x" * 1000),
    },
)


@table("header by a byte now and then", "reset")
def crumbs(arena):
    sock = arena.connect()
    began = time.monotonic()
    for byte in v1("2001:db8::9", "2001:db8::1"):
        if not is_silent(sock, 0.05) or time.monotonic() - began > 3 * HANDSHAKE:
            break
        send(sock, bytes([byte]))
    return status(sock)


@table("nothing at all, 200 times", "eof")
def nothing(arena):
    socks = [arena.connect() for _ in range(200)]
    return {status(sock) for sock in socks}.pop()


@table("end at every byte of a header", "closed")
def end_within(arena):
    for header in (v1(VISITOR, SERVER), v2(VISITOR, SERVER)):
        for place in range(len(header)):
            sock = arena.connect()
            sock.sendall(header[:place])
            shut(sock)
            assert how_it_ends(sock)[0] == b""
    return "closed"


@table("reset at every byte of a header and a request", "gone")
def cut(arena):
    for header in (v1(VISITOR, SERVER), v2(VISITOR, SERVER)):
        whole = header + ASK
        for place in range(len(whole)):
            sock = arena.connect()
            sock.sendall(whole[:place])
            reset(sock)
    return "gone"


TABLES = [table]
