"""The reverse proxy's two ends: registrations, services that record bytes, raw responses."""

import io
import re
import shutil
import threading

import pytest

from harness.daemons import entry
from harness.env import patience
from harness.http_client import exchange
from harness.http_origin import HttpOrigin, read_chunks, read_size
from harness.net import connect, eventually, read_until

HOST = "proxy.example"  # of wsps, where domains are registered

# The only place that knows how wspc words it.
REGISTERED = r"link \d+: registered "
REFUSED = r"link \d+: remote .* not registered: "


def services(server_port, *remotes, **extra):
    """An entry of wspc's `client` that registers services and listens nowhere."""
    return entry(server_port, dynamic=[], remote=list(remotes), **extra)


class Rig:
    """A wsps, and a wspc that has registered services at it."""

    def __init__(self, farm, *remotes, time=(), wsps=()):
        time = {"drain": 0.1, **dict(time)}  # idle connections to services outlive the tests
        self.wsps = farm.wsps(time=time, **{"host": HOST, **dict(wsps)})
        self.port = self.wsps.config["port"]
        self.wspc = farm.wspc(services(self.link_port(), *remotes), time=time)
        self.wspc.wait_line(REGISTERED, count=len(remotes))

    def link_port(self):
        """Where wspc connects to."""
        return self.port

    def connect(self):
        return connect(self.port)

    def ask(self, request, method=None):
        """One exchange on a connection of its own."""
        with self.connect() as sock:
            return exchange(sock, request, method)

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"


def request(line, *fields, host="127.0.0.1", body=b""):
    """The bytes of an HTTP/1.1 request; fields are whole lines."""
    hosts = [] if host is None else [f"Host: {host}"]
    lines = [f"{line} HTTP/1.1", *hosts, *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


class _Tap(io.RawIOBase):
    """A socket's bytes, copied into a log as they come."""

    def __init__(self, sock, log):
        self.sock = sock
        self.log = log

    def readable(self):
        return True

    def readinto(self, buffer):
        size = self.sock.recv_into(buffer)
        self.log += memoryview(buffer)[:size]
        return size


class Service(HttpOrigin):
    """
    An HTTP origin that also keeps every byte it got, whether or not it made a request. `script`
    (service, sock, request), when set, answers instead and tells whether the connection goes on.
    """

    def __init__(self, script=None, greeting=b"", **options):
        super().__init__(**options)
        self.script = script
        self.greeting = greeting  # sent before any request
        self.log = bytearray()
        self.ended = 0  # connections that are over

    def remote(self, value, mode="path", base="", scheme="http", host=None, **options):
        more = "".join(f"&{key}={text}" for key, text in options.items())
        authority = f"{host or self.host}:{self.port}"
        return f"{scheme}://{authority}{base}?mode={mode}&value={value}{more}"

    def forget(self):
        self.requests.clear()
        self.log.clear()

    def serve(self, sock):
        with self.lock:
            number = len(self.peers)
        try:
            if self.greeting:
                sock.sendall(self.greeting)
            stream = io.BufferedReader(_Tap(sock, self.log), 1 << 16)
            while request := self._read_request(sock, stream, number):
                self.requests.append(request)
                if not self._respond(sock, request):
                    return
        finally:
            self.ended += 1

    def _respond(self, sock, request):
        if self.script:
            return self.script(self, sock, request)
        return self._answer(sock, request)

    def only_request(self):
        eventually(lambda: self.requests, "the service gets a request")
        assert len(self.requests) == 1, self.requests
        return self.requests[0]

    def saw_only(self, rig, path):
        """Sends a request through wsps: the only one that the service has seen since forget()."""
        assert rig.ask(request(f"GET {path}")).status == 200
        assert len(self.requests) == 1, [r.head for r in self.requests]
        assert bytes(self.log) == self.requests[0].head


def read_raw(sock, method="GET"):
    """(heads, body) of one response as its bytes stand on the wire, interim heads first."""
    heads = []
    while True:
        heads.append(read_until(sock, b"\r\n\r\n"))
        status = int(heads[-1].split(b" ")[1][:3])
        if status >= 200 or status == 101:
            break
    if method == "HEAD" or status in (101, 204, 304):
        return heads, b""
    stream = sock.makefile("rb", 0)
    head = heads[-1].lower()
    if re.search(rb"\r\ntransfer-encoding:[ \t]*chunked[ \t]*\r\n", head):
        return heads, read_chunks(stream)[1]
    if length := re.search(rb"\r\ncontent-length:[ \t]*(\d+)", head):
        return heads, read_size(stream, int(length.group(1)))
    return heads, stream.readall()


def landed(rig, service, target, host="127.0.0.1", method="GET"):
    """Where a request lands at the service; a status when it does not."""
    response = rig.ask(request(f"{method} {target}", host=host))
    if response.status != 200:
        assert service.requests == []
        return response.status
    got = service.only_request()
    assert got.all("host") == [host]
    return got.target


def statuses(data):
    """Of all the responses in what a visitor received."""
    return re.findall(rb"HTTP/1\.[01] (\d{3}) ", data)


class Stage:
    """A script whose answers the test plays by hand: the sockets of its requests, in order."""

    def __init__(self):
        self.waiting = []
        self.news = threading.Condition()

    def __call__(self, service, sock, got):
        over = threading.Event()
        with self.news:
            self.waiting.append((got, sock, over))
            self.news.notify_all()
        return over.wait(60) and not over.closes

    def next(self):
        """(request, socket, end) of the next request; end() lets the service close or go on."""
        with self.news:
            assert self.news.wait_for(lambda: self.waiting, patience(5)), "no request came"
            got, sock, over = self.waiting.pop(0)
        sock.settimeout(patience(5))

        def end(closes=True):
            over.closes = closes
            over.set()

        return got, sock, end


ECHO_UPGRADE = ("Upgrade: echo/1", "Connection: Upgrade")
ECHO_SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo/1\r\nConnection: Upgrade\r\n\r\n"
)


def upgraded(rig, stage, early=b"", glued=b"", host="127.0.0.1", target="/api/up"):
    """(visitor, service's socket, end) after a 101; bytes sent along with each head."""
    sock = rig.connect()
    sock.sendall(request(f"GET {target}", *ECHO_UPGRADE, host=host, body=early))
    got, served, end = stage.next()
    assert got.get("Upgrade") == "echo/1" and got.get("Connection").lower() == "upgrade"
    served.sendall(ECHO_SWITCH + glued)
    head = read_until(sock, b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert b"\r\nUpgrade: echo/1\r\n" in head and b"\r\nConnection: Upgrade\r\n" in head
    return sock, served, end


def in_threads(count, work):
    """work(0) to work(count - 1), all at once."""
    faults = []

    def run(number):
        try:
            work(number)
        except Exception as fault:
            faults.append((number, repr(fault)))

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults, (len(faults), faults[:3])


@pytest.fixture(scope="module")
def shared_service():
    with Service() as service:
        yield service


@pytest.fixture
def service(shared_service):
    """The module's service, as if new."""
    shared_service.forget()
    shared_service.script = None
    shared_service.gate.clear()
    shared_service.gone.clear()
    return shared_service


def tool(name, package):
    """Skips where a program of another package is missing."""
    found = shutil.which(name, path="/usr/bin:/usr/sbin:/bin:/usr/local/bin")
    if not found:
        pytest.skip(f"there is no {name} (package {package})")
    return found
