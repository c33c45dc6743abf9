"""Rude clients and sudden ends, many at once: nothing may crash, leak or stay behind."""

import random
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from harness import socks
from harness.daemons import AUTH, PATH, descriptors
from harness.env import patience, volume
from harness.http_client import get
from harness.net import connect, eventually, read_exact, reset
from harness.peer import upgrade_request
from harness.tcp_origins import EchoOrigin, SourceOrigin

WORKERS = 12


def leave(sock, chance):
    """An end of one kind or another."""
    if chance.random() < 0.5:
        reset(sock)
    else:
        sock.close()


class Rude:
    """A client that does one of its acts, seldom to the end."""

    def __init__(self, server, wspc, origins):
        self.server = server
        self.wspc = wspc
        self.echo, self.source, self.http = origins

    def act(self, seed):
        chance = random.Random(seed)
        acts = [self.garbage, self.half_greeting, self.aborted_open, self.aborted_download,
                self.aborted_upload, self.aborted_request, self.front, self.raw_link]  # fmt: skip
        with suppress(OSError, EOFError, AssertionError, socks.SocksError):
            chance.choice(acts)(chance)

    def garbage(self, chance):
        sock = connect(self.wspc.port(chance.choice(["socks5", "http"])))
        sock.sendall(chance.randbytes(chance.randrange(1, 2000)))
        leave(sock, chance)

    def half_greeting(self, chance):
        sock = connect(self.wspc.port("socks5"))
        whole = b"\x05\x01\x00" + socks.request_bytes("localhost", self.echo.port) + b"early"
        sock.sendall(whole[: chance.randrange(len(whole))])
        leave(sock, chance)

    def aborted_open(self, chance):
        sock = socks.greet(self.wspc.port("socks5"))
        hosts = ["127.0.0.1", "localhost", "no.such.invalid", "::1", "127.255.255.255"]
        host = chance.choice(hosts)
        sock.sendall(socks.request_bytes(host, self.echo.port))
        leave(sock, chance)

    def aborted_download(self, chance):
        sock = socks.open_socks(self.wspc.port("socks5"), "127.0.0.1", self.source.port)
        sock.settimeout(0.2)
        sock.sendall((1 << 30).to_bytes(8, "big"))
        read_exact(sock, chance.randrange(1, 1 << 20))
        leave(sock, chance)

    def aborted_upload(self, chance):
        sock = socks.open_socks(self.wspc.port("socks5"), "127.0.0.1", self.echo.port)
        sock.settimeout(0.2)
        with suppress(TimeoutError):
            sock.sendall(bytes(chance.randrange(1, 4 << 20)))
        leave(sock, chance)

    def aborted_request(self, chance):
        sock = connect(self.wspc.port("http"))
        sock.settimeout(0.2)
        path = chance.choice(["/length/500000", "/chunked/500000", "/closing", "/garbage", "/x"])
        sock.sendall(get(self.http.url(path)) * chance.randrange(1, 4))
        read_exact(sock, chance.randrange(1, 3000))
        leave(sock, chance)

    def front(self, chance):
        sock = connect(self.server.config["port"])
        head = upgrade_request(self.server.config["port"], PATH, AUTH)
        sock.sendall(head[: chance.randrange(len(head))])
        leave(sock, chance)

    def raw_link(self, chance):
        sock = connect(self.server.config["port"])
        sock.sendall(upgrade_request(self.server.config["port"], PATH, AUTH))
        read_exact(sock, 12)
        sock.sendall(b"\x82" + chance.randbytes(chance.randrange(1, 500)))
        leave(sock, chance)


@pytest.fixture
def origins(origin):
    with EchoOrigin() as echo, SourceOrigin(bytes(1 << 20)) as source:
        yield echo, source, origin


def round_trip(wspc, echo):
    with socks.open_socks(wspc.port("socks5"), "127.0.0.1", echo.port) as sock:
        sock.sendall(b"still well")
        return read_exact(sock, 10) == b"still well"


def test_rude_clients(farm, origins):
    """Afterwards both daemons work, and hold no more descriptors than before."""
    server, wspc = farm.pair(time={"stall": 1, "handshake": 2})
    assert round_trip(wspc, origins[0])
    before = descriptors(server), descriptors(wspc)
    rude = Rude(server, wspc, origins)
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(rude.act, range(volume(600, 200))))
    assert eventually(lambda: works(wspc, origins[0]), "the daemons serve", 10)
    for daemon, count in zip((server, wspc), before):
        eventually(lambda: descriptors(daemon) <= count, f"{daemon.name} closed everything", 15)


def works(wspc, echo):
    with suppress(OSError, EOFError, socks.SocksError):
        return round_trip(wspc, echo)


@pytest.mark.parametrize("who", ["wsps", "wspc"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_end_under_load(farm, origins, who, number):
    """Ended in the middle of everything: cleanly where it can be, and the other one goes on."""
    server, wspc = farm.pair(time={"drain": 1, "handshake": 2, "stall": 1})
    rude = Rude(server, wspc, origins)
    over = threading.Event()

    def load(seed):
        while not over.is_set():
            rude.act(seed)
            seed += WORKERS

    with ThreadPoolExecutor(WORKERS) as pool:
        jobs = [pool.submit(load, seed) for seed in range(WORKERS)]
        eventually(lambda: len(origins[0].peers) + len(origins[1].peers) > 60, "load", 20)
        ended, left = (server, wspc) if who == "wsps" else (wspc, server)
        ended.signal(number)
        status = ended.wait_end(15)
        over.set()
        [job.result(patience(20)) for job in jobs]
    assert status == (0 if number == signal.SIGTERM else -number)
    assert left.process.poll() is None
    if who == "wsps":
        since = wspc.mark()
        farm.wsps(port=server.config["port"])
        wspc.wait_link(since=since)
        assert eventually(lambda: works(wspc, origins[0]), "the new link serves", 10)


def test_a_thousand_idle_strangers(farm, origins):
    """Connections that say nothing keep nobody else out, and are closed in time."""
    server, wspc = farm.pair(time={"handshake": 1})
    before = descriptors(server), descriptors(wspc)
    strangers = []
    for port in (server.config["port"], wspc.port("socks5"), wspc.port("http")):
        for _ in range(volume(400, 100)):
            strangers.append(socket.create_connection(("127.0.0.1", port), 10))
    assert round_trip(wspc, origins[0])
    for daemon, count in zip((server, wspc), before):
        eventually(lambda: descriptors(daemon) <= count, f"{daemon.name} closed them", 15)
    for sock in strangers:
        sock.close()
