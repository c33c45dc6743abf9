"""
One end of a link in dialect wsp.1, by hand. Whatever a test is about, what the other side sends is
held against the rules: ids, credit, what may follow what.
"""

import contextlib
import os
import time

from harness import frames, messages
from harness.daemons import AUTH, PATH
from harness.env import patience
from harness.messages import CONNECT, FINISH, GOAWAY, INTERRUPT, RESPOND, SETTINGS, TRANSFER, WINDOW
from harness.messages import Message
from harness.peer import LinkListener, Peer, upgrade

WSP_1 = "wsp.1"
WINDOW_MIN = 16 * 1024  # bytes; below, an open fails
WINDOW_FIRST = 256 * 1024  # bytes of a first window at most
TRANSFER_MAX = 32 * 1024


class Chan:
    """One channel as this end sees it."""

    def __init__(self, link, id, window):
        self.link = link
        self.id = id
        self.allowed = window  # bytes that the other side may still send
        self.credit = 0  # bytes that we may still send
        self.granted = []  # by each WINDOW
        self.answer = None  # the RESPOND to our CONNECT
        self.open = False
        self.data = bytearray()  # received and not read yet
        self.total = 0  # bytes received ever
        self.finished = False  # their FINISH has come
        self.finish_sent = False
        self.reason = None  # of their INTERRUPT, with its text
        self.gone = False  # we interrupted it

    def __repr__(self):
        return f"channel {self.id}: {vars(self)}"

    def send_message(self, cmd, data=b""):
        self.link.send(Message(self.id, cmd, data))

    def send(self, data):
        """All of it, as credit comes."""
        at = 0
        while at < len(data):
            self.link.until(lambda: self.credit, f"credit, after {at} bytes")
            size = min(self.credit, TRANSFER_MAX, len(data) - at)
            self.credit -= size
            self.send_message(TRANSFER, data[at : at + size])
            at += size

    def grant(self, size):
        self.allowed += size
        self.send_message(WINDOW, messages.varint(size))

    def finish(self):
        self.finish_sent = True
        self.send_message(FINISH)

    def interrupt(self, reason=messages.CLOSED, text=b""):
        self.gone = True
        self.send_message(INTERRUPT, bytes([reason]) + text)

    def read_data(self, size):
        """The next bytes, without a grant of more."""
        self.link.until(lambda: len(self.data) >= size, f"{size} bytes of {self.id}")
        data = bytes(self.data[:size])
        del self.data[:size]
        return data

    def read(self, size):
        """The next bytes; what is read is granted again."""
        got = bytearray()
        while len(got) < size:
            self.link.until(lambda: self.data, f"{size - len(got)} bytes more of {self.id}")
            piece = self.read_data(min(size - len(got), len(self.data)))
            got += piece
            self._grant_again(len(piece))
        return bytes(got)

    def _grant_again(self, size):
        if size and not (self.finished or self.reason):
            self.grant(size)

    def read_finish(self):
        """What comes up to their FINISH."""
        return self._read_to(lambda: self.finished, "FINISH")

    def read_interrupt(self):
        """(data, reason): what comes up to their INTERRUPT."""
        data = self._read_to(lambda: self.reason, "INTERRUPT")
        return data, self.reason[0]

    def _read_to(self, end, what):
        got = bytearray()
        while not (end() and not self.data):
            self.link.until(lambda: end() or self.data, f"{what} for {self.id}")
            piece = self.read_data(len(self.data))
            got += piece
            self._grant_again(len(piece))
        return bytes(got)


class Link(Peer):
    """A link whose SETTINGS are exchanged with settle(). Not for several threads."""

    def __init__(self, sock, *, client, upgrade=b""):
        super().__init__(sock, client=client, upgrade=upgrade)
        self.settings = None  # theirs: (window, transfer, instance)
        self.window = 0  # as we announced it
        self.last_id = -1 if client else 0
        self.peer_last_id = 0
        self.chans = {}  # by id, those that are over too
        self.connects = []  # CONNECTs that came and were not taken by accept()
        self.goaway = None  # its data

    def settle(self, **own):
        """SETTINGS both ways, the client's first."""
        if self.client:
            self.send_settings(**own)
        self.expect(SETTINGS)
        if not self.client:
            self.send_settings(**own)
        return self

    def send_settings(self, window=WINDOW_MIN, transfer=TRANSFER_MAX, instance=None):
        self.window = window
        data = messages.settings(window, transfer, instance or os.urandom(16))
        self.send(Message(b"", SETTINGS, data))

    def new_id(self):
        self.last_id += 2
        return b"%d" % self.last_id

    def ask(self, url, kind=messages.DYNAMIC, window=WINDOW_FIRST):
        """Sends a CONNECT; window 0 leaves it to what SETTINGS said."""
        chan = Chan(self, self.new_id(), window or self.window)
        self.chans[chan.id] = chan
        chan.send_message(CONNECT, messages.request(url, kind, window))
        return chan

    def open(self, url, kind=messages.DYNAMIC, window=WINDOW_FIRST):
        """The channel, which must be accepted."""
        chan = self.ask(url, kind, window)
        assert self.error_of(chan) is None
        return chan

    def error_of(self, chan):
        """How a CONNECT is answered: None, or the text."""
        self.until(lambda: chan.answer or chan.reason, f"an answer for {chan.id}")
        assert chan.answer, f"INTERRUPT {chan.reason} instead of an answer"
        return messages.decode_response(chan.answer.data)

    def refuses(self, url, kind=messages.DYNAMIC):
        """The text with which an open is refused."""
        error = self.error_of(self.ask(url, kind))
        assert error is not None, "the open was accepted"
        return error

    def asked(self):
        """(channel, kind, url) of the other side's next CONNECT, which waits for its answer."""
        self.until(lambda: self.connects, "a CONNECT")
        message = self.connects.pop(0)
        chan = self.chans[message.id]
        chan.credit = messages.window_of_request(message.data) or self.settings[0]
        return (chan, *messages.decode_request(message.data))

    def accept(self, window=WINDOW_FIRST):
        """The other side's next CONNECT, answered SUCCESS."""
        chan, *_ = self.asked()
        return self.let_in(chan, window)

    def let_in(self, chan, window=WINDOW_FIRST):
        """Answers SUCCESS; window 0 leaves it to what SETTINGS said."""
        chan.allowed = window or self.window
        chan.open = True
        chan.send_message(RESPOND, messages.response(window=window))
        return chan

    def turn_down(self, chan, text):
        chan.send_message(RESPOND, messages.response(text))

    def until(self, condition, what, timeout=10):
        """Receives until the condition holds."""
        deadline = time.monotonic() + patience(timeout)
        while not condition():
            try:
                self.receive(deadline - time.monotonic())
            except TimeoutError:
                raise AssertionError(f"not within {timeout} s: {what}")

    def sync(self, timeout=10):
        """All that was sent before has been dealt with."""
        payload = os.urandom(8)
        self.send_frame(frames.PING, payload)
        deadline = time.monotonic() + patience(timeout)
        while payload not in self.pongs:
            assert time.monotonic() < deadline, "no pong"
            with contextlib.suppress(TimeoutError):
                self.receive(0.01)

    def answer_unasked(self, message):
        """Nothing: a ping asks for a sign of life, and gets its pong."""

    def receive(self, timeout=5):
        arrival = super().receive(timeout)
        message = arrival.message
        if self.settings is None:
            assert message.cmd == SETTINGS, f"the first message is {message}"
        self.judges[message.cmd](self, message)
        return arrival

    # ---- what comes, judged

    def _settings(self, message):
        assert self.settings is None and message.id == b"", message
        self.settings = messages.decode_settings(message.data)
        assert len(self.settings[2]) == 16, self.settings

    def _connect(self, message):
        number = int(message.id)
        assert message.id == b"%d" % number and number % 2 != self.client, message
        assert number > self.peer_last_id, f"{number} after {self.peer_last_id}"
        self.peer_last_id = number
        self.chans[message.id] = Chan(self, message.id, 0)
        self.connects.append(message)

    def _live(self, message):
        chan = self.chans[message.id]
        failed = chan.answer and not chan.open
        assert not chan.reason and not failed, f"{message} for {chan}"
        return chan

    def _open(self, message):
        chan = self._live(message)
        assert chan.open, f"{message} for {chan}"
        return chan

    def _respond(self, message):
        chan = self._live(message)
        assert chan.answer is None and int(chan.id) % 2 == self.client, message
        chan.answer = message
        chan.open = messages.decode_response(message.data) is None
        chan.credit = messages.window_of_response(message.data) or self.settings[0]

    def _transfer(self, message):
        chan = self._open(message)
        assert 0 < len(message.data) <= TRANSFER_MAX and not chan.finished, chan
        chan.allowed -= len(message.data)
        assert chan.allowed >= 0, f"{-chan.allowed} bytes more than granted: {chan.id}"
        chan.data += message.data
        chan.total += len(message.data)

    def _window(self, message):
        chan = self._open(message)
        size = messages.decode_credit(message.data)
        chan.credit += size
        chan.granted.append(size)

    def _finish(self, message):
        chan = self._open(message)
        assert message.data == b"" and not chan.finished, chan
        chan.finished = True

    def _interrupt(self, message):
        self._live(message).reason = messages.decode_reason(message.data)

    def _goaway(self, message):
        assert message.id == b"" and self.goaway is None, message
        self.goaway = message.data

    judges = {
        CONNECT: _connect,
        RESPOND: _respond,
        TRANSFER: _transfer,
        INTERRUPT: _interrupt,
        WINDOW: _window,
        FINISH: _finish,
        GOAWAY: _goaway,
        SETTINGS: _settings,
    }


def unsettled(port, path=PATH, auth=AUTH):
    """A client's link to wsps right behind the upgrade."""
    return Link(upgrade(port, path, auth, offer=WSP_1, selected=WSP_1), client=True)


def link_1_to(port, path=PATH, auth=AUTH, **own):
    """The same with SETTINGS exchanged."""
    return unsettled(port, path, auth).settle(**own)


class Listener(LinkListener):
    """Accepts wspc's links in wsp.1."""

    def accept_unsettled(self, timeout=10):
        sock, head = self.accept_upgrade(WSP_1, timeout)
        assert b"\r\nSec-WebSocket-Protocol: wsp.1\r\n" in head, head
        return Link(sock, client=False, upgrade=head)

    def accept(self, timeout=10, **own):
        return self.accept_unsettled(timeout).settle(**own)
