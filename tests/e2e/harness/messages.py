"""The messages of both dialects in proto3's wire format, without any help from our code."""

from dataclasses import dataclass

CONNECT, RESPOND, TRANSFER, INTERRUPT = range(4)
WINDOW, FINISH, GOAWAY, SETTINGS = range(4, 8)  # from here on only in wsp.1
LOCAL, REMOTE, DYNAMIC = range(3)
CLOSED, RESET, TIMEOUT, PROTOCOL, LIMIT, WITHDRAWN = range(6)  # why wsp.1 interrupts

UNKNOWN_ID = b"connection does not exist"


class MessageFault(AssertionError):
    """Undecodable, or not written as the protocol wants it."""


@dataclass
class Message:
    id: bytes
    cmd: int
    data: bytes = b""

    def encode(self):
        return field(1, self.id) + number(2, self.cmd) + field(3, self.data)


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def field(tag, data):
    """A length-delimited field, omitted when empty."""
    return varint(tag << 3 | 2) + varint(len(data)) + data if data else b""


def number(tag, value):
    """A varint field, omitted when zero."""
    return varint(tag << 3) + varint(value) if value else b""


def _varint_at(data, at):
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise MessageFault("a varint that does not end")
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if not data[at - 1] & 0x80:
            return value, at


def fields(data):
    """All fields by number, the last of duplicates."""
    found, at = {}, 0
    while at < len(data):
        key, at = _varint_at(data, at)
        if key & 7 == 0:
            found[key >> 3], at = _varint_at(data, at)
        elif key & 7 == 2:
            size, at = _varint_at(data, at)
            if size > len(data) - at:
                raise MessageFault("a field that is cut off")
            found[key >> 3] = data[at : at + size]
            at += size
        else:
            raise MessageFault(f"wire type {key & 7}")
    return found


def decode(data):
    """A message, which must be written canonically: in number order, empty fields omitted."""
    found = fields(data)
    message = Message(found.get(1, b""), found.get(2, 0), found.get(3, b""))
    if message.encode() != data:
        raise MessageFault(f"not canonical: {data[:60].hex(' ')}")
    return message


def request(url, kind=DYNAMIC, window=0):
    """The data of a CONNECT."""
    return number(1, kind) + field(2, url.encode()) + number(3, window)


def decode_request(data):
    found = fields(data)
    return found.get(1, 0), found.get(2, b"").decode()


def window_of_request(data):
    """What the opener has room for, 0 when it does not say."""
    return fields(data).get(3, 0)


def response(error=None, window=0):
    """The data of a RESPOND: success, or failure with a text."""
    verdict = number(1, 1) if error is None else field(2, error.encode())
    return verdict + number(4, window)


def decode_response(data):
    """None for success, else the text of the failure."""
    found = fields(data)
    return None if found.get(1) else found.get(2, b"").decode()


def window_of_response(data):
    return fields(data).get(4, 0)


def settings(window=0, transfer=0, instance=b""):
    """The data of a SETTINGS."""
    return number(1, window) + number(2, transfer) + field(3, instance)


def decode_settings(data):
    """(window, transfer, instance), written canonically."""
    found = fields(data)
    assert set(found) <= {1, 2, 3}, found
    said = found.get(1, 0), found.get(2, 0), found.get(3, b"")
    assert settings(*said) == data, data.hex(" ")
    return said


def decode_credit(data):
    """The data of a WINDOW: one varint in its shortest form."""
    value, at = _varint_at(data, 0)
    assert at == len(data) and varint(value) == data and 1 <= value < 1 << 31, data.hex(" ")
    return value


def decode_reason(data):
    """(reason, text) of wsp.1's INTERRUPT."""
    return (data[0], data[1:]) if data else (CLOSED, b"")
