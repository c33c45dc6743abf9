"""What was aimed at, and what came out."""

import operator
from dataclasses import dataclass
from typing import Callable

from rig.parts.common import table
from rig.view import Part


@dataclass
class Figure:
    cases: tuple  # where it comes from: (measure, case)
    of: Callable  # (view, name) -> Value or None


@dataclass
class Target:
    title: str
    kind: str  # of our contestants
    limit: float
    figure: Figure
    at_least: bool = False
    form: str = "{:.2f}"

    def met(self, value):
        compare = operator.ge if self.at_least else operator.le
        return compare(value.median, self.limit)

    def wanted(self):
        return ("≥ " if self.at_least else "≤ ") + f"{self.limit:g}"


def _median(measure, case, pick):
    return Figure(((measure, case),), lambda view, name: view.value(measure, case, name, pick))


def _against_direct(measure, case, pick, how=operator.truediv):
    return Figure(
        ((measure, case),), lambda view, name: view.against(measure, case, name, pick, how=how)
    )


def _cpu(case):
    return _median("throughput", case, lambda run: sum(run["cpu_s_gib"].values()))


def _share(case):
    return _against_direct("throughput", case, lambda run: run["mib_s"])


def _added(case):
    return _against_direct("latency", case, lambda run: run["p50"], operator.sub)


def _far(way):
    return _against_direct("network", f"100ms-0%-{way}", lambda run: run["mbit_s"])


def _most_per_channel(run):
    last = max((key for key in run if key.isdigit()), key=int)
    return max((run[last][role] - kib) / int(last) for role, kib in run["0"].items())


def _loaded(view, name):
    def pick(run):
        return run["p99"]

    idle = view.value("latency", "idle", name, pick)
    loaded = view.value("latency", "loaded", name, pick)
    if not idle or not loaded:
        return None
    loaded.median /= idle.median
    return loaded


CONNECTION = _median("connections", "churn", lambda run: sum(run["cpu_ms"].values()))
PER_CHANNEL = _median("memory", "channels", _most_per_channel)
IDLE = _median("memory", "channels", lambda run: max(run["0"].values()) / 1024)
LOST = _median("stalled", "reader", lambda run: run["lost_percent"])
LOADED = Figure((("latency", "idle"), ("latency", "loaded")), _loaded)
FAR_LOADED = _median(
    "network", "round-trip", lambda run: run["loaded"]["p99"] / run["idle"]["p99"]
)
WRITES = _median("tiny", "single", lambda run: run["writes_per_message"]["wspc"])

TARGETS = [
    Target("SOCKS5: CPU per GiB, down, s", "socks5", 1.0, _cpu("down-1")),
    Target("SOCKS5: CPU per GiB, up, s", "socks5", 1.0, _cpu("up-1")),
    Target("named channel: CPU per GiB, down, s", "channel", 1.5, _cpu("down-1")),
    Target("named channel: CPU per GiB, up, s", "channel", 1.5, _cpu("up-1")),
    Target("WebSocket-wrapped: CPU per GiB, down, s", "wrap", 1.2, _cpu("down-1")),
    Target("WebSocket-wrapped: CPU per GiB, up, s", "wrap", 1.3, _cpu("up-1")),
    Target("SOCKS5: throughput, down, share of direct", "socks5", 0.45, _share("down-1"), True),
    Target("SOCKS5: throughput, up, share of direct", "socks5", 0.45, _share("up-1"), True),
    Target("SOCKS5: CPU per new connection, ms", "socks5", 0.15, CONNECTION, form="{:.3f}"),
    Target("SOCKS5: added round trip, p50, µs", "socks5", 80, _added("idle"), form="{:.0f}"),
    Target(
        "SOCKS5: added round trip beside a download, p50, µs", "socks5", 80, _added("loaded"),
        form="{:.0f}",
    ),
    Target("memory per idle channel, larger daemon, KiB", "socks5", 2, PER_CHANNEL),
    Target("memory of an idle daemon, larger one, MiB", "socks5", 6, IDLE),
    Target("lost beside a stalled reader, %", "socks5", 5, LOST, form="{:.1f}"),
    Target("100 ms, down, share of plain TCP", "socks5", 0.9, _far("down"), True),
    Target("100 ms, up, share of plain TCP", "socks5", 0.9, _far("up"), True),
    Target("p99 beside a download, times idle, one host", "socks5", 5, LOADED),
    Target("p99 beside a download, times idle, at 20 ms", "socks5", 5, FAR_LOADED),
    Target("write calls of wspc per tiny message", "socks5", 1, WRITES),
]


def _cell(view, target, name):
    value = target.figure.of(view, name) if name else None
    if not value:
        return "–"
    return f"{target.form.format(value.median)} {'✓' if target.met(value) else '✗'}"


def _made(view, target, names):
    """The cells of its row, with the session that each part of them comes from."""
    return [
        (target.title, dialect, session)
        for dialect, name in names.items()
        for measure, case in target.figure.cases
        if (session := view.session(measure, case, name))
    ]


def targets(view):
    dialects = [d for d in ("wsp.1", "0.10") if d in view.ours("socks5")]
    lines, made = [], []
    for target in TARGETS:
        names = view.ours(target.kind)
        texts = [_cell(view, target, names.get(dialect)) for dialect in dialects]
        if any(text != "–" for text in texts):
            lines.append([target.title, target.wanted(), *texts])
            made += _made(view, target, names)
    if not lines:
        return None
    return Part("targets", table(["", "aim", *dialects], lines), cells=made)


PARTS = [targets]
