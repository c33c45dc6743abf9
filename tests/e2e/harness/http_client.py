"""A raw HTTP client: requests are bytes that the test wrote, responses are read strictly."""

from dataclasses import dataclass

from harness.http_origin import read_chunks, read_size
from harness.net import read_until


@dataclass
class Response:
    head: bytes
    status: int
    headers: list
    body: bytes = b""

    def get(self, name):
        for n, value in self.headers:
            if n.lower() == name.lower():
                return value
        return None


def read_response(sock, method="GET"):
    """One response of a kept connection, or up to the end where it has no length."""
    head = read_until(sock, b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")[:-2]
    assert lines[0].startswith("HTTP/1."), head
    headers = [line.split(":", 1) for line in lines[1:]]
    response = Response(head, int(lines[0].split(" ")[1]), [(n, v.strip()) for n, v in headers])
    bodiless = method == "HEAD" or response.status in (204, 304) or response.status < 200
    if not bodiless and not (method == "CONNECT" and response.status == 200):
        response.body = _read_body(sock, response)
    return response


def _read_body(sock, response):
    stream = sock.makefile("rb", 0)
    if response.get("Transfer-Encoding") == "chunked":
        return read_chunks(stream)[0]
    if length := response.get("Content-Length"):
        body = read_size(stream, int(length))
        assert len(body) == int(length), "the body ends early"
        return body
    return stream.readall()


def exchange(sock, request, method=None):
    """Sends raw bytes and reads one response."""
    sock.sendall(request)
    return read_response(sock, method or request.split(b" ")[0].decode("latin-1"))


def get(url, **headers):
    """The bytes of a GET in absolute-form."""
    authority = url.split("/")[2]
    lines = [f"GET {url} HTTP/1.1", f"Host: {authority}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
