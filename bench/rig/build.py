"""Builds what is measured and what measures: Release, without sanitizers, in build/bench."""

import os
import subprocess

from rig.errors import Failed
from rig.paths import BENCH, BUILD, ROOT, TOOLS

PROGRAMS = ("server", "bulk", "churn", "ping", "idle", "trickle", "links")
SHARED = ("conn", "ws", "load", "opening")
EMULATOR = ROOT / "tests" / "tools" / "path_emulator.c"
FLAGS = ("-std=gnu11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra")


def _run(command):
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise Failed(f"{' '.join(map(str, command))}:\n{done.stdout}{done.stderr}")


def _compile(output, sources, *libraries):
    headers = list((BENCH / "tools").glob("*.h"))
    newest = max(os.stat(file).st_mtime for file in (*sources, *headers))
    if not output.exists() or output.stat().st_mtime < newest:
        _run([os.environ.get("CC", "cc"), *FLAGS, "-o", output, *sources, *libraries])


def tools():
    """The load programs and the path emulator of the tests."""
    TOOLS.mkdir(parents=True, exist_ok=True)
    shared = [BENCH / "tools" / f"{name}.c" for name in SHARED]
    for name in PROGRAMS:
        _compile(TOOLS / name, [BENCH / "tools" / f"{name}.c", *shared], "-pthread", "-lm")
    _compile(TOOLS / "path_emulator", [EMULATOR])


def daemons():
    """wsps and wspc of this checkout."""
    options = ["-DCMAKE_BUILD_TYPE=Release", "-DWSP_SANITIZE=", "-DWSP_COVERAGE=OFF"]
    _run(["cmake", "-S", ROOT, "-B", BUILD, *options])
    jobs = str(os.cpu_count() or 1)
    _run(["cmake", "--build", BUILD, "--target", "wsps", "wspc", "--parallel", jobs])
