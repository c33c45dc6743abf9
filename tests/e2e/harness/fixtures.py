"""Fixtures that every folder of daemon tests shares."""

import resource
import signal
import sys

import pytest

from harness import daemons, far
from harness.env import patience
from harness.http_origin import HttpOrigin
from harness.net import connect
from harness.reverse import service, shared_service  # noqa: F401
from harness.tcp_origins import EchoOrigin

TEST_LIMIT = 60  # seconds; longer with the marker `limit`


def prepare():
    """Once per run: descriptors for a thousand connections, threads that take turns quickly."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    sys.setswitchinterval(0.001)


@pytest.fixture(autouse=True)
def hang_guard(request):
    """A test that hangs fails and shows where."""
    marker = request.node.get_closest_marker("limit")
    limit = int(patience(marker.args[0] if marker else TEST_LIMIT))

    def expired(*_):
        raise AssertionError(f"the test took more than {limit} s")

    before = signal.signal(signal.SIGALRM, expired)
    signal.alarm(limit)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def farm(tmp_path):
    """Daemons for one test."""
    farm = daemons.Farm(tmp_path)
    yield farm
    farm.close()


@pytest.fixture(scope="module")
def shared_farm(tmp_path_factory):
    """Daemons that the tests of a module share."""
    farm = daemons.Farm(tmp_path_factory.mktemp("shared"))
    yield farm
    farm.close()


@pytest.fixture
def origin():
    with HttpOrigin() as origin:
        yield origin


@pytest.fixture
def origin_b():
    with HttpOrigin() as origin:
        yield origin


@pytest.fixture(scope="module")
def proxies(shared_farm):
    """A wspc with two links to one wsps: the first is open, the second asks for credentials."""
    port = shared_farm.wsps(time={"dial": 1}).config["port"]
    locked = daemons.entry(port, dynamic_auth=f"{daemons.USER}:{daemons.PASSWORD}")
    return shared_farm.wspc(daemons.entry(port), locked, time={"handshake": 1})


@pytest.fixture
def http_client(proxies):
    """A connection to the open HTTP proxy."""
    with connect(proxies.port("http")) as sock:
        yield sock


@pytest.fixture(scope="module")
def echo():
    with EchoOrigin() as origin:
        yield origin


@pytest.fixture(scope="module", params=[far.Wsps, far.Wspc])
def far_end(request, shared_farm):
    """Each daemon in turn, at the other end of a raw link in wsp.1."""
    end = request.param(shared_farm)
    yield end
    end.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the end of every daemon's log."""
    report = (yield).get_result()
    if report.failed and call.when != "teardown":
        for daemon in daemons.running:
            title = f"{daemon.name} (pid {daemon.process.pid})"
            report.sections.append((title, daemon.log(60)))


def pytest_configure(config):
    config.addinivalue_line("markers", "limit(seconds): this test may take that long")
    prepare()
