"""The Go original's side of a link, played byte for byte, with its ordering hazards."""

import hashlib
import os
import random
import re
import socket
import time

import pytest

from harness import frames, hazard, messages, socks
from harness.curl import fetch
from harness.daemons import AUTH, entry
from harness.env import volume
from harness.go_server import ID as KSUID
from harness.go_server import GoServer
from harness.http_client import exchange
from harness.http_origin import pattern
from harness.messages import CONNECT, DYNAMIC, INTERRUPT, RESPOND, TRANSFER, Message
from harness.net import connect, eventually, how_it_ends, is_silent, read_exact
from harness.peer import LinkListener, link_to
from harness.tcp_origins import BannerOrigin, ScriptOrigin, SinkOrigin, SourceOrigin, TcpOrigin

ID = b"3MXEaTTv3gGxOcHjeVzsqNRZ1Xd"
BLOB = random.Random(10).randbytes(4 << 20)


# ---- a Go wspc and our wsps


@pytest.fixture(scope="module")
def port(shared_farm):
    return shared_farm.wsps().config["port"]


@pytest.fixture
def link(port):
    with link_to(port) as link:
        yield link


def new_ids():
    for number in range(1 << 20):
        yield b"3MXEa%022d" % number


def test_dialogue_is_the_captured_one(link, echo):
    """DYNAMIC, client closes: the messages of the vectors, in their order."""
    assert link.open(ID, f"socks5://127.0.0.1:{echo.port}") is None
    link.send(Message(ID, TRANSFER, b"hello"))
    assert link.expect(TRANSFER, ID).data == b"hello"
    link.send(Message(ID, INTERRUPT))
    assert link.expect(INTERRUPT, ID).data == b""
    link.expect_silence(0.1)


def test_name_and_http_scheme(link, echo):
    for scheme in ("socks5", "http", "https", "tcp", "tcp4"):
        assert link.open(ID, f"{scheme}://localhost:{echo.port}") is None, scheme
        link.send(Message(ID, TRANSFER, b"x"))
        link.expect(TRANSFER, ID)
        link.send(Message(ID, INTERRUPT))
        link.expect(INTERRUPT, ID)


def test_data_before_interrupt_is_delivered(link):
    """The Go sender waits for nothing: its last data and INTERRUPT come in one segment."""
    with SinkOrigin() as sink:
        for id, size in zip(new_ids(), (1, 1000, 32768)):
            assert link.open(id, f"socks5://127.0.0.1:{sink.port}") is None
            link.send_raw(
                frames.encode(2, Message(id, TRANSFER, BLOB[:size]).encode(), masked=True)
                + frames.encode(2, Message(id, INTERRUPT).encode(), masked=True)
            )
            link.expect(INTERRUPT, id)
            digest = hashlib.sha256(BLOB[:size]).hexdigest()
            eventually(lambda: (size, digest) in sink.received, f"{size} bytes are delivered")


class Closer(TcpOrigin):
    """Sends the next of its sizes and closes at once, without having been asked."""

    def __init__(self, sizes):
        super().__init__()
        self.sizes = list(sizes)

    def serve(self, sock):
        sock.sendall(BLOB[: self.sizes.pop(0)])


def test_go_receiver_loses_nothing(link):
    """A server that speaks first and closes: both hazards in one connection, 100 times."""
    sizes = [2, 100, 32768, 32769, 300_000, 2 << 20, 0, 1, 65536, 12] * 10
    with Closer(sizes) as closer:
        for id, size in zip(new_ids(), sizes):
            link.send(
                Message(id, CONNECT, messages.request(f"socks5://127.0.0.1:{closer.port}"))
            )
            inbox = hazard.read_channel(link, id)
            assert inbox.lost == []
            assert inbox.data() == BLOB[:size], f"{len(inbox.data())} of {size} bytes"


def test_go_receiver_loses_nothing_on_a_busy_link(link):
    """The same behind a download that keeps the link's queues full."""
    with Closer([2000] * 30) as closer, SourceOrigin(BLOB) as source:
        bulk = b"3MXEabWpvffA1aDUV4ZV2i0Smko"
        assert link.open(bulk, f"socks5://127.0.0.1:{source.port}") is None
        link.send(Message(bulk, TRANSFER, (1 << 40).to_bytes(8, "big")))
        moved = 0
        for id, _ in zip(new_ids(), range(volume(30, 10))):
            link.send(
                Message(id, CONNECT, messages.request(f"socks5://127.0.0.1:{closer.port}"))
            )
            inbox = hazard.Inbox()
            while not inbox.ended:
                arrival = link.receive(10)
                if arrival.message.id == bulk:
                    assert arrival.message.cmd == TRANSFER
                    moved += len(arrival.message.data)
                else:
                    inbox.put(arrival)
            link.send(Message(id, INTERRUPT))
            assert (inbox.lost, inbox.data()) == ([], BLOB[:2000])
        assert moved > 1 << 20


def test_transfers_are_of_the_usual_size(link):
    with SourceOrigin(BLOB) as source:
        assert link.open(ID, f"socks5://127.0.0.1:{source.port}") is None
        link.send(Message(ID, TRANSFER, len(BLOB).to_bytes(8, "big")))
        inbox = hazard.read_channel(link, ID)
        assert inbox.data() == BLOB
        assert max(len(c.message.data) for c in inbox.chunks) <= 32768


def test_interrupt_before_respond_cancels_the_dial(link, echo):
    link.send(Message(ID, CONNECT, messages.request(f"socks5://127.0.0.1:{echo.port}")))
    link.send(Message(ID, INTERRUPT))
    seen = []
    try:
        while True:
            seen.append(link.receive(0.5).message.cmd)
    except TimeoutError:
        pass
    assert seen.count(RESPOND) <= 1 and TRANSFER not in seen
    assert link.open(ID, f"socks5://127.0.0.1:{echo.port}") is None, "the id is free again"


def test_many_channels_on_one_link(link, echo):
    ids = [id for id, _ in zip(new_ids(), range(200))]
    request = messages.request(f"socks5://127.0.0.1:{echo.port}")
    for id in ids:
        link.send(Message(id, CONNECT, request))
    opened = {link.expect(RESPOND).id for _ in ids}
    assert opened == set(ids)
    for id in ids:
        link.send(Message(id, TRANSFER, id))
    for _ in ids:
        message = link.expect(TRANSFER)
        assert message.id == message.data
    for id in ids:
        link.send(Message(id, INTERRUPT))
    assert {link.expect(INTERRUPT).id for _ in ids} == set(ids)


def test_stalled_reader_of_a_link_does_not_grow_wsps(farm):
    """A client that stops reading its link: the exit stops reading the source."""
    server = farm.wsps()
    with SourceOrigin(BLOB) as source, link_to(server.config["port"]) as link:
        assert link.open(ID, f"socks5://127.0.0.1:{source.port}") is None
        before = resident(server)
        link.send(Message(ID, TRANSFER, (1 << 40).to_bytes(8, "big")))
        link.expect(TRANSFER)
        time.sleep(1)  # time to grow in, if it does
        assert resident(server) - before < volume(16 << 20, 64 << 20)


def resident(daemon):
    with open(f"/proc/{daemon.process.pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# ---- a Go wsps and our wspc


def test_upgrade_request_is_the_captured_one(farm):
    with LinkListener() as listener:
        client = entry(listener.port, path="/proxy?a=%20b", dialect="0.10")
        farm.wspc(client, link=False)
        with listener.accept() as link:
            key = re.search(rb"Sec-WebSocket-Key: ([A-Za-z0-9+/]{22}==)\r\n", link.upgrade).group(1)
            assert link.upgrade == (
                b"GET /proxy?a=%20b HTTP/1.1\r\n"
                b"Host: 127.0.0.1:" + str(listener.port).encode() + b"\r\n"
                b"Upgrade: websocket\r\n"
                b"Connection: Upgrade\r\n"
                b"Sec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Key: " + key + b"\r\n"
                b"Auth: " + AUTH.encode() + b"\r\n"
                b"Proto: 0.10\r\n\r\n"
            )
            assert is_silent(link.sock, 0.2), "it has nothing to say before it is asked"


def test_upgrade_without_auth_and_path(farm):
    """The header is sent all the same, empty; the path is / when the URL has none."""
    with LinkListener() as listener:
        client = entry(listener.port, path="")
        del client["auth"]
        farm.wspc(client, link=False)
        with listener.accept() as link:
            assert link.upgrade.startswith(b"GET / HTTP/1.1\r\n")
            assert b"\r\nAuth: \r\nProto: 0.10\r\n" in link.upgrade


def test_keys_differ(farm):
    keys = set()
    with LinkListener() as listener:
        farm.wspc(entry(listener.port), link=False)
        for _ in range(3):
            with listener.accept() as link:
                keys.add(re.search(rb"Key: (\S+)", link.upgrade).group(1))
    assert len(keys) == 3


@pytest.fixture
def script(farm):
    """(wspc, link): the test itself is the server."""
    with LinkListener() as listener:
        wspc = farm.wspc(entry(listener.port), link=False)
        with listener.accept() as link:
            wspc.wait_link()
            yield wspc, link


TARGETS = [
    ("127.0.0.1", 80, "socks5://127.0.0.1:80"),
    ("::1", 443, "socks5://[::1]:443"),
    ("Example.COM", 65535, "socks5://Example.COM:65535"),
]


@pytest.mark.parametrize("host, target_port, url", TARGETS)
def test_connect_message(script, host, target_port, url):
    wspc, link = script
    with socks.greet(wspc.port("socks5")) as sock:
        sock.sendall(socks.request_bytes(host, target_port) + b"early")
        message = link.expect(CONNECT)
        assert KSUID.fullmatch(message.id)
        assert messages.decode_request(message.data) == (DYNAMIC, url)
        link.expect_silence(0.1)  # the early bytes wait for RESPOND
        link.send(Message(message.id, RESPOND, messages.response()))
        assert socks.read_reply(sock).code == socks.SUCCEEDED
        assert link.expect(TRANSFER, message.id).data == b"early"


def test_connect_message_of_the_http_proxy(script):
    wspc, link = script
    for request in (b"CONNECT h.example:8443 HTTP/1.1", b"GET http://h.example:8443/x HTTP/1.1"):
        with connect(wspc.port("http")) as sock:
            sock.sendall(request + b"\r\nHost: x\r\n\r\n")
            message = link.expect(CONNECT)
            assert messages.decode_request(message.data) == (DYNAMIC, "http://h.example:8443")
            link.send(Message(message.id, RESPOND, messages.response("no")))
            assert how_it_ends(sock)[0].startswith(b"HTTP/1.1 502 ")


ERRORS = [  # as the original words them: (text, SOCKS5 reply, HTTP status)
    ("dial tcp 127.0.0.1:1: connect: connection refused", 5, 502),
    ("dial tcp: lookup no.such.invalid on 10.0.0.1:53: no such host", 4, 502),
    ("dial tcp 203.0.113.1:80: connect: network is unreachable", 3, 502),
    ("dial tcp 203.0.113.1:80: connect: no route to host", 4, 502),
    ("dial tcp 203.0.113.1:80: i/o timeout", 6, 504),
    ("timeout", 6, 504),
    ("something else", 1, 502),
    ("", 1, 502),
]


@pytest.mark.parametrize("text, code, status", ERRORS)
def test_errors_of_the_original(script, text, code, status):
    wspc, link = script
    with socks.greet(wspc.port("socks5")) as sock:
        sock.sendall(socks.request_bytes("h.example", 80))
        link.send(Message(link.expect(CONNECT).id, RESPOND, messages.response(text)))
        assert socks.read_reply(sock).code == code
    with connect(wspc.port("http")) as sock:
        sock.sendall(b"CONNECT h.example:80 HTTP/1.1\r\nHost: x\r\n\r\n")
        link.send(Message(link.expect(CONNECT).id, RESPOND, messages.response(text)))
        assert how_it_ends(sock)[0].startswith(b"HTTP/1.1 %d " % status)


def open_scripted(wspc, link):
    """(socket, id) of a channel that the test has accepted."""
    sock = socks.greet(wspc.port("socks5"))
    sock.sendall(socks.request_bytes("h.example", 80))
    id = link.expect(CONNECT).id
    link.send(Message(id, RESPOND, messages.response()))
    assert socks.read_reply(sock).code == socks.SUCCEEDED
    return sock, id


def test_everything_of_the_server_in_one_segment(script):
    """RESPOND, data and INTERRUPT at once: all of it arrives, then the end."""
    wspc, link = script
    with socks.greet(wspc.port("socks5")) as sock:
        sock.sendall(socks.request_bytes("h.example", 80))
        id = link.expect(CONNECT).id
        parts = [Message(id, RESPOND, messages.response())]
        parts += [Message(id, TRANSFER, BLOB[i : i + 32768]) for i in range(0, 1 << 18, 32768)]
        parts += [Message(id, INTERRUPT)]
        link.send_raw(b"".join(frames.encode(2, m.encode(), masked=False) for m in parts))
        assert socks.read_reply(sock).code == socks.SUCCEEDED
        assert how_it_ends(sock) == (BLOB[: 1 << 18], "eof")
        assert link.expect(INTERRUPT, id).data == b""


def test_interrupt_is_answered_once(script):
    wspc, link = script
    sock, id = open_scripted(wspc, link)
    with sock:
        link.send(Message(id, INTERRUPT))
        assert how_it_ends(sock) == (b"", "eof")
        link.expect(INTERRUPT, id)
        link.expect_silence(0.1)
        link.send(Message(id, TRANSFER, b"late"))
        assert link.expect(INTERRUPT, id).data == messages.UNKNOWN_ID


def test_ids_are_never_used_twice(script):
    wspc, link = script
    ids = set()
    for _ in range(20):
        sock, id = open_scripted(wspc, link)
        sock.close()
        link.expect(INTERRUPT, id)
        link.send(Message(id, INTERRUPT))
        ids.add(id)
    assert len(ids) == 20


def test_server_cannot_open_at_a_client(script, echo):
    """wspc opens only what it registered: here nothing."""
    wspc, link = script
    for kind in (messages.LOCAL, messages.REMOTE, messages.DYNAMIC, 9):
        for url in (f"socks5://127.0.0.1:{echo.port}", f"tcp://x:y@127.0.0.1:{echo.port}"):
            assert link.open(ID, url, kind), "a failure with a text"
    link.send(Message(ID, TRANSFER, b"x"))
    assert link.expect(INTERRUPT, ID).data == messages.UNKNOWN_ID


@pytest.mark.parametrize(
    "wire, code",
    [
        (frames.encode(2, b"x", masked=True), 1002),
        (frames.encode(2, b"x", masked=False, rsv=4), 1002),
        (frames.encode(3, b"x", masked=False), 1002),
        (frames.encode(1, b"\xff", masked=False), 1007),
        (b"\x82\x7f" + (1 << 21).to_bytes(8, "big"), 1009),
    ],
)
def test_bad_frames_of_a_server(farm, wire, code):
    """A close frame with the right code, the client's sockets reset, and a new link."""
    with LinkListener() as listener:
        wspc = farm.wspc(entry(listener.port), link=False)
        with listener.accept() as link:
            wspc.wait_link()
            sock, _ = open_scripted(wspc, link)
            link.send_raw(wire)
            assert link.expect_end().code == code
            assert how_it_ends(sock) == (b"", "reset")
        listener.accept().sock.close()


def test_curl_through_a_go_server(farm, origin):
    with GoServer() as server:
        wspc = farm.wspc(entry(server.port))
        by_socks = ("--socks5-hostname", f"127.0.0.1:{wspc.port('socks5')}")
        by_http = ("-x", f"http://127.0.0.1:{wspc.port('http')}")
        for proxy in (by_socks, by_http, ("-p", *by_http)):
            assert fetch(*proxy, origin.url("/length/1000000")) == pattern(1_000_000)
            body = pattern(300_000)
            assert fetch(*proxy, "--data-binary", "@-", origin.url("/echo"), data=body) == body
        assert server.urls[0] == f"socks5://127.0.0.1:{origin.port}"
        assert server.lost == []


def test_go_server_loses_no_upload(farm):
    """Clients that close right behind their last byte, into the hazards of a Go receiver."""
    sizes = [2, 100, 32768, 32769, 300_000] * volume(12, 4)
    with GoServer() as server, SinkOrigin() as sink:
        wspc = farm.wspc(entry(server.port))
        for size in sizes:
            with socks.open_socks(wspc.port("socks5"), "127.0.0.1", sink.port) as sock:
                sock.sendall(BLOB[:size])
        eventually(lambda: len(sink.received) == len(sizes), "all uploads have ended", 20)
        assert server.lost == []
        assert sorted(size for size, _ in sink.received) == sorted(sizes)


def test_servers_that_speak_first_through_a_go_server(farm):
    with GoServer() as server, BannerOrigin() as banner:
        wspc = farm.wspc(entry(server.port))
        for _ in range(50):
            with socks.open_socks(wspc.port("socks5"), "127.0.0.1", banner.port) as sock:
                assert read_exact(sock, len(banner.banner)) == banner.banner


def test_client_is_not_read_faster_than_the_link_takes(farm):
    """A server that stops reading: wspc stops reading its client, and does not grow."""
    with LinkListener() as listener:
        wspc = farm.wspc(entry(listener.port), link=False)
        with listener.accept() as link:
            wspc.wait_link()
            sock, _ = open_scripted(wspc, link)
            before = resident(wspc)
            sock.settimeout(1)
            with sock, pytest.raises(TimeoutError):
                for _ in range(100):
                    sock.sendall(bytes(1 << 20))
            assert resident(wspc) - before < volume(16 << 20, 64 << 20)


def test_target_that_does_not_read_is_not_buffered_without_end(farm):
    """A client peer floods a channel whose target does not read: wsps stops reading the link."""
    server = farm.wsps()
    with ScriptOrigin() as origin, link_to(server.config["port"]) as link:
        assert link.open(ID, f"socks5://127.0.0.1:{origin.port}") is None
        target = origin.accept()
        before = resident(server)
        link.sock.settimeout(1)
        with pytest.raises(TimeoutError):
            for _ in range(3000):
                link.send(Message(ID, TRANSFER, bytes(32768)))
        assert resident(server) - before < volume(16 << 20, 64 << 20)
        target.shutdown(socket.SHUT_RDWR)


def test_http_proxy_bytes_at_a_go_server(farm, origin):
    """Origin-form, unlike the original, whose absolute-form most servers refuse."""
    with GoServer() as server:
        wspc = farm.wspc(entry(server.port))
        with connect(wspc.port("http")) as sock:
            request = f"GET {origin.url('/x')} HTTP/1.1\r\nHost: y\r\n\r\n"
            assert exchange(sock, request.encode()).status == 200
        assert origin.requests[0].head.startswith(b"GET /x HTTP/1.1\r\nHost: ")
