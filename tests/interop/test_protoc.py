"""Our message codec against protoc's: what one writes the other must read as the same fields.

WSP_MSG_TOOL names the program built from msg_tool.c.
"""

import os
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
TOOL = os.environ.get("WSP_MSG_TOOL")
PROTOC = shutil.which("protoc")
ROUNDS = 40

pytestmark = [
    pytest.mark.skipif(not TOOL, reason="WSP_MSG_TOOL is not set"),
    pytest.mark.skipif(not PROTOC, reason="protoc is not installed"),
]

ENUMS = {
    "cmd": ["CONNECT", "RESPOND", "TRANSFER", "INTERRUPT"],
    "type": ["LOCAL", "REMOTE", "DYNAMIC"],
    "code": ["FAILED", "SUCCESS"],
}
# What msg_tool calls it: protoc's name and its fields, in the order of msg_tool's words.
KINDS = {
    "msg": ("WspMessage", ["cmd", "id", "data"]),
    "request": ("WspRequest", ["type", "data"]),
    "response": ("WspResponse", ["code", "data", "bound"]),
}
NUMBERS = {
    "msg": {"id": 1, "cmd": 2, "data": 3},
    "request": {"type": 1, "data": 2},
    "response": {"code": 1, "data": 2, "bound": 3},
}


class Tool:
    def __init__(self):
        self.process = subprocess.Popen(
            [TOOL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().split()

    def encode(self, kind, fields):
        values = [fields[name] for name in KINDS[kind][1]]
        (answer,) = self.ask("encode", kind, values[0], *map(to_hex, values[1:]))
        return from_hex(answer)

    def decode(self, kind, message):
        """The fields as a dict, or None when the tool calls it malformed."""
        answer = self.ask("decode", kind, to_hex(message))
        if answer == ["malformed"]:
            return None
        names = KINDS[kind][1]
        values = [int(answer[0]), *map(from_hex, answer[1:])]
        assert len(values) == len(names)
        return dict(zip(names, values))


@pytest.fixture(scope="module")
def tool():
    tool = Tool()
    yield tool
    tool.process.stdin.close()
    assert tool.process.wait(timeout=10) == 0


def to_hex(data):
    return data.hex() or "-"


def from_hex(text):
    return b"" if text == "-" else bytes.fromhex(text)


def protoc(mode, kind, data):
    """protoc's output, or None when it refuses the input."""
    done = subprocess.run(
        [PROTOC, f"--proto_path={HERE}", f"--{mode}={KINDS[kind][0]}", "wsp.proto"],
        input=data,
        capture_output=True,
        check=False,
        timeout=20,
    )
    return done.stdout if done.returncode == 0 else None


def protoc_encode(kind, fields):
    lines = []
    for name, value in fields.items():
        if isinstance(value, int):
            lines.append(f"{name}: {value}")
        else:
            quoted = "".join(f"\\{byte:03o}" for byte in value)
            lines.append(f'{name}: "{quoted}"')
    return protoc("encode", kind, "\n".join(lines).encode())


ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}


def unquote(text):
    def one(match):
        escape = match.group(1)
        if escape.isdigit():
            return bytes([int(escape, 8)])
        return ESCAPES.get(escape, escape)

    return re.sub(rb"\\([0-7]{3}|.)", one, text[1:-1])


def protoc_decode(kind, message):
    """The known fields, or None. Unknown ones are printed by number, groups indented."""
    text = protoc("decode", kind, message)
    if text is None:
        return None
    fields = {name: 0 if name in ENUMS else b"" for name in KINDS[kind][1]}
    for name, value in re.findall(rb"^([a-z]+): (.*)$", text, re.MULTILINE):
        name = name.decode()
        if name not in ENUMS:
            fields[name] = unquote(value)
        elif re.fullmatch(rb"-?\d+", value):
            fields[name] = int(value)
        else:
            fields[name] = ENUMS[name].index(value.decode())
    return fields


def random_text(rng, longest):
    pool = "abcXYZ019-_./:@%?=&[] \"'\\\n\t\u00e9\u4e2d\U0001f600"
    return "".join(rng.choice(pool) for _ in range(rng.randrange(longest))).encode()


def random_fields(rng, kind):
    """Every field is empty in a part of the cases; an enum of ours only as large as it can be."""
    fields = {}
    for name in KINDS[kind][1]:
        if name in ENUMS:
            fields[name] = rng.randrange(len(ENUMS[name]))
        elif rng.random() < 0.2:
            fields[name] = b""
        elif kind == "msg" and name == "data":
            fields[name] = rng.randbytes(rng.choice([1, 127, 128, 300, 16383, 16384, 32768]))
        else:
            fields[name] = random_text(rng, 200)
    return fields


def varint(value, padding=0):
    out = []
    while value >= 0x80 or padding > 0:
        out.append(value & 0x7F | 0x80)
        if value < 0x80:
            padding -= 1
        value >>= 7
    return bytes([*out, value])


def known_field(rng, kind, name, value):
    number = NUMBERS[kind][name]
    if name in ENUMS:
        padding = rng.choice([0, 0, 1]) if value >= 0 else 0  # a negative one has all 10 bytes
        return varint(number << 3) + varint(value & (1 << 64) - 1, padding)
    return varint(number << 3 | 2) + varint(len(value), rng.choice([0, 0, 2])) + value


def unknown_field(rng, depth=0):
    number = rng.choice([5, 15, 16, 2047, (1 << 29) - 1])
    wire_type = rng.choice([0, 1, 2, 3, 5] if depth < 4 else [0, 1, 2, 5])
    tag = varint(number << 3 | wire_type)
    if wire_type == 0:
        return tag + varint(rng.getrandbits(rng.choice([1, 7, 32, 64])))
    if wire_type == 1:
        return tag + rng.randbytes(8)
    if wire_type == 2:
        data = rng.randbytes(rng.randrange(20))
        return tag + varint(len(data)) + data
    if wire_type == 5:
        return tag + rng.randbytes(4)
    inner = b"".join(unknown_field(rng, depth + 1) for _ in range(rng.randrange(3)))
    return tag + inner + varint(number << 3 | 4)


def odd_message(rng, kind):
    """Fields in any order, some twice, unknown ones between, lengths and enums padded."""
    parts = [unknown_field(rng) for _ in range(rng.randrange(4))]
    for _ in range(rng.choice([1, 1, 2])):
        for name, value in random_fields(rng, kind).items():
            if name in ENUMS and kind != "response" and rng.random() < 0.2:
                value = rng.choice([7, 99, -1, -(1 << 31), (1 << 31) - 1])
            parts.append(known_field(rng, kind, name, value))
    rng.shuffle(parts)
    return b"".join(parts)


@pytest.mark.parametrize("kind", KINDS)
def test_protoc_reads_ours(tool, kind):
    rng = random.Random(f"write {kind}")
    for _ in range(ROUNDS):
        fields = random_fields(rng, kind)
        message = tool.encode(kind, fields)
        assert protoc_decode(kind, message) == fields
        assert protoc_encode(kind, fields) == message


@pytest.mark.parametrize("kind", KINDS)
def test_all_empty(tool, kind):
    fields = {name: 0 if name in ENUMS else b"" for name in KINDS[kind][1]}
    assert tool.encode(kind, fields) == b"" == protoc_encode(kind, fields)
    assert tool.decode(kind, b"") == fields


@pytest.mark.parametrize("kind", KINDS)
def test_odd_messages(tool, kind):
    rng = random.Random(f"odd {kind}")
    for _ in range(ROUNDS):
        message = odd_message(rng, kind)
        expected = protoc_decode(kind, message)
        assert expected is not None
        assert tool.decode(kind, message) == expected, message.hex()


@pytest.mark.parametrize("kind", KINDS)
def test_truncated_messages(tool, kind):
    """Cut anywhere, both refuse it or both read the same."""
    rng = random.Random(f"cut {kind}")
    for _ in range(ROUNDS):
        message = odd_message(rng, kind)
        message = message[: rng.randrange(len(message))]
        assert tool.decode(kind, message) == protoc_decode(kind, message), message.hex()


def test_bad_utf8(tool):
    """protoc only warns about bad UTF-8 in what it reads, so the other direction is asked."""
    bad = [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"a\xc3"]
    for text in bad:
        assert tool.decode("msg", b"\x0a" + varint(len(text)) + text) is None
        assert tool.decode("request", b"\x12" + varint(len(text)) + text) is None
        assert tool.decode("msg", b"\x1a" + varint(len(text)) + text)["data"] == text


def test_peek_at_what_protoc_writes(tool):
    """protoc's TRANSFER is the canonical form, and every other command is not."""
    rng = random.Random("peek")
    for _ in range(ROUNDS):
        fields = random_fields(rng, "msg")
        fields["id"] = random_text(rng, 30)
        message = protoc_encode("msg", fields)
        answer = tool.ask("peek", len(message), to_hex(message))
        if fields["cmd"] == 2 and fields["id"] and fields["data"]:
            head = len(message) - len(fields["data"])
            assert answer == ["ok", fields["id"].hex(), str(head)]
            cut = rng.randrange(head)
            assert tool.ask("peek", len(message), to_hex(message[:cut])) == ["more"]
        else:
            assert answer == ["refused"]
