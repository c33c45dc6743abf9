"""Turns results into the parts of docs/benchmarks.md and its pictures."""

import re

from rig import parts, stamps
from rig.paths import DOCS

MARK = re.compile(r"<!-- begin (?P<name>[\w-]+) -->\n.*?<!-- end (?P=name) -->", re.S)


def _replace(text, generated):
    def part(match):
        name = match["name"]
        if name not in generated:
            return match.group()
        return f"<!-- begin {name} -->\n{generated[name]}<!-- end {name} -->"

    return MARK.sub(part, text)


def write(directory, stored):
    """
    Writes benchmarks.md and benchmarks/ there. The text around the generated parts is that of the
    file itself, or of docs/benchmarks.md; parts that were never measured stay as they are.
    """
    pictures = directory / "benchmarks"
    pictures.mkdir(parents=True, exist_ok=True)
    page = directory / "benchmarks.md"
    source = page if page.exists() else DOCS / "benchmarks.md"
    generated = {}
    for part in parts.all_of(stored):
        generated[part.name] = part.text + stamps.text(part.cells)
        for name, picture in part.pictures.items():
            (pictures / f"{name}.svg").write_text(picture)
    page.write_text(_replace(source.read_text(), generated))
    return page
