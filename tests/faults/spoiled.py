"""Three daemons on loopback whose system calls can be spoiled: fixtures to import."""

from contextlib import contextmanager

import pytest

from harness import socks
from harness.daemons import descriptors
from harness.env import DIALECT
from harness.net import eventually, read_exact
from harness.traffic import BLOB, Traffic
from shim import Shim

ROLES = ("server", "service", "user")


@pytest.fixture
def shims(tmp_path):
    """One for each daemon; they do nothing yet."""
    return {role: Shim(tmp_path, role, seed=number) for number, role in enumerate(ROLES)}


@contextmanager
def traffic_of(farm, shims, dialect=DIALECT, **config):
    launch = {role: shim.launch for role, shim in shims.items()}
    traffic = Traffic(farm, dialect, launch, **config)
    try:
        yield traffic
    finally:
        for shim in shims.values():
            shim.heal()
        traffic.close()


@pytest.fixture
def traffic(farm, shims):
    with traffic_of(farm, shims) as traffic:
        assert traffic.works()
        yield traffic


class Bystander:
    """A connection that was there before, and goes on."""

    def __init__(self, traffic):
        proxy = traffic.daemons["user"].port("socks5")
        self.sock = socks.open_socks(proxy, "127.0.0.1", traffic.echo.port)
        self.at = 0

    def goes_on(self):
        data = BLOB[self.at : self.at + 10_000]
        self.at += 1000
        self.sock.sendall(data)
        assert read_exact(self.sock, len(data)) == data


@pytest.fixture
def bystander(traffic):
    bystander = Bystander(traffic)
    bystander.goes_on()
    yield bystander
    bystander.goes_on()
    bystander.sock.close()


@pytest.fixture
def held(traffic):
    """Afterwards no daemon holds more descriptors than before, and everything works."""
    before = {role: descriptors(daemon) for role, daemon in traffic.daemons.items()}
    yield
    eventually(traffic.works, "all is well again", 10)
    for role, daemon in traffic.daemons.items():
        eventually(lambda: descriptors(daemon) <= before[role] + 1, f"{role} holds descriptors", 10)
