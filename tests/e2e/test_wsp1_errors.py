"""What breaks the rules of wsp.1, and what follows: on both daemons, over raw links."""

import pytest

from harness import frames, messages
from harness.far import small_buffer, trade, use_up
from harness.messages import CONNECT, FINISH, GOAWAY, INTERRUPT, RESPOND, TRANSFER, WINDOW, Message
from harness.messages import number, request, response, varint
from harness.net import how_it_ends, read_exact, read_all, was_reset
from harness.wsp1 import TRANSFER_MAX, WINDOW_FIRST, Chan

URL = "tcp://name@127.0.0.1:9"


@pytest.fixture
def link(far_end):
    with far_end.link() as link:
        yield link


@pytest.fixture
def opened(far_end, link):
    """(channel, TCP side)"""
    return far_end.channel(link)


def fails(link, code=1002):
    assert link.expect_end().code == code


# ---- the whole link


def over_the_window(link, chan):
    use_up(chan)
    chan.send_message(TRANSFER, b"x")


def one_over_a_window(link, chan):
    """A single message, of which only a part was granted."""
    use_up(chan, leave=100)
    chan.send_message(TRANSFER, bytes(101))


BREAKS = {
    "WINDOW of 0": lambda link, chan: chan.send_message(WINDOW, b"\0"),
    "empty WINDOW": lambda link, chan: chan.send_message(WINDOW),
    "WINDOW with more behind it": lambda link, chan: chan.send_message(WINDOW, b"\x01\x00"),
    "WINDOW of 2^31": lambda link, chan: chan.send_message(WINDOW, varint(1 << 31)),
    "WINDOW of 2^63": lambda link, chan: chan.send_message(WINDOW, varint(1 << 63)),
    "WINDOW cut off": lambda link, chan: chan.send_message(WINDOW, b"\x80"),
    "WINDOW without an end": lambda link, chan: chan.send_message(WINDOW, b"\xff" * 10),
    "more than was granted": over_the_window,
    "a message larger than what is left": one_over_a_window,
    "RESPOND to a live channel": lambda link, chan: chan.send_message(RESPOND, response()),
    "refusal of a live channel": lambda link, chan: chan.send_message(RESPOND, response("no")),
    "CONNECT for a live channel": lambda link, chan: chan.send_message(CONNECT, request(URL)),
}


@pytest.mark.parametrize("how", BREAKS)
def test_link_ends(far_end, link, opened, how):
    """With a code, and with every channel on it, the one that had no part in it too."""
    chan, sock = opened
    small_buffer(sock)
    _, other = far_end.channel(link)
    BREAKS[how](link, chan)
    fails(link)
    assert how_it_ends(other) == (b"", "reset")
    assert how_it_ends(sock)[1] == "reset"


@pytest.mark.parametrize("fragments", [1, 3])
def test_too_large_a_transfer(link, opened, fragments):
    """What was announced is the limit, however it comes."""
    chan, sock = opened
    whole = Message(chan.id, TRANSFER, bytes(TRANSFER_MAX + 1)).encode()
    size = len(whole) // fragments + 1
    for at in range(0, len(whole), size):
        op = frames.BINARY if at == 0 else frames.CONT
        link.send_frame(op, whole[at : at + size], fin=at + size >= len(whole))
    fails(link, 1009)
    assert how_it_ends(sock) == (b"", "reset")


def test_largest_transfer(link, opened):
    chan, sock = opened
    chan.send_message(TRANSFER, b"x" * TRANSFER_MAX)
    assert read_exact(sock, TRANSFER_MAX) == b"x" * TRANSFER_MAX


@pytest.mark.parametrize("initial", [(1 << 62) + 1, 1 << 63, (1 << 64) - 1])
def test_opening_with_too_much_credit(far_end, link, initial):
    """It would wrap around with what comes later."""
    if link.client:
        link.ask(f"socks5://127.0.0.1:{far_end.origin.port}", window=initial)
    else:
        link.let_in(far_end.pending(link), initial)
    fails(link)


@pytest.mark.parametrize("initial", [1 << 62, (1 << 62) - 1])
def test_too_much_credit_in_all(far_end, link, initial):
    chan, sock = far_end.channel(link, window=initial)
    sock.sendall(b"x")
    assert chan.read_data(1) == b"x"
    chan.send_message(WINDOW, varint(3))
    fails(link)


def test_much_credit(far_end, link):
    chan, sock = far_end.channel(link, window=(1 << 62) - 4)
    chan.send_message(WINDOW, varint(3))
    trade(chan, sock)


@pytest.mark.parametrize(
    "cmd, data",
    [(TRANSFER, b"early"), (WINDOW, b"\x01"), (FINISH, b""), (CONNECT, request(URL))],
)  # fmt: skip
def test_before_the_answer(far_end, link, cmd, data):
    far_end.pending(link).send_message(cmd, data)
    fails(link)


def test_own_open_answered(far_end):
    """RESPOND from the side that has sent CONNECT itself."""
    with far_end.link() as link:
        if not link.client:
            pytest.skip("wspc answers what we would open too soon for that")
        far_end.pending(link).send_message(RESPOND, response())
        fails(link)


STRANGE = [b"", b"0", b"00", b"01", b"+1", b"-1", b" 1", b"1 ", b"1.0", b"0x1", b"x", b"1x",
           b"9" * 19, b"1" + b"0" * 18, b"9" * 128, "\u0661".encode()]  # fmt: skip


@pytest.mark.parametrize("id", [b"2000", b"2001", *STRANGE])
@pytest.mark.parametrize("cmd", [RESPOND, TRANSFER, INTERRUPT, WINDOW, FINISH])
def test_channel_that_was_never_opened(link, cmd, id):
    """Of either side's numbers, or of none."""
    data = {RESPOND: response(), TRANSFER: b"data", WINDOW: b"\x01"}.get(cmd, b"")
    link.send(Message(id, cmd, data))
    fails(link)


@pytest.mark.parametrize("id", STRANGE)
def test_connect_with_what_is_no_number(link, id):
    link.send(Message(id, CONNECT, request(URL)))
    fails(link)


def test_connect_with_a_number_of_the_other_side(link):
    link.send(Message(b"1000" if link.client else b"1001", CONNECT, request(URL)))
    fails(link)


@pytest.mark.parametrize("step", [0, -2])
def test_connect_with_a_number_that_is_not_new(link, step):
    link.last_id += 100
    for id in (link.last_id, link.last_id + step):
        link.chans[b"%d" % id] = Chan(link, b"%d" % id, 0)
        link.send(Message(b"%d" % id, CONNECT, b"\xff"))
    assert b"proto" in link.expect(RESPOND).data
    fails(link)


def test_numbers_may_have_gaps(far_end):
    """Up to 18 digits, behind which nothing can follow."""
    with far_end.link() as link:
        for id in (link.last_id + 2, 5000, 10**17, 10**18 - 2):
            link.last_id = id + (id % 2 != link.client) - 2
            link.refuses("nonsense")
        assert far_end.daemon.process.poll() is None


def test_goaway_is_taken_once_or_twice(link, opened):
    for data in (b"", b"1"):
        link.send(Message(b"", GOAWAY, data))
    trade(*opened)


@pytest.mark.parametrize("id", [b"\xff\xfe", b"1\x80"])
def test_id_that_is_not_utf_8(link, id):
    link.send(Message(id, CONNECT, request(URL)))
    fails(link, 1007)


def test_id_that_is_too_long(link):
    link.send(Message(b"1" * 129, CONNECT, request(URL)))
    fails(link, 1009)


# ---- one channel


@pytest.mark.parametrize("cmd, data", [(TRANSFER, b"more"), (FINISH, b"")])
def test_after_finish(far_end, link, opened, cmd, data):
    """PROTOCOL for this channel, whose TCP side is reset; the others go on."""
    chan, sock = opened
    other = far_end.channel(link)
    trade(chan, sock)
    chan.finish()
    chan.send_message(cmd, data)
    assert chan.read_interrupt() == (b"", messages.PROTOCOL)
    was_reset(sock)
    trade(*other)


def test_window_after_finish(link, opened):
    """That is for the other direction."""
    chan, sock = opened
    chan.finish()
    assert read_all(sock) == b""
    for _ in range(3):
        chan.grant(5)
    sock.sendall(b"answer")
    assert chan.read_data(6) == b"answer"


# ---- what is no error


OVER = {
    "interrupted": lambda chan, sock: chan.interrupt(messages.RESET),
    "closed": lambda chan, sock: chan.interrupt(messages.CLOSED),
    "finished": lambda chan, sock: (sock.shutdown(1), chan.read_finish(), chan.finish()),
}


@pytest.mark.parametrize("how", OVER)
def test_messages_for_a_channel_that_is_over(far_end, link, opened, how):
    """They were on their way: dropped without a word."""
    chan, sock = opened
    trade(chan, sock)
    OVER[how](chan, sock)
    link.sync()
    for cmd, data in ((TRANSFER, b"late"), (TRANSFER, bytes(TRANSFER_MAX)), (WINDOW, b"\x05"),
                      (FINISH, b""), (RESPOND, response()), (INTERRUPT, b"\x01")):  # fmt: skip
        chan.send_message(cmd, data)
    link.sync()
    link.expect_silence(0.1)
    trade(*far_end.channel(link))


def test_number_is_not_used_again(far_end, link, opened):
    chan, sock = opened
    if not link.client:
        chan = link.ask(URL)
        assert link.error_of(chan)
    if chan.open:
        chan.interrupt()
    chan.send_message(CONNECT, request(URL))
    fails(link)


@pytest.mark.parametrize(
    "message",
    [Message(b"", 8), Message(b"1", 9, b"data"), Message(b"2", 1000), Message(b"x", (1 << 64) - 1)],
)  # fmt: skip
def test_unknown_commands_are_ignored(far_end, link, opened, message):
    since = far_end.daemon.mark()
    link.send(message)
    far_end.daemon.wait_line("unknown command", since=since)
    trade(*opened)


@pytest.mark.parametrize("data", [b"\xff", b"\x0a\x05x", b"\x00\x01", b"\x12\x80"])
def test_undecodable_messages_are_ignored(far_end, link, opened, data):
    since = far_end.daemon.mark()
    link.send_frame(frames.BINARY, data)
    far_end.daemon.wait_line("undecodable", since=since)
    trade(*opened)


def test_empty_transfers_are_ignored(link, opened):
    chan, sock = opened
    for _ in range(1000):
        chan.send_message(TRANSFER)
    trade(chan, sock)


@pytest.mark.parametrize(
    "encode",
    [lambda m: number(2, m.cmd) + messages.field(1, m.id) + messages.field(3, m.data),
     lambda m: m.encode() + messages.field(9, b"later"),
     lambda m: messages.field(1, b"77") + m.encode()],
)  # fmt: skip
def test_other_ways_to_write_a_message(link, opened, encode):
    """Fields in another order, unknown ones, the last of duplicates."""
    chan, sock = opened
    for data in (b"x" * 10, b"y" * 20_000):
        chan.credit -= len(data)
        link.send_frame(frames.BINARY, encode(Message(chan.id, TRANSFER, data)))
        assert read_exact(sock, len(data)) == data
    chan.allowed += 6
    link.send_frame(frames.BINARY, encode(Message(chan.id, WINDOW, b"\x06")))
    link.send_frame(frames.BINARY, encode(Message(chan.id, FINISH)))
    assert sock.recv(1) == b""
    sock.sendall(b"answer")
    assert chan.read_data(6) == b"answer"


def test_open_that_is_undecodable(link):
    link.last_id += 2
    chan = Chan(link, b"%d" % link.last_id, WINDOW_FIRST)
    link.chans[chan.id] = chan
    chan.send_message(CONNECT, b"\xff")
    assert link.error_of(chan)
