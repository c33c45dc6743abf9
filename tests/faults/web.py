"""A web server that the service's network has."""

import hashlib
import random
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONTENT = random.Random(4).randbytes(64 << 20)  # every body is a beginning of it
STEP = 1 << 16


def digest(size):
    return hashlib.sha256(memoryview(CONTENT)[:size]).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """GET /length/N; GET /closing/N without a length; PUT: the hash of what came."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 120

    def setup(self):
        super().setup()
        with self.server.guard:
            self.server.open += 1

    def finish(self):
        with self.server.guard:
            self.server.open -= 1
        super().finish()

    def do_GET(self):
        _, kind, size = self.path.split("/")
        size = int(size)
        self.send_response(200)
        if kind == "length":
            self.send_header("Content-Length", str(size))
        else:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        for at in range(0, size, STEP):
            if at + STEP >= size:
                self.server.gate.wait()
            self.server.pause(STEP)
            self.wfile.write(memoryview(CONTENT)[at : min(at + STEP, size)])

    def do_PUT(self):
        left = int(self.headers["Content-Length"])
        hashed = hashlib.sha256()
        while left:
            piece = self.rfile.read1(min(left, STEP))
            if not piece:
                raise EOFError("the upload was broken off")
            hashed.update(piece)
            left -= len(piece)
            self.server.pause(len(piece))
            self.server.uploaded[self.path] = self.server.uploaded.get(self.path, 0) + len(piece)
        self.server.gate.wait()
        answer = hashed.hexdigest().encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128

    def __init__(self):
        super().__init__(("", 0), Handler)
        self.gate = threading.Event()  # while it is not set, nothing comes to its end
        self.gate.set()
        self.rate = 0  # bytes per second and connection; 0: as fast as it goes
        self.guard = threading.Lock()
        self.open = 0  # connections
        self.uploaded = {}  # bytes by path

    def pause(self, size):
        """For so many bytes."""
        if self.rate:
            time.sleep(size / self.rate)

    def handle_error(self, request, address):
        """Broken connections are what these tests are about."""


class Web:
    """Listens in the namespace of the thread that makes it."""

    def __init__(self):
        self.server = Server()
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def hold_back(self, rate):
        """At this rate, and no request comes to its end."""
        self.server.rate = rate
        self.server.gate.clear()

    def let_go(self):
        self.server.rate = 0
        self.server.gate.set()

    def __exit__(self, *_):
        self.let_go()
        self.server.shutdown()
        self.thread.join()
        self.server.socket.close()

    @property
    def open(self):
        with self.server.guard:
            return self.server.open

    def uploaded(self, path):
        return self.server.uploaded.get(path, 0)
