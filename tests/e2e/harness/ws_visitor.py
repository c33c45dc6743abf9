"""A visitor with a WebSocket, who sends what he is told to, right or wrong."""

from harness import frames
from harness.frames import BINARY, CLOSE
from harness.net import connect, how_it_ends, read_until
from harness.reverse import request


def upgrade(path, *fields, key=None, host="127.0.0.1", method="GET"):
    key = (key or frames.new_key()).decode()
    return request(
        f"{method} {path}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {key}",
        *fields,
        host=host,
    )


class Visitor:
    """A WebSocket client that sends what it is told to, right or wrong."""

    def __init__(self, port, path="/tcp", *fields, host="127.0.0.1", glued=b""):
        self.sock = connect(port)
        key = frames.new_key()
        self.sock.sendall(upgrade(path, *fields, key=key, host=host) + glued)
        self.head = read_until(self.sock, b"\r\n\r\n")
        assert self.head.startswith(b"HTTP/1.1 101 "), self.head
        assert b"\r\nSec-WebSocket-Accept: " + frames.accept_key(key) + b"\r\n" in self.head
        self.parser = frames.Parser(masked=False)
        self.frames = []
        self.payload = bytearray()  # of binary frames, not yet asked for

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, op, payload=b"", **options):
        self.sock.sendall(frames.encode(op, payload, masked=True, **options))

    def next(self):
        frame = self.next_or_none()
        assert frame, "the stream ended without a close frame"
        return frame

    def next_or_none(self):
        """None at the end of the stream."""
        while not self.frames:
            data = self.sock.recv(1 << 18)
            if not data:
                return None
            self.frames = self.parser.feed(data)
        return self.frames.pop(0)

    def expect(self, op, payload):
        frame = self.next()
        assert (frame.fin, frame.op, frame.payload) == (True, op, payload)

    def data(self, size):
        """That many bytes of what binary frames carry."""
        while len(self.payload) < size:
            frame = self.next()
            assert frame.fin and frame.op == BINARY and 0 < len(frame.payload) <= 64 * 1024
            self.payload += frame.payload
        data = bytes(self.payload[:size])
        del self.payload[:size]
        return data

    def expect_close(self, code):
        """A close frame, then the end of the stream."""
        frame = self.next()
        assert (frame.op, frame.code) == (CLOSE, code)
        assert not self.frames and not self.payload
        assert how_it_ends(self.sock) == (b"", "eof")
