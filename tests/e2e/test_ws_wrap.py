"""TCP services behind a WebSocket: visitors of every kind, and how either side ends."""

import asyncio
import hashlib
import os
import time

import pytest
import websockets

from harness import frames
from harness.env import patience, volume
from harness.frames import BINARY, CLOSE, CONT, PING, PONG, TEXT
from harness.http_client import read_response
from harness.net import Blackhole, connect, eventually, free_port, how_it_ends, read_all
from harness.net import read_exact, read_until, reset
from harness.reverse import Rig, request
from harness.tcp_origins import BannerOrigin, EchoOrigin, ScriptOrigin, SourceOrigin
from harness.ws_visitor import Visitor, upgrade

MIB = 1 << 20
BIG = volume(16 * MIB, 4 * MIB)


def remote(origin, value="tcp", more=""):
    port = origin if isinstance(origin, int) else origin.port
    return f"tcp://127.0.0.1:{port}?mode=path&value={value}{more}"


def ask(port, data):
    with connect(port) as sock:
        sock.sendall(data)
        return read_response(sock)


def fill(sock, limit=256 * MIB):
    """Sends messages until nothing goes through any more; returns how much payload went."""
    wire = frames.encode(BINARY, bytes(MIB), masked=True)
    header = len(wire) - MIB
    sent = 0
    sock.settimeout(1)
    with pytest.raises(TimeoutError):
        while sent < limit:
            sent += sock.send(wire[sent % len(wire) :])
    sock.settimeout(patience(10))
    whole, part = divmod(sent, len(wire))
    return whole * MIB + max(0, part - header)


def digest(data):
    return hashlib.sha256(data).digest()


@pytest.fixture(scope="module")
def banner():
    with BannerOrigin() as origin:
        yield origin


@pytest.fixture(scope="module")
def script():
    with ScriptOrigin() as origin:
        yield origin


@pytest.fixture(scope="module")
def dead_port():
    return free_port()


@pytest.fixture(scope="module")
def rig(shared_farm, echo, banner, script, dead_port):
    pages = "&origin=https://a.example,http%3A%2F%2FB.example%3A8080"
    return Rig(
        shared_farm,
        remote(echo),
        remote(banner, "banner"),
        remote(script, "script"),
        remote(dead_port, "dead"),
        remote(echo, "pages", pages),
        f"tcp://127.0.0.1:{echo.port}?mode=domain&value=tcp.example",
    )


@pytest.fixture
def visit(rig):
    """Opens a raw visitor; all are closed at the end."""
    visitors = []

    def open_one(*args, **options):
        visitors.append(Visitor(rig.port, *args, **options))
        return visitors[-1]

    yield open_one
    for visitor in visitors:
        visitor.sock.close()


def talk(rig, path, dialogue, **options):
    """Runs a dialogue with python3-websockets, which masks, fragments and checks on its own."""

    async def run():
        url = f"ws://127.0.0.1:{rig.port}{path}"
        async with websockets.connect(url, max_size=None, compression=None, **options) as ws:
            return await asyncio.wait_for(dialogue(ws), patience(30))

    return asyncio.run(run())


async def receive(ws, size):
    data = bytearray()
    while len(data) < size:
        piece = await ws.recv()
        assert isinstance(piece, bytes)
        data += piece
    assert len(data) == size
    return bytes(data)


@pytest.mark.parametrize("size", [1, 125, 126, 40_000, 65_535, 65_536, BIG])
def test_echo(rig, size):
    blob = os.urandom(size)

    async def dialogue(ws):
        sending = asyncio.create_task(ws.send(blob))
        echoed = await receive(ws, size)
        await sending
        return echoed

    assert digest(talk(rig, "/tcp", dialogue)) == digest(blob)


def test_text_and_fragments(rig):
    text = "gr\u00fc\u00df dich \U0001f600" * 50

    async def dialogue(ws):
        await ws.send(text)
        assert await receive(ws, len(text.encode())) == text.encode()
        await ws.send(text[i : i + 7] for i in range(0, len(text), 7))
        assert await receive(ws, len(text.encode())) == text.encode()
        await ws.send([b"one", b"", b"two", bytes(70_000)])
        assert await receive(ws, 70_006) == b"onetwo" + bytes(70_000)
        await ws.send(b"")
        await ws.send(b"last")
        assert await receive(ws, 4) == b"last"
        await (await ws.ping(b"are you there"))

    talk(rig, "/tcp", dialogue)


def test_service_speaks_first(visit, banner):
    visitor = visit("/banner")
    assert visitor.data(len(banner.banner)) == banner.banner
    visitor.send(BINARY, b"HELO")
    assert visitor.data(4) == b"HELO"


def test_domain(visit):
    visitor = visit("/any/path?query", host="TCP.example:80")
    visitor.send(BINARY, b"by domain")
    assert visitor.data(9) == b"by domain"


def test_frames_glued_to_the_request(visit):
    glued = frames.encode(BINARY, b"early", masked=True) + frames.encode(PING, b"p", masked=True)
    visitor = visit(glued=glued)
    assert {visitor.next().payload, visitor.next().payload} == {b"early", b"p"}


def test_byte_by_byte(visit):
    visitor = visit()
    wire = b"".join(
        frames.encode(op, payload, masked=True, fin=fin)
        for op, payload, fin in [
            (TEXT, "\u20ac".encode()[:1], False),
            (PING, b"between", True),
            (CONT, "\u20ac".encode()[1:], True),
            (PONG, b"nobody asked", True),
            (BINARY, bytes(200), True),
        ]
    )
    for i in range(len(wire)):
        visitor.sock.sendall(wire[i : i + 1])
    data, pongs = b"", []
    while len(data) < 203:
        frame = visitor.next()
        if frame.op == PONG:
            pongs.append(frame.payload)
        else:
            data += frame.payload
    assert data == "\u20ac".encode() + bytes(200)
    assert pongs == [b"between"]


def test_pings_are_answered_in_order(visit):
    visitor = visit()
    payloads = [b"", *(bytes([i]) * i for i in range(1, 126))]
    visitor.sock.sendall(b"".join(frames.encode(PING, p, masked=True) for p in payloads))
    for payload in payloads:
        visitor.expect(PONG, payload)


def test_two_at_once(visit):
    one, other = visit(), visit()
    for i in range(50):
        one.send(BINARY, b"one %d" % i)
        other.send(BINARY, b"the other %d" % i)
        assert one.data(len(b"one %d" % i)) == b"one %d" % i
        assert other.data(len(b"the other %d" % i)) == b"the other %d" % i
    one.send(CLOSE, b"")
    one.expect_close(None)
    other.send(BINARY, b"unharmed")
    assert other.data(8) == b"unharmed"


@pytest.mark.parametrize("code", [None, 1000, 1001, 1011, 3000, 4999])
def test_visitor_closes(visit, script, code):
    visitor = visit("/script")
    visitor.send(BINARY, b"last words")
    visitor.send(CLOSE, b"" if code is None else code.to_bytes(2, "big") + "gr\u00fcn".encode())
    visitor.send(BINARY, b"not to be seen")
    visitor.expect_close(code)
    with script.accept() as service:
        assert read_all(service) == b"last words"


def test_service_closes(visit, script):
    visitor = visit("/script")
    with script.accept() as service:
        service.sendall(bytes(3 * MIB))
    assert visitor.data(3 * MIB) == bytes(3 * MIB)
    visitor.expect_close(1000)


def test_websockets_sees_a_clean_end(rig, script):
    async def dialogue(ws):
        with script.accept() as service:
            service.sendall(b"bye")
        assert await ws.recv() == b"bye"
        with pytest.raises(websockets.ConnectionClosedOK) as end:
            await ws.recv()
        return end.value.code

    assert talk(rig, "/script", dialogue) == 1000


@pytest.mark.parametrize("how", ["reset", "end without a close frame"])
def test_visitor_vanishes(visit, script, how):
    visitor = visit("/script")
    with script.accept() as service:
        visitor.send(BINARY, b"x")
        assert read_exact(service, 1) == b"x"
        if how == "reset":
            reset(visitor.sock)
        else:
            visitor.sock.close()
        assert how_it_ends(service)[0] == b""


def test_visitor_vanishes_while_the_service_is_slow(visit, script):
    visitor = visit("/script")
    with script.accept() as service:
        fill(visitor.sock)
        reset(visitor.sock)
        how_it_ends(service)


def test_service_resets(visit, script):
    visitor = visit("/script")
    service = script.accept()
    service.sendall(b"x")
    assert visitor.data(1) == b"x"
    reset(service)
    frame = visitor.next()
    assert frame.op == CLOSE and frame.code in (1000, 1011)
    assert how_it_ends(visitor.sock) == (b"", "eof")


BAD_INPUT = {
    "not masked": (frames.encode(BINARY, b"x", masked=False), 1002),
    "reserved bit": (frames.encode(BINARY, b"x", masked=True, rsv=4), 1002),
    "opcode 3": (frames.encode(3, b"x", masked=True), 1002),
    "continuation of nothing": (frames.encode(CONT, b"x", masked=True), 1002),
    "fragmented ping": (frames.encode(PING, b"x", masked=True, fin=False), 1002),
    "bad text": (frames.encode(TEXT, b"\xc3(", masked=True), 1007),
    "unfinished text": (frames.encode(TEXT, b"\xe2\x82", masked=True), 1007),
    "close code 1005": (frames.encode(CLOSE, b"\x03\xed", masked=True), 1002),
}


@pytest.mark.parametrize("wire, code", BAD_INPUT.values(), ids=BAD_INPUT.keys())
def test_bad_input(visit, script, wire, code):
    visitor = visit("/script")
    with script.accept() as service:
        visitor.send(BINARY, b"good")
        assert read_exact(service, 4) == b"good"
        visitor.sock.sendall(wire)
        visitor.expect_close(code)
        assert how_it_ends(service)[0] == b""


def test_dead_service(rig):
    answer = ask(rig.port, upgrade("/dead"))
    assert (answer.status, answer.body) == (502, b"connection refused\n")


def test_service_that_does_not_answer(farm):
    with Blackhole() as hole:
        rig = Rig(farm, remote(hole.port), time={"dial": 0.5})
        assert ask(rig.port, upgrade("/tcp")).status == 504
        leaver = connect(rig.port)
        leaver.sendall(upgrade("/tcp"))
        rig.wsps.wait_line("CONNECT sent", count=2)
        leaver.close()


def test_subprotocol(visit, rig):
    def selected(*fields):
        lines = visit("/tcp", *fields).head.split(b"\r\n")
        return [x for x in lines if x.lower().startswith(b"sec-websocket-protocol")]

    assert selected() == []
    assert selected("Sec-WebSocket-Protocol: base64") == []
    assert selected("Sec-WebSocket-Protocol: base64, binary") == [b"Sec-WebSocket-Protocol: binary"]

    async def dialogue(ws):
        return ws.subprotocol

    assert talk(rig, "/tcp", dialogue, subprotocols=["binary", "base64"]) == "binary"


def test_extensions_are_not_taken(visit):
    visitor = visit("/tcp", "Sec-WebSocket-Extensions: permessage-deflate")
    assert b"extensions" not in visitor.head.lower()


@pytest.mark.parametrize(
    "origin, status",
    [
        ("https://a.example", 101),
        ("HTTP://b.example:8080", 101),
        ("http://a.example", 403),
        ("https://a.example.evil.example", 403),
        ("null", 403),
    ],
)
def test_origins(rig, origin, status):
    with connect(rig.port) as sock:
        sock.sendall(upgrade("/pages", f"Origin: {origin}"))
        head = read_until(sock, b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), head
    with connect(rig.port) as sock:
        sock.sendall(upgrade("/tcp", f"Origin: {origin}"))
        assert read_until(sock, b"\r\n").startswith(b"HTTP/1.1 101 ")


def test_no_upgrade(rig):
    answer = ask(rig.port, request("GET /tcp"))
    assert answer.status == 426
    assert answer.get("Upgrade") == "websocket"
    assert answer.get("Sec-WebSocket-Version") == "13"
    assert ask(rig.port, upgrade("/tcp", method="POST")).status == 405
    assert ask(rig.port, upgrade("/tcp", "Sec-WebSocket-Key: x")).status == 400
    assert ask(rig.port, upgrade("/tcp", "Content-Length: 5")).status == 400


@pytest.mark.limit(120)
def test_slow_service(farm, script):
    rig = Rig(farm, remote(script))
    with Visitor(rig.port) as visitor, script.accept() as service:
        left = fill(visitor.sock)
        while left:
            left -= len(read_exact(service, min(left, MIB)))
        visitor.sock.close()
        assert how_it_ends(service)[0] == b""


@pytest.mark.limit(120)
def test_slow_visitor(farm):
    blob = os.urandom(MIB)
    size = volume(64, 24) * MIB
    with SourceOrigin(blob) as source:
        rig = Rig(farm, remote(source))
        before = memory(rig.wsps)
        with Visitor(rig.port) as visitor:
            visitor.send(BINARY, size.to_bytes(8, "big"))
            time.sleep(1)
            assert memory(rig.wsps) - before < 8 * MIB
            for _ in range(size // MIB):
                assert visitor.data(MIB) == blob
            visitor.expect_close(1000)


def memory(daemon):
    with open(f"/proc/{daemon.process.pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def test_flood_of_pings(farm, echo):
    """Pongs that are not read must not pile up, and what is read later is whole."""
    rig = Rig(farm, remote(echo))
    before = memory(rig.wsps)
    wire = frames.encode(PING, bytes(125), masked=True) * 1000
    with Visitor(rig.port) as visitor:
        visitor.sock.settimeout(1)
        with pytest.raises(TimeoutError):
            for _ in range(400):
                visitor.sock.sendall(wire)
        assert memory(rig.wsps) - before < 8 * MIB
        visitor.expect(PONG, bytes(125))


def test_link_lost(farm, script):
    rig = Rig(farm, remote(script))
    with Visitor(rig.port) as visitor, script.accept() as service:
        service.sendall(b"x")
        assert visitor.data(1) == b"x"
        rig.wspc.kill()
        visitor.expect_close(1001)
        eventually(lambda: ask(rig.port, upgrade("/tcp")).status == 503, "the service is offline")


def test_shutdown(farm, script):
    rig = Rig(farm, remote(script))
    with Visitor(rig.port) as visitor, script.accept() as service:
        service.sendall(b"x")
        assert visitor.data(1) == b"x"
        started = time.monotonic()
        rig.wsps.stop()
        assert time.monotonic() - started < patience(4)
        visitor.expect_close(1001)


def test_silent_visitor(farm, script):
    """A visitor that answers pings stays; one that does not is dropped, with its connection."""
    rig = Rig(farm, remote(script), time={"ping": 0.5})
    with Visitor(rig.port) as visitor, script.accept() as service:
        for _ in range(5):
            visitor.expect(PING, b"")
            visitor.send(PONG)
        visitor.send(BINARY, b"still here")
        assert read_exact(service, 10) == b"still here"
        pings = 0
        started = time.monotonic()
        with pytest.raises((ConnectionError, AssertionError)):
            while visitor.next().op == PING:
                pings += 1
        assert pings in (2, 3)
        assert 1.2 < time.monotonic() - started < patience(5)
        assert how_it_ends(service)[0] == b""
