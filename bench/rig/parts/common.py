"""What the parts share: tables and charts over the contestants."""

from rig.svg import Bar, chart
from rig.tables import notes, table, why_not


def image(name, title):
    return f"![{title}](benchmarks/{name}.svg)\n"


def pictures(*named):
    """{name: (title, svg or None)} as text for the page and files."""
    shown = {name: svg for name, _, svg in named if svg}
    text = "".join(image(name, title) for name, title, _ in named if name in shown)
    return (text + "\n" if text else ""), shown


def bars(view, measure, case, title, unit, pick):
    """A chart of one value for all contestants that have it; None when nobody has."""
    found = []
    for name in view.contestants(measure, case):
        value = view.value(measure, case, name, pick)
        if value and value.high > 0:
            found.append(Bar(view.labels[name], value, view.kind(name)))
    return chart(title, unit, found) if found else None


def rows(view, measure, cases, cell):
    """A row for each contestant: `cell(case, name)` for each case, or why there is none."""
    names = {name: None for case in cases for name in view.contestants(measure, case)}
    ordered = [s["name"] for s in view.setups if s["name"] in names]
    lines = []
    for name in ordered:
        cells = [view.labels[name]]
        for case in cases:
            text = cell(case, name)
            cells.append(text or why_not(view.contestants(measure, case).get(name)))
        lines.append(cells)
    return lines


def cells(view, measure, cases):
    """(row, column, session) of all that was measured; `cases` maps them to their columns."""
    return [
        (view.labels[name], column, session)
        for case, column in cases.items()
        for name in view.contestants(measure, case)
        if (session := view.session(measure, case, name))
    ]


def remarks(view, measure, cases):
    """The reasons of gaps, each once."""
    lines = {}
    for case in cases:
        for line in notes(view.contestants(measure, case), view.labels):
            lines[line] = None
    return "\n" + "\n".join(lines) + "\n" if lines else ""


__all__ = ["bars", "cells", "image", "pictures", "remarks", "rows", "table"]
