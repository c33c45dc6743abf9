"""Network namespaces: made by `ip netns`, entered by the calling thread."""

import ctypes
import os
import re
import shutil
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path

CLONE_NEWNET = 0x40000000
ROOT = Path("/run/netns")

libc = ctypes.CDLL(None, use_errno=True)


def sh(*args, **options):
    """Runs a tool of the system: its output, or an error that shows what it said."""
    done = subprocess.run(args, capture_output=True, text=True, check=False, **options)
    if done.returncode:
        raise OSError(f"{' '.join(args)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def new_name(role, serial):
    """A name that no other run has, and that tells whose it is."""
    return f"wsp{os.getpid()}-{serial}-{role}"


def remove_stale():
    """What runs that were killed left behind."""
    for path in ROOT.glob("wsp*-*-*"):
        owner = re.match(r"wsp(\d+)-", path.name)
        if owner and not Path("/proc", owner.group(1)).exists():
            with suppress(OSError):
                sh("ip", "netns", "del", path.name)


def reason_to_skip():
    """Why there can be no namespaces here, or None."""
    for tool in ("ip", "nft"):
        if not shutil.which(tool):
            return f"there is no {tool} here"
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "there is no /dev/net/tun that can be used"
    name = new_name("probe", 0)
    try:
        sh("ip", "netns", "add", name)
    except OSError as fault:
        return f"no network namespaces: {fault}"
    try:
        sh("ip", "-n", name, "link", "add", "name", "one", "type", "veth", "peer", "name", "two")
        sh("ip", "netns", "exec", name, "nft", "add table ip probe")
    except OSError as fault:
        return f"no veth or no nftables in a namespace: {fault}"
    finally:
        sh("ip", "netns", "del", name)
    return None


def _enter(file):
    if libc.setns(file.fileno(), CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


@contextmanager
def inside(name):
    """The calling thread, and what it starts and opens, is in that namespace."""
    with open("/proc/thread-self/ns/net") as home, open(ROOT / name) as there:
        _enter(there)
        try:
            yield
        finally:
            _enter(home)
