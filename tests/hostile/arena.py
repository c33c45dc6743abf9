"""
The daemons under attack: one wsps and one wspc for as long as they live, with somebody beside who
must notice nothing, and what shows after each attack that all is as before.
"""

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness.channels import connect_unix, echoes, tcp
from harness.crowd import memory_of
from harness.daemons import SANITIZER, SANITIZER_ENV, Farm, descriptors, entry
from harness.env import patience
from harness.http_client import exchange
from harness.http_origin import HttpOrigin
from harness.net import Blackhole, connect, eventually, free_port, listen, read_all
from harness.reverse import HOST, REGISTERED, request
from harness.socks import open_socks
from harness.tcp_origins import EchoOrigin
from harness.wsp1 import WINDOW_MIN

from table import times

MIB = 1 << 20
HANDSHAKE = 1.0  # seconds
TIME = {"handshake": HANDSHAKE, "dial": 1, "open": 3, "stall": 1, "drain": 0.5,
        "reconnect_min": 0.05, "reconnect_max": 0.2}  # fmt: skip
LIMITS = {"memory": 64 * MIB, "link_memory": 16 * MIB, "channel_memory": MIB}
STALL = 1.5  # seconds that one round beside an attack may take
# What freed memory the sanitizer keeps back would look like growth.
ENV = {"ASAN_OPTIONS": SANITIZER_ENV["ASAN_OPTIONS"] + ":quarantine_size_mb=8"}

# What may differ from the beginning, once an attack is over.
SLACK = {"memory": 48 * MIB, "buffers": MIB // 2, "reserved": MIB // 4}
LINES = times(3000)  # of the log, in one attack
PEAK = 96 * MIB  # of a daemon's memory at any time, above that of the beginning


class Target:
    """A service whose connections the attack takes one by one; what it does not take is dropped."""

    def __init__(self):
        self.listener = listen()
        self.port = self.listener.getsockname()[1]

    def close(self):
        self.listener.close()

    def accept(self, timeout=5):
        self.listener.settimeout(patience(timeout))
        sock, _ = self.listener.accept()
        sock.settimeout(patience(10))
        return sock

    def clear(self):
        self.listener.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                self.listener.accept()[0].close()


class Bystander:
    """tests/hostile/bystander.py, and what it says."""

    def __init__(self, port, ways):
        script = Path(__file__).with_name("bystander.py")
        self.process = subprocess.Popen(
            [sys.executable, str(script), str(port), *ways],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.state()

    def state(self):
        self.process.stdin.write(b"?\n")
        self.process.stdin.flush()
        state = json.loads(self.process.stdout.readline())
        assert not state["faults"], f"the transfer beside: {state['faults']}"
        return state

    def goes_on(self, since, count=2):
        """Waits for that many rounds of every connection; none may take too long."""

        def moved():
            state = self.state()
            assert state["stall"] < patience(STALL), f"a stall of {state['stall']:.1f} s"
            return all(now >= then + count for now, then in zip(state["rounds"], since["rounds"]))

        eventually(moved, "the transfer beside goes on", STALL)

    def end(self):
        self.process.kill()
        self.process.communicate()


class Arena:
    """Common to all. `wsps` and `wspc` are configured by subclasses, in start()."""

    slack = SLACK

    def __init__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="wsp-"))  # short, for sockets
        self.farm = Farm(self.directory, secure=False)
        self.world = contextlib.ExitStack()  # what lives as long as the daemons
        self.stack = contextlib.ExitStack()  # of the attack that is under way
        self.echo = self.world.enter_context(EchoOrigin())
        self.well = self.world.enter_context(HttpOrigin())
        self.target = self.world.enter_context(contextlib.closing(Target()))
        self.hole = self.world.enter_context(Blackhole())
        self.beside_port = free_port()
        try:
            self._begin()
        except BaseException:
            self.end()
            raise

    def _begin(self):
        self.start()
        self.bystander = Bystander(self.beside_port, self.ways())
        self.world.callback(self.bystander.end)
        self.refresh()
        self.start_values = eventually(self._settled, "the daemons are at rest", 20)

    # ---- the daemons

    def start_wsps(self, **config):
        limits = {**LIMITS, "channels_per_link": 256, **config.pop("limits", {})}
        path = str(self.directory / "wsps.sock")
        return self.farm.wsps(host=HOST, time=TIME, limits=limits, status=path, dialect=None,
                              log={"level": "info"}, launch={"env": ENV}, **config)  # fmt: skip

    def start_wspc(self, *entries, **config):
        limits = {**LIMITS, **config.pop("limits", {})}
        path = str(self.directory / "wspc.sock")
        wspc = self.farm.wspc(*entries, time=TIME, limits=limits, status=path, link=False,
                              log={"level": "info"}, launch={"env": ENV}, **config)  # fmt: skip
        return wspc

    def honest(self, *remotes, **extra):
        """The entry of `client` through which the honest go."""
        well = f"http://127.0.0.1:{self.well.port}?mode=path&value=well"
        remotes = [well, tcp("beside:pw", self.beside_port), *remotes]
        self.local_port = free_port()
        local = [f"tcp://beside:pw@127.0.0.1:{self.local_port}"]
        return entry(self.wsps.config["port"], remote=remotes, local=local, **extra)

    def registered(self, count):
        self.wspc.wait_line(REGISTERED, count=count)

    def ways(self):
        return [f"socks:{self.wspc.port('socks5')}", f"local:{self.local_port}"]

    @property
    def port(self):
        return self.wsps.config["port"]

    def visit(self):
        """A visitor's connection to wsps, not kept."""
        return connect(self.port)

    # ---- what shows that they are well

    def refresh(self):
        """Fresh requests are served, by each way into the daemons."""
        with open_socks(self.wspc.port("socks5"), "127.0.0.1", self.echo.port) as sock:
            assert echoes(sock)
        with self.visit() as sock:
            assert exchange(sock, request("GET /well/x")).status == 200

    def values(self):
        """What each daemon holds. Idle connections to services are kept on purpose."""
        said = {d.name: json.loads(self.state_of(d)) for d in (self.wsps, self.wspc)}
        idle = sum(name["idle"] for name in said["wsps"]["names"])
        values = {}
        for daemon in (self.wsps, self.wspc):
            state = said[daemon.name]
            usage = {k: v for k, v in state["usage"].items() if k != "names_offline"}
            usage["channels"] -= idle
            usage["descriptors"] = descriptors(daemon) - (idle if daemon is self.wspc else 0)
            usage["buffers"] = state["memory"]["buffers_bytes"]
            usage["reserved"] = state["memory"]["reserved_bytes"] - idle * WINDOW_MIN
            usage["memory"] = memory_of(daemon)
            values.update({(daemon.name, key): value for key, value in usage.items()})
        values["wspc", "targets"] -= idle
        return values

    @staticmethod
    def state_of(daemon):
        with connect_unix(daemon.config["status"]) as sock:
            return read_all(sock)

    def _settled(self):
        """Twice the same, but for what moves with every byte."""
        first = self.values()
        time.sleep(0.05)
        second = self.values()
        moving = ("buffers", "memory", "held_bytes", "reserved")
        same = all(first[k] == second[k] for k in first if k[1] not in moving)
        return second if same else None

    def excess(self):
        """What there is more of than at the beginning."""
        now = self.values()
        return {
            f"{daemon} {key}": (before, now[daemon, key])
            for (daemon, key), before in self.start_values.items()
            if now[daemon, key] > before + self.slack.get(key, 0)
        }

    def _is_back(self, timeout=3):
        deadline = time.monotonic() + patience(timeout)
        while excess := self.excess():
            self.target.clear()
            assert time.monotonic() < deadline, f"more than at the beginning: {excess}"
            time.sleep(0.02)

    # ---- an attack

    @contextlib.contextmanager
    def attack(self):
        """
        What is kept within is closed in the end, and then all has to be as before. The one beside
        has to get on while the attack is still in place.
        """
        marks = {daemon: daemon.mark() for daemon in (self.wsps, self.wspc)}
        beside = self.bystander.state()
        with contextlib.ExitStack() as self.stack:
            yield
            self._alive(marks)
            self.bystander.goes_on(beside)
        self.target.clear()
        self.refresh()
        self._is_back()
        self._alive(marks)

    def _alive(self, marks):
        for daemon, since in marks.items():
            lines = daemon.lines[since:]
            report = SANITIZER.search("\n".join(lines))
            assert not report, f"{daemon.name}: {report.group()}"
            assert len(lines) < LINES, f"{daemon.name} has logged {len(lines)} lines"
            assert not any(" error " in line for line in lines), "a peer's fault is none of ours"
            assert daemon.process.poll() is None, f"{daemon.name} has ended"
            before = self.start_values[daemon.name, "memory"]
            peak = memory_of(daemon, "VmHWM") - before
            assert peak < PEAK, f"{daemon.name}: {peak >> 20} MiB more than at the beginning"

    def keep(self, thing):
        """Closed when the attack is over."""
        if hasattr(thing, "__exit__"):
            return self.stack.enter_context(thing)
        self.stack.callback(thing.close)
        return thing

    def later(self, action, *args):
        """Done when the attack is over."""
        self.stack.callback(action, *args)

    def connect(self, port=None, **options):
        return self.keep(connect(port or self.port, **options))

    def end(self):
        try:
            self.world.close()
            self.farm.close()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)
