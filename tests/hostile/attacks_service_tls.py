"""A malicious https service: what it does below HTTP, to the wsps that speaks TLS with it."""

import contextlib
import os
import socket
import ssl
import time

from harness.net import read_until, reset
from harness.reverse import request

from arenas import Open
from table import Table
from verdicts import send, status

table = Table("service behind TLS", Open)


def visit(arena):
    """(the visitor, the service's socket)"""
    sock = arena.connect()
    sock.sendall(request("GET /sealed/x"))
    return sock, arena.keep(arena.target.accept())


def garbage(arena, raw):
    """Instead of a handshake."""
    sock, service = visit(arena)
    send(service, raw)
    return status(sock)


table.rows(
    garbage,
    "502",
    {
        "HTTP": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst",
        "banner of SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
        "record of 32 KiB": b"\x16\x03\x03\x80\x00" + bytes(0x8000),
        "record type that nobody knows": b"\x63\x03\x03\x00\x05hello",
        "hello of SSL 3": b"\x16\x03\x00\x00\x2a\x02\x00\x00\x26\x03\x00" + bytes(36),
        "hello of a length that is none": b"\x16\x03\x03\x00\x06\x02\xff\xff\xff\x03\x03",
        "data before the handshake": b"\x17\x03\x03\x00\x05hello",
        "a fatal alert": b"\x15\x03\x03\x00\x02\x02\x28",
        "100,000 warnings": b"\x15\x03\x03\x00\x02\x01\x5a" * 100_000,
    },
)


@table("its own hello sent back", "502")
def mirror(arena):
    sock, service = visit(arena)
    send(service, service.recv(1 << 16))
    return status(sock)


@table("nothing at all", "504")
def nothing(arena):
    """After `time.open`."""
    sock, _ = visit(arena)
    return status(sock)


@table("end within the handshake", "502")
def end_within(arena):
    sock, service = visit(arena)
    service.recv(100)
    service.close()
    return status(sock)


def secured(arena):
    """The same, with a handshake that is good, and the request read."""
    sock, service = visit(arena)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*arena.pki.files("default"))
    tls = arena.keep(context.wrap_socket(service, server_side=True))
    read_until(tls, b"\r\n\r\n")
    return sock, tls


HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nfirst"


@table("end without close_notify within a body", "reset")
def cut(arena):
    sock, tls = secured(arena)
    tls.sendall(HALF)
    tls.shutdown(2)
    assert read_until(sock, b"first").startswith(b"HTTP/1.1 200 ")
    with contextlib.suppress(ConnectionResetError):
        return "eof" if sock.recv(1) == b"" else "more"
    return "reset"


@table("end without close_notify of a body that lasts until then", "reset")
def cut_unsized(arena):
    """It could be somebody else who has ended it."""
    sock, tls = secured(arena)
    tls.sendall(b"HTTP/1.1 200 OK\r\n\r\nfirst")
    tls.shutdown(2)
    assert read_until(sock, b"first").startswith(b"HTTP/1.1 200 ")
    with contextlib.suppress(ConnectionResetError):
        return "eof" if sock.recv(1) == b"" else "more"
    return "reset"


@table("plain bytes between its records", "reset")
def plain_between(arena):
    sock, tls = secured(arena)
    tls.sendall(HALF)
    assert read_until(sock, b"first").startswith(b"HTTP/1.1 200 ")
    raw = arena.keep(socket.socket(fileno=os.dup(tls.fileno())))
    raw.sendall(b"hijack" * 10)
    with contextlib.suppress(ConnectionResetError):
        return "eof" if sock.recv(1) == b"" else "more"
    return "reset"


@table("reset behind the handshake", "502")
def reset_behind(arena):
    sock, tls = secured(arena)
    reset(tls)
    return status(sock)


@table("a response without end that is not read", "held")
def endless(arena):
    sock, tls = secured(arena)
    tls.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    tls.settimeout(0.5)
    sent, began = 0, time.monotonic()
    with contextlib.suppress(TimeoutError):
        while time.monotonic() - began < 20:
            sent += tls.send(bytes(1 << 14))
    assert sent < 64 << 20
    assert sock.fileno() >= 0
    return "held"


TABLES = [table]
