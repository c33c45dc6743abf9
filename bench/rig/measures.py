"""The measurements on one host. Each gives one dictionary of numbers per contestant and round."""

import time
from contextlib import ExitStack
from dataclasses import replace

from rig import load, syscalls, tree
from rig.errors import Failed
from rig.load import GIB, MIB, Bulk, Trickle
from rig.ours import AUTH, PATH
from rig.world import World


class Case:
    """One measurement: what is run for every contestant in every round."""

    fresh = False  # wants daemons that have done nothing yet

    def __init__(self, measure, name, sizes):
        self.measure = measure
        self.name = name
        self.sizes = sizes

    def place(self, directory):
        """Where it is made. Raises LeftOut when that cannot be."""
        return World(directory)

    def wants(self, setup):
        return setup.near

    def run(self, setup, running):
        raise NotImplementedError

    def say(self, result):
        """The result in a few words, for the progress line."""
        raise NotImplementedError


class Throughput(Case):
    def __init__(self, sizes, way, streams):
        super().__init__("throughput", f"{way}-{streams}", sizes)
        self.load = Bulk(way, streams, warm=sizes.warm, seconds=sizes.seconds)

    def run(self, setup, running):
        result = load.bulk(running, self.load)
        gib = result.bytes / GIB
        if not gib:
            raise Failed("nothing arrived")
        cpu = {role: seconds / gib for role, seconds in result.cpu.items()}
        return {"mib_s": result.rate / MIB, "cpu_s_gib": cpu}

    def say(self, result):
        cpu = sum(result["cpu_s_gib"].values())
        return f"{result['mib_s']:.0f} MiB/s, {cpu:.2f} s CPU per GiB"


class Syscalls(Case):
    """Apart from the throughput, which counting would disturb."""

    def __init__(self, sizes, way):
        super().__init__("syscalls", way, sizes)
        self.load = Bulk(way, warm=0, seconds=sizes.seconds)  # all of it is counted

    def wants(self, setup):
        return setup.near and setup.name != "direct"

    def run(self, setup, running):
        with syscalls.Counter(running) as counter:
            mib = load.bulk(running, self.load).bytes / MIB
            calls = counter.stop()
        return {"per_mib": {role: count / mib for role, (count, _) in calls.items()}}

    def say(self, result):
        return ", ".join(f"{role} {n:.1f} per MiB" for role, n in result["per_mib"].items())


class Churn(Case):
    AT_ONCE = 16

    def __init__(self, sizes):
        super().__init__("connections", "churn", sizes)

    def run(self, setup, running):
        sizes = self.sizes
        result = load.churn(running, sizes.churn, self.AT_ONCE, sizes.churn_seconds)
        if not result.done:
            raise Failed("no connection was finished")
        cpu = {role: seconds * 1000 / result.done for role, seconds in result.cpu.items()}
        return {"per_s": result.rate, "cpu_ms": cpu}

    def say(self, result):
        return f"{result['per_s']:.0f}/s, {sum(result['cpu_ms'].values()):.3f} ms CPU each"


class RoundTrip(Case):
    def __init__(self, sizes, loaded):
        super().__init__("latency", "loaded" if loaded else "idle", sizes)
        self.loaded = loaded

    def run(self, setup, running):
        sizes = self.sizes
        if not self.loaded:
            return load.ping(running, sizes.warm, sizes.seconds)
        download = Bulk("down", warm=sizes.warm)
        return load.ping_beside(running, download, sizes.warm, sizes.seconds)

    def say(self, result):
        return f"p50 {result['p50']:.0f} µs, p99 {result['p99']:.0f} µs"


def memory(running):
    return {role: tree.memory_kib(process.pid) for role, process in running.daemons.items()}


class IdleChannels(Case):
    fresh = True

    def __init__(self, sizes):
        super().__init__("memory", "channels", sizes)

    def wants(self, setup):
        return setup.near and bool(setup.idle)

    def run(self, setup, running):
        time.sleep(load.SETTLE_SECONDS)
        result = {"0": memory(running)}
        with ExitStack() as stack:
            held = 0
            for count in sorted({min(count, self.sizes.idle_max) for count in setup.idle}):
                tool = running.world.tool("idle", running.route, count - held)
                stack.enter_context(tool).line("held", 90)
                held = count
                time.sleep(load.SETTLE_SECONDS)
                result[str(count)] = memory(running)
        return result

    def say(self, result):
        steps = (f"{count}: {sum(kib.values()) / 1024:.1f} MiB" for count, kib in result.items())
        return ", ".join(steps)


class IdleLinks(Case):
    fresh = True

    def __init__(self, sizes):
        super().__init__("memory", "links", sizes)

    def wants(self, setup):
        return setup.near and setup.kind == "socks5" and not setup.tls

    def run(self, setup, running):
        before = tree.memory_kib(running.daemons["wsps"].pid)
        address = running.server_address
        count = self.sizes.links
        with running.world.tool("links", address, PATH, AUTH, count, setup.dialect) as tool:
            tool.line("held", 60)
            time.sleep(load.SETTLE_SECONDS)
            held = tree.memory_kib(running.daemons["wsps"].pid)
        return {"before": before, "held": held, "per_link": (held - before) / count}

    def say(self, result):
        return f"{result['held'] / 1024:.1f} MiB, {result['per_link']:.2f} KiB per link"


class Stalled(Case):
    """Four downloads, without and with one more that is never read."""

    STREAMS = 4

    def __init__(self, sizes):
        super().__init__("stalled", "reader", sizes)
        self.load = Bulk("down", self.STREAMS, warm=sizes.warm, seconds=sizes.seconds)

    def run(self, setup, running):
        without = load.bulk(running, self.load).rate
        stalled = replace(self.load, stalled=1, warm=self.sizes.stalled_warm)
        beside = load.bulk(running, stalled).rate
        return {
            "without_mib_s": without / MIB,
            "beside_mib_s": beside / MIB,
            "lost_percent": 100 * (1 - beside / without),
        }

    def say(self, result):
        return f"{result['without_mib_s']:.0f} MiB/s, beside it {result['beside_mib_s']:.0f}"


class Tiny(Case):
    """Tiny messages on many channels, from the client to the target: what is written for them."""

    def __init__(self, sizes, name, tick_us):
        super().__init__("tiny", name, sizes)
        self.load = Trickle(sizes.tiny_channels, sizes.tiny_rate, tick_us, sizes.seconds)

    def wants(self, setup):
        return setup.near and setup.kind in ("socks5", "channel")

    def run(self, setup, running):
        sent, rate, calls = load.trickle(running, self.load)
        each = {role: writes / sent for role, (_, writes) in calls.items()}
        return {"messages_s": rate, "writes_per_message": each}

    def say(self, result):
        each = result["writes_per_message"].items()
        writes = ", ".join(f"{role} {n:.2f}" for role, n in each)
        return f"{result['messages_s']:.0f} messages/s; write calls for each: {writes}"


def cases(sizes):
    """All measurements on one host, in the order in which they are made."""
    return [
        *(Throughput(sizes, way, streams) for way, streams in sizes.bulk),
        *(Syscalls(sizes, way) for way in sizes.syscalls),
        RoundTrip(sizes, loaded=False),
        RoundTrip(sizes, loaded=True),
        Churn(sizes),
        IdleChannels(sizes),
        IdleLinks(sizes),
        Stalled(sizes),
        *(Tiny(sizes, name, tick_us) for name, tick_us in sizes.tiny_ticks),
    ]
