"""docs/security.md: every test and source file that it names exists, and every threat names a test."""

import re
from functools import cache

from harness.env import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text()
TESTS = re.compile(r"`(?:(unit|sim|e2e|interop|faults|packaging|fuzz)/(\w+))?(?:::(\w+))?`")
SOURCES = re.compile(r"`((?:base|proto|core|net|http|config|server|client|api|daemon)/\w+\.[ch])`")


def named_tests():
    """(folder, file, function); a name that begins with "::" is in the file of the one before."""
    place = None
    for folder, file, function in TESTS.findall(PAGE):
        if folder:
            place = folder, file
        if folder or function:
            yield *place, function


@cache
def functions(folder, file):
    """What the file has, or None without it; in C, what cmocka is told to run."""
    for path, pattern in (
        (ROOT / "tests" / folder / f"{file}.py", r"^def (test_\w+)\("),
        (ROOT / "tests" / folder / f"{file}.c", r"(?:cmocka_unit_test\w*|\bTEST)\(\s*(\w+)"),
    ):
        if path.exists():
            return set(re.findall(pattern, path.read_text(), re.M))
    return None


def threats():
    """(line, last cell) of the rows of tables that have a column for tests."""
    counts = False
    for number, line in enumerate(PAGE.splitlines(), 1):
        if not line.startswith("|"):
            counts = False
        elif line.endswith("| shown by |"):
            counts = True
        elif counts and not line.startswith("|---"):
            yield number, line.rstrip("| ").split("|")[-1]


def exists(folder, file, function):
    found = functions(folder, file)
    return found is not None and (function in found or (not function and folder == "fuzz"))


def test_named_tests_exist():
    named = set(named_tests())
    assert len(named) > 100
    assert [name for name in named if not exists(*name)] == []


def test_named_sources_exist():
    named = set(SOURCES.findall(PAGE))
    assert [name for name in named if not (ROOT / "src" / name).exists()] == []


def test_every_threat_is_shown():
    """A row without a test is a claim that nobody has checked."""
    rows = list(threats())
    assert len(rows) > 60
    assert [number for number, cell in rows if not TESTS.search(cell)] == []
