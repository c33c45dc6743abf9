"""Processes with all that they started: their CPU time and memory."""

import os
import re
import time
from contextlib import suppress
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def _stat(pid):
    """The fields of /proc/PID/stat behind the program's name; the first is the state."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _children(pid):
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(c) for t in tasks for c in (t / "children").read_text().split()]
    except OSError:
        return []


def members(pid):
    """The process and its descendants, as far as they live."""
    found = [pid]
    for member in found:
        found += _children(member)
    return found


def start_time(pid):
    """Tells a process from a later one with the same id; None when there is none."""
    try:
        fields = _stat(pid)
        return None if fields[0] == "Z" else fields[19]
    except OSError:
        return None


def _clock(pid):
    """Seconds of CPU of a process, all its threads, to the nanosecond: clock_getcpuclockid(3)."""
    return time.clock_gettime((~pid << 3) | 2)


def cpu(pid):
    """Seconds of CPU of it, of its living descendants, and of those that were waited for."""
    total = 0.0
    for member in members(pid):
        with suppress(OSError):  # one that has just ended counts with its parent's
            waited = sum(map(int, _stat(member)[13:15])) / TICKS
            total += _clock(member) + waited
    return total


def _kib(file, key):
    return int(re.search(rf"^{key}:\s+(\d+) kB", file.read_text(), re.M).group(1))


def memory_kib(pid):
    """
    Resident memory. Of a process that has children, each one's proportional share, so that what
    they have in common counts once.
    """
    all_of_it = members(pid)
    if len(all_of_it) == 1:
        return _kib(Path(f"/proc/{pid}/status"), "VmRSS")
    total = 0
    for member in all_of_it:
        with suppress(OSError):  # it has just ended
            total += _kib(Path(f"/proc/{member}/smaps_rollup"), "Pss")
    return total
