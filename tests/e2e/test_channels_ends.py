"""Channels that break, names that change hands, one that stands still, and SIGTERM."""

import random
import signal
import threading
import time
from contextlib import suppress
from types import SimpleNamespace

import pytest

from harness import socks
from harness.channels import MIXES, TAKEN, Opener, Rig, echoes, offer, tcp
from harness.env import patience
from harness.net import eventually, how_it_ends, read_exact
from harness.reverse import REFUSED, REGISTERED
from harness.tcp_origins import BannerOrigin, EchoOrigin, ScriptOrigin, SourceOrigin

MIB = 1 << 20
BLOB = random.Random(577).randbytes(MIB)
ENDLESS = (1 << 40).to_bytes(8, "big")
OLD = "0.10", "0.10"

every_mix = pytest.mark.parametrize("mix", MIXES, ids=lambda mix: "-".join(mix))


@pytest.fixture(scope="module")
def origins():
    with EchoOrigin() as echo, SourceOrigin(BLOB) as source:
        yield SimpleNamespace(echo=echo, source=source)


# ---- ends in mid-transfer


class Mid:
    """Two channels in mid-transfer: a download, and an upload."""

    def __init__(self, rig, name, origin):
        self.here, source = rig.connect(name), origin.accept()
        self.writer, self.there = rig.connect(name), origin.accept()
        for sock in (source, self.writer):
            threading.Thread(target=pour, args=(sock,), daemon=True).start()
        for sock in (self.here, self.there):
            read_exact(sock, 300_000)

    def ends(self):
        """How the two readers see the end."""
        return how_it_ends(self.here)[1], how_it_ends(self.there)[1]


def pour(sock):
    with suppress(OSError):
        while True:
            sock.sendall(BLOB[:100_000])


@every_mix
@pytest.mark.parametrize("victim", ["service", "wsps", "opener"])
def test_killed_in_mid_transfer(farm, victim, mix):
    """Who is left resets its TCP side: nobody takes a part for the whole. Then all recovers."""
    with ScriptOrigin() as origin, EchoOrigin() as echo:
        remotes, names = [tcp("script", origin), tcp("echo", echo)], ["script", "echo"]
        rig = Rig(farm, remotes, names, mix)
        mid = Mid(rig, "script", origin)
        marks = {name: daemon.mark() for name, daemon in rig.daemons.items()}
        rig.daemons[victim].kill()
        here, there = mid.ends()
        assert victim == "opener" or here == "reset"
        assert victim == "service" or there == "reset"
        if victim == "wsps":
            farm.wsps(port=rig.port)
            rig.service.wait_line(REGISTERED, count=2, since=marks["service"])
            rig.opener.wspc.wait_link(since=marks["opener"])
        elif victim == "service":
            offer(farm, rig.port, *remotes, dialect=mix[1])
        else:
            rig.opener = Opener(farm, rig.port, *names, dialect=mix[0])
        assert rig.echoes("echo")


@every_mix
@pytest.mark.parametrize("end", ["here", "there"])
def test_one_side_closes(farm, end, mix):
    """The other side gets everything, then the end."""
    with ScriptOrigin() as origin:
        rig = Rig(farm, [tcp("script", origin)], ["script"], mix)
        for size in (1, 1000, MIB) if len(set(mix)) == 1 else (MIB,):
            with rig.connect("script") as here, origin.accept() as there:
                socks_of = {"here": here, "there": there}
                mine = socks_of.pop(end)
                (other,) = socks_of.values()
                sender = threading.Thread(target=lambda s, n: (s.sendall(BLOB[:n]), s.close()),
                                          args=(mine, size))  # fmt: skip
                sender.start()
                assert how_it_ends(other, rig.end_time) == (BLOB[:size], "eof")
                sender.join()


# ---- registrations


def test_live_holder_keeps_its_name(farm):
    """The newcomer says so and tries again, while its other names work."""
    with BannerOrigin() as first, EchoOrigin() as second:
        rig = Rig(farm, [tcp("shared:a", first)], ["shared:a", "shared:b", "own"])
        names = [tcp("shared:b", second), tcp("own", second)]
        newcomer = offer(farm, rig.port, *names, registered=False)
        newcomer.wait_line(REFUSED + TAKEN.format("shared"))
        newcomer.wait_line(REGISTERED + "own")
        assert rig.echoes("own")
        with rig.connect("shared:a") as sock:
            assert read_exact(sock, len(first.banner)) == first.banner
        rig.service.stop()
        newcomer.wait_line(REGISTERED + "shared", timeout=20)
        assert rig.echoes("shared:b")


def test_frozen_holder_loses_its_name(farm, origins):
    rig = Rig(farm, [tcp("chan:pw", origins.echo)], ["chan:pw"])
    rig.service.signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        newcomer = offer(farm, rig.port, tcp("chan:pw", origins.echo))
        assert time.monotonic() - began < patience(5)
        assert rig.echoes("chan:pw")
    finally:
        rig.service.signal(signal.SIGCONT)
    assert rig.echoes("chan:pw")
    newcomer.stop()


def test_registered_again_after_a_restart(farm, origins):
    rig = Rig(farm, [tcp("chan:pw", origins.echo), "tunnel://vpn@"], ["chan:pw", "socks5://vpn"])
    for end in (rig.wsps.kill, lambda: rig.wsps.stop()):
        since, opener_since = rig.service.mark(), rig.opener.wspc.mark()
        end()
        rig.wsps = farm.wsps(port=rig.port)
        rig.service.wait_line(REGISTERED, count=2, since=since)
        rig.opener.wspc.wait_link(since=opener_since)
        assert rig.echoes("chan:pw")
        port = rig.opener.ports["socks5://vpn"]
        assert socks.code_of(port, "127.0.0.1", origins.echo.port) == socks.SUCCEEDED


# ---- one that stands still


def test_stalled_download(farm, origins):
    """In 0.10 it holds up the others no longer than time.stall, and is cut off."""
    time_of = {"stall": 0.5}
    remotes = [tcp("source", origins.source), tcp("echo", origins.echo)]
    rig = Rig(farm, remotes, ["source", "echo"], OLD, time=time_of)
    with rig.connect("source") as stalled, rig.connect("echo") as sock:
        stalled.sendall(ENDLESS)
        read_exact(stalled, 1000)
        assert slowest_echo(sock, 100) < patience(1.0)
        assert how_it_ends(stalled)[1] == "reset"


def test_stalled_upload(farm, origins):
    with ScriptOrigin() as deaf:
        remotes = [tcp("deaf", deaf), tcp("echo", origins.echo)]
        rig = Rig(farm, remotes, ["deaf", "echo"], OLD, time={"stall": 0.5})
        with rig.connect("deaf") as stalled, rig.connect("echo") as sock:
            writer = threading.Thread(target=pour, args=(stalled,))
            writer.start()
            assert slowest_echo(sock, 100) < patience(1.0)
            writer.join(patience(5))
            assert not writer.is_alive(), "the upload still stands"
            assert how_it_ends(deaf.accept())[1] == "reset"


def slowest_echo(sock, rounds):
    """Seconds; ten milliseconds between the rounds, so that they span the whole stall."""
    slowest = 0
    for number in range(rounds):
        began = time.monotonic()
        assert echoes(sock, b"round %d" % number)
        slowest = max(slowest, time.monotonic() - began)
        time.sleep(0.01)
    return slowest


# ---- SIGTERM


@every_mix
@pytest.mark.parametrize("who", ["wsps", "service", "opener"])
def test_drain(farm, origins, who, mix):
    """What is open goes on to its end, nothing new begins."""
    rig = Rig(farm, [tcp("echo:pw", origins.echo)], ["echo:pw"], mix, time={"drain": 10})
    daemon = rig.daemons[who]
    with rig.connect("echo:pw") as one, rig.connect("echo:pw") as two:
        assert echoes(one) and echoes(two)
        daemon.signal(signal.SIGTERM)
        eventually(lambda: not opens(rig), "nothing new is opened")
        for sock in (one, two):
            assert echoes(sock, BLOB[:200_000])
        assert daemon.process.poll() is None
    assert daemon.wait_end(3 if rig.end_time == 5 else rig.end_time) == 0


def opens(rig):
    try:
        return rig.echoes("echo:pw")
    except (OSError, EOFError):
        return False


@every_mix
@pytest.mark.parametrize("who", ["wsps", "service", "opener"])
@pytest.mark.parametrize("again", [False, True])
def test_end_of_the_drain(farm, who, again, mix):
    """When its time is over, or with a second signal: a part is never taken for the whole."""
    with ScriptOrigin() as origin:
        times = {"drain": 10 if again else 0.3}
        rig = Rig(farm, [tcp("script", origin)], ["script"], mix, time=times)
        mid = Mid(rig, "script", origin)
        rig.daemons[who].signal(signal.SIGTERM)
        if again:
            time.sleep(0.05)
            rig.daemons[who].signal(signal.SIGTERM)
        assert rig.daemons[who].wait_end(timeout=3) in (0, -signal.SIGTERM)
        assert mid.ends() == ("reset", "reset")
