"""A stand-in for the service manager: what systemd gives to a daemon and hears from it."""

import os
import socket
import sys

from harness.env import patience
from harness.net import is_silent

# The shell that execs the daemon knows the pid that it will have.
AS_SERVICE = ("sh", "-c", 'export WATCHDOG_PID=$$ LISTEN_PID=$$; exec "$0" "$@"')

# The same, with the descriptors named in its first argument moved to where passed sockets are.
WITH_SOCKETS = """
import fcntl, os, sys
high = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 50) for fd in sys.argv[1].split(",")]
for place, fd in enumerate(high, 3):
    os.dup2(fd, place)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(high)))
os.execv(sys.argv[2], sys.argv[2:])
"""


def activated(*sockets, **env):
    """What starts a daemon with sockets passed to it."""
    fds = [sock.fileno() for sock in sockets]
    under = (sys.executable, "-c", WITH_SOCKETS, ",".join(map(str, fds)))
    return {"under": under, "env": env, "pass_fds": fds}


class Manager:
    """Listens on a notification socket, a path or (`abstract`) a name."""

    def __init__(self, directory, abstract=False):
        self.name = f"@wsp-{os.urandom(8).hex()}" if abstract else str(directory / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + self.name[1:] if abstract else self.name)
        if not abstract:
            os.chmod(self.name, 0o777)  # as systemd's
        self.said = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def launch(self, **env):
        """What starts a daemon under this manager."""
        env = {"NOTIFY_SOCKET": self.name, **{k: str(v) for k, v in env.items()}}
        return {"under": AS_SERVICE, "env": env}

    def next(self, timeout=10):
        """The variables of the next datagram."""
        self.socket.settimeout(patience(timeout))
        text = self.socket.recv(4096).decode()
        self.said.append(dict(line.split("=", 1) for line in text.strip().split("\n")))
        return self.said[-1]

    def is_silent(self, seconds):
        return is_silent(self.socket, seconds)

    def wait(self, key, value="1"):
        """Waits for a datagram in which `key` has `value`."""
        while (said := self.next()).get(key) != value:
            pass
        return said
