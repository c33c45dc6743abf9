"""The load programs, one call each."""

import time
from dataclasses import dataclass, replace

from rig import syscalls, tree
from rig.errors import Failed

MIB = 1 << 20
GIB = 1 << 30
OPEN_SECONDS = 40
OPENING_MARGIN = 0.3  # for the connection of a ping
SETTLE_SECONDS = 0.2  # for what follows the end of a connection


class CpuMeter:
    """CPU seconds that each daemon has used since it was made."""

    def __init__(self, running):
        self.pids = {role: process.pid for role, process in running.daemons.items()}
        self.before = self._read()

    def _read(self):
        return {role: tree.cpu(pid) for role, pid in self.pids.items()}

    def used(self):
        now = self._read()
        return {role: now[role] - self.before[role] for role in now}


@dataclass
class Bulk:
    """What kind of bulk load."""

    way: str  # "down" or "up"
    streams: int = 1
    stalled: int = 0
    warm: float = 0.3
    seconds: float = 2.0
    ack_shift: int = 20

    def arguments(self, route):
        times = [int(self.warm * 1000), int(self.seconds * 1000)]
        return ["bulk", route, self.way, self.streams, self.stalled, *times, self.ack_shift]

    def patience(self):
        return OPEN_SECONDS + self.warm


@dataclass
class BulkResult:
    bytes: int
    rate: float  # bytes a second
    cpu: dict  # seconds by role


def bulk(running, load):
    """Runs it to its end."""
    with running.world.tool(*load.arguments(running.route)) as tool:
        tool.line("measuring", load.patience())
        meter = CpuMeter(running)
        words = tool.line("bytes", load.seconds + 10)
        cpu = meter.used()
    size, nanoseconds = int(words[0]), int(words[2])
    return BulkResult(size, size * 1e9 / nanoseconds, cpu)


def ping(running, warm, seconds, gap_us=0):
    """{"p50": µs, "p99": µs, "count": n}"""
    times = [int(warm * 1000), int(seconds * 1000)]
    with running.world.tool("ping", running.route, *times, gap_us) as tool:
        words = tool.line("count", OPEN_SECONDS + warm + seconds)
    return {"count": int(words[0]), "p50": int(words[2]) / 1000, "p99": int(words[4]) / 1000}


def ping_beside(running, load, warm, seconds):
    """The same while the load goes on; "beside" is its rate in bytes a second."""
    load = replace(load, seconds=warm + seconds + OPENING_MARGIN)
    with running.world.tool(*load.arguments(running.route)) as tool:
        tool.line("measuring", load.patience())
        result = ping(running, warm, seconds)
        words = tool.line("bytes", load.seconds + 10)
    return {**result, "beside": int(words[0]) * 1e9 / int(words[2])}


@dataclass
class ChurnResult:
    done: int
    rate: float  # connections a second
    cpu: dict


def churn(running, count, at_once, limit):
    meter = CpuMeter(running)
    with running.world.tool("churn", running.route, count, at_once, int(limit * 1000)) as tool:
        words = tool.line("done", limit + 10)
    time.sleep(SETTLE_SECONDS)
    done, failed, nanoseconds = int(words[0]), int(words[2]), int(words[4])
    if failed:
        raise Failed(f"{failed} of {done + failed} connections failed")
    return ChurnResult(done, done * 1e9 / nanoseconds, meter.used())


@dataclass
class Trickle:
    channels: int
    rate: int
    tick_us: int
    seconds: float


def trickle(running, load):
    """How many messages were sent, how many a second, and the system calls made for them."""
    arguments = [load.channels, load.rate, load.tick_us, int(load.seconds * 1000)]
    with running.world.tool("trickle", running.route, *arguments) as tool:
        tool.line("open", OPEN_SECONDS)
        time.sleep(SETTLE_SECONDS)
        with syscalls.Counter(running) as counter:
            tool.go()
            words = tool.line("sent", load.seconds + 10)
            time.sleep(SETTLE_SECONDS)
            calls = counter.stop()
    return int(words[0]), int(words[0]) * 1e9 / int(words[2]), calls
