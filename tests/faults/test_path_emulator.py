"""The path emulator does to packets what it was told to."""

import socket
import time
from contextlib import ExitStack, contextmanager

import pytest
from emulator import Emulator
from harness.env import patience
from netns import inside, new_name, sh

PORT = 7
SIZE = 1000
SO_RCVBUFFORCE = 33


@pytest.fixture(scope="module")
def pair(namespaces):
    """Two namespaces without IPv6, whose own packets would be counted."""
    with ExitStack() as stack:
        names = [new_name(end, "path") for end in "ab"]
        for name in names:
            sh("ip", "netns", "add", name)
            stack.callback(sh, "ip", "netns", "del", name)
            with inside(name), open("/proc/sys/net/ipv6/conf/default/disable_ipv6", "w") as file:
                file.write("1")
        yield names


@contextmanager
def udp(name, host):
    with inside(name):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sock:
        sock.bind((f"10.77.9.{host}", PORT))
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        sock.settimeout(patience(2))
        yield sock


@contextmanager
def path(pair, **options):
    with Emulator(*pair, subnet=9, **options) as emulator:
        with udp(pair[0], 1) as a, udp(pair[1], 2) as b:
            yield emulator, a, b


def send(sock, host, count=1, size=SIZE):
    for number in range(count):
        sock.sendto(number.to_bytes(4, "big") + bytes(size - 4), (f"10.77.9.{host}", PORT))


def arriving(sock, quiet=0.3):
    """The numbers of the packets that come, until none came for so long."""
    numbers = []
    sock.settimeout(quiet)
    while True:
        try:
            numbers.append(int.from_bytes(sock.recv(SIZE)[:4], "big"))
        except TimeoutError:
            return numbers


def took(receiver, begin):
    receiver.recv(SIZE)
    return time.monotonic() - begin


def test_delay_of_each_direction(pair):
    with path(pair, ab_delay_ms=80, ba_delay_ms=20.5) as (_, a, b):
        begin = time.monotonic()
        send(a, 2)
        assert 0.08 <= took(b, begin) < patience(0.3)
        begin = time.monotonic()
        send(b, 1)
        assert 0.0205 <= took(a, begin) < patience(0.2)


def test_order_is_kept_when_the_delay_falls(pair):
    with path(pair, delay_ms=200) as (emulator, a, b):
        send(a, 2)
        emulator.set(delay_ms=0)
        a.sendto(b"\0\0\0\1", ("10.77.9.2", PORT))
        assert arriving(b) == [0, 1]


def test_rate_and_queue(pair):
    """1 Mbit/s: 100 packets take 0.8 s and more; a queue for ten lets few of them through."""
    with path(pair, rate_mbit=1) as (emulator, a, b):
        begin = time.monotonic()
        send(a, 2, 100)
        assert arriving(b) == list(range(100))
        assert time.monotonic() - begin > 0.8
        emulator.set(queue_kib=10)
        send(a, 2, 100)
        assert 8 <= len(arriving(b)) <= 20
        stats = emulator.stats()
        assert stats["ab"]["dropped"] >= 80 and stats["ba"]["dropped"] == 0


def losses(pair, seed):
    with path(pair, ab_loss=20, seed=seed) as (emulator, a, b):
        for _ in range(20):  # so that the device's own queue is never full
            send(a, 2, 50)
            time.sleep(0.002)
        numbers = arriving(b)
        assert emulator.stats()["ab"]["lost"] == 1000 - len(numbers)
        send(b, 1, 50)
        assert len(arriving(a)) == 50
        return numbers


def test_losses_come_again_with_the_seed(pair):
    first = losses(pair, 5)
    assert 120 < 1000 - len(first) < 280
    assert losses(pair, 5) == first
    assert losses(pair, 6) != first


def test_silent_cut_and_back(pair):
    with path(pair) as (emulator, a, b):
        emulator.set(loss=100)
        send(a, 2, 20)
        assert arriving(b) == []
        emulator.set(loss=0)
        send(a, 2, 20)
        assert arriving(b) == list(range(20))


def test_bad_lines(pair):
    lines = ["", "loss", "loss 101", "loss x", "loss 1 2", "ab-seed 3", "delay-ms -1", "x" * 300]
    with path(pair) as (emulator, a, b):
        for line in lines:
            assert emulator.ask(line).startswith("error: "), line
        send(a, 2)
        assert arriving(b) == [0]
