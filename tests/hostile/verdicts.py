"""
What came of an attack, in a few words: an HTTP status ("400"), "close 1002", "reply 05 ff",
"reset", "eof", "FAILED" with its text, or
  harmless   it was taken, or ignored, and the attacker is served like anybody else
  held       no more is taken, and what was taken is bounded
  gone       the attacker has left; what counts is that nothing of him is left
"""

import contextlib
import re
import select
import time

from harness import frames, messages
from harness.env import patience
from harness.net import how_it_ends, is_silent
from harness.peer import LinkEnded

QUIET = 0.3  # seconds in which nothing moves any more


def send(sock, data):
    """All of it, or as much as is taken before the connection ends."""
    with contextlib.suppress(ConnectionError):
        sock.sendall(data)


def status(sock):
    """The statuses of all responses up to the end of the connection, else how it ends."""
    data, how = how_it_ends(sock)
    codes = re.findall(rb"HTTP/1\.[01] (\d{3}) ", data)
    assert codes or not data, data[:200]
    return " ".join(code.decode() for code in codes) or how


def reply(sock):
    """The first two bytes of each answer of SOCKS5 up to the end, else how it ends."""
    data, how = how_it_ends(sock)
    return f"reply {data[:2].hex(' ')}" if data else how


def closed(peer, timeout=5):
    """How a link, or a WebSocket, is ended. Whatever else comes on it does not matter."""
    deadline = time.monotonic() + patience(timeout)
    try:
        while True:
            frame, *_ = peer.next_frame(max(0.0, deadline - time.monotonic()))
            if frame.op == frames.CLOSE:
                return f"close {frame.code}"
    except LinkEnded as end:
        return end.how


def answered(link, chan):
    """The answer to an open."""
    error = link.error_of(chan)
    return "SUCCESS" if error is None else f"FAILED {error}"


def interrupted(chan):
    """The reason of the INTERRUPT that ends a channel."""
    names = ("CLOSED", "RESET", "TIMEOUT", "PROTOCOL", "LIMIT", "WITHDRAWN")
    return "INTERRUPT " + names[chan.read_interrupt()[1]]


def in_sync(link):
    """The link goes on."""
    link.sync()
    return "harmless"


def held(sock, data, limit=64 << 20):
    """Sends the same again and again, reads nothing, until no more is taken."""
    sent, quiet, sock_timeout = 0, time.monotonic() + QUIET, sock.gettimeout()
    sock.setblocking(False)
    while time.monotonic() < quiet and sent < limit:
        try:
            sent += sock.send(memoryview(data)[sent % len(data) :])
            quiet = time.monotonic() + QUIET
        except BlockingIOError:
            select.select([], [sock], [], 0.02)
        except ConnectionError:
            return "reset"
    sock.settimeout(sock_timeout)
    assert sent < limit, f"{sent} bytes were taken"
    return "held"


def duplex(sock, data, enough, timeout=30):
    """Sends all of it while reading; what was read when enough(it) is true."""
    deadline = time.monotonic() + patience(timeout)
    got, rest = bytearray(), memoryview(data)
    sock.setblocking(False)
    while rest or not enough(got):
        assert time.monotonic() < deadline, f"{len(rest)} bytes not sent, {len(got)} read"
        readable, writable, _ = select.select([sock], [sock] if rest else [], [], 0.1)
        if writable:
            rest = rest[sock.send(rest) :]
        if readable:
            piece = sock.recv(1 << 18)
            assert piece, f"ended with {len(rest)} bytes not sent, {len(got)} read"
            got += piece
    sock.settimeout(patience(10))
    return bytes(got)


def bulk(messages_, masked):
    """Messages as frames whose mask is zero, which costs nothing."""
    out = bytearray()
    for message in messages_:
        body = message.encode()
        assert len(body) < 65536
        head = bytes([0x82, (0x80 if masked else 0) | (len(body) if len(body) < 126 else 126)])
        out += head + (len(body).to_bytes(2, "big") if len(body) > 125 else b"")
        out += bytes(4 if masked else 0) + body
    return bytes(out)


def silent(sock, seconds=0.2):
    return is_silent(sock, seconds)


def text_of(answer):
    """What a RESPOND says."""
    error = messages.decode_response(answer.data)
    return "SUCCESS" if error is None else f"FAILED {error}"


def unknown(arena, message):
    """What 0.10 says to a message for a channel that does not exist."""
    peer = arena.old_link()
    peer.send(message)
    assert peer.expect(messages.INTERRUPT, message.id).data == messages.UNKNOWN_ID
    return "INTERRUPT for a channel that does not exist"
