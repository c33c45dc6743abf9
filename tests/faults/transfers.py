"""curl on the client's host, fetching and sending files whose every byte is known."""

import hashlib
import itertools
import subprocess

import web
from harness.env import patience
from harness.net import eventually
from world import SERVICE

KINDS = ("length", "closing", "upload")  # closing: only the end of the connection ends the file

_serials = itertools.count(1)


class Transfer:
    """One curl, running. `how` is the proxy it uses, or None to go to `host` itself."""

    def __init__(self, system, kind, size, how="socks5h", host=SERVICE, port=None):
        self.kind = kind
        self.size = size
        self.web = system.web
        self.result = None
        serial = next(_serials)
        self.file = system.directory / f"{kind}-{serial}"
        self.path = f"/{kind}/{serial if kind == 'upload' else size}"
        command = ["curl", "-q", "-sS", "--fail", "--noproxy", "", "-o", self.file]
        if how:
            command += ["--proxy", f"{how}://127.0.0.1:{system.ports[how]}"]
        if kind == "upload":
            command += ["-T", system.source(size), "-H", "Expect:"]
        command += [f"http://{host}:{port or system.web.port}{self.path}"]
        with system.world.inside("client"):
            self.process = subprocess.Popen(
                list(map(str, command)),
                stdin=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env={"PATH": "/usr/bin:/bin"},
            )
        system.transfers.append(self)

    def moved(self):
        """Bytes that have arrived."""
        if self.kind == "upload":
            return self.web.uploaded(self.path)
        return self.file.stat().st_size if self.file.exists() else 0

    def wait_moved(self, size):
        eventually(lambda: self.moved() >= size or self.process.poll() is not None, self.kind, 10)
        assert self.process.poll() is None, f"{self.kind} ended too early: {self.outcome()}"

    def outcome(self, timeout=10):
        """What became of it: decided once."""
        if not self.result:
            self.result = self._outcome(timeout)
        return self.result

    def _outcome(self, timeout):
        """
        "complete" or "broken", as curl sees it. A file that curl takes for complete and that is not
        what was sent is the one thing that must never be.
        """
        try:
            _, errors = self.process.communicate(timeout=patience(timeout))
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.kind}: neither complete nor broken after {timeout} s")
        if self.process.returncode:
            return f"broken ({self.process.returncode}: {errors.decode().strip()})"
        data = self.file.read_bytes()
        self.file.unlink()
        got = data.decode() if self.kind == "upload" else hashlib.sha256(data).hexdigest()
        assert got == web.digest(self.size), (
            f"{self.kind}: taken for complete with {len(data)} bytes, {self.size} were sent"
        )
        return "complete"

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        self.file.unlink(missing_ok=True)
