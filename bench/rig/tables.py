"""Markdown tables."""


def table(head, rows):
    """The first column is text, the others are numbers."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def why_not(entry):
    """What stands in place of a number."""
    if entry is None:
        return "–"
    if entry["left_out"]:
        return "left out"
    return "failed" if entry["failed"] else "–"


def notes(contestants, labels):
    """A line for each contestant that is not complete, with its reason."""
    lines = []
    for name, entry in contestants.items():
        if entry["left_out"]:
            lines.append(f"* {labels.get(name, name)}: left out, {entry['left_out']}")
        elif entry["failed"]:
            times = len(entry["failed"])
            reason = entry["failed"][-1]
            lines.append(f"* {labels.get(name, name)}: failed in {times} of its runs: {reason}")
    return lines
