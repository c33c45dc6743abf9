import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
if "harness" not in sys.modules:
    pytest.register_assert_rewrite("harness")

from harness.fixtures import *  # noqa: E402, F401, F403
from harness.fixtures import pytest_runtest_makereport, prepare  # noqa: E402, F401
from netns import reason_to_skip, remove_stale  # noqa: E402
from system import System, far_pace, pace  # noqa: E402
from web import Web  # noqa: E402
from world import World  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "limit(seconds): this test may take that long")
    config.addinivalue_line("markers", "paths(leg=settings): of the path emulators")
    prepare()


@pytest.fixture(scope="session")
def namespaces():
    """Skips what needs namespaces where there are none."""
    if reason := reason_to_skip():
        pytest.skip(reason)
    remove_stale()


@pytest.fixture(scope="session")
def world(namespaces):
    """The three hosts and their router, on plain cables."""
    with World() as world:
        yield world


@pytest.fixture(scope="session")
def far_world(namespaces):
    """The same hosts with a path emulator on each leg."""
    with World(emulated=True) as world:
        yield world


def run_system(farm, world, pace, directory):
    with world.inside("service"):
        web = Web()
    with web:
        system = System(farm, world, web, pace, directory)
        try:
            yield system
        finally:
            system.close()
            world.heal()


@pytest.fixture
def system(farm, world, tmp_path):
    """All three daemons, warmed up."""
    yield from run_system(farm, world, pace(), tmp_path)


@pytest.fixture
def far_system(request, farm, far_world, tmp_path):
    """
    The marker `paths` says what the legs are like: from the start, since TCP remembers for long how
    near the other end once was.
    """
    for leg, settings in request.node.get_closest_marker("paths").kwargs.items():
        far_world.emulators[leg].set(**settings)
    yield from run_system(farm, far_world, far_pace(), tmp_path)
