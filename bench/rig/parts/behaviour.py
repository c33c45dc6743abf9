"""Round trips, a stalled reader, tiny messages."""

from rig.parts.common import bars, cells, pictures, remarks, rows, table
from rig.view import Part

LATENCY = {"idle": "idle", "loaded": "beside a download"}
TINY = {"single": "one by one", "bursts": "in bursts, each ms"}


def _beside(run):
    return run["beside"] / (1 << 20)


def latency(view):
    cases = {case: title for case, title in LATENCY.items() if case in view.cases("latency")}
    if not cases:
        return None
    columns = [(case, key) for case in cases for key in ("p50", "p99")]
    lines = []
    for name, label in view.labels.items():
        values = [
            view.value("latency", case, name, lambda run: run[key]) for case, key in columns
        ]
        if "loaded" in cases:
            values.append(view.value("latency", "loaded", name, _beside))
        if any(values):
            lines.append([label, *(value.text() if value else "–" for value in values)])
    shown, files = pictures(
        *(
            (
                f"latency-{case}",
                f"Round trip, {title}",
                bars(
                    view, "latency", case, f"Round trip, {title}", "µs, p99",
                    lambda run: run["p99"],
                ),
            )
            for case, title in cases.items()
        )
    )
    head = ["µs", *(f"{LATENCY[case]}, {key}" for case, key in columns)]
    if "loaded" in cases:
        head.append("the download, MiB/s")
    text = shown + table(head, lines) + remarks(view, "latency", cases)
    return Part("latency", text, files, cells(view, "latency", cases))


def stalled(view):
    if "reader" not in view.cases("stalled"):
        return None
    columns = {"without_mib_s": "without, MiB/s", "beside_mib_s": "beside it, MiB/s"}
    lines = []
    for name, entry in view.contestants("stalled", "reader").items():
        if not entry["runs"]:
            continue
        values = [view.value("stalled", "reader", name, lambda run: run[key]) for key in columns]
        lost = view.value("stalled", "reader", name, lambda run: run["lost_percent"])
        texts = [value.text() for value in values]
        lines.append([view.labels[name], *texts, lost.text("{:.1f}")])
    text = table(["4 downloads", *columns.values(), "lost, %"], lines)
    text += remarks(view, "stalled", ["reader"])
    return Part("stalled", text, cells=cells(view, "stalled", {"reader": ""}))


def tiny(view):
    cases = {case: title for case, title in TINY.items() if case in view.cases("tiny")}
    if not cases:
        return None

    def cell(case, name):
        runs = view.runs("tiny", case, name)
        if not runs:
            return None
        each = (
            (role, view.value("tiny", case, name, lambda run: run["writes_per_message"][role]))
            for role in runs[0]["writes_per_message"]
        )
        return ", ".join(f"{role} {value.median:.2f}" for role, value in each)

    head = ["write calls per message", *cases.values()]
    text = table(head, rows(view, "tiny", cases, cell)) + remarks(view, "tiny", cases)
    return Part("tiny", text, cells=cells(view, "tiny", cases))


PARTS = [latency, stalled, tiny]
