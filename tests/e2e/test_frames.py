"""What a link of wsps gets: bad frames and messages that end it, odd ones that it must bear."""

import os

import pytest

from harness import frames, messages
from harness.frames import BINARY, CLOSE, CONT, PING, TEXT
from harness.messages import CONNECT, DYNAMIC, INTERRUPT, RESPOND, TRANSFER, Message
from harness.net import how_it_ends
from harness.peer import link_to

ID = b"3MXEaTTv3gGxOcHjeVzsqNRZ1Xd"
OTHER_ID = b"3MXEaeuWVJLEsKatNtqqWlaNKrf"


@pytest.fixture(scope="module")
def port(shared_farm):
    return shared_farm.wsps().config["port"]


def masked(op, payload=b"", **options):
    return frames.encode(op, payload, masked=True, **options)


def as_frame(data):
    return masked(BINARY, data)


BAD_INPUT = {
    "not masked": (frames.encode(BINARY, b"x", masked=False), {1002}),
    "reserved bit": (masked(BINARY, b"x", rsv=4), {1002}),
    "opcode 3": (masked(3, b"x"), {1002}),
    "opcode 11": (masked(11, b"x"), {1002}),
    "long ping": (masked(PING, b"x" * 126), {1002}),
    "fragmented ping": (masked(PING, b"x", fin=False), {1002}),
    "wide length": (masked(BINARY, b"x", width=16), {1002}),
    "wider length": (masked(BINARY, b"x" * 200, width=64), {1002}),
    "negative length": (b"\x82\xff\x80" + bytes(7) + b"mask", {1002}),
    "huge length": (b"\x82\xff\x7f" + b"\xff" * 7 + b"mask", {1009}),
    "continuation of nothing": (masked(CONT, b"x"), {1002}),
    "message in a message": (masked(BINARY, b"x", fin=False) + masked(BINARY, b"y"), {1002}),
    "over 1 MiB announced": (b"\x82\xff" + (1 << 20 | 1).to_bytes(8, "big") + b"mask", {1009}),
    "over 1 MiB in fragments": (
        masked(BINARY, bytes(600_000), fin=False) + masked(CONT, bytes(600_000)),
        {1009},
    ),
    "text that is no UTF-8": (masked(TEXT, b"\xff\xfe"), {1007}),
    "text that ends in a character": (masked(TEXT, b"\xe2\x82"), {1007}),
    "id that is no UTF-8": (as_frame(b"\x0a\x01\xff\x10\x02\x1a\x01x"), {1007}),
    "id over 128 bytes": (as_frame(b"\x0a\x81\x01" + b"i" * 129), {1002, 1008, 1009}),
    "close code 1005": (masked(CLOSE, b"\x03\xed"), {1002}),
    "close code 999": (masked(CLOSE, b"\x03\xe7"), {1002}),
    "half a close code": (masked(CLOSE, b"\x03"), {1002}),
    "close reason that is no UTF-8": (masked(CLOSE, b"\x03\xe8\xff"), {1002, 1007}),
}


@pytest.fixture(scope="module")
def bystander(port, echo):
    """A link with an open channel that nothing the others do may harm."""
    with link_to(port) as link:
        assert link.open(OTHER_ID, f"socks5://127.0.0.1:{echo.port}") is None
        yield link


@pytest.mark.parametrize("wire, codes", BAD_INPUT.values(), ids=BAD_INPUT.keys())
def test_bad_input_ends_the_link_only(port, bystander, wire, codes):
    with link_to(port) as link:
        link.send_raw(wire)
        assert link.expect_end().code in codes
        try:
            how_it_ends(link.sock)
        except AssertionError:
            pytest.fail("the connection stays open behind the close frame")
    bystander.send(Message(OTHER_ID, TRANSFER, b"unharmed"))
    assert bystander.expect(TRANSFER, OTHER_ID).data == b"unharmed"


def test_random_bytes_never_harm(port, bystander):
    for _ in range(30):
        with link_to(port) as link:
            link.send_raw(os.urandom(500))
            link.sock.shutdown(1)
            link.expect_end()
    bystander.send(Message(OTHER_ID, TRANSFER, b"unharmed"))
    assert bystander.expect(TRANSFER, OTHER_ID).data == b"unharmed"


# ---- what looks odd but is allowed


@pytest.fixture
def link(port):
    with link_to(port) as link:
        yield link


@pytest.mark.parametrize("payload", [b"", b"p", b"x" * 125])
def test_ping_is_answered_with_its_payload(link, payload):
    link.send_frame(PING, payload)
    frame, *_ = link.next_frame()
    assert (frame.op, frame.payload) == (frames.PONG, payload)


@pytest.mark.parametrize("code", [None, 1000, 1001, 1011, 3000, 4999])
def test_close_is_answered_with_its_code(link, code):
    link.send_frame(CLOSE, b"" if code is None else code.to_bytes(2, "big") + b"bye")
    end = link.expect_end()
    assert (end.how, end.code) == ("close", code)
    assert how_it_ends(link.sock)[0] == b""


ODD = {
    "text": masked(TEXT, "hello \u20ac".encode()),
    "pong": masked(frames.PONG, b"unasked"),
    "no protobuf": as_frame(b"\xff\xff\xff"),
    "cut-off field": as_frame(b"\x0a\x7fab"),
    "unknown command": as_frame(Message(ID, 9, b"x").encode()),
    "INTERRUPT of an unknown id": as_frame(Message(OTHER_ID, INTERRUPT, b"x").encode()),
    "INTERRUPT with no text": as_frame(Message(OTHER_ID, INTERRUPT, b"\xff").encode()),
    "empty fragments": masked(TEXT, fin=False) + masked(CONT, fin=False) + masked(CONT),
}


@pytest.mark.parametrize("wire", ODD.values(), ids=ODD.keys())
def test_odd_input_is_ignored(link, echo, wire):
    link.send_raw(wire)
    assert link.open(ID, f"socks5://127.0.0.1:{echo.port}") is None
    link.send_raw(wire)
    link.send(Message(ID, TRANSFER, b"still here"))
    assert link.expect(TRANSFER, ID).data == b"still here"


@pytest.mark.parametrize("cmd", [RESPOND, TRANSFER])
def test_unknown_id_is_answered(link, cmd):
    link.send(Message(b"0" * 27, cmd, b"x"))
    answer = link.expect(INTERRUPT, b"0" * 27)
    assert answer.data == messages.UNKNOWN_ID


def test_unencoded_type_and_unregistered_channels(link):
    assert link.open(ID, "socks5://127.0.0.1:1", kind=9) == "unknown 9"
    failure = link.open(ID, "tcp://none:pw@127.0.0.1:28032", kind=messages.LOCAL)
    assert failure == "channel none not registered"


def test_open_with_fields_reordered_and_unknown(link, echo):
    url = f"socks5://127.0.0.1:{echo.port}".encode()
    request = messages.field(2, b"socks5://127.0.0.1:1") + messages.field(2, url)
    request += messages.field(9, b"unknown") + messages.number(1, DYNAMIC)
    data = messages.field(3, request) + messages.number(15, 7) + messages.field(1, ID)
    link.send_raw(as_frame(data + messages.varint(2 << 3) + b"\x00"))
    assert messages.decode_response(link.expect(RESPOND, ID).data) is None


def test_fragments_with_control_frames_between(link, echo):
    assert link.open(ID, f"socks5://127.0.0.1:{echo.port}") is None
    wire = Message(ID, TRANSFER, b"in pieces").encode()
    for at in range(len(wire)):
        op = BINARY if at == 0 else CONT
        link.send_frame(op, wire[at : at + 1], fin=at == len(wire) - 1)
        if at % 9 == 0:
            link.send_frame(PING, b"%d" % at)
    assert link.expect(TRANSFER, ID).data == b"in pieces"
    assert link.pongs == [b"0", b"9", b"18", b"27", b"36"][: len(link.pongs)] and link.pongs


def test_frames_byte_by_byte(link, echo):
    request = messages.request(f"socks5://127.0.0.1:{echo.port}")
    for sent, answer in (
        (Message(ID, CONNECT, request), Message(ID, RESPOND)),
        (Message(ID, TRANSFER, b"slowly"), Message(ID, TRANSFER, b"slowly")),
    ):
        for byte in as_frame(sent.encode()):
            link.send_raw(bytes([byte]))
        got = link.expect(answer.cmd, ID)
        assert answer.cmd == RESPOND or got == answer


def test_largest_message_is_taken(link, echo):
    """1 MiB in one message; what comes back is in blocks of at most 32 KiB."""
    assert link.open(ID, f"socks5://127.0.0.1:{echo.port}") is None
    overhead = len(Message(ID, TRANSFER, bytes(1 << 19)).encode()) - (1 << 19)
    data = os.urandom((1 << 20) - overhead)
    link.send(Message(ID, TRANSFER, data))
    got = b""
    while len(got) < len(data):
        block = link.expect(TRANSFER, ID).data
        assert 0 < len(block) <= 32768
        got += block
    assert got == data


def test_empty_transfer_is_ignored(link, echo):
    assert link.open(ID, f"socks5://127.0.0.1:{echo.port}") is None
    link.send(Message(ID, TRANSFER))
    link.send(Message(ID, TRANSFER, b"x"))
    assert link.expect(TRANSFER, ID).data == b"x"


def test_live_id_cannot_be_opened_again(link, echo):
    assert link.open(ID, f"socks5://127.0.0.1:{echo.port}") is None
    assert link.open(ID, f"socks5://127.0.0.1:{echo.port}")
    link.send(Message(ID, TRANSFER, b"the old one lives"))
    assert link.expect(TRANSFER, ID).data == b"the old one lives"


@pytest.mark.parametrize("id", [b"", b"1", "\u00fc\u00f1".encode(), b"i" * 128])
def test_any_id_will_do(link, echo, id):
    assert link.open(id, f"socks5://127.0.0.1:{echo.port}") is None
    link.send(Message(id, TRANSFER, b"x"))
    assert link.expect(TRANSFER, id).data == b"x"


def test_dial_failures_are_told(link):
    assert "refused" in link.open(ID, "socks5://127.0.0.1:1")
    assert link.open(ID, "http://[::1]:1") == "dial tcp [::1]:1: connect: connection refused"
    assert "no such host" in link.open(ID, "socks5://no.such.invalid:80")
    assert link.open(ID, "%%") and link.open(ID, "") and link.open(ID, "socks5://nohost")
    assert "unknown network ftp" in link.open(ID, "ftp://127.0.0.1:1")
