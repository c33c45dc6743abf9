"""What was measured, and on what."""

import datetime
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

from rig import syscalls
from rig.paths import ROOT


def _output(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, cwd=ROOT)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (done.stdout + done.stderr).strip()


def _cpu_model():
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    return found.group(1).strip() if found else platform.machine()


def _memory_gib():
    found = re.search(r"^MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text(), re.M)
    return round(int(found.group(1)) / (1 << 20))


def commit():
    """The commit of this checkout, and whether it was changed."""
    name = _output("git", "rev-parse", "--short", "HEAD")
    changed = _output("git", "status", "--porcelain", "--", "src", "include")
    return f"commit {name or 'unknown'}" + (", with changes" if changed else "")


def _package(name):
    return _output("dpkg-query", "-W", "-f", "${Version}", name)


def versions():
    """Of the other programs that are here."""
    found = {
        "socat": re.search(r"socat version (\S+)", _output("socat", "-V")),
        "OpenSSH": re.search(r"OpenSSH_([^, ]+)", _output("ssh", "-V")),
    }
    result = {name: match.group(1) for name, match in found.items() if match}
    if shutil.which("websockify"):
        result["websockify"] = _package("websockify") or "unknown"
    return result


def describe(binaries):
    """`binaries`: the folder of daemons that were not built for this, or None."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gib": _memory_gib(),
        "kernel": platform.release(),
        "load": round(os.getloadavg()[0], 2),
        "commit": f"as built in {binaries}" if binaries else commit(),
        "date": datetime.date.today().isoformat(),
        "versions": versions(),
        "counted_by": syscalls.method(),
    }
