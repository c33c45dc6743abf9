"""Connections to services: kept, reused, retried; and many requests at once."""

import hashlib
import random
import socket
import time

import pytest

from harness.env import volume
from harness.http_client import exchange, read_response
from harness.http_origin import pattern
from harness.net import eventually
from harness.reverse import Rig, Service, in_threads, request

MIB = 1 << 20
BULK = volume(64 * MIB, 8 * MIB)


@pytest.fixture(scope="module")
def rig(shared_farm, shared_service):
    return Rig(shared_farm, shared_service.remote("api"))


def test_connections_are_kept_and_reused(rig, service):
    """One after the other, whoever asks: one connection to the service is enough."""
    for turn in range(30):
        assert rig.ask(request(f"GET /api/{turn}")).status == 200
    assert len({r.connection for r in service.requests}) == 1


@pytest.mark.parametrize(
    "field, body",
    [("Content-Length: 3", b"abc"), ("Transfer-Encoding: chunked", b"1\r\nx\r\n0\r\n\r\n")],
)
def test_connections_of_posts_are_reused_too(rig, service, field, body):
    """If only by others: what cannot be sent twice may ask for a new connection each time."""
    for _ in range(10):
        assert rig.ask(request("POST /api/post", field, body=body)).status == 200
        assert rig.ask(request("GET /api/get")).status == 200
    assert len({r.connection for r in service.requests}) <= 11


def dying(kill):
    """Answers the first request of a connection; kill(request) tells whether to die with one."""

    def script(service, sock, got):
        reused = sum(r.connection == got.connection for r in service.requests) > 1
        if kill(got, reused):
            return False
        return service.reply(sock, got, b"answered\n")

    return script


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_idempotent_request_on_a_dead_connection_is_sent_again(rig, service, method):
    service.script = dying(lambda got, reused: reused)
    for _ in range(4):
        response = rig.ask(request(f"{method} /api/x"))
        assert response.status == 200
    connections = [r.connection for r in service.requests]
    assert len(connections) - len(set(connections)) >= 3, "nothing was reused: nothing was tried"


@pytest.mark.parametrize(
    "line, field, body",
    [
        ("POST", "Content-Length: 0", b""),
        ("POST", "Content-Length: 3", b"abc"),
        ("PATCH", "Content-Length: 3", b"abc"),
        ("POST", "Transfer-Encoding: chunked", b"1\r\nx\r\n0\r\n\r\n"),
        ("LOCK", "X-A: b", b""),
    ],
)
def test_other_requests_are_sent_once(rig, service, line, field, body):
    """Never twice, whether they went to a used connection or a new one."""
    service.script = dying(lambda got, _: got.method == line)
    for turn in range(3):
        assert rig.ask(request("GET /api/before")).status == 200
        raw = request(f"{line} /api/{turn}", field, body=body)
        assert rig.ask(raw, "GET").status == 502
    times = [r.target for r in service.requests if r.method == line]
    assert times == ["/0", "/1", "/2"]


def test_post_after_the_service_has_closed_idle_connections(rig, service):
    """Seen in time, the dead connection is not even tried."""
    for turn in range(5):
        service.script = dying(lambda got, reused: False)
        assert rig.ask(request("GET /api/x")).status == 200
        with service.lock:
            for sock in service.live:
                sock.shutdown(socket.SHUT_RDWR)
        eventually(lambda: not service.live, "all are closed")
        time.sleep(0.05)
        raw = request(f"POST /api/{turn}", "Content-Length: 3", body=b"abc")
        assert rig.ask(raw).status == 200


def test_not_more_than_twice(rig, service):
    service.script = dying(lambda got, reused: got.target == "/die")
    for _ in range(3):
        assert rig.ask(request("GET /api/x")).status == 200
        assert rig.ask(request("GET /api/die")).status == 502
    assert 3 <= sum(r.target == "/die" for r in service.requests) <= 6


def test_no_second_try_after_a_byte_of_the_answer(rig, service):
    def script(_, sock, got):
        if got.target == "/die":
            sock.sendall(b"HTTP/1.1 2")
            return False
        return service.reply(sock, got, b"answered\n")

    service.script = script
    assert rig.ask(request("GET /api/x")).status == 200
    assert rig.ask(request("GET /api/die")).status == 502
    assert sum(r.target == "/die" for r in service.requests) == 1


# ---- amounts


@pytest.mark.limit(100)
@pytest.mark.parametrize("manner", ["silent", "announced", "until close"])
def test_service_that_closes_after_each_reply(farm, manner):
    """2,000 requests in all; every answer arrives whole."""

    def script(_, sock, got):
        body = pattern(int(got.target.rsplit("/", 1)[1]))
        head = f"HTTP/1.1 200 OK\r\nX-Own: {got.target}\r\n"
        if manner != "until close":
            head += f"Content-Length: {len(body)}\r\n"
        head += "Connection: close\r\n\r\n" if manner == "announced" else "\r\n"
        sock.sendall(head.encode() + body)
        return False

    def visit(number):
        sock = rig.connect()
        for turn in range(rounds):
            size = (number * rounds + turn) * 37 % 20_000
            target = f"/{number}/{turn}/{size}"
            sock.sendall(request(f"GET /api{target}"))
            response = read_response(sock)
            assert (response.status, response.get("X-Own")) == (200, target)
            assert response.body == pattern(size), f"{len(response.body)} of {size} bytes"
            if manner == "until close":
                sock.close()
                sock = rig.connect()
        sock.close()

    rounds = volume(84, 15)
    with Service(script) as service:
        rig = Rig(farm, service.remote("api"))
        in_threads(8, visit)


def test_crowd(rig, service):
    """Kept connections, and each answer is that of its question."""

    def visit(number):
        with rig.connect() as sock:
            for turn in range(volume(50, 10)):
                size = (number * 7919 + turn * 104729) % 50_000
                body = exchange(sock, request(f"GET /api/length/{size}")).body
                assert body == pattern(size)

    in_threads(32, visit)


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_large_bodies_by_hash(rig, service, framing):
    """Down, up and both at once."""
    block = random.Random(3).randbytes(MIB)
    blocks = BULK // MIB // 4

    def up(_):
        digest = hashlib.sha256()
        with rig.connect() as sock:
            chunky = framing == "chunked"
            field = "Transfer-Encoding: chunked" if chunky else f"Content-Length: {blocks * MIB}"
            sock.sendall(request("POST /api/sha", field))
            for _ in range(blocks):
                digest.update(block)
                sock.sendall(b"%x\r\n%s\r\n" % (MIB, block) if chunky else block)
            sock.sendall(b"0\r\n\r\n" if chunky else b"")
            text = f"{blocks * MIB} {digest.hexdigest()}\n"
            assert read_response(sock).body.decode() == text

    def down(_):
        kind = "chunked" if framing == "chunked" else "length"
        body = rig.ask(request(f"GET /api/{kind}/{blocks * MIB}")).body
        assert hashlib.sha256(body).digest() == expected

    expected = hashlib.sha256(pattern(blocks * MIB)).digest()
    in_threads(2, lambda n: (up, down)[n](n))
