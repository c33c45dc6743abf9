"""
Messages against the rules of wsp.1 (docs/protocol.md section 7), on links with an open channel: by
a wspc to wsps, and by a wsps to wspc.
"""

import time

from harness import frames, messages
from harness.far import small_buffer, use_up
from harness.messages import CONNECT, FINISH, GOAWAY, INTERRUPT, RESPOND, SETTINGS, TRANSFER, WINDOW
from harness.messages import Message, request, response, settings, varint
from harness.net import eventually, is_silent, read_exact, reset
from harness.wsp1 import TRANSFER_MAX, Chan

from arenas import Away, Open, goes_on, shut
from table import Table
from verdicts import bulk, closed, held, in_sync, interrupted

URL = "tcp://name@127.0.0.1:9"
BIG = 1 << 62

# ---- one message, for a channel that is open

OPEN = {
    "WINDOW of 0": (WINDOW, b"\0"),
    "empty WINDOW": (WINDOW, b""),
    "WINDOW with more behind it": (WINDOW, b"\x01\x00"),
    "WINDOW of 2^31": (WINDOW, varint(1 << 31)),
    "WINDOW of 2^64 - 1": (WINDOW, varint((1 << 64) - 1)),
    "WINDOW cut off": (WINDOW, b"\x80"),
    "WINDOW without an end": (WINDOW, b"\xff" * 11),
    "RESPOND to what is open": (RESPOND, response()),
    "refusal of what is open": (RESPOND, response("no")),
    "CONNECT for what is open": (CONNECT, request(URL)),
}

STRANGE = {
    "no digits": b"x",
    "0": b"0",
    "leading zero": b"01",
    "plus": b"+1",
    "minus": b"-1",
    "blank": b" 1",
    "NUL": b"1\0",
    "fraction": b"1.0",
    "hexadecimal": b"0x1",
    "19 digits": b"1" + b"0" * 18,
    "128 digits": b"9" * 128,
    "other digits": "\u0661".encode(),
}

LATE = {
    "TRANSFER": (TRANSFER, b"late"),
    "WINDOW": (WINDOW, b"\x05"),
    "FINISH": (FINISH, b""),
    "RESPOND": (RESPOND, response()),
    "INTERRUPT": (INTERRUPT, b"\x01"),
}

FIRST = {
    "an open": Message(b"2", CONNECT, request(URL)),
    "GOAWAY": Message(b"", GOAWAY),
    "TRANSFER": Message(b"1", TRANSFER, b"x"),
    "an unknown command": Message(b"", 99),
    "a transfer of 1023 bytes": Message(b"", SETTINGS, settings(transfer=1023)),
    "a window over 2^62": Message(b"", SETTINGS, settings(window=BIG + 1)),
    "an instance of 15 bytes": Message(b"", SETTINGS, settings(instance=b"x" * 15)),
    "an instance of 17 bytes": Message(b"", SETTINGS, settings(instance=b"x" * 17)),
    "SETTINGS that cannot be decoded": Message(b"", SETTINGS, b"\xff"),
}


def say(arena, what):
    link = arena.link()
    chan, _ = arena.channel(link)
    chan.send_message(*what)
    return closed(link)


def unopened(arena, message):
    link = arena.link()
    link.send(message)
    return closed(link)


def early(arena, what):
    link = arena.link()
    arena.ask(link).send_message(*what)
    return closed(link)


def begin(arena, message):
    link = arena.fresh_link()
    link.send(message)
    return closed(link)


def table_of(role, arena):
    table = Table(role, arena)
    table.rows(say, "close 1002", OPEN)
    table.rows(
        unopened,
        "close 1002",
        {f"open of id: {name}": Message(id, CONNECT, request(URL)) for name, id in STRANGE.items()},
    )
    for cmd, (number, data) in LATE.items():
        table.rows(
            unopened,
            "close 1002",
            {
                f"{cmd} for an id of {whose} that was never opened": Message(id, number, data)
                for whose, id in (("its own", b"4001"), ("ours", b"4000"))
            },
        )
    table.rows(
        early,
        "close 1002",
        {
            "data before the answer": (TRANSFER, b"early"),
            "credit before the answer": (WINDOW, b"\x01"),
            "FINISH before the answer": (FINISH, b""),
            "the same open again": (CONNECT, request(URL)),
        },
    )
    return table


CLIENT, SERVER = table_of("client's messages", Open), table_of("server's messages", Away)
SERVER.rows(begin, "close 1002", {f"begins with {k}": m for k, m in FIRST.items()})
CLIENT.rows(
    begin,
    "close 1002",
    {f"begins with {k}": m for k, m in FIRST.items() if m.cmd == SETTINGS},
)
TABLES = [CLIENT, SERVER]


def attack(name, refusal):
    """In both directions."""
    return lambda act: [table(name, refusal)(act) for table in TABLES]


# ---- ids


@attack("open of an id that belongs to the other side", "close 1002")
def foreign_id(arena):
    link = arena.link()
    link.send(Message(b"1000" if link.client else b"1001", CONNECT, request(URL)))
    return closed(link)


@attack("open of an id that was used before", "close 1002")
def used_id(arena):
    link = arena.link()
    for _ in range(2):
        link.send(Message(b"101" if link.client else b"100", CONNECT, b"\xff"))
    return closed(link)


@attack("open of an id below the last", "close 1002")
def lower_id(arena):
    link = arena.link()
    for id in (b"101", b"99") if link.client else (b"100", b"98"):
        link.send(Message(id, CONNECT, b"\xff"))
    return closed(link)


@attack("ids up to the last that there is", "close 1002")
def last_id(arena):
    """Nothing wraps around behind it."""
    link = arena.link()
    last = 10**18 - 1 if link.client else 10**18 - 2
    for id in (last, last + 2, 1):
        link.send(Message(b"%d" % id, CONNECT, b"\xff"))
    return closed(link)


# ---- credit


@attack("a byte more than was granted", "close 1002")
def over(arena):
    link = arena.link()
    chan, sock = arena.channel(link)
    small_buffer(sock)
    use_up(chan)
    chan.send_message(TRANSFER, b"x")
    return closed(link)


@attack("a message larger than what is left of the window", "close 1002")
def over_by_size(arena):
    link = arena.link()
    chan, sock = arena.channel(link)
    small_buffer(sock)
    use_up(chan, leave=100)
    chan.send_message(TRANSFER, bytes(101))
    return closed(link)


@attack("a transfer over the announced size", "close 1009")
def too_large(arena):
    link = arena.link()
    chan, _ = arena.channel(link)
    chan.send_message(TRANSFER, bytes(TRANSFER_MAX + 1))
    return closed(link)


@attack("a transfer over the announced size, in fragments", "close 1009")
def too_large_in_parts(arena):
    link = arena.link()
    chan, _ = arena.channel(link)
    whole = Message(chan.id, TRANSFER, bytes(TRANSFER_MAX + 1)).encode()
    half = len(whole) // 2
    link.send_frame(frames.BINARY, whole[:half], fin=False)
    link.send_frame(frames.CONT, whole[half:])
    return closed(link)


@attack("credit over 2^62 by and by", "close 1002")
def too_much_credit(arena):
    link = arena.link()
    chan, _ = arena.channel(link, window=BIG - 5)
    for _ in range(3):
        chan.send_message(WINDOW, varint(5))
    return closed(link)


@attack("WINDOW that is wrong, for a channel that is over", "close 1002")
def wrong_window_late(arena):
    link = arena.link()
    chan, _ = arena.channel(link)
    chan.interrupt()
    chan.send_message(WINDOW, b"\0")
    return closed(link)


@attack("20,000 grants of a byte", "harmless")
def small_grants(arena):
    link = arena.link()
    chan, sock = arena.channel(link, window=1)
    link.send_raw(bulk([Message(chan.id, WINDOW, b"\x01")] * 20_000, link.client))
    chan.allowed += 20_000
    return goes_on(chan, sock)


@attack("a window of one byte that is never granted again", "held")
def no_credit(arena):
    link = arena.link()
    chan, sock = arena.channel(link, window=1)
    result = held(sock, bytes(1 << 16))
    goes_on(*arena.channel(link))
    assert chan.total == 1
    return result


@attack("all that the window allows, while nobody reads", "held")
def full_window(arena):
    link = arena.link()
    chan, sock = arena.channel(link)
    small_buffer(sock)
    use_up(chan)
    goes_on(*arena.channel(link))
    return "held"


@attack("5,000 empty transfers", "harmless")
def empty_transfers(arena):
    link = arena.link()
    chan, sock = arena.channel(link)
    link.send_raw(bulk([Message(chan.id, TRANSFER)] * 5_000, link.client))
    return goes_on(chan, sock)


@attack("10,000 transfers of a byte", "harmless")
def small_transfers(arena):
    link = arena.link()
    chan, sock = arena.channel(link)
    count = min(chan.credit, 10_000)
    chan.credit -= count
    link.send_raw(bulk([Message(chan.id, TRANSFER, b"x")] * count, link.client))
    assert read_exact(sock, count) == b"x" * count
    return goes_on(chan, sock)


# ---- ends


@attack("data behind FINISH", "INTERRUPT PROTOCOL")
def data_after_finish(arena):
    link = arena.link()
    chan, _ = arena.channel(link)
    chan.finish()
    chan.send_message(TRANSFER, b"more")
    result = interrupted(chan)
    goes_on(*arena.channel(link))
    return result


@attack("FINISH twice", "INTERRUPT PROTOCOL")
def finish_twice(arena):
    link = arena.link()
    chan, _ = arena.channel(link)
    chan.finish()
    chan.finish()
    result = interrupted(chan)
    goes_on(*arena.channel(link))
    return result


@attack("everything for a channel that is over", "harmless")
def everything_late(arena):
    link = arena.link()
    chan, _ = arena.channel(link)
    chan.interrupt(messages.RESET)
    for cmd, data in LATE.values():
        chan.send_message(cmd, data)
    return in_sync(link)


@attack("everything for a channel whose TCP side has reset", "harmless")
def everything_after_reset(arena):
    link = arena.link()
    chan, sock = arena.channel(link)
    reset(sock)
    assert interrupted(chan) == "INTERRUPT RESET"
    for cmd, data in LATE.values():
        chan.send_message(cmd, data)
    return in_sync(link)


@attack("INTERRUPT 1,000 times", "harmless")
def interrupts(arena):
    link = arena.link()
    chan, _ = arena.channel(link)
    link.send_raw(bulk([Message(chan.id, INTERRUPT, b"\x01")] * 1000, link.client))
    return in_sync(link)


@attack("INTERRUPT with a reason nobody knows and a MiB of text", "harmless")
def long_reason(arena):
    link = arena.link()
    chan, sock = arena.channel(link)
    chan.send_message(INTERRUPT, b"\xfe" + b"\x1b[2J" * 250_000)
    eventually(lambda: not is_silent(sock, 0), "the TCP side ends")
    return in_sync(link)


@attack("half-closed channels that never end", "held")
def half_closed(arena):
    link = arena.link()
    for _ in range(20):
        chan, sock = arena.channel(link)
        chan.finish()
    for _ in range(20):
        chan, sock = arena.channel(link)
        shut(sock)
        chan.read_finish()
    goes_on(*arena.channel(link))
    return "held"


# ---- the link as a whole


@attack("SETTINGS twice", "close 1002")
def settings_twice(arena):
    link = arena.link()
    link.send_settings()
    return closed(link)


@attack("GOAWAY 1,000 times", "harmless")
def goaways(arena):
    link = arena.link()
    chan, sock = arena.channel(link)
    link.send_raw(bulk([Message(b"", GOAWAY, b"9" * 18)] * 1000, link.client))
    return goes_on(chan, sock)


@attack("GOAWAY with 60,000 bytes that are no number", "harmless")
def long_goaway(arena):
    link = arena.link()
    chan, sock = arena.channel(link)
    link.send(Message(b"\0" * 100, GOAWAY, b"\xff" * 60_000))
    return goes_on(chan, sock)


@attack("commands that nobody knows", "harmless")
def unknown_commands(arena):
    link = arena.link()
    for cmd in (8, 9, 255, 1 << 31, (1 << 63) - 1, (1 << 64) - 1):
        link.send(Message(b"1", cmd, b"data"))
    return in_sync(link)


@attack("10,000 commands that nobody knows", "harmless")
def many_unknown_commands(arena):
    link = arena.link()
    link.send_raw(bulk([Message(b"x", 77)] * 10_000, link.client))
    return in_sync(link)


@attack("opens that cannot be decoded", "harmless")
def undecodable_opens(arena):
    link = arena.link()
    first = link.last_id + 2
    for id in range(first, first + 200, 2):
        chan = link.chans[b"%d" % id] = Chan(link, b"%d" % id, 0)
        chan.send_message(CONNECT, b"\x12\x05x")
        assert link.error_of(chan) == "proto: cannot parse invalid wire-format data"
    return in_sync(link)


@attack("silence from the first byte on", "held")
def no_settings(arena):
    arena.fresh_link()
    time.sleep(0.1)
    return "held"


@attack("leaves with channels open", "gone")
def leaves(arena):
    link = arena.link()
    for _ in range(5):
        chan, sock = arena.channel(link)
        chan.send(bytes(1000))
        sock.sendall(bytes(100_000))
    reset(link.sock)
    return "gone"
