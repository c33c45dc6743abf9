"""Throughput and round trips over distances and losses."""

import re

from rig.parts.common import bars, pictures, remarks, table
from rig.view import Part


def _title(case):
    rtt, loss, way = re.fullmatch(r"(\d+)ms-([\d.]+)%-(\w+)", case).groups()
    return f"{rtt} ms, {way}" + (f", {loss} % lost" if float(loss) else "")


def _rate(run):
    return run["mbit_s"]


def _paths(view):
    return [case for case in view.cases("network") if case != "round-trip"]


def throughput(view):
    cases = _paths(view)
    if not cases:
        return None
    names = [n for n in view.labels if any(n in view.cases("network")[c] for c in cases)]
    lines = []
    for name in names:
        cells = []
        for case in cases:
            value = view.value("network", case, name, _rate)
            ratio = view.against("network", case, name, _rate)
            share = f" · {ratio.median:.2f}" if ratio and name != "direct" else ""
            cells.append(value.text("{:.1f}") + share if value else "–")
        lines.append([view.labels[name], *cells])
    shown, files = pictures(
        *(
            (_file(case), _title(case), bars(view, "network", case, _title(case), "Mbit/s", _rate))
            for case in cases
        )
    )
    head = ["Mbit/s · share of plain TCP", *map(_title, cases)]
    return Part("network", shown + table(head, lines) + remarks(view, "network", cases), files)


def _file(case):
    return "network-" + case.replace("%", "").replace(".", "_")


def round_trip(view):
    if "round-trip" not in view.cases("network"):
        return None
    columns = [(load, key) for load in ("idle", "loaded") for key in ("p50", "p99")]
    lines = []
    for name in view.contestants("network", "round-trip"):
        if not view.runs("network", "round-trip", name):
            continue
        values = (
            view.value("network", "round-trip", name, lambda run: run[load][key] / 1000)
            for load, key in columns
        )
        rate = view.value(
            "network", "round-trip", name, lambda run: run["loaded"]["beside"] * 8 / 1e6
        )
        cells = [value.text("{:.1f}") for value in values]
        lines.append([view.labels[name], *cells, rate.text()])
    titles = {"idle": "idle", "loaded": "beside a download"}
    columns = (f"{titles[load]}, {key}" for load, key in columns)
    head = ["ms", *columns, "the download, Mbit/s"]
    text = table(head, lines) + remarks(view, "network", ["round-trip"])
    return Part("network-round-trip", text)


PARTS = [throughput, round_trip]
