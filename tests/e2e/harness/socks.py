"""The client side of SOCKS5 (RFC 1928, RFC 1929), strict about what it gets."""

import ipaddress
import socket
from dataclasses import dataclass

from harness.net import connect, read_exact

SUCCEEDED, GENERAL, NOT_ALLOWED, NET_UNREACHABLE, HOST_UNREACHABLE = range(5)
REFUSED, TTL_EXPIRED, BAD_COMMAND, BAD_ADDRESS = range(5, 9)

CONNECT, BIND, UDP_ASSOCIATE = 1, 2, 3


@dataclass
class Reply:
    code: int
    host: str
    port: int


class SocksError(Exception):
    def __init__(self, code):
        super().__init__(f"SOCKS5 reply {code:02x}")
        self.code = code


def request_bytes(host, port, cmd=CONNECT):
    """A request: an address goes as an address, anything else as a domain name."""
    try:
        address = ipaddress.ip_address(host)
        target = bytes([1 if address.version == 4 else 4]) + address.packed
    except ValueError:
        name = host.encode()
        target = bytes([3, len(name)]) + name
    return bytes([5, cmd, 0]) + target + port.to_bytes(2, "big")


def login_bytes(user, password):
    user, password = user.encode(), password.encode()
    return bytes([1, len(user)]) + user + bytes([len(password)]) + password


def read_reply(sock):
    version, code, reserved, kind = read_exact(sock, 4)
    assert (version, reserved) == (5, 0)
    size = {1: 4, 4: 16}.get(kind) or read_exact(sock, 1)[0]
    bound = read_exact(sock, size)
    host = bound.decode() if kind == 3 else str(ipaddress.ip_address(bound))
    return Reply(code, host, int.from_bytes(read_exact(sock, 2), "big"))


def greet(proxy_port, user=None, password=None):
    """A connection whose greeting, and login if there is a user, went well."""
    sock = connect(proxy_port)
    method = 2 if user is not None else 0
    sock.sendall(bytes([5, 1, method]))
    assert read_exact(sock, 2) == bytes([5, method])
    if method == 2:
        sock.sendall(login_bytes(user, password))
        assert read_exact(sock, 2) == b"\x01\x00"
    return sock


def ask(proxy_port, host, port, cmd=CONNECT):
    """(socket, reply) of one request."""
    sock = greet(proxy_port)
    sock.sendall(request_bytes(host, port, cmd))
    return sock, read_reply(sock)


def open_socks(proxy_port, host, port):
    """A connection to host:port through the proxy."""
    sock, reply = ask(proxy_port, host, port)
    if reply.code != SUCCEEDED:
        sock.close()
        raise SocksError(reply.code)
    return sock


def code_of(proxy_port, host, port):
    """The reply code of a request; after a failure the proxy must close."""
    sock, reply = ask(proxy_port, host, port)
    with sock:
        if reply.code != SUCCEEDED:
            assert sock.recv(1) == b"", "bytes behind a failure reply"
        return reply.code


async def open_async(loop, proxy_port, host, port):
    """The same within an event loop: a connected non-blocking socket."""
    sock = socket.socket()
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        await loop.sock_connect(sock, ("127.0.0.1", proxy_port))
        await loop.sock_sendall(sock, b"\x05\x01\x00")
        assert await _exactly(loop, sock, 2) == b"\x05\x00"
        await loop.sock_sendall(sock, request_bytes(host, port))
        head = await _exactly(loop, sock, 4)
        await _exactly(loop, sock, {1: 4, 4: 16}[head[3]] + 2)
        if head[1] != SUCCEEDED:
            raise SocksError(head[1])
    except BaseException:
        sock.close()
        raise
    return sock


async def _exactly(loop, sock, size):
    data = b""
    while len(data) < size:
        piece = await loop.sock_recv(sock, size - len(data))
        if not piece:
            raise EOFError(f"closed after {len(data)} of {size} bytes of a reply")
        data += piece
    return data
