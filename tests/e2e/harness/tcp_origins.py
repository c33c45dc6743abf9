"""Plain TCP servers to connect to through the proxy, each connection in its own thread."""

import hashlib
import socket
import threading
from contextlib import suppress

from harness.net import listen, read_exact


class TcpOrigin:
    """Listens on a free port; a subclass says what happens with each connection."""

    def __init__(self, host="127.0.0.1", port=0):
        self.host = host
        self.listener = listen(host, port)
        self.port = self.listener.getsockname()[1]
        self.peers = []  # addresses that connected, in order
        self.faults = []  # what went wrong in a handler, other than a lost connection
        self.live = set()
        self.lock = threading.Lock()

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with self.lock:
            for sock in self.live:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        assert not self.faults, self.faults

    def _accept(self):
        while True:
            try:
                sock, peer = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.peers.append(peer[:2])
                self.live.add(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        try:
            self.serve(sock)
        except (OSError, EOFError):
            pass
        except Exception as fault:
            self.faults.append(repr(fault))
        finally:
            with self.lock:
                self.live.discard(sock)
                sock.close()

    def serve(self, sock):
        raise NotImplementedError


class EchoOrigin(TcpOrigin):
    def serve(self, sock):
        while data := sock.recv(1 << 18):
            sock.sendall(data)


class BannerOrigin(TcpOrigin):
    """Speaks first, then echoes."""

    banner = b"220 ready when you are\r\n"

    def serve(self, sock):
        sock.sendall(self.banner)
        while data := sock.recv(1 << 16):
            sock.sendall(data)


class SourceOrigin(TcpOrigin):
    """Reads an 8-byte count, sends that many bytes of its blob and closes at once."""

    def __init__(self, blob, **options):
        super().__init__(**options)
        self.blob = memoryview(blob)

    def serve(self, sock):
        size = int.from_bytes(read_exact(sock, 8), "big")
        while size:
            piece = self.blob[: min(size, len(self.blob))]
            sock.sendall(piece)
            size -= len(piece)


class SinkOrigin(TcpOrigin):
    """Takes everything up to the end of the stream; `received` gets (bytes, sha256)."""

    def __init__(self, **options):
        super().__init__(**options)
        self.received = []

    def serve(self, sock):
        digest, size = hashlib.sha256(), 0
        try:
            while data := sock.recv(1 << 18):
                digest.update(data)
                size += len(data)
        finally:
            self.received.append((size, digest.hexdigest()))


class HashOrigin(TcpOrigin):
    """Reads an 8-byte count and that many bytes, answers with their sha256 and closes."""

    def serve(self, sock):
        left = int.from_bytes(read_exact(sock, 8), "big")
        digest = hashlib.sha256()
        while left:
            data = sock.recv(min(left, 1 << 18))
            if not data:
                return
            digest.update(data)
            left -= len(data)
        sock.sendall(digest.digest())


class ScriptOrigin(TcpOrigin):
    """Hands each accepted socket to the test and keeps its thread out of the way."""

    def __init__(self, **options):
        super().__init__(**options)
        self.accepted = []
        self.arrived = threading.Condition()
        self.over = threading.Event()

    def serve(self, sock):
        with self.arrived:
            self.accepted.append(sock)
            self.arrived.notify_all()
        self.over.wait()

    def accept(self, timeout=5):
        with self.arrived:
            assert self.arrived.wait_for(lambda: self.accepted, timeout), "nobody connected"
            sock = self.accepted.pop(0)
        sock.settimeout(10)
        return sock

    def __exit__(self, *args):
        self.over.set()
        super().__exit__(*args)


