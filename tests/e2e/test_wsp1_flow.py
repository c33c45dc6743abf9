"""Flow control between daemons: a reader that stalls holds up nobody and fills no memory."""

import hashlib
import random
import socket
import threading
import time
from contextlib import ExitStack

import pytest

from harness import socks
from harness.channels import MIXES, Opener, Rig, echoes, offer, tcp
from harness.crowd import FloodOrigin, memory_of, open_many, pour_all, settled
from harness.daemons import entry
from harness.env import SANITIZED, patience, volume
from harness.messages import CONNECT
from harness.net import eventually, how_it_ends, read_exact, reset
from harness.reverse import REGISTERED
from harness.tap import Tap
from harness.tcp_origins import EchoOrigin, ScriptOrigin, SourceOrigin

MIB = 1 << 20
BLOB = random.Random(31).randbytes(4 * MIB)
ENDLESS = (1 << 40).to_bytes(8, "big")
STALL = 0.5  # as time.stall of 0.10


@pytest.fixture(scope="module")
def source():
    with SourceOrigin(BLOB) as source:
        yield source


def round_trips(sock, seconds):
    """Of small echoes, one after another for so long."""
    times, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.monotonic()
        assert echoes(sock, b"round %d" % len(times))
        times.append(time.monotonic() - began)
        time.sleep(0.005)
    return times


def slowest(sock, seconds):
    return max(round_trips(sock, seconds))


# ---- one that stands still


def test_stalled_download(farm, echo, source):
    """The others go on as if it were not there, and it gets everything in the end."""
    _, wspc = farm.pair(time={"stall": STALL})
    size = 64 * MIB
    with socks.open_socks(wspc.port("socks5"), "127.0.0.1", source.port) as stalled:
        stalled.sendall(size.to_bytes(8, "big"))
        read_exact(stalled, 1000)
        with socks.open_socks(wspc.port("socks5"), "127.0.0.1", echo.port) as sock:
            assert slowest(sock, 5 * STALL) < patience(0.3)
            assert echoes(sock, BLOB)
        with socks.open_socks(wspc.port("socks5"), "127.0.0.1", source.port) as other:
            other.sendall(size.to_bytes(8, "big"))
            assert digest_of(other) == hash_of(size)
        assert digest_of(stalled, skip=1000) == hash_of(size, skip=1000)


def digest_of(sock, skip=0):
    digest, size = hashlib.sha256(), skip
    while data := sock.recv(1 << 18):
        digest.update(data)
        size += len(data)
    return size, digest.hexdigest()


def hash_of(size, skip=0):
    digest = hashlib.sha256()
    for start in range(0, size, len(BLOB)):
        digest.update(memoryview(BLOB)[skip if start == 0 else 0 : min(len(BLOB), size - start)])
    return size, digest.hexdigest()


def test_stalled_upload(farm, echo):
    _, wspc = farm.pair(time={"stall": STALL})
    with ScriptOrigin() as deaf:
        stalled = socks.open_socks(wspc.port("socks5"), "127.0.0.1", deaf.port)
        target = deaf.accept()
        size = 32 * MIB
        writer = threading.Thread(target=write_all, args=(stalled, size))
        writer.start()
        with socks.open_socks(wspc.port("socks5"), "127.0.0.1", echo.port) as sock:
            assert slowest(sock, 5 * STALL) < patience(0.3)
            assert echoes(sock, BLOB)
        assert writer.is_alive(), "everything was taken"
        assert digest_of(target) == hash_of(size)
        writer.join()


def write_all(sock, size):
    for start in range(0, size, len(BLOB)):
        sock.sendall(memoryview(BLOB)[: min(len(BLOB), size - start)])
    sock.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("stalls", ["opener", "service"])
def test_stalled_channel(farm, echo, source, stalls):
    """Through two links, and whoever does not read."""
    with ScriptOrigin() as deaf:
        remotes = [tcp("source", source), tcp("echo", echo), tcp("deaf", deaf)]
        rig = Rig(farm, remotes, ["source", "echo", "deaf"], time={"stall": STALL})
        size = 32 * MIB
        with rig.connect("source" if stalls == "opener" else "deaf") as here:
            if stalls == "opener":
                here.sendall(size.to_bytes(8, "big"))
                reader, writer = here, None
            else:
                reader = deaf.accept()
                writer = threading.Thread(target=write_all, args=(here, size))
                writer.start()
            with rig.connect("echo") as sock:
                assert slowest(sock, 5 * STALL) < patience(0.3)
                assert echoes(sock, BLOB)
            assert digest_of(reader) == hash_of(size)
            if writer:
                writer.join()


# ---- a thousand that stand still

COUNT = volume(1000, 200)
CAP = 48 * MIB
BASE = 12 * MIB  # an idle daemon, and what a thousand channels need beside their data


def capped(farm):
    limits = {"memory": CAP}
    server = farm.wsps(limits=limits)
    return server, farm.wspc(entry(server.config["port"]), limits=limits)


def check_memory(*daemons):
    for daemon in daemons:
        used = memory_of(daemon, "VmHWM")
        assert SANITIZED or used < CAP + BASE, f"{daemon.name}: {used / MIB:.1f} MiB"


@pytest.mark.limit(120)
def test_memory_with_a_thousand_stalled_downloads(farm, echo):
    server, wspc = capped(farm)
    with FloodOrigin() as flood, ExitStack() as stack:
        for sock in open_many(wspc.port("socks5"), flood.port, COUNT):
            stack.enter_context(sock)
        flood.begin()
        settled(flood.sent_in_all)
        assert min(flood.sent.values()) > 0
        with socks.open_socks(wspc.port("socks5"), "127.0.0.1", echo.port) as sock:
            assert slowest(sock, 1) < patience(2)
        check_memory(server, wspc)


@pytest.mark.limit(120)
def test_memory_with_a_thousand_stalled_uploads(farm, echo):
    server, wspc = capped(farm)
    with FloodOrigin() as deaf, ExitStack() as stack:
        many = open_many(wspc.port("socks5"), deaf.port, COUNT)
        for sock in many:
            stack.enter_context(sock)
        end = time.monotonic() + 4
        pour_all(many, lambda: time.monotonic() > end)
        with socks.open_socks(wspc.port("socks5"), "127.0.0.1", echo.port) as sock:
            assert slowest(sock, 1) < patience(2)
        check_memory(server, wspc)


@pytest.mark.limit(120)
def test_memory_with_a_thousand_stalled_channels(farm, echo):
    """What wsps holds between two links is capped too."""
    limits = {"memory": CAP}
    server = farm.wsps(limits=limits)
    port = server.config["port"]
    with FloodOrigin() as flood, ExitStack() as stack:
        service = offer(farm, port, "tunnel://exit@", limits=limits)
        opener = Opener(farm, port, "socks5://exit", limits=limits)
        proxy = opener.ports["socks5://exit"]
        for sock in open_many(proxy, flood.port, COUNT):
            stack.enter_context(sock)
        flood.begin()
        settled(flood.sent_in_all)
        with socks.open_socks(proxy, "127.0.0.1", echo.port) as sock:
            assert slowest(sock, 1) < patience(2)
        check_memory(server, service, opener.wspc)


def test_all_go_on_when_they_are_read(farm):
    """Nothing is stuck for good: hundreds that stood still get all their bytes."""
    size, count = 2 * MIB, volume(300, 60)
    _, wspc = capped(farm)
    with SourceOrigin(BLOB) as source, ExitStack() as stack:
        many = open_many(wspc.port("socks5"), source.port, count, buffer=1 << 16)
        for sock in many:
            stack.enter_context(sock)
            sock.sendall(size.to_bytes(8, "big"))
        for sock in reversed(many):
            assert digest_of(sock) == hash_of(size)


def test_memory_is_given_back(farm):
    """Afterwards a window is as large as at first."""
    server, wspc = capped(farm)
    with FloodOrigin() as flood:
        flood.begin()
        for _ in range(3):
            many = open_many(wspc.port("socks5"), flood.port, volume(300, 60))
            settled(flood.sent_in_all, seconds=0.2)
            for sock in many:
                reset(sock)
        check_memory(server, wspc)
        with SourceOrigin(BLOB) as source:
            with socks.open_socks(wspc.port("socks5"), "127.0.0.1", source.port) as sock:
                sock.sendall((64 * MIB).to_bytes(8, "big"))
                assert digest_of(sock) == hash_of(64 * MIB)


# ---- bulk and small things


@pytest.mark.parametrize("bulk", ["down", "up"])
def test_small_things_beside_bulk(farm, echo, bulk):
    _, wspc = farm.pair()
    with ExitStack() as stack:
        if bulk == "down":
            origin = stack.enter_context(SourceOrigin(BLOB))
        else:
            origin = stack.enter_context(EchoOrigin())
        many = [socks.open_socks(wspc.port("socks5"), "127.0.0.1", origin.port) for _ in range(4)]
        over = threading.Event()
        threads = [threading.Thread(target=busy, args=(sock, bulk, over)) for sock in many]
        for thread in threads:
            thread.start()
        with socks.open_socks(wspc.port("socks5"), "127.0.0.1", echo.port) as sock:
            times = sorted(round_trips(sock, 3))
        over.set()
        for thread in threads:
            thread.join()
        for sock in many:
            sock.close()
        assert len(times) > 20
        assert times[len(times) // 2] < patience(0.05), times[len(times) // 2]
        assert times[-1] < patience(0.5), times[-1]


def busy(sock, bulk, over):
    if bulk == "down":
        sock.sendall(ENDLESS)
    while not over.is_set():
        if bulk == "down":
            sock.recv(1 << 18)
        else:
            assert echoes(sock, BLOB[:MIB])


# ---- several connections


@pytest.fixture
def four(farm, echo):
    """(tap, wspc, opener's ports) of a client with four connections through a tap."""
    with Tap(farm.wsps().config["port"]) as tap:
        remote = [tcp("name:pw", echo), tcp("other:pw", echo)]
        wspc = farm.wspc(entry(tap.port, connections=4, remote=remote), link=False)
        wspc.wait_line(r"link 1\.\d: up", count=3)
        wspc.wait_line(REGISTERED, count=2)
        tap.wire(3)
        yield tap, wspc


def test_channels_are_spread(four, echo):
    tap, wspc = four
    with ExitStack() as stack:
        for _ in range(16):
            sock = socks.open_socks(wspc.port("socks5"), "127.0.0.1", echo.port)
            assert echoes(stack.enter_context(sock))
        opens = [opens_on(wire) for wire in tap.wires]
        assert len(opens) == 4 and sum(opens) == 16 and min(opens) >= 3, opens


def opens_on(wire):
    return sum(m.cmd == CONNECT and b"socks5://" in m.data for m in wire.messages_up())


@pytest.mark.parametrize("number", range(4))
def test_one_of_four_is_lost(farm, four, echo, number):
    """The channels of the others go on, the names stay, and a new one takes its place."""
    tap, wspc = four
    opener = Opener(farm, tap.target, "name:pw", "other:pw")
    with ExitStack() as stack:
        several = [socks.open_socks(wspc.port("socks5"), "127.0.0.1", echo.port)
                   for _ in range(8)]  # fmt: skip
        for sock in several:
            assert echoes(stack.enter_context(sock))
        since = wspc.mark()
        lost = opens_on(tap.wires[number])
        tap.wires[number].cut()
        alive = [sock for sock in several if survives(sock)]
        assert 1 <= lost <= 3 and len(alive) == 8 - lost
        for name in ("name:pw", "other:pw"):
            with opener.connect(name) as sock:
                assert echoes(sock)
        wspc.wait_link(since=since)
        for sock in alive:
            assert echoes(sock, BLOB[:100_000])
        with opener.connect("name:pw") as sock:
            assert echoes(sock)
    again = claims_on(tap.wires[number])
    eventually(lambda: wspc.log().count(": registered ") == 2 + again, "what was lost is back")


def survives(sock):
    try:
        return echoes(sock)
    except (OSError, EOFError):
        return False


def claims_on(wire):
    """Names that were registered on this connection."""
    return sum(m.cmd == CONNECT and b"tcp://" in m.data for m in wire.messages_up())


def test_all_four_are_lost(farm, four, echo):
    tap, wspc = four
    opener = Opener(farm, tap.target, "name:pw")
    since = wspc.mark()
    for wire in list(tap.wires):
        wire.cut()
    wspc.wait_line(REGISTERED, count=2, since=since)
    tap.wire(7)
    with opener.connect("name:pw") as sock:
        assert echoes(sock)


def test_four_connections_to_a_0_10_server(farm, echo):
    """One is used, since each would be a client of its own."""
    with Tap(farm.wsps(dialect="0.10").config["port"]) as tap:
        wspc = farm.wspc(entry(tap.port, connections=4))
        for _ in range(3):
            with socks.open_socks(wspc.port("socks5"), "127.0.0.1", echo.port) as sock:
                assert echoes(sock)
        assert len([w for w in tap.wires if w.messages_up()]) == 1


# ---- bridges between the dialects


@pytest.fixture(params=MIXES, ids=lambda mix: "-".join(mix))
def mix(request):
    return request.param


def test_half_close_across_a_bridge(farm, mix):
    """Where one side has no half-close, an end ends both ways: with time for an answer."""
    with ScriptOrigin() as origin:
        rig = Rig(farm, [tcp("name", origin)], ["name"], mix)
        with rig.connect("name") as here, origin.accept() as there:
            writer = threading.Thread(target=write_all, args=(here, len(BLOB)))
            writer.start()
            if mix[0] == "wsp.1":
                assert read_exact(there, len(BLOB)) == BLOB
                there.sendall(b"answer")
                assert how_it_ends(there, 15) == (b"", "eof")
                there.close()
                assert how_it_ends(here, 15) == (b"answer", "eof")
            else:
                assert how_it_ends(there) == (BLOB, "eof")
            writer.join()


def test_reset_across_a_bridge(farm, mix):
    with ScriptOrigin() as origin:
        rig = Rig(farm, [tcp("name", origin)], ["name"], mix)
        for order in (0, 1):
            ends = rig.connect("name"), origin.accept()
            assert ends[0].send(b"x") and read_exact(ends[1], 1) == b"x"
            reset(ends[order])
            assert how_it_ends(ends[1 - order]) == (b"", "reset")


def test_stalled_reader_across_a_bridge(farm, mix, echo, source):
    """It holds up others only where its own link has no windows, and there for time.stall."""
    remotes = [tcp("source", source), tcp("echo", echo)]
    rig = Rig(farm, remotes, ["source", "echo"], mix, time={"stall": STALL})
    with rig.connect("source") as stalled, rig.connect("echo") as sock:
        stalled.sendall(ENDLESS)
        read_exact(stalled, 1000)
        worst = slowest(sock, 3 * STALL)
        assert worst < patience(0.3 if mix == ("wsp.1", "wsp.1") else 2 * STALL + 0.3)
        if mix == ("wsp.1", "wsp.1"):
            assert stalled.recv(1 << 18)
