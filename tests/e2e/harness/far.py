"""
A daemon as the far end of a raw wsp.1 link, the same for both: its links, and channels that have
TCP on the other side.
"""

import socket
from contextlib import suppress

from harness import socks
from harness.daemons import entry
from harness.net import Blackhole, is_silent, read_exact
from harness.tcp_origins import ScriptOrigin
from harness.wsp1 import TRANSFER_MAX, WINDOW_FIRST, Listener, link_1_to, unsettled


class Wsps:
    """Channels are opened by us; wsps connects to a target of the test."""

    def __init__(self, farm, **config):
        self.daemon = farm.wsps(**config)
        self.port = self.daemon.config["port"]
        self.origin = ScriptOrigin().__enter__()
        self.hole = Blackhole()

    def close(self):
        self.origin.__exit__()
        self.hole.__exit__()

    def unsettled(self):
        return unsettled(self.port)

    def link(self, **own):
        return link_1_to(self.port, **own)

    def channel(self, link, window=WINDOW_FIRST):
        """(channel, its TCP side) of a channel that is open."""
        chan = link.open(f"socks5://127.0.0.1:{self.origin.port}", window=window)
        return chan, self.origin.accept()

    def try_channel(self, link):
        """The same; None where the daemon says that it has no room."""
        chan = link.ask(f"socks5://127.0.0.1:{self.origin.port}")
        error = link.error_of(chan)
        assert error in (None, "limit")
        return None if error else (chan, self.origin.accept())

    def pending(self, link):
        """A channel that gets no answer for a while."""
        return link.ask(f"socks5://127.0.0.1:{self.hole.port}")


class Wspc:
    """Channels are opened by wspc, for users of its SOCKS5 proxy; we are the server."""

    def __init__(self, farm, **config):
        self.listener = Listener()
        self.daemon = farm.wspc(entry(self.listener.port), link=False, **config)
        self.waiting = []

    def close(self):
        self.listener.__exit__()

    def unsettled(self):
        return self.listener.accept_unsettled()

    def link(self, **own):
        return self.listener.accept(**own)

    def channel(self, link, window=WINDOW_FIRST):
        sock = self._ask()
        chan = link.accept(window)
        assert socks.read_reply(sock).code == socks.SUCCEEDED
        return chan, sock

    def try_channel(self, link):
        sock = self._ask()
        while not link.connects:
            if not is_silent(sock, 0):
                assert socks.read_reply(sock).code == socks.GENERAL
                return None
            with suppress(TimeoutError):
                link.receive(0.01)
        chan = link.accept()
        assert socks.read_reply(sock).code == socks.SUCCEEDED
        return chan, sock

    def pending(self, link):
        self.waiting.append(self._ask())
        return link.asked()[0]

    def _ask(self):
        sock = socks.greet(self.daemon.port("socks5"))
        sock.sendall(socks.request_bytes("127.0.0.1", 9))
        return sock


def trade(chan, sock, here=b"to the TCP side", there=b"and from it"):
    """Bytes go both ways."""
    chan.send(here)
    assert read_exact(sock, len(here)) == here
    sock.sendall(there)
    assert chan.read(len(there)) == there


def small_buffer(sock):
    """So that a side that does not read is soon felt."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)


def use_up(chan, leave=0, settle=0.3):
    """
    Sends until no more credit comes, since nobody reads; `leave` bytes of it are kept. Returns what
    was sent, zeros.
    """
    sent = 0
    while True:
        while chan.credit > leave:
            size = min(chan.credit - leave, TRANSFER_MAX)
            chan.send(bytes(size))
            sent += size
        try:
            chan.link.receive(settle)
        except TimeoutError:
            return sent
