"""
One end of a link as the Go original speaks it: the upgrade, frames and messages, by hand.

Every message carries the interval in which it arrived, [earliest, latest]. A thread that was not
scheduled for a while knows only that: so a gap between two messages is proven to be short only if
it is short for every possible arrival. That keeps the hazards below free of false alarms.
"""

import contextlib
import re
import select
import socket
import threading
import time
from dataclasses import dataclass

from harness import frames, messages
from harness.daemons import AUTH, PATH
from harness.env import patience
from harness.net import connect, is_silent, listen, read_until

TICK = 0.001  # seconds between looks at the socket
READ_SIZE = 1 << 18

UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nAuth: {auth}\r\nProto: 0.10\r\n\r\n"
)
SWITCH = (
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: {accept}\r\n\r\n"
)


class LinkEnded(Exception):
    """The other side ended the link: `code` of its close frame, None for a bare end."""

    def __init__(self, code, how):
        super().__init__(f"link ended: {how}, close code {code}")
        self.code = code
        self.how = how


@dataclass
class Arrival:
    message: messages.Message
    earliest: float
    latest: float

    def surely_within(self, seconds, earlier):
        """True when it came that soon after `earlier`, whatever the threads were doing."""
        return self.latest - earlier.earliest < seconds


class Peer:
    """A link after its upgrade. Used from one thread, but for send()."""

    def __init__(self, sock, *, client, upgrade=b""):
        self.sock = sock
        self.client = client
        self.upgrade = upgrade  # the request that a server peer got
        self.parser = frames.Parser(masked=not client)
        self.ready = []  # frames with their interval
        self.looked = time.monotonic()
        self.pings = []  # (time, payload) of every ping received
        self.pongs = []  # payloads
        self.answers_pings = True
        sock.settimeout(patience(10))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send_frame(self, op, payload=b"", **options):
        self.sock.sendall(frames.encode(op, payload, masked=self.client, **options))

    def send_raw(self, data):
        self.sock.sendall(data)

    def send(self, message):
        self.send_frame(frames.BINARY, message.encode())

    def next_frame(self, timeout=5):
        """(frame, earliest, latest). TimeoutError, LinkEnded without a code on EOF or reset."""
        deadline = time.monotonic() + timeout
        while not self.ready:
            if time.monotonic() > deadline:
                raise TimeoutError(f"no frame within {timeout} s")
            self._look()
        return self.ready.pop(0)

    def _look(self):
        before = time.monotonic()  # not after: the thread may be held up between call and clock
        readable = select.select([self.sock], [], [], TICK)[0]
        earliest = self.looked
        if not readable:
            self.looked = before
            return
        self.looked = time.monotonic()
        try:
            data = self.sock.recv(READ_SIZE)
        except ConnectionError:
            raise LinkEnded(None, "reset")
        if not data:
            raise LinkEnded(None, "eof")
        latest = time.monotonic()
        if len(data) == READ_SIZE:
            self.looked = earliest  # what is left in the kernel may be as old
        self.ready += [(frame, earliest, latest) for frame in self.parser.feed(data)]

    def receive(self, timeout=5):
        """The next message, as an Arrival; pings are answered, a close frame is LinkEnded."""
        deadline = time.monotonic() + timeout
        while True:
            frame, earliest, latest = self.next_frame(max(0, deadline - time.monotonic()))
            if frame.op == frames.BINARY:
                if not frame.fin or len(frame.payload) > 29 + 6 + 32768 + 128:
                    raise frames.FrameFault("not one message of the usual size in one frame")
                return Arrival(messages.decode(frame.payload), earliest, latest)
            self._control(frame)

    def _control(self, frame):
        if frame.op == frames.PING:
            self.pings.append((time.monotonic(), frame.payload))
            if self.answers_pings:
                self.send_frame(frames.PONG, frame.payload)
        elif frame.op == frames.PONG:
            self.pongs.append(frame.payload)
        elif frame.op == frames.CLOSE:
            raise LinkEnded(frame.code, "close")
        else:
            raise frames.FrameFault(f"unexpected opcode {frame.op}")

    def expect(self, cmd, id=None, timeout=5):
        """The next message, which must be this command (for this id)."""
        message = self.receive(patience(timeout)).message
        assert message.cmd == cmd, message
        assert id is None or message.id == id, message
        return message

    def expect_end(self, timeout=5):
        """Reads on until the link ends."""
        deadline = time.monotonic() + patience(timeout)
        while time.monotonic() < deadline:
            try:
                self.receive(deadline - time.monotonic())
            except LinkEnded as end:
                return end
            except TimeoutError:
                break
        raise AssertionError(f"the link is still up after {timeout} s")

    def expect_silence(self, seconds):
        """No message for that long."""
        try:
            arrival = self.receive(seconds)
        except TimeoutError:
            return
        raise AssertionError(f"unexpected {arrival.message}")

    @contextlib.contextmanager
    def alive(self):
        """Meanwhile receives, and shows life where it is asked for."""
        done = threading.Event()

        def answer():
            while not done.is_set():
                try:
                    message = self.receive(0.05).message
                except TimeoutError:
                    continue
                except (LinkEnded, OSError):
                    return
                self.answer_unasked(message)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield self
        finally:
            done.set()
            thread.join()

    def answer_unasked(self, message):
        """A TRANSFER that is for no channel is answered by every peer."""
        if message.cmd == messages.TRANSFER:
            self.send(messages.Message(message.id, messages.INTERRUPT, messages.UNKNOWN_ID))

    def open(self, id, url, kind=messages.DYNAMIC, timeout=10):
        """Opens a channel as a client does: None, or the text of the failure."""
        self.send(messages.Message(id, messages.CONNECT, messages.request(url, kind)))
        answer = self.expect(messages.RESPOND, id, timeout)
        return messages.decode_response(answer.data)


def with_protocol(head, protocol):
    """A head with one more line, which tells the dialect; None leaves it as it is."""
    if protocol is None:
        return head
    return head[:-2] + b"Sec-WebSocket-Protocol: " + protocol.encode() + b"\r\n\r\n"


def upgrade_request(port, path=PATH, auth=AUTH, key=None, protocol=None):
    key = (key or frames.new_key()).decode()
    return with_protocol(
        UPGRADE.format(path=path, port=port, key=key, auth=auth).encode(), protocol
    )


def switch(key, protocol=None):
    """The server's answer."""
    return with_protocol(SWITCH.format(accept=frames.accept_key(key).decode()).encode(), protocol)


def upgrade(port, path=PATH, auth=AUTH, offer=None, selected=None):
    """A socket to wsps behind the upgrade, whose answer must be this one exactly."""
    sock = connect(port)
    key = frames.new_key()
    sock.sendall(upgrade_request(port, path, auth, key, offer))
    answer = read_until(sock, b"\r\n\r\n")
    assert answer == switch(key, selected), answer
    return sock


def link_to(port, path=PATH, auth=AUTH):
    """A client peer linked to wsps, as a Go wspc would be."""
    return Peer(upgrade(port, path, auth), client=True)


class LinkListener:
    """Accepts wspc as a Go wsps would. Its connections can also be left without an answer."""

    def __init__(self, port=0):
        self.listener = listen(port=port)
        self.port = self.listener.getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def accept_tcp(self, timeout=10):
        self.listener.settimeout(patience(timeout))
        sock, _ = self.listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(patience(timeout))
        return sock

    def accept_upgrade(self, protocol=None, timeout=10):
        """(socket, request) of the next link, upgraded; `protocol` is selected."""
        while True:
            sock = self.accept_tcp(timeout)
            head = read_until(sock, b"\r\n\r\n")
            if is_silent(sock, 0):
                break
            sock.close()  # nobody waits there any more
        key = re.search(rb"\r\nSec-WebSocket-Key: (\S+)\r\n", head).group(1)
        sock.sendall(switch(key, protocol))
        return sock, head

    def accept(self, timeout=10):
        """The next link, in dialect 0.10."""
        sock, head = self.accept_upgrade(timeout=timeout)
        return Peer(sock, client=False, upgrade=head)
