"""Over paths of 200 ms there and back, carried by the path emulator."""

import time

import pytest
from transfers import KINDS

FAR = {"delay_ms": 100}
NARROW = {"delay_ms": 50, "rate_mbit": 20, "loss": 0.5}


@pytest.mark.paths(client=FAR)
def test_transfers(far_system):
    began = time.monotonic()
    far_system.expect([far_system.transfer(kind, 4 << 20) for kind in KINDS], "complete", 40)
    assert time.monotonic() - began > 0.2
    far_system.recovers()


@pytest.mark.paths(client=NARROW, service=NARROW)
def test_narrow_and_lossy(far_system):
    far_system.expect([far_system.transfer(kind, 1 << 20) for kind in KINDS], "complete", 50)


@pytest.mark.paths(client=FAR)
def test_silent_cut(far_system):
    load = far_system.load(survives=False)
    far_system.world.emulators["client"].set(loss=100)
    far_system.expect(load, "broken", far_system.pace.heal)
    far_system.world.emulators["client"].set(loss=0)
    far_system.recovers()
