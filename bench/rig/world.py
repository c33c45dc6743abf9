"""Where a measurement takes place: on one host, or on two with a path between them."""

import itertools
import socket
import time
from contextlib import ExitStack, nullcontext

from rig.errors import Failed
from rig.paths import TOOLS
from rig.process import Process, Tool

READY_SECONDS = 15

_serials = itertools.count(1)  # of files: worlds share their directory


class World:
    """
    Two sides: the load is on the near one, the load server on the far one. Here both are this host.
    """

    far_address = "127.0.0.1"

    def __init__(self, directory):
        self.directory = directory
        self.stack = ExitStack()
        self.target_port = None

    def __enter__(self):
        with ExitStack() as stack:
            self.prepare(stack)
            server = stack.enter_context(self.tool("server", "0.0.0.0:0", side="far"))
            self.target_port = int(server.line("port", 5)[0])
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def prepare(self, stack):
        """Sets up the sides."""

    def inside(self, side):
        """The calling thread is on that side."""
        return nullcontext()

    def target(self):
        """The load server as the far side sees it."""
        return f"127.0.0.1:{self.target_port}"

    def free_port(self, side):
        with self.inside(side), socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            return sock.getsockname()[1]

    def file(self, name):
        return self.directory / f"{next(_serials)}-{name}"

    def process(self, name, argv, side="near"):
        with self.inside(side):
            return Process(name, argv, self.file(f"{name}.log"))

    def tool(self, name, *arguments, side="near"):
        with self.inside(side):
            return Tool([str(TOOLS / name), *map(str, arguments)])

    def wait_port(self, process, port, address="127.0.0.1", side="near"):
        """Until it listens."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and process.alive():
            with self.inside(side), socket.socket() as sock:
                if sock.connect_ex((address, port)) == 0:
                    return
            time.sleep(0.01)
        raise Failed(f"{process.name} does not listen: {process.last_words()}")

    def wait_through(self, route, processes):
        """Until an echo comes back by that route."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            with self.tool("churn", route, 1, 1, 3000) as churn:
                if churn.line("done", 5)[0] == "1":
                    return
            time.sleep(0.05)
        words = "; ".join(f"{p.name}: {p.last_words()}" for p in processes)
        raise Failed(f"nothing comes through ({words})")
