"""Clocks that jump: that of the day, back and forth, and the monotonic one, which can leap ahead."""

import pytest
from shim import Shim
from spoiled import ROLES, bystander, held, shims, traffic  # noqa: F401

from harness.daemons import Farm, entry
from harness.net import eventually

DAY_MS = 86_400_000
YEARS_MS = 20 * 365 * DAY_MS


def test_time_of_day(traffic, shims, held, bystander):
    """Nothing hangs off it but the stamps of the log."""
    links = {role: daemon.log().count(": up, ") for role, daemon in traffic.daemons.items()}
    for ms in (-YEARS_MS, YEARS_MS, -1, 3_600_000, -3_600_000, 0):
        for shim in shims.values():
            shim.set(realtime_ms=ms)
        bystander.goes_on()
        traffic.all_at_once(20_000, seed=ms)
    for role, daemon in traffic.daemons.items():
        assert daemon.log().count(": up, ") == links[role], f"{role}: a link was made anew"
    years = {line[:4] for line in traffic.daemons["server"].log().splitlines()}
    assert len([year for year in years if year.isdigit()]) == 3


@pytest.mark.parametrize("role", ROLES)
def test_leaps(traffic, shims, held, bystander, role):
    """Of less than the time in which a link is asked for a sign of life, and than it has for that."""
    ahead = 0
    for seconds in (1, 20, 40, 20, 40):
        ahead += 1000 * seconds
        shims[role].set(monotonic_ms=ahead)
        eventually(lambda: shims[role].get("did_leap"), "it is noticed")
        bystander.goes_on()
        traffic.all_at_once(20_000, seed=seconds)


@pytest.mark.parametrize("role", ROLES)
def test_leap_of_a_day(traffic, shims, role):
    """Everything is overdue at once: what cannot go on is given up, and all comes back."""
    shims[role].set(monotonic_ms=DAY_MS)
    eventually(traffic.works, "all is well again", 20)
    traffic.all_at_once(20_000, seed=role)


def test_certificates_go_by_it(tmp_path):
    """A month ahead the server's certificate has expired; back in its time it is good."""
    farm = Farm(tmp_path, secure=True)
    try:
        server = farm.wsps()
        shim = Shim(tmp_path, realtime_ms=30 * DAY_MS)
        wspc = farm.wspc(entry(server.config["port"]), link=False, launch=shim.launch)
        wspc.wait_link_failed(1, "expired")
        shim.set(realtime_ms=0)
        wspc.wait_link(1)
    finally:
        farm.close()
