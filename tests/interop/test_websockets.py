"""python3-websockets, an independent implementation of RFC 6455, as the other end of a link."""

import asyncio
import threading

import pytest
import websockets

from harness import messages, socks
from harness.daemons import AUTH, PATH, entry
from harness.messages import CONNECT, INTERRUPT, RESPOND, TRANSFER, Message
from harness.net import read_exact

ID = b"3MXEaTTv3gGxOcHjeVzsqNRZ1Xd"
LIMIT = 15


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, LIMIT))


# ---- their client, our wsps


@pytest.fixture(scope="module")
def uri(shared_farm):
    port = shared_farm.wsps().config["port"]
    return f"ws://127.0.0.1:{port}{PATH}"


def link(uri, auth=AUTH, **options):
    headers = {"Auth": auth, "Proto": "0.10"}
    return websockets.connect(uri, extra_headers=headers, **options)


async def open_channel(ws, port, id=ID):
    request = messages.request(f"socks5://127.0.0.1:{port}")
    await ws.send(Message(id, CONNECT, request).encode())
    answer = messages.decode(await ws.recv())
    assert (answer.id, answer.cmd) == (id, RESPOND)
    assert messages.decode_response(answer.data) is None


async def read_echo(ws, size):
    data = b""
    while len(data) < size:
        message = messages.decode(await ws.recv())
        assert (message.id, message.cmd) == (ID, TRANSFER)
        data += message.data
    return data


@pytest.mark.parametrize("options", [{"compression": None}, {}], ids=["plain", "deflate offered"])
def test_client_exchange(uri, echo, options):
    async def main():
        async with link(uri, **options) as ws:
            assert ws.extensions == [] and ws.subprotocol is None
            await open_channel(ws, echo.port)
            for size in (1, 125, 126, 65535, 65536, 200_000):
                data = bytes(range(256)) * (size // 256 + 1)
                await ws.send(Message(ID, TRANSFER, data[:size]).encode())
                assert await read_echo(ws, size) == data[:size]
            await ws.send(Message(ID, INTERRUPT).encode())
            assert messages.decode(await ws.recv()) == Message(ID, INTERRUPT)

    run(main())


def test_client_fragments(uri, echo):
    async def main():
        async with link(uri) as ws:
            await open_channel(ws, echo.port)
            wire = Message(ID, TRANSFER, b"in many pieces" * 100).encode()
            await ws.send([wire[i : i + 7] for i in range(0, len(wire), 7)])
            assert await read_echo(ws, 1400) == b"in many pieces" * 100

    run(main())


def test_client_pings(uri):
    async def main():
        async with link(uri) as ws:
            for payload in (b"", b"x", b"y" * 125):
                await asyncio.wait_for(await ws.ping(payload), 5)

    run(main())


@pytest.mark.parametrize(
    "code, reason", [(1000, ""), (1001, "away"), (3000, "x" * 123), (4999, "")]
)
def test_client_closes(uri, code, reason):
    async def main():
        ws = await link(uri)
        await ws.close(code, reason)
        assert ws.close_code == code

    run(main())


def test_client_text_is_ignored(uri, echo):
    async def main():
        async with link(uri) as ws:
            await ws.send("h\u00e9llo")
            await open_channel(ws, echo.port)

    run(main())


@pytest.mark.parametrize(
    "options, status",
    [({"auth": "wrong"}, 401), ({"origin": "http://evil.example"}, 403)],
)
def test_client_is_refused(uri, options, status):
    async def main():
        with pytest.raises(websockets.InvalidStatusCode) as refused:
            await link(uri, **options)
        assert refused.value.status_code == status

    run(main())


def test_client_oversize_message(uri):
    async def main():
        ws = await link(uri)
        with pytest.raises(websockets.ConnectionClosed):
            await ws.send(bytes(2 << 20))
            await ws.recv()
        assert ws.close_code == 1009

    run(main())


def test_client_many_at_once(uri, echo):
    async def one(number):
        async with link(uri) as ws:
            await open_channel(ws, echo.port)
            data = b"%03d" % number * 20_000
            await ws.send(Message(ID, TRANSFER, data).encode())
            assert await read_echo(ws, len(data)) == data

    async def main():
        await asyncio.gather(*(one(number) for number in range(50)))

    run(main())


# ---- their server, our wspc


class Server:
    """websockets.serve in a thread; every link is handed to `handle(ws, number)`."""

    def __init__(self, handle, **options):
        self.handle = handle
        self.options = options
        self.links = []
        self.faults = []
        self.started = threading.Event()

    def __enter__(self):
        self.thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)
        self.thread.start()
        assert self.started.wait(5)
        return self

    async def _main(self):
        self.loop, self.over = asyncio.get_running_loop(), asyncio.Event()
        async with websockets.serve(self._link, "127.0.0.1", 0, **self.options) as server:
            self.port = server.sockets[0].getsockname()[1]
            self.started.set()
            await self.over.wait()

    async def _link(self, ws):
        self.links.append(ws)
        try:
            await self.handle(ws, len(self.links))
        except websockets.ConnectionClosed:
            pass
        except Exception as fault:
            self.faults.append(repr(fault))

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.over.set)
        self.thread.join(10)
        assert not self.faults, self.faults


async def serve_echo(ws, _, send=None):
    """Accepts every open and echoes every transfer; `send` writes a message its own way."""
    send = send or ws.send
    async for wire in ws:
        message = messages.decode(wire)
        if message.cmd == CONNECT:
            await ws.send(Message(message.id, RESPOND, messages.response()).encode())
            await asyncio.sleep(0.01)
        elif message.cmd == TRANSFER:
            await send(message.encode())
        else:
            await ws.send(Message(message.id, INTERRUPT).encode())


def round_trip(wspc, data):
    with socks.open_socks(wspc.port("socks5"), "anything.example", 80) as sock:
        sock.sendall(data)
        assert read_exact(sock, len(data)) == data


def test_server_exchange(farm):
    with Server(serve_echo) as server:
        wspc = farm.wspc(entry(server.port))
        for size in (1, 80, 100, 65000, 300_000):
            round_trip(wspc, bytes(range(256)) * (size // 256) + b"." * (size % 256))
        request = server.links[0]
        assert request.path == PATH
        headers = request.request_headers
        assert (headers["Auth"], headers["Proto"]) == (AUTH, "0.10")
        assert "Origin" not in headers and "Sec-WebSocket-Extensions" not in headers


def test_server_fragments(farm):
    async def handle(ws, number):
        async def in_pieces(wire):
            await ws.send([wire[i : i + 11] for i in range(0, len(wire), 11)])
            await ws.ping(b"between")

        await serve_echo(ws, number, in_pieces)

    with Server(handle) as server:
        round_trip(farm.wspc(entry(server.port)), b"in many pieces" * 200)


def test_server_pings(farm):
    pongs = []

    async def handle(ws, _):
        for payload in (b"", b"x", b"y" * 125):
            pongs.append(await asyncio.wait_for(await ws.ping(payload), 5))
        await ws.wait_closed()

    with Server(handle) as server:
        wspc = farm.wspc(entry(server.port))
        deadline = threading.Event()
        for _ in range(500):
            if len(pongs) == 3 or deadline.wait(0.01):
                break
        assert len(pongs) == 3
        wspc.stop()


@pytest.mark.parametrize("code", [1000, 1001, 1012, 4000])
def test_server_closes_and_wspc_comes_again(farm, code):
    codes = []

    async def handle(ws, number):
        if number == 1:
            await ws.close(code, "go away")
            codes.append(ws.close_code)
        else:
            await serve_echo(ws, number)

    with Server(handle) as server:
        wspc = farm.wspc(entry(server.port))
        wspc.wait_line("link 1: up", count=2)
        round_trip(wspc, b"on the second link")
        assert codes == [code]


def test_server_that_selects_what_was_not_offered(farm):
    """A 101 with an extension or a subprotocol of its own is no link."""

    class Selecting(websockets.WebSocketServerProtocol):
        def write_http_response(self, status, headers, body=None):
            headers["Sec-WebSocket-Protocol"] = "chat"
            super().write_http_response(status, headers, body)

    with Server(serve_echo, create_protocol=Selecting) as server:
        wspc = farm.wspc(entry(server.port), link=False)
        wspc.wait_link_failed(1, "", timeout=5)
        assert "link 1: up" not in wspc.log()


def test_wspc_leaves_without_a_fault(farm):
    """At its end wspc closes the link as RFC 6455 wants, or plainly: never with an error code."""
    with Server(serve_echo) as server:
        wspc = farm.wspc(entry(server.port))
        round_trip(wspc, b"x")
        wspc.stop()
        asyncio.run_coroutine_threadsafe(server.links[0].wait_closed(), server.loop).result(5)
        assert server.links[0].close_code in (1000, 1001, 1005, 1006)
