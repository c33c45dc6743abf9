"""Throughput, CPU time, system calls, new connections."""

from rig.parts.common import bars, cells, pictures, remarks, rows, table
from rig.view import Part

CASES = {
    "down-1": "down, 1 stream",
    "up-1": "up, 1 stream",
    "down-16": "down, 16 streams",
    "up-16": "up, 16 streams",
}


def _present(view):
    return {case: title for case, title in CASES.items() if case in view.cases("throughput")}


def _rate(run):
    return run["mib_s"]


def _cpu(run):
    return sum(run["cpu_s_gib"].values())


def throughput(view):
    cases = _present(view)
    if not cases:
        return None

    def cell(case, name):
        value = view.value("throughput", case, name, _rate)
        ratio = view.against("throughput", case, name, _rate)
        if not value:
            return None
        return value.text() + (f" · {ratio.median:.2f}" if ratio and name != "direct" else "")

    shown, files = pictures(
        *(
            (
                f"throughput-{case}",
                f"Throughput, {CASES[case]}",
                bars(view, "throughput", case, f"Throughput, {CASES[case]}", "MiB/s", _rate),
            )
            for case in cases
        )
    )
    head = ["MiB/s · share of direct", *(CASES[case] for case in cases)]
    text = shown + table(head, rows(view, "throughput", cases, cell))
    text += remarks(view, "throughput", cases)
    return Part("throughput", text, files, cells(view, "throughput", cases))


def _split(view, case, name):
    """The parts of the CPU time: wspc 0.51 + wsps 0.43."""
    roles = [run["cpu_s_gib"] for run in view.runs("throughput", case, name)]
    if not roles or len(roles[0]) < 2:
        return ""
    parts = (
        (role, view.value("throughput", case, name, lambda run: run["cpu_s_gib"][role]))
        for role in roles[0]
    )
    return " = " + " + ".join(f"{role} {value.median:.2f}" for role, value in parts)


def cpu(view):
    cases = _present(view)
    if not cases:
        return None

    def cell(case, name):
        value = view.value("throughput", case, name, _cpu)
        if not value or name == "direct":
            return None
        return value.text("{:.2f}") + _split(view, case, name)

    def picture(case, title):
        return bars(view, "throughput", case, f"CPU time, {title}", "s per GiB", _cpu)

    shown, files = pictures(
        *((f"cpu-{case}", f"CPU time, {CASES[case]}", picture(case, CASES[case])) for case in cases)
    )
    head = ["s of CPU per GiB, all daemons", *(CASES[case] for case in cases)]
    lines = [line for line in rows(view, "throughput", cases, cell) if line[0] != "direct"]
    return Part("cpu", shown + table(head, lines), files, cells(view, "throughput", cases))


def syscalls(view):
    cases = {case: case for case in ("down", "up") if case in view.cases("syscalls")}
    if not cases:
        return None

    def cell(case, name):
        runs = view.runs("syscalls", case, name)
        if not runs:
            return None
        each = (
            (role, view.value("syscalls", case, name, lambda run: run["per_mib"][role]))
            for role in runs[0]["per_mib"]
        )
        return ", ".join(f"{role} {value.median:.0f}" for role, value in each)

    head = ["system calls per MiB", *cases]
    text = table(head, rows(view, "syscalls", cases, cell))
    made = cells(view, "syscalls", cases)
    tools = sorted({str(session["machine"]["counted_by"]) for _, _, session in made})
    text += f"\nCounted with {' or '.join(tools)}.\n" if tools else ""
    return Part("syscalls", text + remarks(view, "syscalls", cases), cells=made)


def connections(view):
    if "churn" not in view.cases("connections"):
        return None

    def cpu_ms(run):
        return sum(run["cpu_ms"].values())

    def cell(column, name):
        if column == "rate":
            value = view.value("connections", "churn", name, lambda run: run["per_s"])
            return value and value.text()
        value = view.value("connections", "churn", name, cpu_ms)
        return value.text("{:.3f}") if value and name != "direct" else None

    lines = [
        [label, *(cell(column, name) or "–" for column in ("rate", "cpu"))]
        for name, label in view.labels.items()
        if name in view.contestants("connections", "churn")
    ]
    shown, files = pictures(
        (
            "connections",
            "CPU time of a new connection",
            bars(view, "connections", "churn", "CPU time of a new connection", "ms", cpu_ms),
        )
    )
    text = shown + table(["", "new connections per second", "ms of CPU for each"], lines)
    text += remarks(view, "connections", ["churn"])
    return Part("connections", text, files, cells(view, "connections", {"churn": ""}))


PARTS = [throughput, cpu, syscalls, connections]
