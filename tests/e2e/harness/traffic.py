"""
A wsps, a wspc that offers services and one that uses them; and transfers of every kind through all
three, compared byte for byte.
"""

import random
import threading
from contextlib import contextmanager, suppress

from harness import socks
from harness.channels import tcp
from harness.daemons import entry
from harness.env import patience
from harness.frames import BINARY, CLOSE
from harness.http_origin import HttpOrigin
from harness.net import connect, free_port, read_exact, read_until
from harness.reverse import REGISTERED, request, services
from harness.tcp_origins import EchoOrigin
from harness.ws_visitor import Visitor

BLOB = random.Random(8).randbytes(1 << 22)  # each transfer is a piece of it from somewhere


class Broken(Exception):
    """A transfer that was refused or cut off, and was seen to be."""


class Wrong(AssertionError):
    """Bytes that are not those that were sent: what must never be."""


def piece_of_blob(size, chance):
    """So many bytes, at most half of all."""
    at = chance.randrange(len(BLOB) - size)
    return BLOB[at : at + size]


def compare(got, wanted, what):
    if got != wanted:
        at = next((i for i, (a, b) in enumerate(zip(got, wanted)) if a != b), len(got))
        raise Wrong(f"{what}: {len(got)} of {len(wanted)} bytes, another one at {at}")


@contextmanager
def seen_to_break():
    try:
        yield
    except (OSError, EOFError, socks.SocksError) as fault:
        raise Broken(f"{type(fault).__name__}: {fault}") from None


@contextmanager
def sending(send, data):
    """Sends in a thread while the body reads; a fault of the one is seen by the other."""

    def run():
        with suppress(OSError):
            send(data)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def echo(sock, data):
    """There and back at the same time."""
    with sending(sock.sendall, data):
        try:
            return read_exact(sock, len(data))
        except BaseException:
            sock.close()  # ends the sender, too
            raise


def body_of(sock, size):
    """Of one response that must be good and have that length."""
    head = read_until(sock, b"\r\n\r\n").decode("latin-1")
    status = int(head.split(" ")[1])
    if status >= 500:
        raise Broken(f"status {status}")
    if status != 200 or f"\r\nContent-Length: {size}\r\n" not in head:
        raise Wrong(f"the head of an answer of {size} bytes is {head!r}")
    return read_exact(sock, size)


class Traffic:
    """
    `launch`: options of Daemon for each of "server", "service" and "user"; `dialect` is that of both
    links. `config` goes to all three.
    """

    def __init__(self, farm, dialect=None, launch=None, **config):
        self.launch = launch or {}
        self.farm = farm
        self.dialect = dialect
        self.config = config
        self.origins = [EchoOrigin(), HttpOrigin()]
        self.echo, self.http = self.origins
        for origin in self.origins:
            origin.__enter__()
        self.local = free_port()
        self.port = free_port()
        self.daemons = {}
        for role in ("server", "service", "user"):
            self.start(role)

    def close(self):
        for origin in self.origins:
            origin.__exit__()

    # ---- the daemons

    def start(self, role):
        self.daemons[role] = getattr(self, f"_start_{role}")(self.launch.get(role, {}))
        return self.daemons[role]

    def _start_server(self, launch):
        return self.farm.wsps(port=self.port, launch=launch, **self.config)

    def _start_service(self, launch):
        http, echo = self.http.port, self.echo.port
        offered = [
            f"http://127.0.0.1:{http}?mode=path&value=web",
            f"tcp://127.0.0.1:{echo}?mode=path&value=tcp",
            tcp("echo:pw", echo),
        ]
        only = services(self.port, *offered, dialect=self.dialect)
        daemon = self.farm.wspc(only, launch=launch, **self.config)
        daemon.wait_line(REGISTERED, count=len(offered), timeout=20)
        return daemon

    def _start_user(self, launch):
        local = [f"tcp://echo:pw@127.0.0.1:{self.local}"]
        only = entry(self.port, local=local, dialect=self.dialect)
        if "user" in self.daemons:  # at the same ports
            only["dynamic"] = self.daemons["user"].config["client"][0]["dynamic"]
        return self.farm.wspc(only, launch=launch, **self.config)

    # ---- transfers: each is done, or Broken, or Wrong

    def socks5(self, size, chance):
        data = piece_of_blob(size, chance)
        proxy = self.daemons["user"].port("socks5")
        with socks.open_socks(proxy, "127.0.0.1", self.echo.port) as sock:
            compare(echo(sock, data), data, "socks5")

    def connect(self, size, chance):
        data = piece_of_blob(size, chance)
        with connect(self.daemons["user"].port("http")) as sock:
            to = f"127.0.0.1:{self.echo.port}"
            sock.sendall(f"CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n".encode())
            head = read_until(sock, b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200 "):
                raise Broken(f"CONNECT: {head[:60]!r}")
            compare(echo(sock, data), data, "connect")

    def proxied(self, size, chance):
        self._posted(self.daemons["user"].port("http"), self.http.url("/echo"), size, chance)

    def reverse(self, size, chance):
        self._posted(self.port, "/web/echo", size, chance)

    def _posted(self, port, target, size, chance):
        """Twice on one connection."""
        with connect(port) as sock:
            for _ in range(2):
                data = piece_of_blob(size, chance)
                head = request(f"POST {target}", f"Content-Length: {size}",
                               host=self.http.authority)  # fmt: skip
                with sending(sock.sendall, head + data):
                    try:
                        body = body_of(sock, size)
                    except BaseException:
                        sock.close()
                        raise
                compare(body, data, target)

    def channel(self, size, chance):
        data = piece_of_blob(size, chance)
        with connect(self.local) as sock:
            compare(echo(sock, data), data, "channel")

    def websocket(self, size, chance):
        data = piece_of_blob(size, chance)
        try:
            visitor = Visitor(self.port)
        except AssertionError as fault:  # another answer than 101
            raise Broken(str(fault)) from None
        with visitor, sending(lambda d: self._frames(visitor, d, chance), data):
            got = bytearray()
            while len(got) < size:
                frame = visitor.next_or_none()
                if frame is None or frame.op == CLOSE:
                    visitor.sock.close()
                    raise Broken(f"websocket: closed after {len(got)} of {size} bytes")
                got += frame.payload
            compare(bytes(got), data, "websocket")
        # not closed politely: the visitor leaves

    @staticmethod
    def _frames(visitor, data, chance):
        at = 0
        while at < len(data):
            step = chance.choice((1, 125, 126, 3000, 20000))
            visitor.send(BINARY, data[at : at + step])
            at += step

    KINDS = ("socks5", "connect", "proxied", "reverse", "channel", "websocket")

    def run(self, kind, size, chance):
        with seen_to_break():
            getattr(self, kind)(size, chance)

    def works(self, seed=0):
        """Whether one small transfer of each kind is done."""
        with suppress(Broken):
            for kind in self.KINDS:
                self.run(kind, 1000, random.Random(seed))
            return True
        return False

    def all_at_once(self, size, seed, rounds=1, kinds=KINDS):
        """Each kind in a thread of its own; the first fault of any is raised."""
        faults = []

        def go_on(kind):
            chance = random.Random(f"{seed} {kind}")
            try:
                for _ in range(rounds):
                    self.run(kind, size, chance)
            except BaseException as fault:
                faults.append((kind, fault))

        threads = [threading.Thread(target=go_on, args=(kind,)) for kind in kinds]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(patience(60))
        assert not any(thread.is_alive() for thread in threads), "a transfer hangs"
        assert not faults, faults
