"""Memory of idle channels and links."""

from rig.parts.common import cells, remarks, table
from rig.view import Part


def _roles(view, name):
    runs = view.runs("memory", "channels", name)
    return list(runs[0]["0"]) if runs else []


def _counts(runs):
    return [key for key in runs[0] if key.isdigit()]


def _channel_row(view, name, role, counts):
    def at(count):
        return view.value("memory", "channels", name, lambda run: run[count][role])

    runs = view.runs("memory", "channels", name)
    present = _counts(runs)
    last = present[-1]

    def each(run):
        return (run[last][role] - run["0"][role]) / int(last)

    held = [f"{at(c).median / 1024:.1f}" if c in present else "–" for c in counts]
    per = view.value("memory", "channels", name, each)
    return [f"{view.labels[name]}: {role}", *held, per.text("{:.2f}")]


def channels(view):
    if "channels" not in view.cases("memory"):
        return None
    contestants = view.contestants("memory", "channels")
    counts = {c for name in contestants for r in view.runs("memory", "channels", name) for c in r}
    counts = sorted((c for c in counts if c.isdigit()), key=int)
    lines = [
        _channel_row(view, name, role, counts)
        for name in contestants
        for role in _roles(view, name)
    ]
    head = ["MiB with idle channels", *(f"{int(c):,}" for c in counts), "KiB for each"]
    text = table(head, lines) + remarks(view, "memory", ["channels"])
    return Part("memory-channels", text, cells=cells(view, "memory", {"channels": ""}))


def links(view):
    if "links" not in view.cases("memory"):
        return None
    lines = []
    for name, entry in view.contestants("memory", "links").items():
        if entry["runs"]:
            keys = (("before", 1024), ("held", 1024), ("per_link", 1))
            values = (
                view.value("memory", "links", name, lambda run: run[key] / unit)
                for key, unit in keys
            )
            dialect = view.setup(name)["dialect"]
            title = view.setup(name)["title"]
            lines.append([f"{title}: wsps, {dialect}", *(v.text("{:.2f}") for v in values)])
    made = cells(view, "memory", {"links": ""})
    counts = " or ".join(sorted({f"{session['sizes']['links']:,}" for _, _, session in made}))
    head = ["", "MiB without links", f"MiB with {counts} idle links", "KiB for each"]
    text = table(head, lines) + remarks(view, "memory", ["links"])
    return Part("memory-links", text, cells=made)


PARTS = [channels, links]
