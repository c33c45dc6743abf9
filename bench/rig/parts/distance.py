"""Throughput and round trips over distances and losses."""

import re

from rig.parts.common import bars, cells, pictures, remarks, table
from rig.view import Part


def _parsed(case):
    """loss in percent, round trip in ms, way"""
    rtt, loss, way = re.fullmatch(r"(\d+)ms-([\d.]+)%-(\w+)", case).groups()
    return float(loss), int(rtt), way


def _title(case):
    loss, rtt, way = _parsed(case)
    return f"{rtt} ms, {way}" + (f", {loss:g} % lost" if loss else "")


def _rate(run):
    return run["mbit_s"]


def _paths(view):
    """{case: title}, the longer and the worse ones last."""
    cases = (case for case in view.cases("network") if case != "round-trip")
    return {case: _title(case) for case in sorted(cases, key=_parsed)}


def throughput(view):
    cases = _paths(view)
    if not cases:
        return None
    names = {name for case in cases for name in view.contestants("network", case)}
    lines = []
    for name in filter(names.__contains__, view.labels):
        rates = []
        for case in cases:
            value = view.value("network", case, name, _rate)
            ratio = view.against("network", case, name, _rate)
            share = f" · {ratio.median:.2f}" if ratio and name != "direct" else ""
            rates.append(value.text("{:.1f}") + share if value else "–")
        lines.append([view.labels[name], *rates])
    shown, files = pictures(
        *(
            (_file(case), title, bars(view, "network", case, title, "Mbit/s", _rate))
            for case, title in cases.items()
        )
    )
    head = ["Mbit/s · share of plain TCP", *cases.values()]
    text = shown + table(head, lines) + remarks(view, "network", cases)
    return Part("network", text, files, cells(view, "network", cases))


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
        times = [value.text("{:.1f}") for value in values]
        lines.append([view.labels[name], *times, rate.text()])
    titles = {"idle": "idle", "loaded": "beside a download"}
    columns = (f"{titles[load]}, {key}" for load, key in columns)
    head = ["ms", *columns, "the download, Mbit/s"]
    text = table(head, lines) + remarks(view, "network", ["round-trip"])
    return Part("network-round-trip", text, cells=cells(view, "network", {"round-trip": ""}))


PARTS = [throughput, round_trip]
