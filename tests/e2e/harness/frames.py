"""WebSocket frames (RFC 6455 section 5) for raw peers: writes anything, reads strictly."""

import base64
import hashlib
import os
from dataclasses import dataclass

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class FrameFault(AssertionError):
    """The other side sent what no endpoint may send."""


@dataclass
class Frame:
    fin: bool
    op: int
    payload: bytes

    @property
    def code(self):
        """The code of a close frame, None when it has none."""
        return int.from_bytes(self.payload[:2], "big") if self.payload else None


def accept_key(key):
    return base64.b64encode(hashlib.sha1(key + GUID).digest())


def new_key():
    return base64.b64encode(os.urandom(16))


def apply_mask(payload, mask):
    size = len(payload)
    if size == 0:
        return b""
    stream = (mask * (size // 4 + 1))[:size]
    mixed = int.from_bytes(payload, "little") ^ int.from_bytes(stream, "little")
    return mixed.to_bytes(size, "little")


def encode(op, payload=b"", *, masked, fin=True, rsv=0, width=None):
    """One frame. `width` forces a length form of 7, 16 or 64 bits."""
    size = len(payload)
    width = width or (7 if size < 126 else 16 if size < 65536 else 64)
    head = bytes([(0x80 if fin else 0) | rsv << 4 | op])
    bit = 0x80 if masked else 0
    if width == 7:
        head += bytes([bit | size])
    else:
        head += bytes([bit | (126 if width == 16 else 127)]) + size.to_bytes(width // 8, "big")
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + apply_mask(payload, mask)


class Parser:
    """Bytes in, frames out. `masked` tells which way this side must be spoken to."""

    def __init__(self, *, masked):
        self.masked = masked
        self.buffer = bytearray()

    def feed(self, data):
        """The frames that are complete now, each with the bytes it took."""
        self.buffer += data
        frames = []
        while frame := self._take():
            frames.append(frame)
        return frames

    def _take(self):
        b = self.buffer
        if len(b) < 2:
            return None
        if b[0] & 0x70:
            raise FrameFault("a reserved bit is set")
        if bool(b[1] & 0x80) != self.masked:
            raise FrameFault("masked the wrong way")
        at, size = self._length(b)
        at += 4 if self.masked else 0
        if at < 2 or len(b) < at + size:
            return None
        payload = bytes(b[at : at + size])
        if self.masked:
            payload = apply_mask(payload, bytes(b[at - 4 : at]))
        frame = Frame(bool(b[0] & 0x80), b[0] & 0x0F, payload)
        self._check(frame)
        del b[: at + size]
        return frame

    @staticmethod
    def _length(b):
        """(offset behind the length, length); an offset of -9 when there is too little to tell."""
        short = b[1] & 0x7F
        if short < 126:
            return 2, short
        wide = 2 if short == 126 else 8
        if len(b) < 2 + wide:
            return -9, 0
        size = int.from_bytes(b[2 : 2 + wide], "big")
        if size < 126 or (wide == 8 and size < 65536):
            raise FrameFault("a length that is not in its shortest form")
        return 2 + wide, size

    @staticmethod
    def _check(frame):
        if frame.op not in (CONT, TEXT, BINARY, CLOSE, PING, PONG):
            raise FrameFault(f"opcode {frame.op}")
        if frame.op >= CLOSE and (not frame.fin or len(frame.payload) > 125):
            raise FrameFault("a control frame that is fragmented or too long")
        if frame.op == CLOSE and len(frame.payload) == 1:
            raise FrameFault("a close frame with half a code")
