"""The three daemons in their world, transfers through them, and what must be true afterwards."""

import os
import re
import signal
import time
from dataclasses import dataclass, field

import web
from harness.daemons import AUTH, LISTENING, PATH
from harness.env import SANITIZED
from harness.net import eventually
from transfers import KINDS, Transfer
from world import SERVER, SERVICE

LONG = os.environ.get("WSP_LONG") == "1"
PORT = 8010
REGISTERED = r"registered "
ROLES = ("server", "exit", "client")

FAST = {
    "ping": 0.5, "dead": 2, "probe": 1.2, "probe_answer": 0.8, "stall": 1.8, "dial": 1,
    "handshake": 1, "reconnect_min": 0.1, "reconnect_max": 0.4, "drain": 1,
}  # fmt: skip


@dataclass
class Pace:
    """How long faults last, and how long healing may take."""

    time: dict = field(default_factory=lambda: FAST)
    size: int = 4 << 20  # of a transfer that is to survive
    rate: int = 3 << 20
    heal: float = 10
    warm_up: int = 3  # rounds


def pace():
    """WSP_LONG=1: the daemons' default times, and faults that fit them."""
    return Pace({}, 60 << 20, 1 << 20, 70) if LONG else Pace()


def far_pace():
    """Through a path emulator: never long, but with time for answers that have a long way."""
    time = {**FAST, "dead": 2.5, "probe": 1.2, "probe_answer": 1.5, "dial": 2}
    return Pace(time, warm_up=1)


def faults(long):
    """
    Seconds that a fault lasts, and what becomes of a transfer; None: one or the other. In the short
    form the second one is `long`.
    """
    return [(10, "complete"), (40, None), (90, "broken")] if LONG else [
        (0.5, "complete"), (long, "broken")
    ]  # fmt: skip


def resident_kib(daemon):
    with open(f"/proc/{daemon.process.pid}/status") as file:
        return int(re.search(r"VmRSS:\s+(\d+) kB", file.read()).group(1))


def descriptors(daemon):
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))


class System:
    ports = {"socks5h": 1080, "http": 8118, "named": 8001}

    def __init__(self, farm, world, web_server, pace, directory):
        self.farm = farm
        self.world = world
        self.web = web_server
        self.pace = pace
        self.directory = directory
        self.transfers = []
        self.daemons = {}
        for role in ROLES:
            self.start(role)
        self.warm_up()

    # ---- the daemons

    def start(self, role):
        """Starts that daemon, and returns when it has done what it can do alone."""
        self.daemons[role] = getattr(self, f"start_{role}")()
        return self.daemons[role]

    def run(self, host, name, config, **time):
        config |= {"log": {"level": "debug"}, "time": {**self.pace.time, **time}}
        with self.world.inside(host):
            return self.farm.start(name, config)

    def start_server(self, **time):
        server = self.run("server", "wsps", {"port": PORT, "path": PATH, "auth": AUTH}, **time)
        server.wait_line(LISTENING)
        return server

    def link(self, host, **config):
        return {"server": f"ws://{SERVER[host]}:{PORT}{PATH}", "auth": AUTH, **config}

    def start_exit(self, **time):
        named = f"tcp://web:pw@{SERVICE}:{self.web.port}"
        entry = self.link("service", remote=["tunnel://lan:pw@", named])
        return self.run("service", "wspc", {"client": [entry]}, **time)

    def start_client(self, **time):
        entry = self.link(
            "client",
            dynamic=["socks5://lan:pw@127.0.0.1:1080", "http://lan:pw@127.0.0.1:8118"],
            local=["tcp://web:pw@127.0.0.1:8001"],
        )
        client = self.run("client", "wspc", {"client": [entry]}, **time)
        client.wait_line(LISTENING, count=3)
        return client

    def kill(self, role):
        self.daemons[role].kill()

    def freeze(self, role):
        self.daemons[role].signal(signal.SIGSTOP)

    def thaw(self, role):
        self.daemons[role].signal(signal.SIGCONT)

    # ---- transfers

    def transfer(self, kind="length", size=1 << 20, **options):
        return Transfer(self, kind, size, **options)

    def source(self, size):
        """A file to be uploaded."""
        path = self.directory / f"source-{size}"
        if not path.exists():
            path.write_bytes(memoryview(web.CONTENT)[:size])
        return path

    def load(self, survives=True, kinds=KINDS, moved=1 << 19):
        """Transfers in the middle of their way: none ends before the server lets go."""
        size, rate = (self.pace.size, self.pace.rate) if survives else (60 << 20, 10 << 20)
        self.web.hold_back(rate)
        running = [self.transfer(kind, size) for kind in kinds]
        for transfer in running:
            transfer.wait_moved(moved)
        return running

    def expect(self, transfers, outcome, timeout=10):
        """All of them end, and as they should; None: either way."""
        self.web.let_go()
        outcomes = [f"{t.kind}: {t.outcome(timeout)}" for t in transfers]
        assert all(f": {outcome or ''}" in o for o in outcomes), f"expected {outcome}: {outcomes}"

    def works(self):
        return all(t.outcome() == "complete" for t in [self.transfer(kind) for kind in KINDS])

    def warm_up(self):
        """What is held then is what may be held after a fault."""
        self.daemons["exit"].wait_line(REGISTERED, count=2)
        self.daemons["client"].wait_link()
        for _ in range(self.pace.warm_up):
            assert self.works()
        eventually(lambda: self.web.open == 0, "the exit closed its connections")
        self.held = {role: (descriptors(d), resident_kib(d)) for role, d in self.daemons.items()}

    def recovers(self, slack_kib=2048):
        """Everything works again by itself, and nothing is left behind."""
        eventually(self.works, "transfers work again", self.pace.heal)
        eventually(lambda: self.web.open == 0, "the exit closed its connections")
        for role, daemon in self.daemons.items():
            fds, kib = self.held[role]
            eventually(lambda: descriptors(daemon) <= fds, f"{role} closed its descriptors", 10)
            if not SANITIZED:
                eventually(lambda: resident_kib(daemon) <= kib + slack_kib, f"{role}: memory", 5)

    def close(self):
        for transfer in self.transfers:
            transfer.end()
        for source in self.directory.glob("source-*"):
            source.unlink()
        for daemon in self.farm.daemons:
            if daemon.process.poll() is None:
                daemon.signal(signal.SIGCONT)


def hold(seconds):
    """The fault lasts that long."""
    time.sleep(max(0, seconds))
