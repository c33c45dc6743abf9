"""The tools themselves, against each other: a harness that cannot fail proves nothing."""

import hashlib
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from harness import frames, hazard, messages
from harness.curl import curl, fetch
from harness.go_server import GoServer
from harness.http_client import exchange
from harness.http_origin import pattern
from harness.messages import CONNECT, INTERRUPT, RESPOND, TRANSFER, Message
from harness.net import Blackhole, connect, free_port
from harness.peer import LinkEnded, LinkListener, link_to
from harness.tcp_origins import BannerOrigin, SinkOrigin, SourceOrigin

ID = b"3MXEaTTv3gGxOcHjeVzsqNRZ1Xd"


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536])
def test_frames_survive_any_split(masked, size):
    payload = pattern(size)
    wire = frames.encode(frames.BINARY, payload, masked=masked)
    for cut in {0, 1, 2, 3, 5, 13, len(wire) // 2, len(wire)}:
        parser = frames.Parser(masked=masked)
        got = parser.feed(wire[:cut]) + parser.feed(wire[cut:])
        assert got == [frames.Frame(True, frames.BINARY, payload)]


@pytest.mark.parametrize(
    "wire", ["c180", "8180", "8300", "0900", "897e0080", "827e007d", "827f000000000000ffff", "8801"]
)
def test_frames_parser_is_strict(wire):
    with pytest.raises(frames.FrameFault):
        frames.Parser(masked=False).feed(bytes.fromhex(wire) + bytes(200))


def test_accept_key_of_the_rfc():
    key = frames.accept_key(b"dGhlIHNhbXBsZSBub25jZQ==")
    assert key == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


VECTORS = [  # from real traffic
    (Message(ID, CONNECT, messages.request("socks5://127.0.0.1:28020")), "1a1c08021218", 59),
    (Message(ID, RESPOND, messages.response()), "10011a020801", 35),
    (Message(ID, TRANSFER, b"hello"), "10021a05", 38),
    (Message(ID, INTERRUPT), "1003", 31),
]


@pytest.mark.parametrize("message, behind_id, size", VECTORS)
def test_messages_are_written_as_captured(message, behind_id, size):
    wire = message.encode()
    assert len(wire) == size
    assert wire.startswith(b"\x0a\x1b" + ID + bytes.fromhex(behind_id))
    assert messages.decode(wire) == message


@pytest.mark.parametrize("wire", ["1000", "1a00", "10030a0141", "0a05", "08", "1a7f00"])
def test_messages_must_be_canonical(wire):
    with pytest.raises(messages.MessageFault):
        messages.decode(bytes.fromhex(wire))


def test_peers_through_a_relaying_server(echo):
    with GoServer() as server, link_to(server.port) as link:
        assert link.open(ID, f"socks5://127.0.0.1:{echo.port}") is None
        for size in (1, 32768):
            link.send(Message(ID, TRANSFER, bytes(size)))
            got = b""
            while len(got) < size:
                got += link.expect(TRANSFER, ID).data
            assert got == bytes(size)
        link.send_frame(frames.PING, b"there?")
        with pytest.raises(TimeoutError):
            link.receive(0.2)
        assert link.pongs == [b"there?"]
        link.send(Message(ID, INTERRUPT))
        link.expect(INTERRUPT, ID)


def test_failed_dial_is_told():
    port = free_port()
    with GoServer() as server, link_to(server.port) as link:
        assert "refused" in link.open(ID, f"socks5://127.0.0.1:{port}")


@contextmanager
def linked():
    """Both ends of a link, without any relaying."""
    with LinkListener() as listener, ThreadPoolExecutor() as pool:
        accepted = pool.submit(listener.accept)
        with link_to(listener.port) as client, accepted.result() as server:
            yield client, server


def exchange_with_pauses(pause_after_respond, pause_before_interrupt):
    """What arrives at a Go receiver from a server that speaks first and closes."""

    def speak(server):
        server.expect(CONNECT)
        server.send(Message(ID, RESPOND, messages.response()))
        time.sleep(pause_after_respond)
        server.send(Message(ID, TRANSFER, b"banner"))
        time.sleep(pause_before_interrupt)
        server.send(Message(ID, INTERRUPT))

    with linked() as (link, server), ThreadPoolExecutor() as pool:
        speaking = pool.submit(speak, server)
        link.send(Message(ID, CONNECT, messages.request("socks5://h:1")))
        inbox = hazard.read_channel(link, ID)
        speaking.result()
        return inbox


def test_hazards_take_what_follows_too_closely():
    assert exchange_with_pauses(0.02, 0.02).data() == b"banner"
    assert any(exchange_with_pauses(0.02, 0).data() == b"" for _ in range(5))
    assert any(exchange_with_pauses(0, 0.02).lost for _ in range(5))


def test_end_of_a_link_is_told():
    with linked() as (link, server):
        server.send_frame(frames.CLOSE, (1002).to_bytes(2, "big"))
        with pytest.raises(LinkEnded) as end:
            link.receive()
        assert end.value.code == 1002
        server.sock.close()
        assert link.expect_end().how == "eof"


def test_http_origin_by_curl(origin):
    assert fetch(origin.url("/length/100000")) == pattern(100000)
    assert fetch(origin.url("/chunked/100000")) == pattern(100000)
    assert fetch(origin.url("/until_close/100000")) == pattern(100000)
    body = pattern(300000)
    expected = f"{len(body)} {hashlib.sha256(body).hexdigest()}\n".encode()
    for framing in ((), ("-H", "Transfer-Encoding: chunked")):
        assert fetch("--data-binary", "@-", *framing, origin.url("/sha"), data=body) == expected
    assert curl("-I", origin.url("/x")).body.startswith(b"HTTP/1.1 200 OK")
    assert origin.requests[0].head.startswith(b"GET /length/100000 HTTP/1.1\r\nHost: 127.0.0.1:")


def test_http_client_reads_every_framing(origin):
    with connect(origin.port) as sock:
        for path, size in (("/length/9", 9), ("/chunked/9", 9), ("/status/204", 0)):
            response = exchange(sock, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert response.body == pattern(size)
        head = exchange(sock, b"HEAD /length/9 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (head.get("content-length"), head.body) == ("9", b"")


def test_tcp_origins():
    with SourceOrigin(b"0123456789") as source, connect(source.port) as sock:
        sock.sendall((25).to_bytes(8, "big"))
        assert b"".join(iter(lambda: sock.recv(100), b"")) == b"0123456789012345678901234"
    with BannerOrigin() as banner, connect(banner.port) as sock:
        assert sock.recv(100) == BannerOrigin.banner
    with SinkOrigin() as sink:
        with connect(sink.port) as sock:
            sock.sendall(b"abc")
            sock.shutdown(socket.SHUT_WR)
            assert sock.recv(1) == b""
        assert sink.received == [(3, hashlib.sha256(b"abc").hexdigest())]


def test_blackhole_does_not_answer():
    with Blackhole() as hole, pytest.raises(TimeoutError):
        socket.create_connection(("127.0.0.1", hole.port), 0.3)
