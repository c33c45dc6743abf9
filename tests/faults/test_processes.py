"""Each of the three daemons killed or frozen in the middle of transfers."""

import pytest
from system import ROLES, faults, hold, resident_kib


@pytest.mark.limit(180)
@pytest.mark.parametrize("role", ROLES)
def test_killed(system, role):
    """Every transfer is seen to be broken; a new process is all that it takes to go on."""
    load = system.load(survives=False)
    system.kill(role)
    system.expect(load, "broken")
    system.start(role)
    system.recovers()


@pytest.mark.limit(400)
@pytest.mark.parametrize("seconds, outcome", faults(4.5))
@pytest.mark.parametrize("role", ROLES)
def test_frozen(system, role, seconds, outcome):
    """A short pause is only that. After a long one the others have given it up."""
    load = system.load(survives=outcome != "broken")
    system.freeze(role)
    hold(seconds)
    system.thaw(role)
    system.expect(load, outcome, 90)
    system.recovers()


def test_a_frozen_exit_is_replaced(system):
    """Another one gets the names of an exit that is silent, long before it counts as dead."""
    system.kill("server")
    system.daemons["server"] = system.start_server(dead=60, probe=60)
    system.recovers()
    load = system.load(survives=False)
    system.freeze("exit")
    second = system.start_exit()
    second.wait_line("registered ", count=2, timeout=5)
    system.expect(load, "broken")
    system.kill("exit")
    system.daemons["exit"] = second
    system.recovers()


@pytest.mark.limit(120)
def test_many_breaks_leave_nothing(system):
    """The two that live on do not grow with every client that dies in the middle of a transfer."""
    grown = {}
    for count in range(1, 17):
        load = system.load(survives=False, kinds=("length", "upload"), moved=1 << 16)
        system.kill("client")
        system.expect(load, "broken")
        system.start("client").wait_link()
        if count in (8, 16):
            system.recovers(slack_kib=8192)
            grown[count] = {r: resident_kib(system.daemons[r]) for r in ("server", "exit")}
    for role in ("server", "exit"):
        assert grown[16][role] <= grown[8][role] + 1024, f"{role} grows: {grown}"
