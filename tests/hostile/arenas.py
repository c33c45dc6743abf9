"""What attackers meet: daemons on open ports, behind TLS, behind a proxy, and among bad servers."""

import contextlib
import re
import socket
import ssl

from harness import frames, socks, wsp1
from harness.channels import tcp
from harness.daemons import PASSWORD, USER, entry
from harness.far import trade
from harness.net import connect, free_port, read_until
from harness.peer import LinkListener, Peer, link_to
from harness.proxied import HEADER, SERVER
from harness.proxy_header import v1
from harness.reverse import Service, request
from harness.secure import Pki
from harness.tap import Tap
from harness.wsp1 import Listener, link_1_to, unsettled

from arena import SLACK, Arena

LINKS_MAX = 32
CONNECTIONS_MAX = 600


class Open(Arena):
    """wsps on an open port, with a wspc that offers proxies and services."""

    def start(self):
        limits = {"links": LINKS_MAX, "connections": CONNECTIONS_MAX}
        self.wsps = self.start_wsps(limits=limits)
        self.pki = Pki(self.directory)
        self.service = self.world.enter_context(Service())
        port = self.wsps.config["port"]
        remotes = [
            self.service.remote("api"),
            self.service.remote("based", base="/base/"),
            f"http://127.0.0.1:{self.target.port}?mode=path&value=raw",
            f"https://127.0.0.1:{self.target.port}?mode=path&value=sealed&insecure=1",
            f"tcp://127.0.0.1:{self.target.port}?mode=path&value=tcp",
            f"tcp://127.0.0.1:{self.echo.port}?mode=path&value=pages&origin=https://a.example",
            f"tcp://127.0.0.1:{self.echo.port}?mode=domain&value=tcp.example",
            tcp("vault:pw", self.echo),
            tcp("target:pw", self.target),
            "tunnel://exit:pw@",
        ]
        self.wspc = self.start_wspc(
            self.honest(*remotes),
            entry(port, dynamic_auth=f"{USER}:{PASSWORD}"),
            entry(port, dialect="0.10"),
            limits={"connections": CONNECTIONS_MAX},
        )
        self.registered(len(remotes) + 2)
        self.wspc.wait_link(2)
        self.wspc.wait_link(3)

    def ways(self):
        return [*super().ways(), f"socks:{self.wspc.port('socks5', 2)}"]

    # ---- for those who pretend to be a wspc

    def fresh_link(self):
        """Before SETTINGS."""
        return self.keep(unsettled(self.port))

    def link(self, **own):
        return self.keep(link_1_to(self.port, **own))

    def old_link(self):
        return self.keep(link_to(self.port))

    def ask(self, link, port=None):
        """An open that is under way."""
        return link.ask(f"socks5://127.0.0.1:{port or self.hole.port}")

    def channel(self, link, window=wsp1.WINDOW_FIRST):
        """(channel, its TCP side)"""
        chan = link.open(f"socks5://127.0.0.1:{self.target.port}", window=window)
        return chan, self.keep(self.target.accept())

    def old_channel(self, peer, id):
        assert peer.open(id, f"socks5://127.0.0.1:{self.target.port}") is None
        return self.keep(self.target.accept())

    # ---- for visitors

    def web_socket(self, path="/tcp", *fields):
        """(the visitor's WebSocket, the service's socket)"""
        sock = self.connect()
        sock.sendall(upgrade(path, *fields))
        head = read_until(sock, b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        return Peer(sock, client=True), self.keep(self.target.accept())

    # ---- for users of the proxies

    def socks(self, locked=False):
        return self.connect(self.wspc.port("socks5", int(locked)))

    def http(self, locked=False):
        return self.connect(self.wspc.port("http", int(locked)))

    def through(self):
        """(a connection of a user of SOCKS5, its far end)"""
        sock = self.keep(socks.open_socks(self.wspc.port("socks5"), "127.0.0.1", self.target.port))
        return sock, self.keep(self.target.accept())


def upgrade(path, *fields, method="GET", version="13", key=None):
    """What a visitor sends to open a WebSocket; fields are whole lines."""
    return request(
        f"{method} {path}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Version: {version}",
        f"Sec-WebSocket-Key: {key or frames.new_key().decode()}",
        *fields,
    )


class Secure(Arena):
    """wsps behind TLS."""

    def start(self):
        self.pki = Pki(self.directory)
        self.wsps = self.start_wsps(ssl=self.pki.ssl())
        self.wspc = self.start_wspc(self.honest())
        self.registered(2)

    def honest(self, *remotes, **extra):
        plain = super().honest(*remotes, **extra)
        return {**plain, "server": plain["server"].replace("ws://127.0.0.1", "wss://localhost"),
                "ca": self.pki.ca}  # fmt: skip

    def visit(self):
        return self.pki.connect(self.port)

    def records(self, version=None):
        """A session whose records the attacker has in hand."""
        return Records(self.connect(), self.pki.context(version=version))


class Records:
    """A TLS client above a socket; what it would send can be had, and changed."""

    def __init__(self, sock, context):
        self.sock = sock
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.session = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")

    def hello(self):
        """The client's first message."""
        try:
            self.session.do_handshake()
        except ssl.SSLWantReadError:
            return self.outgoing.read()
        raise AssertionError("a handshake without an answer")

    def shake_hands(self):
        while True:
            try:
                self.session.do_handshake()
                self.sock.sendall(self.outgoing.read())
                return self
            except ssl.SSLWantReadError:
                self.sock.sendall(self.outgoing.read())
                self._feed()

    def _feed(self):
        data = self.sock.recv(1 << 16)
        assert data, "ended within the handshake"
        self.incoming.write(data)

    def sealed(self, data):
        """The records with these bytes."""
        self.session.write(data)
        return self.outgoing.read()

    def read(self):
        """What comes next."""
        while True:
            try:
                return self.session.read(1 << 16)
            except ssl.SSLWantReadError:
                self._feed()


class Proxied(Arena):
    """wsps on whose port every connection begins with a PROXY header."""

    def start(self):
        self.wsps = self.start_wsps(proxy_protocol="required")
        change = lambda head: v1("203.0.113.5", SERVER, 5) + head  # noqa: E731
        self.tap = self.world.enter_context(Tap(self.port, request=change))
        self.service = self.world.enter_context(Service())
        self.wspc = self.start_wspc(self.honest(self.service.remote("api")))
        self.registered(3)

    def honest(self, *remotes, **extra):
        plain = super().honest(*remotes, **extra)
        return {**plain, "server": plain["server"].replace(str(self.port), str(self.tap.port))}

    def visit(self):
        sock = connect(self.port)
        sock.sendall(HEADER)
        return sock


class Away(Arena):
    """wspc, whose first entry leads to an honest wsps, and all others to hostile servers."""

    BARE, OLD, OFFERING, HTTP, SOCKS, SECURE = range(1, 7)  # entries of `client`
    slack = {**SLACK, "descriptors": 8}  # those entries try to connect all the time

    def start(self):
        self.wsps = self.start_wsps()
        self.pki = Pki(self.directory)
        self.ports = {n: free_port() for n in range(self.BARE, self.SECURE + 1)}
        unreachable = free_port()  # behind the proxies
        remotes = [tcp("vault:pw", self.target), "tunnel://exit:pw@"]
        server = {n: f"127.0.0.1:{port}" for n, port in self.ports.items()}
        secure = {
            "server": f"wss://{server[self.SECURE]}/proxy",
            "ca": self.pki.ca,
            "sni": "expired.example",
        }
        self.wspc = self.start_wspc(
            self.honest(),
            entry(self.ports[self.BARE]),
            entry(self.ports[self.OLD], dialect="0.10"),
            entry(self.ports[self.OFFERING], dynamic=[], remote=remotes),
            entry(unreachable, dynamic=[], proxy=f"http://{server[self.HTTP]}"),
            entry(unreachable, dynamic=[], proxy=f"socks5://me:pw@{server[self.SOCKS]}"),
            entry(0, dynamic=[], **secure),
        )
        self.registered(2)

    def listen(self, number):
        """The server of an entry, for this attack."""
        kind = LinkListener if number == self.OLD else Listener
        return self.keep(kind(self.ports[number]))

    def asked(self, number):
        """(socket, head) of an attempt to make a link."""
        return self.next_attempt(self.listen(number))

    def next_attempt(self, listener):
        """Of several."""
        sock = self.keep(listener.accept_tcp())
        return sock, read_until(sock, b"\r\n\r\n")

    def reason(self, since, pattern):
        """Why wspc makes no link of it, by its log."""
        return re.search(pattern, self.wspc.wait_line(pattern, since=since)).group(1)

    def fresh_link(self):
        """Before SETTINGS."""
        return self.keep(self.listen(self.BARE).accept_unsettled())

    def link(self, **own):
        return self.keep(self.listen(self.BARE).accept(**own))

    def old_link(self):
        return self.keep(self.listen(self.OLD).accept())

    def offering_link(self):
        """Whose client offers services; they are registered."""
        link = self.keep(self.listen(self.OFFERING).accept())
        link.claims = [link.accept(window=0), link.accept(window=0)]
        return link

    def user(self, number=1):
        """Who asks the proxy of an entry for a connection."""
        sock = self.keep(socks.greet(self.wspc.port("socks5", number)))
        sock.sendall(socks.request_bytes("127.0.0.1", 9))
        return sock

    def ask(self, link):
        """An open that is under way."""
        self.user()
        return link.asked()[0]

    def channel(self, link, window=wsp1.WINDOW_FIRST):
        """(channel, its TCP side)"""
        sock = self.user()
        chan = link.accept(window)
        assert socks.read_reply(sock).code == socks.SUCCEEDED
        return chan, sock


def goes_on(chan, sock):
    trade(chan, sock)
    return "harmless"


def shut(sock):
    """Ends its side, if there is still anybody on the other."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
