"""WebSockets and any other Upgrade through the reverse proxy."""

import asyncio
import random
import socket
import threading

import pytest
import websockets

from harness.env import patience, volume
from harness.http_client import exchange
from harness.net import how_it_ends, read_exact, read_until, reset
from harness.reverse import (
    ECHO_SWITCH,
    ECHO_UPGRADE,
    Rig,
    Service,
    Stage,
    request,
    statuses,
    upgraded,
)

MIB = 1 << 20


@pytest.fixture
def stage(service):
    service.script = Stage()
    return service.script


@pytest.fixture(scope="module")
def rig(shared_farm, shared_service):
    remotes = [shared_service.remote("api"), shared_service.remote("ws.example", mode="domain")]
    return Rig(shared_farm, *remotes)


@pytest.fixture
def visitor(rig):
    with rig.connect() as sock:
        yield sock


def crossing(one, other, size):
    """Both send at the same time; each gets the other's bytes."""
    blob = random.Random(size).randbytes(size)
    writer = threading.Thread(target=one.sendall, args=(blob,))
    back = threading.Thread(target=other.sendall, args=(blob[::-1],))
    got = {}
    reader = threading.Thread(target=lambda: got.update(data=read_exact(one, size)))
    for thread in (writer, back, reader):
        thread.start()
    assert read_exact(other, size) == blob
    for thread in (writer, back, reader):
        thread.join()
    assert got["data"] == blob[::-1]


@pytest.mark.parametrize("host, target", [("127.0.0.1", "/api/up"), ("ws.example", "/up")])
def test_other_protocols(rig, stage, host, target):
    visitor, served, end = upgraded(rig, stage, glued=b"hello", host=host, target=target)
    assert read_exact(visitor, 5) == b"hello"
    visitor.sendall(b"GET / HTTP/1.1\r\n\r\n\x00\xff")
    assert read_exact(served, 20) == b"GET / HTTP/1.1\r\n\r\n\x00\xff"
    crossing(visitor, served, volume(4 * MIB, MIB))
    end()
    assert how_it_ends(visitor) == (b"", "eof")
    visitor.close()


def test_bytes_behind_the_upgrade_request(farm):
    """Sent before the 101 they come after it, and are no request."""
    raw = {}

    class Raw(Service):
        def serve(self, sock):
            raw["head"] = read_until(sock, b"\r\n\r\n")
            sock.sendall(ECHO_SWITCH)
            raw["early"] = read_exact(sock, 23)
            sock.sendall(b"got it")
            sock.recv(1)

    with Raw() as service:
        rig = Rig(farm, service.remote("api"))
        early = b"GET /hidden HTTP/1.1\r\n\r\n"[:23]
        with rig.connect() as sock:
            sock.sendall(request("GET /api/x", *ECHO_UPGRADE, body=early))
            read_until(sock, b"\r\n\r\n")
            assert read_exact(sock, 6) == b"got it"
        assert raw["early"] == early


@pytest.mark.parametrize("leave", [socket.socket.close, reset])
def test_upgraded_visitor_leaves(rig, stage, leave):
    visitor, served, end = upgraded(rig, stage)
    leave(visitor)
    try:
        assert served.recv(1) == b""
    except ConnectionError:
        pass
    end()


def test_upgrade_that_is_refused(visitor, service):
    """An ordinary answer, after which the connection is ordinary."""
    response = exchange(visitor, request("GET /api/x", *ECHO_UPGRADE))
    assert response.status == 200 and service.only_request().get("Upgrade") == "echo/1"
    assert exchange(visitor, request("GET /api/y")).body.endswith(b" GET /y\n")


@pytest.mark.parametrize("field", ["Content-Length: x", "Transfer-Encoding: gzip"])
def test_switch_with_broken_framing(visitor, stage, field):
    """No visitor gets a head that two parsers could read differently."""
    visitor.sendall(request("GET /api/x", *ECHO_UPGRADE))
    _, served, end = stage.next()
    served.sendall(ECHO_SWITCH[:-2] + field.encode() + b"\r\n\r\nhello")
    data, _ = how_it_ends(visitor)
    assert statuses(data) == [b"502"] and b"hello" not in data
    end()


# ---- WebSockets, by an implementation of others


async def echo_server(port_of, script):
    """Runs `script(url of wsps, state)` beside a WebSocket server behind it."""
    state = {}

    async def serve(ws, path=None):
        state.update(path=ws.path, subprotocol=ws.subprotocol, headers=ws.request_headers,
                     extensions=[e.name for e in ws.extensions])  # fmt: skip
        try:
            async for message in ws:
                if message == "close":
                    await ws.close(4321, "as you wish")
                    return
                await ws.send(message)
        finally:
            state["code"] = ws.close_code

    options = {"subprotocols": ["chat", "echo"], "max_size": 8 * MIB}
    async with websockets.serve(serve, "127.0.0.1", 0, **options) as server:
        port = server.sockets[0].getsockname()[1]
        await script(await asyncio.to_thread(port_of, port), state)


def with_websockets(farm, script, **options):
    def port_of(port):
        remotes = [f"http://127.0.0.1:{port}?mode=path&value=ws",
                   f"http://127.0.0.1:{port}/base/?mode=domain&value=ws.example"]  # fmt: skip
        return Rig(farm, *remotes, **options).port

    asyncio.run(asyncio.wait_for(echo_server(port_of, script), patience(20)))


def dial(port, target, **options):
    return websockets.connect(f"ws://127.0.0.1:{port}{target}", max_size=8 * MIB, **options)


def test_websocket(farm):
    async def script(port, state):
        messages = ["text \u00e9\u4e16", "", b"", b"\x00\xff", "x" * 125, b"y" * 126, b"z" * 70_000,
                    random.Random(1).randbytes(volume(4 * MIB, MIB))]  # fmt: skip
        async with dial(port, "/ws/room?x=1", subprotocols=["echo"]) as ws:
            assert (state["path"], ws.subprotocol) == ("/room?x=1", "echo")
            assert "permessage-deflate" in state["extensions"]
            for message in messages:
                await ws.send(message)
                assert await ws.recv() == message
            await ws.send(["frag", "men", "ted"])
            assert await ws.recv() == "fragmented"
            await (await ws.ping(b"are you there"))
            await ws.send("close")
            with pytest.raises(websockets.ConnectionClosed) as ending:
                await ws.recv()
            assert (ending.value.rcvd.code, ending.value.rcvd.reason) == (4321, "as you wish")

    with_websockets(farm, script)


def test_websocket_by_domain(farm):
    async def script(port, state):
        target = f"ws://ws.example:{port}/room"
        async with websockets.connect(target, host="127.0.0.1", port=port, compression=None) as ws:
            assert state["path"] == "/base/room" and state["extensions"] == []
            assert state["headers"]["Host"] == f"ws.example:{port}"
            assert state["headers"]["X-Forwarded-For"] == "127.0.0.1"
            await ws.send("hello")
            assert await ws.recv() == "hello"
            await ws.close(3999, "bye")
        await asyncio.sleep(0.1)
        assert state["code"] == 3999

    with_websockets(farm, script)


def test_many_websockets(farm):
    async def talk(port, number):
        async with dial(port, f"/ws/{number}") as ws:
            for turn in range(10):
                await ws.send(f"{number} {turn}")
                assert await ws.recv() == f"{number} {turn}"

    async def script(port, _):
        await asyncio.gather(*(talk(port, n) for n in range(100)))

    with_websockets(farm, script)
