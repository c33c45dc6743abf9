"""
TLS for tests that know nothing of it: their wsps listens by TLS on a port of its own, and the port
that they know leads there through tests/tools/tls_bridge. Links of wspc do without the bridge.
"""

import functools
import subprocess
import tempfile
from pathlib import Path

from harness.certificates import Authority
from harness.env import BIN_DIR
from harness.net import free_port

_bridged = {}  # the port that tests know: that of wsps


@functools.cache
def _directory():
    return tempfile.TemporaryDirectory(prefix="wsp-tls-")


@functools.cache
def files():
    """(ca, certificate, key) of this run."""
    authority = Authority(Path(_directory().name))
    return authority.file, *authority.issue("server", ["IP:127.0.0.1", "IP:::1", "DNS:localhost"])


def written(config):
    """The configuration of a wsps as its file has it."""
    if config.get("port") not in _bridged:
        return config
    ssl = dict(zip(("cert", "key"), map(str, files()[1:])))
    return {**config, "port": _bridged[config["port"]], "ssl": {"enable": True, **ssl}}


def server(port):
    """What an entry of wspc's `client` needs to reach that port, without path."""
    if port not in _bridged:
        return {"server": f"ws://127.0.0.1:{port}"}
    return {"server": f"wss://127.0.0.1:{_bridged[port]}", "ca": str(files()[0])}


class Bridges:
    """The bridges of one farm."""

    def __init__(self):
        self.processes = []

    def open(self, port):
        """From now on a wsps at this port is reached by TLS; a second one can follow it."""
        if port in _bridged:
            return
        behind = free_port()
        command = [BIN_DIR / "tests" / "tls_bridge", port, behind, files()[0]]
        process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE)
        self.processes.append(process)
        assert process.stdout.readline() == b"ready\n"
        _bridged[port] = behind

    def close(self):
        for process in self.processes:
            process.kill()
            process.communicate()
