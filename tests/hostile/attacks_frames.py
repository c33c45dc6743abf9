"""WebSocket frames that nobody may send, on links: by a wspc to wsps, and by a wsps to wspc."""

from harness.frames import BINARY, CLOSE, CONT, PING, PONG, TEXT, encode
from harness.messages import CONNECT, Message, field, number, request, varint
from harness.net import reset

from arenas import Away, Open
from table import Table
from verdicts import closed, held, in_sync, send

MIB = 1 << 20
HUGE = bytes(60_000)


def frame(op, payload=b"", **options):
    """A frame in the direction of the link that it will be sent on."""
    return lambda link: encode(op, payload, masked=link.client, **options)


def head(first, length, extended=b""):
    """The beginning of a frame, whatever it may say, with a mask where there has to be one."""

    def wire(link):
        bit, mask = (0x80, b"mask") if link.client else (0, b"")
        return bytes([first, bit | length]) + extended + mask

    return wire


def several(*parts):
    return lambda link: b"".join(part(link) for part in parts)


def close(payload):
    return frame(CLOSE, payload)


def message(body):
    return frame(BINARY, body)


def connect(id):
    return message(Message(id, CONNECT, request("tcp://name@127.0.0.1:9")).encode())


WRONG = {
    "masked the wrong way": lambda link: encode(BINARY, b"x", masked=not link.client),
    "ping masked the wrong way": lambda link: encode(PING, b"x", masked=not link.client),
    "compressed (first reserved bit)": frame(BINARY, b"x", rsv=4),
    "second reserved bit": frame(BINARY, b"x", rsv=2),
    "third reserved bit": frame(BINARY, b"x", rsv=1),
    "reserved bit of a ping": frame(PING, b"x", rsv=4),
    **{f"opcode {op}": frame(op, b"x") for op in (3, 7, 11, 15)},
    "continuation of nothing": frame(CONT, b"x"),
    "message within a message": several(frame(BINARY, b"x", fin=False), frame(BINARY, b"x")),
    "text within a message": several(frame(BINARY, b"x", fin=False), frame(TEXT, b"x")),
    "continuation behind the end": several(frame(BINARY, b"x", fin=False), frame(CONT, b"x"),
                                           frame(CONT, b"x")),
    "ping in fragments": frame(PING, b"x", fin=False),
    "ping of 126 bytes": frame(PING, bytes(126)),
    "pong of 64 KiB": frame(PONG, bytes(65536)),
    "close of 126 bytes": frame(CLOSE, b"\x03\xe8" + b"x" * 124),
    "length of 5 in 16 bits": frame(BINARY, b"hello", width=16),
    "length of 5 in 64 bits": frame(BINARY, b"hello", width=64),
    "length of 65535 in 64 bits": frame(BINARY, bytes(65535), width=64),
    "length of 2^63": head(0x82, 127, b"\x80" + bytes(7)),
    "length of 2^64 - 1": head(0x82, 127, b"\xff" * 8),
    "ping with a length of 64 bits": head(0x89, 127, bytes(7) + b"\x05"),
    **{f"close code {code}": close(code.to_bytes(2, "big"))
       for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535)},
    "close with half a code": close(b"\x03"),
    "close whose reason is not UTF-8": close(b"\x03\xe8\xff"),
    "CONNECT without an id": message(b""),
}  # fmt: skip

BAD_TEXT = {
    "text that is not UTF-8": frame(TEXT, b"\xc3("),
    "text with a surrogate": frame(TEXT, b"\xed\xa0\x80"),
    "text in a longer form": frame(TEXT, b"\xc0\xaf"),
    "text above U+10FFFF": frame(TEXT, b"\xf4\x90\x80\x80"),
    "text cut within a character": frame(TEXT, b"\xe2\x82"),
    "id that is not UTF-8": connect(b"\xff\xfe"),
}

TOO_BIG = {
    "length of 2^63 - 1": head(0x82, 127, b"\x7f" + b"\xff" * 7),
    "length of 1 MiB and a byte": head(0x82, 127, (MIB + 1).to_bytes(8, "big")),
    "1 MiB and a byte in fragments": several(
        frame(BINARY, HUGE, fin=False), *[frame(CONT, HUGE, fin=False)] * 17
    ),
    "text of 1 MiB and a byte": head(0x81, 127, (MIB + 1).to_bytes(8, "big")),
    "id of 129 bytes": connect(b"1" * 129),
    "id of 60,000 bytes": connect(b"1" * 60_000),
}

HARMLESS = {
    "text": frame(TEXT, b"hello"),
    "10,000 texts": several(*[frame(TEXT, b"x")] * 10_000),
    "10,000 empty fragments": several(
        frame(TEXT, fin=False), *[frame(CONT, fin=False)] * 10_000, frame(CONT)
    ),
    "a message of 20,000 fragments": several(
        frame(TEXT, b"x", fin=False), *[frame(CONT, b"x", fin=False)] * 20_000, frame(CONT, b"x")
    ),
    "pings between fragments": several(
        frame(TEXT, fin=False), *[frame(PING, b"x"), frame(CONT, fin=False)] * 100, frame(CONT)
    ),
    "10,000 pongs that nobody asked for": several(*[frame(PONG, b"x" * 8)] * 10_000),
    "field that is longer than its message": message(b"\x0a\x05x"),
    "field of 2^64 - 1 bytes": message(b"\x0a" + varint((1 << 64) - 1) + b"x"),
    "varint without an end": message(b"\x10" + b"\xff" * 10),
    "wire type 3": message(b"\x0b"),
    "wire type 7": message(b"\x0f\x00"),
    "field number 0": message(b"\x00\x01"),
    "a MiB of unknown fields": message(number(2, 77) + field(9, bytes(MIB - 10))),
    "5,000 messages that cannot be decoded": several(*[message(b"\xff")] * 5_000),
}

PARTS = {
    "within the length": lambda link: head(0x82, 127, bytes(8))(link)[:6],
    "within the head": lambda link: head(0x82, 126)(link)[:1],
    "within the data": lambda link: frame(BINARY, HUGE)(link)[:40_000],
    "between fragments": frame(BINARY, HUGE, fin=False),
    "behind a head of 1 MiB": head(0x82, 127, MIB.to_bytes(8, "big")),
}


def throw(arena, wire):
    link = arena.link()
    send(link.sock, wire(link))
    return closed(link)


def get_away(arena, wire):
    link = arena.link()
    link.send_raw(wire(link))
    return in_sync(link)


def tables(role, arena):
    """One table for each direction."""
    table = Table(role, arena)
    table.rows(throw, "close 1002", WRONG)
    table.rows(throw, "close 1007", BAD_TEXT)
    table.rows(throw, "close 1009", {f"{name} (1009)": wire for name, wire in TOO_BIG.items()})
    table.rows(get_away, "harmless", HARMLESS)
    for name, wire in PARTS.items():
        for how, leave in (("end", lambda sock: sock.close()), ("reset", reset)):
            table(f"{how} {name}", "gone")(
                lambda arena, wire=wire, leave=leave: leave_behind(arena, wire, leave)
            )

    @table("byte by byte, a ping and a close", "close 1001")
    def crumbs(arena):
        link = arena.link()
        for byte in frame(PING, b"x" * 20)(link) + close(b"\x03\xe9")(link):
            link.sock.sendall(bytes([byte]))
        return closed(link)

    @table("frames behind a close", "close 1000")
    def behind_close(arena):
        link = arena.link()
        send(link.sock, several(close(b"\x03\xe8"), *[frame(PING, b"x")] * 1000)(link))
        return closed(link)

    @table("flood of pings whose pongs are not read", "held")
    def pings(arena):
        link = arena.link()
        return held(link.sock, frame(PING, b"x" * 125)(link) * 1000)

    @table("half of a frame, and then silence", "held")
    def half(arena):
        link = arena.link()
        link.send_raw(frame(BINARY, HUGE)(link)[:30_000])
        arena.bystander.goes_on(arena.bystander.state(), 5)
        return "held"

    return table


def leave_behind(arena, wire, leave):
    link = arena.link()
    link.send_raw(wire(link))
    leave(link.sock)
    return "gone"


TABLES = [tables("client's frames", Open), tables("server's frames", Away)]
