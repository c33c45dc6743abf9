"""An intermediary between wspc and wsps: sees all bytes, may change heads, and can be cut."""

import socket
import threading
from contextlib import suppress

from harness import frames, messages
from harness.env import patience
from harness.net import connect, listen, read_until, reset


class Wire:
    """One connection through the tap."""

    def __init__(self, near, far):
        self.near, self.far = near, far
        self.request = self.answer = b""  # heads, as they came
        self.sent = {near: bytearray(), far: bytearray()}  # behind the heads, by its source

    def cut(self):
        """Both sides see a reset."""
        for sock in (self.near, self.far):
            with suppress(OSError):  # it may be closed already
                sock.shutdown(socket.SHUT_RD)
                reset(sock)

    def messages_up(self):
        """What the client has sent."""
        return self._messages(self.near, masked=True)

    def messages_down(self):
        return self._messages(self.far, masked=False)

    def _messages(self, source, masked):
        whole = frames.Parser(masked=masked).feed(bytes(self.sent[source]))
        return [messages.decode(f.payload) for f in whole if f.op == frames.BINARY]


def same(head):
    return head


class Tap:
    """Leads to `port`. `request` and `answer` say what becomes of the two heads."""

    def __init__(self, port, request=same, answer=same):
        self.target = port
        self.change = request, answer
        self.listener = listen()
        self.port = self.listener.getsockname()[1]
        self.wires = []
        self.news = threading.Condition()

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for wire in self.wires:
            wire.cut()

    def wire(self, number=0, timeout=10):
        """The n-th connection that got an answer to its request."""
        with self.news:
            came = self.news.wait_for(lambda: len(self.wires) > number, patience(timeout))
        assert came, f"no {number + 1} connections"
        return self.wires[number]

    def _accept(self):
        with suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, near):
        try:
            wire = Wire(near, connect(self.target))
        except OSError:
            reset(near)
            return
        with suppress(OSError, EOFError):
            wire.far.settimeout(None)
            wire.request = read_until(near, b"\r\n\r\n")
            wire.far.sendall(self.change[0](wire.request))
            wire.answer = read_until(wire.far, b"\r\n\r\n")
            near.sendall(self.change[1](wire.answer))
            with self.news:
                self.wires.append(wire)
                self.news.notify_all()
            threading.Thread(target=self._pump, args=(wire, near, wire.far), daemon=True).start()
            self._pump(wire, wire.far, near)
            return
        wire.cut()

    @staticmethod
    def _pump(wire, source, sink):
        with suppress(OSError):
            while data := source.recv(1 << 18):
                wire.sent[source] += data
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
            return
        wire.cut()


def without_protocol(head):
    """A head as an intermediary forwards it that does not know the dialect's header."""
    lines = head.split(b"\r\n")
    return b"\r\n".join(x for x in lines if not x.lower().startswith(b"sec-websocket-protocol:"))
