"""The measurements over distances: two network namespaces with the path emulator between them."""

import os
import sys

from rig import load
from rig.errors import LeftOut
from rig.load import Bulk
from rig.measures import Case
from rig.paths import ROOT, TOOLS
from rig.world import World

SUBNET = 9
QUEUE_MIN_KIB = 1024
CONGESTION = "cubic"  # the algorithm that most Linux hosts use; here it may be another one
DEVICE_PACKETS = 20000
EMULATOR_NICE = -10

os.environ.setdefault("WSP_PATH_EMULATOR", str(TOOLS / "path_emulator"))
sys.path += [str(ROOT / "tests" / "faults"), str(ROOT / "tests" / "e2e")]

# From the tests, as they are.
import emulator  # noqa: E402
import netns  # noqa: E402


def queue_kib(rtt_ms, rate_mbit):
    """What may wait at the bottleneck: as much as is under way on the path itself."""
    return max(QUEUE_MIN_KIB, round(rate_mbit * rtt_ms * 1000 / 8 / 1024))


class Path(World):
    """Near and far are namespaces; the path is made with the given round trip, rate and loss."""

    far_address = f"10.77.{SUBNET}.2"

    def __init__(self, directory, rtt_ms, loss, rate_mbit):
        super().__init__(directory)
        self.options = {
            "delay_ms": rtt_ms / 2,
            "loss": loss,
            "rate_mbit": rate_mbit,
            "queue_kib": queue_kib(rtt_ms, rate_mbit),
            "subnet": SUBNET,
        }
        self.names = {side: netns.new_name(side, "bench") for side in ("near", "far")}

    def prepare(self, stack):
        for name in self.names.values():
            netns.sh("ip", "netns", "add", name)
            stack.callback(netns.sh, "ip", "netns", "del", name)
            netns.sh("ip", "-n", name, "link", "set", "lo", "up")
            with netns.inside(name), open("/proc/sys/net/ipv4/tcp_no_metrics_save", "w") as file:
                file.write("1")  # or one connection would learn from those before
        path = stack.enter_context(emulator.Emulator(*self.names.values(), **self.options))
        os.setpriority(os.PRIO_PROCESS, path.process.pid, EMULATOR_NICE)
        for host, name in enumerate(self.names.values(), 1):
            self._tune(name, f"10.77.{SUBNET}.{host}")

    def _tune(self, name, address):
        """
        Packets wait for the emulator, which would else lose some when the machine is busy. The
        congestion control is the route's: a namespace may not choose every one for all of it.
        """
        device = f"path{SUBNET}"
        netns.sh("ip", "-n", name, "link", "set", device, "txqueuelen", str(DEVICE_PACKETS))
        route = [f"10.77.{SUBNET}.0/30", "dev", device, "src", address]
        netns.sh("ip", "-n", name, "route", "replace", *route, "congctl", CONGESTION)

    def inside(self, side):
        return netns.inside(self.names[side])


class PathCase(Case):
    """One that is made over a path of its own."""

    def __init__(self, measure, name, sizes, rtt_ms, loss):
        super().__init__(measure, name, sizes)
        self.rtt_ms = rtt_ms
        self.loss = loss

    def wants(self, setup):
        return setup.far

    def place(self, directory):
        reason = netns.reason_to_skip()
        if reason:
            raise LeftOut(reason)
        return Path(directory, self.rtt_ms, self.loss, self.sizes.path_rate_mbit)


class Distance(PathCase):
    def __init__(self, sizes, rtt_ms, loss, way):
        super().__init__("network", f"{rtt_ms}ms-{loss}%-{way}", sizes, rtt_ms, loss)
        seconds = sizes.lossy_seconds if loss else sizes.path_seconds
        warm = 1 + sizes.path_warm_trips * rtt_ms / 1000 if sizes.path_warm_trips else 0.3
        self.load = Bulk(way, warm=warm, seconds=seconds, ack_shift=16)

    def run(self, setup, running):
        return {"mbit_s": load.bulk(running, self.load).rate * 8 / 1e6}

    def say(self, result):
        return f"{result['mbit_s']:.1f} Mbit/s"


class FarRoundTrip(PathCase):
    """Round trips beside a download that fills the path."""

    RTT_MS = 20

    def __init__(self, sizes):
        super().__init__("network", "round-trip", sizes, self.RTT_MS, 0)

    def run(self, setup, running):
        seconds = self.sizes.path_rtt_seconds
        warm = self.sizes.warm
        idle = load.ping(running, warm, seconds)
        loaded = load.ping_beside(running, Bulk("down", warm=seconds), warm, seconds)
        return {"idle": idle, "loaded": loaded}

    def say(self, result):
        idle, loaded = result["idle"], result["loaded"]
        return (
            f"p99 {idle['p99'] / 1000:.1f} ms, beside {loaded['beside'] * 8 / 1e6:.0f} Mbit/s"
            f" p50 {loaded['p50'] / 1000:.1f}, p99 {loaded['p99'] / 1000:.1f} ms"
        )


def cases(sizes):
    return [*(Distance(sizes, *path) for path in sizes.paths), FarRoundTrip(sizes)]


def remove_stale():
    """What runs that were killed have left behind."""
    if os.geteuid() == 0:
        netns.remove_stale()
