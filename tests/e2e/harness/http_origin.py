"""An HTTP/1.1 origin that records the exact bytes of every request."""

import hashlib
import re
import threading
from dataclasses import dataclass

from harness.tcp_origins import TcpOrigin


@dataclass
class Request:
    head: bytes  # as received, with its empty line
    method: str
    target: str
    version: str
    headers: list  # (name, value) as received
    connection: int  # which connection of this origin it came on
    body: bytes = b""  # decoded
    raw_body: bytes = b""  # with its chunk framing

    def all(self, name):
        return [v for n, v in self.headers if n.lower() == name.lower()]

    def get(self, name):
        values = self.all(name)
        return values[0] if values else None


def pattern(size):
    """Bytes that tell their place."""
    block = b"".join(b"%07d\n" % i for i in range(1 << 13))
    return (block * (size // len(block) + 1))[:size]


def chunked(data, step=5000):
    pieces = [data[i : i + step] for i in range(0, len(data), step)]
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


def read_size(stream, size):
    """Exactly that many bytes, or fewer at the end of the stream; raw streams read short."""
    data = bytearray()
    while len(data) < size and (piece := stream.read(size - len(data))):
        data += piece
    return bytes(data)


def read_chunks(stream):
    """A chunked body: (decoded, as received)."""
    raw, body = bytearray(), bytearray()
    while True:
        line = stream.readline()
        if not line.endswith(b"\n"):
            raise EOFError("the body ends between its chunks")
        raw += line
        size = int(line.split(b";")[0], 16)
        if size == 0:
            break
        data = read_size(stream, size + 2)
        raw += data
        body += data[:-2]
    while line not in (b"\r\n", b""):
        line = stream.readline()
        raw += line
    return bytes(body), bytes(raw)


class HttpOrigin(TcpOrigin):
    """
    The target's first segment chooses the answer, see the methods do_*; anything else gets 200 and
    a line that names the request. `gate` lets a test hold back the second half of /gated.
    """

    def __init__(self, **options):
        super().__init__(**options)
        self.requests = []
        self.gate = threading.Event()
        self.gone = threading.Event()  # a client left while /gated was waiting

    @property
    def authority(self):
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def url(self, path="/"):
        return f"http://{self.authority}{path}"

    def serve(self, sock):
        with self.lock:
            number = len(self.peers)
        stream = sock.makefile("rb", 1 << 16)
        while request := self._read_request(sock, stream, number):
            self.requests.append(request)
            if not self._answer(sock, request):
                return

    def _read_request(self, sock, stream, number):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = stream.readline(1 << 17)
            if not line:
                return None
            head += line
        lines = head.decode("latin-1").split("\r\n")[:-2]
        method, target, version = lines[0].split(" ")
        headers = [tuple(line.split(":", 1)) for line in lines[1:]]
        headers = [(name, value.strip()) for name, value in headers]
        request = Request(head, method, target, version, headers, number)
        if (request.get("Expect") or "").lower() == "100-continue":
            sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._read_body(stream, request)
        return request

    def _read_body(self, stream, request):
        if (request.get("Transfer-Encoding") or "").lower() == "chunked":
            request.body, request.raw_body = read_chunks(stream)
        elif length := request.get("Content-Length"):
            request.body = request.raw_body = stream.read(int(length))

    def _answer(self, sock, request):
        path = re.sub(r"^http://[^/]*", "", request.target)
        name, _, rest = path.lstrip("/").partition("/")
        action = getattr(self, "do_" + name.partition("?")[0], None)
        if action:
            return action(sock, request, rest)
        text = f"{self.port} {request.method} {request.target}\n".encode()
        return self.reply(sock, request, text)

    def reply(self, sock, request, body, status="200 OK", extra=""):
        asked = (request.get("Connection") or "").lower()
        close = request.version == "HTTP/1.0" or asked == "close"
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{extra}"
        head += "Connection: close\r\n\r\n" if close else "\r\n"
        sock.sendall(head.encode() + (b"" if request.method == "HEAD" else body))
        return not close

    def do_echo(self, sock, request, _):
        return self.reply(sock, request, request.body)

    def do_sha(self, sock, request, _):
        text = f"{len(request.body)} {hashlib.sha256(request.body).hexdigest()}\n"
        return self.reply(sock, request, text.encode())

    def do_length(self, sock, request, rest):
        return self.reply(sock, request, pattern(int(rest)))

    def do_chunked(self, sock, request, rest):
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        sock.sendall(chunked(pattern(int(rest))))
        return True

    def do_trailers(self, sock, request, _):
        sock.sendall(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
            b"3;note=1\r\nabc\r\n0\r\nX-Sum: 3\r\n\r\n"
        )
        return True

    def do_until_close(self, sock, request, rest):
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + pattern(int(rest)))
        return False

    def do_status(self, sock, request, rest):
        """204 and 304 without a body, the latter with the length it would have had."""
        extra = "Content-Length: 99\r\n" if rest == "304" else ""
        sock.sendall(f"HTTP/1.1 {rest} None\r\nX-Kept: yes\r\n{extra}\r\n".encode())
        return True

    def do_hints(self, sock, request, _):
        sock.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
        return self.reply(sock, request, b"after hints\n")

    def do_gated(self, sock, request, _):
        """Half of a long response, the other half when the gate opens."""
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nfirst ")
        sock.settimeout(0.02)
        while not self.gate.is_set():
            try:
                if not sock.recv(1):
                    self.gone.set()
                    return False
            except TimeoutError:
                pass
            except OSError:
                self.gone.set()
                return False
        sock.settimeout(None)
        sock.sendall(b"second")
        return True

    def do_closing(self, sock, request, _):
        """Keeps quiet about it, and closes after the response."""
        self.reply(sock, request, b"closing\n")
        return False

    def do_two_lengths(self, sock, request, _):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 30\r\n\r\nabc")
        return False

    def do_length_and_chunked(self, sock, request, _):
        sock.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\nabc\r\n0\r\n\r\n"
        )
        return False

    def do_garbage(self, sock, request, _):
        sock.sendall(b"this is no HTTP\n\n")
        return False
