"""What stands under a table: when, of what commit and in how many rounds it was measured."""

from collections import Counter


def stamp(session):
    plural = "run" if session["runs"] == 1 else "runs"
    machine = session["machine"]
    return f"{session['runs']} {plural}, {machine['commit']}, {machine['date']}"


def _columns(cells):
    """{row: its columns}, in their order."""
    found = {}
    for row, column, _ in cells:
        found.setdefault(row, dict.fromkeys([]))[column] = None
    return {row: tuple(columns) for row, columns in found.items()}


def _names(part, cells):
    """Which cells those of `part` are, in few words: whole columns, whole rows, or both named."""
    columns = {column for _, column, _ in part}
    if len(part) == sum(column in columns for _, column, _ in cells):
        return "; ".join(dict.fromkeys(column for _, column, _ in part))
    whole = _columns(cells)
    return "; ".join(
        row if its == whole[row] else f"{row} ({', '.join(its)})"
        for row, its in _columns(part).items()
    )


def text(cells):
    """
    For cells of (row, column, session): one line when all is of one stamp, else the one that most
    cells have and a list of the others.
    """
    cells = list(dict.fromkeys((row, column, stamp(session)) for row, column, session in cells))
    if not cells:
        return ""
    (most, _), *others = Counter(made for _, _, made in cells).most_common()
    if not others:
        return f"\n*{most}.*\n"
    lines = (
        f"* {_names([cell for cell in cells if cell[2] == made], cells)}: {made}"
        for made, _ in others
    )
    return f"\n*{most}, but for:*\n\n" + "\n".join(lines) + "\n"
