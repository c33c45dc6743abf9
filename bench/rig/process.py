"""Programs that run for a while, each ended by its own pid."""

import ctypes
import os
import select
import signal
import subprocess
import time
from contextlib import suppress

from rig import tree
from rig.errors import Failed

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def _end_with_us():
    """In the child: it gets SIGTERM when this program ends, however it ends."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Process:
    """A daemon; its output goes to a file. Used as `with`, or ended by end()."""

    def __init__(self, name, argv, log):
        self.name = name
        self.log = log
        with open(log, "wb") as output:
            self.popen = subprocess.Popen(
                list(map(str, argv)),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=_end_with_us,
            )
        self.pid = self.popen.pid

    def alive(self):
        return self.popen.poll() is None

    def last_words(self):
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "no output"

    def end(self):
        """Also what it started: sshd's sessions and socat's children outlive their parent."""
        family = {pid: tree.start_time(pid) for pid in tree.members(self.pid)}
        for pid in family if self.alive() else ():
            _send(pid, signal.SIGTERM, family)
        with suppress(subprocess.TimeoutExpired):
            self.popen.wait(0.3)
        for pid in family:
            _send(pid, signal.SIGKILL, family)
        self.popen.wait()


def _send(pid, number, family):
    if family[pid] is not None and tree.start_time(pid) == family[pid]:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


class Tool:
    """One of the load programs; it answers in lines, and holds what it has until it is closed."""

    def __init__(self, argv):
        self.name = os.path.basename(argv[0])
        self.popen = subprocess.Popen(
            list(map(str, argv)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=_end_with_us,
        )
        self.pending = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _read(self, deadline):
        left = max(0, deadline - time.monotonic())
        if not select.select([self.popen.stdout], [], [], left)[0]:
            raise Failed(f"{self.name}: no answer in time")
        data = os.read(self.popen.stdout.fileno(), 4096)
        if not data:
            reason = self.popen.stderr.read().decode().strip()
            raise Failed(f"{self.name}: {reason or 'ended'}")
        self.pending += data

    def line(self, begin, seconds):
        """The words behind `begin` in its next line."""
        deadline = time.monotonic() + seconds
        while b"\n" not in self.pending:
            self._read(deadline)
        line, _, self.pending = self.pending.partition(b"\n")
        words = line.decode().split()
        if words[0] != begin:
            raise Failed(f"{self.name}: {line.decode()!r}")
        return words[1:]

    def go(self):
        """What it waits for before it begins."""
        self.popen.stdin.write(b"\n")
        self.popen.stdin.flush()

    def close(self):
        with suppress(OSError):
            self.popen.stdin.close()
        try:
            self.popen.wait(0 if self.name in ("bulk", "ping", "churn") else 5)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        self.popen.stdout.close()
        self.popen.stderr.close()
