"""Cables cut, packets dropped and lost."""

import time

import pytest
from system import faults, hold
from world import LEGS


@pytest.mark.limit(400)
@pytest.mark.parametrize("seconds, outcome", faults(2.5))
@pytest.mark.parametrize("fault", ["cut", "silence"])
@pytest.mark.parametrize("leg", LEGS)
def test_interrupted(system, leg, fault, seconds, outcome):
    """TCP outlives a short one; after a long one both sides have noticed, and begin anew."""
    load = system.load(survives=outcome != "broken")
    over = time.monotonic() + seconds
    getattr(system.world, fault)(leg)
    if outcome == "broken":  # a user is told before the network is back
        system.expect(load, outcome, seconds + system.pace.heal)
    hold(over - time.monotonic())
    system.world.heal()
    system.expect(load, outcome, 90)
    system.recovers()


def test_five_percent_lost(system):
    for leg in LEGS:
        system.world.lose(leg, 5)
    load = [system.transfer(kind, 3 << 20) for kind in ("length", "closing", "upload")]
    system.expect(load, "complete", 50)
    system.world.heal()
    system.recovers()
