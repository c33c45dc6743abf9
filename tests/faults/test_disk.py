"""The disk under the log is full."""

import re
import signal

import pytest
from spoiled import ROLES, bystander, held, shims, traffic  # noqa: F401

from harness.net import eventually

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4} (error|warn|info|debug) ")
SHORTAGES = 3


def move_log(daemon, path):
    """Its log goes on in that file."""
    daemon.configure(log={"level": "debug", "output": str(path)})
    daemon.signal(signal.SIGHUP)
    eventually(lambda: path.exists() and "reloaded" in path.read_text(), "the log moves")


@pytest.mark.parametrize("role", ROLES)
def test_lines_are_lost_and_nothing_else(traffic, shims, held, bystander, tmp_path, role):
    """The last block takes half a line, then nothing is taken; there is room, and lines, again."""
    log = tmp_path / "wsp.log"
    move_log(traffic.daemons[role], log)
    for number in range(SHORTAGES):
        before = log.read_text()
        shims[role].set(disk_full=1)
        bystander.goes_on()
        traffic.all_at_once(20_000, seed=number)
        assert shims[role].get("did_full") > 3 * (number + 1)
        assert log.read_text().startswith(before)
        shims[role].set(disk_full=0)
        traffic.all_at_once(20_000, seed=number)
    lines = log.read_text().splitlines()
    assert len(lines) > 5 * SHORTAGES
    torn = [line for line in lines if len(STAMP.findall(line)) != 1]
    assert len(torn) <= SHORTAGES  # what the last block took, and the next line behind it
