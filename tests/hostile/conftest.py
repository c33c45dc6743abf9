import sys
from contextlib import suppress
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
if "harness" not in sys.modules:
    pytest.register_assert_rewrite("harness")

from harness.fixtures import hang_guard, prepare, pytest_runtest_makereport  # noqa: E402, F401


def pytest_configure(config):
    config.addinivalue_line("markers", "limit(seconds): this test may take that long")
    config.addinivalue_line("markers", "xdist_group(name): of those that run in one process")
    prepare()


class Arenas:
    """The daemons of this process, by what they are for. Those that an attack has harmed go."""

    def __init__(self):
        self.running = {}

    def get(self, kind):
        if kind not in self.running:
            self.running[kind] = kind()
        return self.running[kind]

    def drop(self, kind):
        with suppress(AssertionError):  # said already, by the test that found it
            self.running.pop(kind).end()

    def end(self):
        faults = []
        for arena in self.running.values():
            try:
                arena.end()
            except AssertionError as fault:
                faults.append(str(fault))
        assert not faults, "\n\n".join(faults)


@pytest.fixture(scope="session")
def arenas():
    arenas = Arenas()
    yield arenas
    arenas.end()
