"""Named channels: a wspc that offers services, one that listens for them, wsps between the two."""

import socket
import threading
from contextlib import suppress

from harness.daemons import LISTENING, entry
from harness.env import DIALECTS, patience
from harness.net import connect, free_port, how_it_ends, read_exact
from harness.reverse import REGISTERED, services

# The only place that knows how the daemons word it.
TAKEN = "channel {} already registered"


def tcp(name, target, host="127.0.0.1"):
    """The `remote` entry of a service; `name` is everything in front of the '@'."""
    port = target if isinstance(target, int) else target.port
    return f"tcp://{name}@{host}:{port}"


def offer(farm, server_port, *remotes, registered=True, dialect=None, **config):
    """A wspc that has registered services."""
    wspc = farm.wspc(services(server_port, *remotes, dialect=dialect), **config)
    if registered:
        wspc.wait_line(REGISTERED, count=len(remotes))
    return wspc


class Opener:
    """
    A wspc with a listener for each name: "channel:password" for a local one, with the scheme
    socks5:// or http:// in front for a proxy through a tunnel.
    """

    def __init__(self, farm, server_port, *names, host="127.0.0.1", dialect=None, **config):
        self.host = host.strip("[]")
        self.ports = {name: free_port() for name in names}
        urls = {True: [], False: []}
        for name, port in self.ports.items():
            proxy = "://" in name
            urls[proxy].append(f"{name if proxy else 'tcp://' + name}@{host}:{port}")
        only = entry(server_port, dynamic=urls[True], local=urls[False], dialect=dialect)
        self.wspc = farm.wspc(only, **config)
        self.wspc.wait_line(LISTENING, count=len(names))

    def connect(self, name):
        return connect(self.ports[name], self.host)

    def refuses(self, name):
        """Whether a connection is reset without a byte: maybe before connect() has returned."""
        try:
            with self.connect(name) as sock:
                return how_it_ends(sock) == (b"", "reset")
        except ConnectionResetError:
            return True


MIXES = [(opener, service) for opener in DIALECTS for service in DIALECTS]


class Rig:
    """All three, on loopback. `mix`: the dialects of opener and service; `config` goes to each."""

    def __init__(self, farm, remotes, names, mix=(None, None), **config):
        self.farm = farm
        self.config = config
        self.mix = mix
        # Seconds: towards 0.10, an end may wait for 5 s of silence.
        self.end_time = 5 if mix[0] == mix[1] else 12
        self.wsps = farm.wsps(**config)
        self.port = self.wsps.config["port"]
        self.service = offer(farm, self.port, *remotes, dialect=mix[1], **config)
        self.opener = Opener(farm, self.port, *names, dialect=mix[0], **config)

    @property
    def daemons(self):
        return {"wsps": self.wsps, "service": self.service, "opener": self.opener.wspc}

    def connect(self, name):
        return self.opener.connect(name)

    def refuses(self, name):
        return self.opener.refuses(name)

    def echoes(self, name, data=b"hello"):
        with self.connect(name) as sock:
            return echoes(sock, data)


def echoes(sock, data=b"hello"):
    sock.sendall(data)
    return read_exact(sock, len(data)) == data


class UnixListener:
    """A service on a socket file."""

    def __init__(self, path):
        self.path = path
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()


class UnixEcho(UnixListener):
    """An echo service."""

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self):
        with suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                threading.Thread(target=self._echo, args=(sock,), daemon=True).start()

    @staticmethod
    def _echo(sock):
        with sock, suppress(OSError):
            while data := sock.recv(1 << 16):
                sock.sendall(data)


class UnixScript(UnixListener):
    """Hands each connection to the test."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def accept(self):
        self.listener.settimeout(patience(10))
        sock, _ = self.listener.accept()
        sock.settimeout(patience(10))
        return sock


def connect_unix(path):
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(patience(10))
    sock.connect(str(path))
    return sock
