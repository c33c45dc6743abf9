"""Turns results into the parts of docs/benchmarks.md and its pictures."""

import re

from rig import parts
from rig.paths import DOCS

MARK = re.compile(r"<!-- begin (?P<name>[\w-]+) -->\n.*?<!-- end (?P=name) -->", re.S)


def _stamp(machine, runs):
    plural = "run" if runs == 1 else "runs"
    return f"*{runs} {plural}, {machine['commit']}, {machine['date']}.*\n"


def _replace(text, generated):
    def part(match):
        name = match["name"]
        if name not in generated:
            return match.group()
        return f"<!-- begin {name} -->\n{generated[name]}<!-- end {name} -->"

    return MARK.sub(part, text)


def write(directory, outcome):
    """
    Writes benchmarks.md and benchmarks/ there. The text around the generated parts is that of the
    file itself, or of docs/benchmarks.md; parts that were not measured stay as they are.
    """
    pictures = directory / "benchmarks"
    pictures.mkdir(parents=True, exist_ok=True)
    page = directory / "benchmarks.md"
    source = page if page.exists() else DOCS / "benchmarks.md"
    stamp = _stamp(outcome["machine"], outcome["runs"])
    generated = {}
    for part in parts.all_of(outcome):
        generated[part.name] = part.text + ("\n" + stamp if part.stamped else "")
        for name, picture in part.pictures.items():
            (pictures / f"{name}.svg").write_text(picture)
    page.write_text(_replace(source.read_text(), generated))
    return page
