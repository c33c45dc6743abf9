"""What was aimed at, and what came out."""

import operator
from dataclasses import dataclass
from typing import Callable

from rig.parts.common import table
from rig.view import Part


@dataclass
class Target:
    title: str
    kind: str  # of our contestants
    limit: float
    pick: Callable  # (view, name) -> Value or None
    at_least: bool = False
    form: str = "{:.2f}"

    def met(self, value):
        compare = operator.ge if self.at_least else operator.le
        return compare(value.median, self.limit)

    def wanted(self):
        return ("≥ " if self.at_least else "≤ ") + f"{self.limit:g}"


def _cpu(case):
    return lambda view, name: view.value(
        "throughput", case, name, lambda run: sum(run["cpu_s_gib"].values())
    )


def _share(case):
    return lambda view, name: view.against("throughput", case, name, lambda run: run["mib_s"])


def _connection(view, name):
    return view.value("connections", "churn", name, lambda run: sum(run["cpu_ms"].values()))


def _added(case):
    return lambda view, name: view.against(
        "latency", case, name, lambda run: run["p50"], how=operator.sub
    )


def _most_per_channel(view, name):
    def pick(run):
        last = max((key for key in run if key.isdigit()), key=int)
        return max((run[last][role] - kib) / int(last) for role, kib in run["0"].items())

    return view.value("memory", "channels", name, pick)


def _most_idle(view, name):
    return view.value("memory", "channels", name, lambda run: max(run["0"].values()) / 1024)


def _lost(view, name):
    return view.value("stalled", "reader", name, lambda run: run["lost_percent"])


def _far(way):
    return lambda view, name: view.against(
        "network", f"100ms-0%-{way}", name, lambda run: run["mbit_s"]
    )


def _loaded(view, name):
    def pick(run):
        return run["p99"]

    idle = view.value("latency", "idle", name, pick)
    loaded = view.value("latency", "loaded", name, pick)
    if not idle or not loaded:
        return None
    loaded.median /= idle.median
    return loaded


def _far_loaded(view, name):
    return view.value(
        "network", "round-trip", name, lambda run: run["loaded"]["p99"] / run["idle"]["p99"]
    )


def _writes(role):
    return lambda view, name: view.value(
        "tiny", "single", name, lambda run: run["writes_per_message"][role]
    )


TARGETS = [
    Target("SOCKS5: CPU per GiB, down, s", "socks5", 1.0, _cpu("down-1")),
    Target("SOCKS5: CPU per GiB, up, s", "socks5", 1.0, _cpu("up-1")),
    Target("named channel: CPU per GiB, down, s", "channel", 1.5, _cpu("down-1")),
    Target("named channel: CPU per GiB, up, s", "channel", 1.5, _cpu("up-1")),
    Target("WebSocket-wrapped: CPU per GiB, down, s", "wrap", 1.2, _cpu("down-1")),
    Target("WebSocket-wrapped: CPU per GiB, up, s", "wrap", 1.3, _cpu("up-1")),
    Target("SOCKS5: throughput, down, share of direct", "socks5", 0.45, _share("down-1"), True),
    Target("SOCKS5: throughput, up, share of direct", "socks5", 0.45, _share("up-1"), True),
    Target("SOCKS5: CPU per new connection, ms", "socks5", 0.15, _connection, form="{:.3f}"),
    Target("SOCKS5: added round trip, p50, µs", "socks5", 80, _added("idle"), form="{:.0f}"),
    Target(
        "SOCKS5: added round trip beside a download, p50, µs", "socks5", 80, _added("loaded"),
        form="{:.0f}",
    ),
    Target("memory per idle channel, larger daemon, KiB", "socks5", 2, _most_per_channel),
    Target("memory of an idle daemon, larger one, MiB", "socks5", 6, _most_idle),
    Target("lost beside a stalled reader, %", "socks5", 5, _lost, form="{:.1f}"),
    Target("100 ms, down, share of plain TCP", "socks5", 0.9, _far("down"), True),
    Target("100 ms, up, share of plain TCP", "socks5", 0.9, _far("up"), True),
    Target("p99 beside a download, times idle, one host", "socks5", 5, _loaded),
    Target("p99 beside a download, times idle, at 20 ms", "socks5", 5, _far_loaded),
    Target("write calls of wspc per tiny message", "socks5", 1, _writes("wspc")),
]


def _cell(view, target, name):
    value = target.pick(view, name) if name else None
    if not value:
        return "–"
    return f"{target.form.format(value.median)} {'✓' if target.met(value) else '✗'}"


def targets(view):
    dialects = [d for d in ("wsp.1", "0.10") if d in view.ours("socks5")]
    lines = []
    for target in TARGETS:
        names = view.ours(target.kind)
        cells = [_cell(view, target, names.get(dialect)) for dialect in dialects]
        if any(cell != "–" for cell in cells):
            lines.append([target.title, target.wanted(), *cells])
    return Part("targets", table(["", "aim", *dialects], lines)) if lines else None


PARTS = [targets]
