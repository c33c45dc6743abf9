"""Every byte arrives: bulk both ways, and servers that close right after their last one."""

import asyncio
import hashlib
import random
import socket
import threading

import pytest

from harness import socks
from harness.daemons import entry
from harness.env import DIALECTS, SANITIZED, volume
from harness.http_client import read_response
from harness.http_origin import HttpOrigin, pattern
from harness.net import connect, eventually, how_it_ends, read_exact
from harness.tcp_origins import BannerOrigin, EchoOrigin, HashOrigin, SinkOrigin, SourceOrigin

MIB = 1 << 20
BULK = volume(64 * MIB, 8 * MIB)
LARGEST = volume(8 * MIB, MIB)

# Every transfer is a different slice, so that bytes of another channel are noticed.
BLOB = random.Random(710).randbytes(LARGEST + MIB)


@pytest.fixture(scope="module", params=DIALECTS)
def wspc(request, shared_farm):
    server = shared_farm.wsps()
    return shared_farm.wspc(entry(server.config["port"], dialect=request.param))


def by_socks(wspc, port):
    return socks.open_socks(wspc.port("socks5"), "127.0.0.1", port)


def by_connect(wspc, port):
    sock = connect(wspc.port("http"))
    sock.sendall(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert read_response(sock, "CONNECT").status == 200
    return sock


both_ways_in = pytest.mark.parametrize("open_by", [by_socks, by_connect])


def repeated_hash(size):
    digest = hashlib.sha256()
    for start in range(0, size, len(BLOB)):
        digest.update(memoryview(BLOB)[: min(len(BLOB), size - start)])
    return digest.digest()


# ---- bulk


@both_ways_in
def test_bulk_down(wspc, open_by):
    with SourceOrigin(BLOB) as source, open_by(wspc, source.port) as sock:
        sock.sendall(BULK.to_bytes(8, "big"))
        digest, size = hashlib.sha256(), 0
        while data := sock.recv(1 << 18):
            digest.update(data)
            size += len(data)
        assert (size, digest.digest()) == (BULK, repeated_hash(BULK))


@both_ways_in
def test_bulk_up(wspc, open_by):
    with HashOrigin() as target, open_by(wspc, target.port) as sock:
        sock.sendall(BULK.to_bytes(8, "big"))
        for start in range(0, BULK, len(BLOB)):
            sock.sendall(memoryview(BLOB)[: min(len(BLOB), BULK - start)])
        assert how_it_ends(sock) == (repeated_hash(BULK), "eof")


def test_bulk_by_http(wspc):
    """The same through absolute-form requests on one kept connection."""
    body = pattern(BULK)
    head = "{} {} HTTP/1.1\r\nHost: x\r\n{}\r\n"
    with HttpOrigin() as origin, connect(wspc.port("http")) as sock:
        sock.sendall(head.format("GET", origin.url(f"/length/{BULK}"), "").encode())
        assert read_response(sock).body == body
        length = f"Content-Length: {BULK}\r\n"
        sock.sendall(head.format("PUT", origin.url("/sha"), length).encode() + body)
        expected = f"{BULK} {hashlib.sha256(body).hexdigest()}\n"
        assert read_response(sock).body == expected.encode()


def test_both_directions_at_once(wspc):
    data = memoryview(BLOB)[: volume(8 * MIB, MIB)]
    with EchoOrigin() as echo, by_socks(wspc, echo.port) as sock:
        writer = threading.Thread(target=sock.sendall, args=(data,))
        writer.start()
        assert read_exact(sock, len(data)) == data
        writer.join()


def test_stalled_download_leaves_the_others_alone(farm):
    """Protocol 0.10 has no flow control: who holds up the link for time.stall is cut off."""
    _, wspc = farm.pair(time={"stall": 1}, dialect="0.10")
    with SourceOrigin(BLOB) as source, EchoOrigin() as echo:
        with by_socks(wspc, source.port) as stalled, by_socks(wspc, echo.port) as sock:
            stalled.sendall((1 << 40).to_bytes(8, "big"))
            read_exact(stalled, 1000)
            for number in range(20):
                sock.sendall(b"ping %02d" % number)
                assert read_exact(sock, 7) == b"ping %02d" % number
            assert how_it_ends(stalled)[1] == "reset"


# ---- closing right behind the last byte


async def serve_slices(reader, writer):
    """Reads offset and size, sends that slice of the blob and closes at once."""
    request = await reader.readexactly(12)
    offset, size = (int.from_bytes(request[i : i + 6], "big") for i in (0, 6))
    writer.write(memoryview(BLOB)[offset : offset + size])
    writer.close()


async def fetch_slice(loop, wspc, port, number, size):
    """One transfer; None, or what is wrong with it."""
    offset = number * 977 % MIB
    expected = memoryview(BLOB)[offset : offset + size]
    sock = await socks.open_async(loop, wspc.port("socks5"), "127.0.0.1", port)
    with sock:
        await loop.sock_sendall(sock, offset.to_bytes(6, "big") + size.to_bytes(6, "big"))
        at = 0
        while data := await loop.sock_recv(sock, 1 << 18):
            if data != expected[at : at + len(data)]:
                return f"transfer {number}: other bytes between {at} and {at + len(data)}"
            at += len(data)
    return None if at == size else f"transfer {number}: {at} of {size} bytes"


def run_transfers(wspc, sizes, at_once):
    """Fetches all sizes, `at_once` or one after another, and returns what went wrong."""

    async def main():
        loop = asyncio.get_running_loop()
        server = await asyncio.start_server(serve_slices, "127.0.0.1", 0, backlog=1024)
        port = server.sockets[0].getsockname()[1]
        jobs = [fetch_slice(loop, wspc, port, n, size) for n, size in enumerate(sizes)]
        if at_once:
            faults = await asyncio.gather(*jobs, return_exceptions=True)
        else:
            faults = [await job for job in jobs]
        server.close()
        return [repr(fault) for fault in faults if fault is not None]

    return asyncio.run(main())


def mixed_sizes(count, seed):
    """2 bytes to the largest, evenly over the magnitudes, both ends included."""
    chance = random.Random(seed)
    top = LARGEST.bit_length() - 1
    sizes = [int(2 ** chance.uniform(1, top)) for _ in range(count)]
    sizes[:6] = [2, LARGEST, 32768, 32769, 65536, 1]
    chance.shuffle(sizes)
    return sizes


@pytest.mark.limit(90)
def test_200_sequential_transfers(wspc):
    assert run_transfers(wspc, mixed_sizes(200, seed=1), at_once=False) == []


@pytest.mark.limit(120)
def test_500_simultaneous_transfers(wspc):
    sizes = mixed_sizes(500, seed=2)
    if not SANITIZED:
        sizes[:40] = [LARGEST] * 40
    assert run_transfers(wspc, sizes, at_once=True) == []


def test_2_bytes_then_close_100_times(wspc):
    """The size that the original loses most often in one piece."""
    assert run_transfers(wspc, [2] * 100, at_once=False) == []


def test_client_that_closes_right_behind_its_last_byte(wspc):
    sizes = mixed_sizes(60, seed=3)
    with SinkOrigin() as sink:
        for size in sizes:
            with by_socks(wspc, sink.port) as sock:
                sock.sendall(memoryview(BLOB)[:size])
        eventually(lambda: len(sink.received) == len(sizes), "all uploads have ended", 20)
    expected = [(n, hashlib.sha256(memoryview(BLOB)[:n]).hexdigest()) for n in sizes]
    assert sorted(sink.received) == sorted(expected)


# ---- servers that speak first


def test_servers_that_speak_first_200_times(wspc):
    with BannerOrigin() as server:
        for _ in range(200):
            with by_socks(wspc, server.port) as sock:
                assert read_exact(sock, len(server.banner)) == server.banner
                sock.sendall(b"QUIT\r\n")
                assert read_exact(sock, 6) == b"QUIT\r\n"


def test_500_idle_connections_at_once(wspc):
    """All open at the same time, then each is used."""
    with EchoOrigin() as echo:
        socks_open = [by_socks(wspc, echo.port) for _ in range(500)]
        for number, sock in enumerate(socks_open):
            sock.sendall(b"%03d" % number)
        for number, sock in enumerate(socks_open):
            assert read_exact(sock, 3) == b"%03d" % number
            sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        eventually(lambda: not echo.live, "all targets are closed", 10)
