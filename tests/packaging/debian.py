"""Our packages, and a Debian 12 in a folder to install them in."""

import hashlib
import os
import re
import subprocess
from pathlib import Path

import pytest

from harness.programs import run

PACKAGES = ("wsps", "wspc", "libwsp0", "libwsp-dev")
CACHE = Path("/var/cache/wsp-tests")
MAKING_SECONDS = 90  # it takes 15 s, but the whole test run has a limit of time
QUIET = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
}


def field(package, name):
    return run("dpkg-deb", "-f", package, name).decode().strip()


def dependencies(packages):
    """What they depend on, without versions and without each other."""
    listed = (field(package, "Depends") for package in packages)
    names = {re.match(r"[\w.+-]+", each).group() for each in ", ".join(listed).split(", ")}
    return sorted(names - set(PACKAGES))


def archive_with(wanted):
    """A minimal bookworm with them, as a tar file: from the network, and kept for later runs."""
    key = hashlib.sha256(" ".join(wanted).encode()).hexdigest()[:12]
    archive = CACHE / f"bookworm-{key}.tar"
    if archive.exists():
        return archive
    CACHE.mkdir(parents=True, exist_ok=True)
    fresh = CACHE / f"bookworm-{key}.{os.getpid()}.tar"
    options = ["--variant=essential", "--dpkgopt=path-exclude=/usr/share/locale/*"]
    command = ["mmdebstrap", *options, f"--include={','.join(wanted)}", "bookworm", fresh]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=MAKING_SECONDS, check=False
        )
        if done.returncode:
            pytest.skip(f"mmdebstrap cannot make a bookworm: {done.stderr.strip()[-200:]}")
        return fresh.rename(archive)
    except subprocess.TimeoutExpired:
        pytest.skip(f"mmdebstrap made no bookworm within {MAKING_SECONDS} s")
    finally:
        fresh.unlink(missing_ok=True)


class Debian:
    """Runs in the folder what would run on such a host."""

    def __init__(self, root):
        self.root = root
        self.before = self.paths()

    def run(self, *command):
        return run("chroot", self.root, *command, env=QUIET).decode()

    def install(self, *packages):
        for package in packages:
            (self.root / package.name).write_bytes(package.read_bytes())
        self.run("dpkg", "-i", *(f"/{package.name}" for package in packages))
        for package in packages:
            (self.root / package.name).unlink()

    def paths(self):
        """All there are, but what dpkg notes for itself."""
        found = (str(path.relative_to(self.root)) for path in self.root.rglob("*"))
        return {path for path in found if not re.match(r"(var/(lib/dpkg|log|cache)|tmp)/", path)}
