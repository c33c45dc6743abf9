"""A thousand connections without a thousand threads."""

import selectors
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

from harness import socks
from harness.net import connect, listen

CHUNK = bytes(1 << 16)


class FloodOrigin:
    """Reads nothing, and once begin() is called sends on all its connections what they take."""

    def __init__(self):
        self.begun = False
        self.listener = listen(backlog=2048)
        self.port = self.listener.getsockname()[1]
        self.sent = {}  # bytes by connection
        self.over = False

    def __enter__(self):
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over = True
        self.thread.join()
        self.listener.close()
        for sock in self.sent:
            sock.close()

    def begin(self):
        self.begun = True

    def sent_in_all(self):
        return sum(self.sent.values())

    def _run(self):
        self.listener.setblocking(False)
        selector = selectors.DefaultSelector()
        selector.register(self.listener, selectors.EVENT_READ)
        silent = []
        while not self.over:
            for key, _ in selector.select(0.05):
                if key.fileobj is self.listener:
                    silent += self._accept()
                else:
                    self._send(selector, key.fileobj)
            while self.begun and silent:
                selector.register(silent.pop(), selectors.EVENT_WRITE)
        selector.close()

    def _accept(self):
        came = []
        with suppress(BlockingIOError):
            while True:
                sock, _ = self.listener.accept()
                sock.setblocking(False)
                self.sent[sock] = 0
                came.append(sock)
        return came

    def _send(self, selector, sock):
        try:
            self.sent[sock] += sock.send(CHUNK)
        except BlockingIOError:
            pass
        except OSError:
            selector.unregister(sock)


def pour_all(socks_, until):
    """Writes on all of them as long as they take it and `until()` is false."""
    selector = selectors.DefaultSelector()
    for sock in socks_:
        sock.setblocking(False)
        selector.register(sock, selectors.EVENT_WRITE)
    while not until():
        for key, _ in selector.select(0.05):
            with suppress(BlockingIOError):
                key.fileobj.send(CHUNK)
    selector.close()


def open_many(proxy_port, port, count, buffer=4096):
    """So many connections through a SOCKS5 proxy, with a small buffer at this end."""
    return [_open(proxy_port, port, buffer) for _ in range(count)]


def _open(proxy_port, port, buffer):
    sock = connect(proxy_port)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    sock.sendall(b"\x05\x01\x00" + socks.request_bytes("127.0.0.1", port))
    assert sock.recv(2, socket.MSG_WAITALL) == b"\x05\x00"
    assert socks.read_reply(sock).code == socks.SUCCEEDED
    return sock


def memory_of(daemon, field="VmRSS"):
    """Bytes, of a running daemon; VmHWM is the most it ever had."""
    text = Path(f"/proc/{daemon.process.pid}/status").read_text()
    return int(text.split(field + ":")[1].split()[0]) * 1024


def settled(value, seconds=0.5, timeout=20):
    """Waits until value() has not changed for so long, and returns it."""
    deadline = time.monotonic() + timeout
    last, since = value(), time.monotonic()
    while time.monotonic() - since < seconds and time.monotonic() < deadline:
        time.sleep(0.05)
        now = value()
        if now != last:
            last, since = now, time.monotonic()
    return last
