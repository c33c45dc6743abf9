"""The reverse proxy over time: streams, who hears of whose end, patience, slow ends."""

import socket
import time

import pytest

from harness.env import patience, volume
from harness.http_client import read_response
from harness.net import eventually, how_it_ends, is_silent, read_exact, read_until, reset
from harness.reverse import Rig, Service, Stage, request, upgraded

MIB = 1 << 20

# Every time of the configuration that could run out, shorter than the pause of the tests.
SHORT = {"dial": 0.5, "open": 0.5, "handshake": 0.5, "ping": 0.3, "dead": 1.5, "probe": 0.5,
         "probe_answer": 1, "stall": 0.5, "healthy": 0.5}  # fmt: skip
PAUSE = 2.0

EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"


@pytest.fixture
def stage(service):
    service.script = Stage()
    return service.script


@pytest.fixture(scope="module")
def rig(shared_farm, shared_service):
    return Rig(shared_farm, shared_service.remote("api"))


@pytest.fixture
def visitor(rig):
    with rig.connect() as sock:
        yield sock


# ---- streams


@pytest.mark.parametrize("framing", ["chunked", "until close", "length"])
def test_events_are_not_held_back(visitor, stage, framing):
    visitor.sendall(request("GET /api/events", "Accept: text/event-stream"))
    _, sock, end = stage.next()
    extra = {"chunked": b"Transfer-Encoding: chunked\r\n", "length": b"Content-Length: 99999\r\n"}
    head = EVENTS + extra.get(framing, b"") + b"\r\n"
    sock.sendall(head)
    got = read_until(visitor, b"\r\n\r\n")
    assert b"text/event-stream" in got  # before the first event
    for number in range(20):
        event = b"data: %d\n\n" % number
        if framing == "chunked":
            event = b"%x\r\n%s\r\n" % (len(event), event)
        sock.sendall(event)
        assert read_exact(visitor, len(event)) == event
    end()
    _, how = how_it_ends(visitor)
    assert how == ("eof" if framing == "until close" else "reset")


@pytest.mark.parametrize("framing", ["chunked", "until close"])
def test_visitor_ends_its_side_within_the_answer(visitor, stage, framing):
    """It is told that the answer is cut short."""
    visitor.sendall(request("GET /api/events"))
    _, sock, end = stage.next()
    extra = b"Transfer-Encoding: chunked\r\n" if framing == "chunked" else b""
    sock.sendall(EVENTS + extra + b"\r\n5\r\n")
    read_until(visitor, b"\r\n\r\n5\r\n")
    visitor.shutdown(socket.SHUT_WR)
    assert how_it_ends(visitor) == (b"", "reset")
    end()


def test_garbage_behind_a_head_is_refused_with_its_text(visitor, stage):
    """HEAD is over: what comes next is not one."""
    visitor.sendall(request("HEAD /api/x"))
    _, sock, end = stage.next()
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
    assert read_response(visitor, "HEAD").status == 200
    visitor.sendall(b"garbage\r\n\r\n")
    assert read_response(visitor).body == b"bad request\n"
    end()


def test_long_poll(visitor, stage):
    """Its answer comes when it comes; the connection goes on."""
    for turn in range(2):
        visitor.sendall(request("GET /api/poll"))
        _, sock, end = stage.next()
        assert is_silent(visitor, 0.3)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % turn)
        assert read_response(visitor).body == b"%d" % turn
        end(closes=False)


@pytest.mark.parametrize("framing", ["chunked", "length"])
def test_uploads_are_not_held_back(visitor, stage, service, framing):
    """Each piece is at the service before the next one is sent."""
    field = "Transfer-Encoding: chunked" if framing == "chunked" else "Content-Length: 20"
    service.forget()
    visitor.sendall(request("POST /api/up", field))
    piece = b"5\r\nhello\r\n" if framing == "chunked" else b"hello"
    for count in range(1, 5):
        visitor.sendall(piece)
        eventually(lambda: service.log.endswith(b"\r\n\r\n" + count * piece), "the piece")
    if framing == "chunked":
        visitor.sendall(b"0\r\n\r\n")
    _, sock, end = stage.next()
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert read_response(visitor).status == 200
    end(closes=False)


def test_answer_before_the_request_is_complete(farm):
    """A refusal reaches a visitor that is still uploading."""

    class Early(Service):
        def _read_body(self, stream, got):
            pass  # not before the answer

    def refuse(service, sock, got):
        service.reply(sock, got, b"too large\n", "413 Too Large", "Connection: close\r\n")
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):  # closing on unread input would take the answer with it
            pass
        return False

    with Early(refuse) as early:
        rig = Rig(farm, early.remote("api"))
        for size in (10, 1000, 200_000):
            with rig.connect() as sock:
                sock.sendall(request("POST /api/up", "Content-Length: 90000000"))
                sock.sendall(b"x" * size)
                assert read_response(sock).status == 413


def test_slow_pieces_arrive_whole(visitor, stage):
    """Head and body byte by byte, with pauses."""
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nall of it"
    visitor.sendall(request("GET /api/slow"))
    _, sock, end = stage.next()
    for byte in raw:
        sock.sendall(bytes([byte]))
        time.sleep(0.002)
    assert read_response(visitor).body == b"all of it"
    end(closes=False)


# ---- who hears of whose end


def in_wait(rig, stage, part):
    """A visitor that waits for an answer of which `part` has come."""
    sock = rig.connect()
    sock.sendall(request("GET /api/wait"))
    _, served, end = stage.next()
    served.sendall(part)
    if part:
        read_until(sock, b"\r\n\r\n")
        body = part.partition(b"\r\n\r\n")[2]
        assert read_exact(sock, len(body)) == body
    return sock, served, end


PARTS = [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart",
         b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n",
         b"HTTP/1.1 200 OK\r\n\r\npart"]  # fmt: skip


@pytest.mark.parametrize("leave", [socket.socket.close, reset])
@pytest.mark.parametrize("part", PARTS)
def test_service_hears_at_once_that_the_visitor_left(rig, stage, part, leave):
    visitor, served, end = in_wait(rig, stage, part)
    began = time.monotonic()
    leave(visitor)
    try:
        assert served.recv(1) == b""
    except ConnectionError:
        pass
    assert time.monotonic() - began < patience(0.5)
    end()


def test_service_that_keeps_sending_hears_it_too(rig, stage):
    visitor, served, end = in_wait(rig, stage, PARTS[3])
    visitor.close()
    deadline = time.monotonic() + patience(1)
    with pytest.raises(ConnectionError):
        while time.monotonic() < deadline:
            served.sendall(b"x" * 4096)
            time.sleep(0.001)
    end()


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("how", ["fin", "rst"])
def test_visitor_hears_at_once_that_the_service_ended(rig, stage, part, how):
    """A body without a length may end so only with a FIN."""
    visitor, served, end = in_wait(rig, stage, part)
    began = time.monotonic()
    if how == "rst":
        served.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    end()
    if part == b"":
        assert read_response(visitor).status == 502
    else:
        data, ending = how_it_ends(visitor)
        assert data == b""
        if part != PARTS[3]:
            assert ending == "reset"
    assert time.monotonic() - began < patience(0.5)
    visitor.close()


def test_half_of_a_request_ends_with_its_visitor(rig, stage, service):
    with rig.connect() as sock:
        sock.sendall(request("POST /api/up", "Content-Length: 10", body=b"half"))
        eventually(lambda: service.log.endswith(b"half"), "the half is there")
        ended = service.ended
    eventually(lambda: service.ended > ended, "the service's connection ends")


# ---- patience


def answer_one(sock, stage, raw):
    """Sends what completes a request, and has it answered."""
    sock.sendall(raw)
    got, served, end = stage.next()
    served.sendall(b"HTTP/1.1 204 None\r\n\r\n")
    assert read_response(sock).status == 204
    end(closes=False)
    return got


def test_no_time_out_on_what_may_last(farm):
    """With every configured time shorter than the silence: streams, polls, upgrades, idle ones."""
    stage = Stage()
    with Service(stage) as service:
        rig = Rig(farm, service.remote("api"), time=SHORT)
        upgrade, upgrade_served, end_upgrade = upgraded(rig, stage)
        stream, stream_served, end_stream = in_wait(rig, stage, PARTS[2])
        poll, poll_served, end_poll = in_wait(rig, stage, b"")
        upload = rig.connect()
        upload.sendall(request("POST /api/up", "Content-Length: 8", body=b"half"))
        kept = rig.connect()
        answer_one(kept, stage, request("GET /api/kept"))

        socks = [upgrade, stream, poll, upload, kept]
        began = time.monotonic()
        while time.monotonic() - began < PAUSE:
            assert all(is_silent(sock, 0.02) for sock in socks), "something came in the silence"

        upgrade_served.sendall(b"still here")
        assert read_exact(upgrade, 10) == b"still here"
        upgrade.sendall(b"me too")
        assert read_exact(upgrade_served, 6) == b"me too"
        end_upgrade()
        stream_served.sendall(b"0\r\n\r\n")
        assert read_exact(stream, 5) == b"0\r\n\r\n"
        end_stream(closes=False)
        poll_served.sendall(b"HTTP/1.1 204 Late\r\n\r\n")
        assert read_response(poll).status == 204
        end_poll(closes=False)
        assert answer_one(upload, stage, b"half").body == b"halfhalf"
        answer_one(kept, stage, request("GET /api/again"))
        for sock in socks:
            sock.close()


def test_visitor_that_does_not_read(farm):
    """It holds up nobody for longer than the time that is given to it."""
    size = volume(32 * MIB, 16 * MIB)
    with Service() as service:
        rig = Rig(farm, service.remote("api"), time={"stall": 1})
        with rig.connect() as lazy:
            lazy.sendall(request(f"GET /api/length/{size}"))
            lazy.recv(1)
            for turn in range(5):
                began = time.monotonic()
                assert rig.ask(request(f"GET /api/{turn}")).status == 200
                assert time.monotonic() - began < patience(3)


def test_service_that_does_not_read(farm):
    """An upload that nobody takes is held back; others go on."""

    class Deaf(Service):
        def serve(self, sock):
            if b"/deaf" in read_until(sock, b"\r\n\r\n"):
                self.gate.wait(30)
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfine")

    with Deaf() as service:
        rig = Rig(farm, service.remote("api"), time={"stall": 1})
        with rig.connect() as sock:
            sock.sendall(request("POST /api/deaf", "Content-Length: 1000000000"))
            sock.settimeout(0.5)
            sent = 0
            with pytest.raises((TimeoutError, ConnectionError)):
                while sent < 64 * MIB:
                    sent += sock.send(b"x" * 65536)
            assert sent < 48 * MIB, "all of it was buffered somewhere"
            for _ in range(3):
                assert rig.ask(request("GET /api/x")).body == b"fine"
            service.gate.set()
