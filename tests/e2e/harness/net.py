"""Sockets with time limits, and free ports."""

import itertools
import random
import select
import socket
import struct
import time

from harness.env import WORKER, WORKERS, patience

# Below the ephemeral range, so that no outgoing connection takes a port between choice and use.
_range = range(12000 + WORKER, 32000, WORKERS)
_ports = itertools.cycle(random.sample(_range, len(_range)))


def free_port():
    """A TCP port that is free on both loopback addresses."""
    for port in _ports:
        if _is_free(socket.AF_INET, "127.0.0.1", port) and _is_free(socket.AF_INET6, "::1", port):
            return port


def _is_free(family, host, port):
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def connect(port, host="127.0.0.1", timeout=10, source=None):
    origin = (source, 0) if source else None
    sock = socket.create_connection((host, port), patience(timeout), origin)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def listen(host="127.0.0.1", port=0, backlog=1024):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=backlog)


def read_exact(sock, size):
    data = bytearray()
    while len(data) < size:
        piece = sock.recv(min(size - len(data), 1 << 20))
        if not piece:
            raise EOFError(f"closed after {len(data)} of {size} bytes: {bytes(data[:80])!r}")
        data += piece
    return bytes(data)


def read_until(sock, mark):
    """Everything up to and with `mark`; one byte at a time, so that nothing behind it is taken."""
    data = bytearray()
    while not data.endswith(mark):
        data += read_exact(sock, 1)
    return bytes(data)


def read_all(sock):
    """Everything up to the end of the stream."""
    data = bytearray()
    while piece := sock.recv(1 << 18):
        data += piece
    return bytes(data)


def how_it_ends(sock, timeout=5):
    """Reads on to the end: (bytes, "eof" or "reset"). Still open after `timeout`: an error."""
    sock.settimeout(patience(timeout))
    data = bytearray()
    try:
        while piece := sock.recv(1 << 18):
            data += piece
    except (ConnectionResetError, BrokenPipeError):
        return bytes(data), "reset"
    except TimeoutError:
        raise AssertionError(f"still open after {timeout} s; received {bytes(data[:200])!r}")
    return bytes(data), "eof"


def is_silent(sock, seconds):
    """True when nothing arrives, not even an end, for that long."""
    return not select.select([sock], [], [], seconds)[0]


def reset(sock):
    """Closes with RST instead of FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def was_reset(sock, timeout=5):
    """Waits for the reset, with or without an end of the stream before it."""
    watch = select.poll()
    watch.register(sock, select.POLLERR)
    assert watch.poll(1000 * patience(timeout)), "no reset"


def eventually(condition, what, timeout=5):
    """Polls until `condition()` is true and returns its value."""
    deadline = time.monotonic() + patience(timeout)
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {timeout} s: {what}"
        time.sleep(0.01)
    return value


class Blackhole:
    """A port on which connecting neither succeeds nor fails: its accept queue is full."""

    def __init__(self):
        self.listener = listen(backlog=0)
        self.port = self.listener.getsockname()[1]
        self.fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self.port))
            self.fillers.append(filler)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for sock in (*self.fillers, self.listener):
            sock.close()
