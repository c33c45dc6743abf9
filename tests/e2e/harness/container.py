"""The real systemd: this machine's system booted in a container, which runs a script. What is written
in it is in memory and goes with it."""

import os
import subprocess
from pathlib import Path

import pytest

from harness.env import patience
from harness.reverse import tool

# Around the container: mounts that only it sees and that end with it.
OUTSIDE = r"""
set -e
inside=$1 files=$2 prepare=$3
shift 3
mount -t tmpfs tmpfs "$inside"
mkdir "$inside"/upper "$inside"/work "$inside"/root
mount -t overlay overlay "$inside/root" \
    -o "lowerdir=/,upperdir=$inside/upper,workdir=$inside/work"
cd "$inside/root"
rm -rf var/log/journal
cp "$files"/walk.service "$files"/walk.target etc/systemd/system/
cp -r "$files" root/files
eval "$prepare"
exec "$@" </dev/null
"""

BEGIN = r"""
exec >/result/output 2>&1
set -ex
trap 'echo $? >/result/status; systemctl poweroff --no-block' EXIT
echo begun >/result/status
export SYSTEMD_PAGER=cat HOME=/root
ip link set lo up
cd /root/files
"""

UNITS = {
    "walk.target": "[Unit]\nRequires=basic.target\nAfter=basic.target\nWants=walk.service\n"
    "AllowIsolate=yes\n",
    "walk.service": "[Unit]\nAfter=basic.target\n[Service]\nType=oneshot\n"
    "ExecStart=/bin/bash /root/files/walk.sh\n",
}


def _boot(files, inside, result, prepare):
    nspawn = tool("systemd-nspawn", "systemd-container")
    # where there is no systemd outside, the container stays in the cgroup of this process
    alone = [] if Path("/run/systemd/system").exists() else ["--keep-unit"]
    command = [
        *("unshare", "--mount", "sh", "-c", OUTSIDE, "sh", inside, files, prepare),
        *(nspawn, "--quiet", "--register=no", *alone, f"--machine=wsp-{os.getpid()}"),
        *("--private-network", f"--bind={result}:/result", "--directory=.", "--boot"),
        "systemd.unit=walk.target",
    ]
    environment = {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1", "SYSTEMD_NSPAWN_USE_CGNS": "0"}
    done = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=patience(60),
        check=False,
    )
    return done.stdout.decode(errors="replace")


def walk(factory, files, script, prepare=":"):
    """
    Runs `script` in the container, in a folder that has what `files` has, and returns what it has
    printed. Each of its commands must end well. `prepare` is run before, outside, in the container's
    root. `factory` is pytest's tmp_path_factory.
    """
    if os.geteuid() != 0:
        pytest.skip("only root can boot a container")
    tool("systemd-nspawn", "systemd-container")
    inside, result = (factory.mktemp(name) for name in ("in", "result"))
    for name, text in {**UNITS, "walk.sh": BEGIN + script}.items():
        (files / name).write_text(text)
    said = _boot(files, inside, result, prepare)
    status = result / "status"
    if not status.exists():
        pytest.skip("no container can be booted here: " + said[-300:])
    text = (result / "output").read_text()
    assert status.read_text() == "0\n", text[-6000:]
    return text
