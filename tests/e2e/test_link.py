"""The link's life: refusal, loss, recovery, silence."""

import socket
import threading
import time

import pytest

from harness import frames, messages, socks
from harness.daemons import PATH, entry
from harness.go_server import GoServer
from harness.http_origin import pattern
from harness.messages import CONNECT, INTERRUPT, RESPOND, TRANSFER, Message
from harness.net import free_port, how_it_ends, is_silent, read_exact
from harness.peer import SWITCH, LinkListener, link_to
from harness.tcp_origins import ScriptOrigin, SourceOrigin

ID = b"3MXEaTTv3gGxOcHjeVzsqNRZ1Xd"


def works(wspc, echo, entry_index=0):
    """One round trip through a client entry."""
    port = wspc.port("socks5", entry_index)
    with socks.open_socks(port, "127.0.0.1", echo.port) as sock:
        sock.sendall(b"round trip")
        assert read_exact(sock, 10) == b"round trip"


def fails_promptly(wspc, entry_index=0):
    began = time.monotonic()
    assert socks.code_of(wspc.port("socks5", entry_index), "127.0.0.1", 9) not in (0, 5, 7, 8)
    assert time.monotonic() - began < 1


# ---- refusals


@pytest.mark.parametrize(
    "wrong, status", [({"auth": "not-the-s3cret"}, 401), ({"auth": ""}, 401), ({"path": "/x"}, 404)]
)
def test_refused_link(farm, wrong, status):
    server = farm.wsps()
    if wrong.get("auth") == "":
        wrong = {"auth": None}
    client = entry(server.config["port"], **wrong)
    wspc = farm.wspc({k: v for k, v in client.items() if v is not None}, link=False)
    wspc.wait_link_failed(1, str(status))
    fails_promptly(wspc)
    since = wspc.mark()
    wspc.wait_link_failed(1, str(status), since=since)  # and it tries again
    log = wspc.log() + server.log()
    assert "not-the-s3cret" not in log and server.config["auth"] not in log


def test_wspc_before_wsps(farm, echo):
    port = free_port()
    wspc = farm.wspc(entry(port), link=False)
    wspc.wait_link_failed(1)
    fails_promptly(wspc)
    farm.wsps(port=port)
    wspc.wait_link()
    works(wspc, echo)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-x\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 301 Moved\r\nLocation: ws://127.0.0.1/\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        SWITCH.format(accept="A" * 27 + "=").encode(),
    ],
)
def test_server_that_is_no_wsps(farm, answer):
    with LinkListener() as listener:
        wspc = farm.wspc(entry(listener.port), link=False)
        for _ in range(2):
            with listener.accept_tcp() as sock:
                sock.sendall(answer)
                if not answer:
                    sock.shutdown(socket.SHUT_RDWR)
        fails_promptly(wspc)


# ---- loss and recovery


def test_killed_wsps_resets_both_ends_and_recovers(farm, echo):
    server, wspc = farm.pair()
    port = server.config["port"]
    with SourceOrigin(pattern(1 << 20)) as source, ScriptOrigin() as script:
        idle = socks.open_socks(wspc.port("socks5"), "127.0.0.1", script.port)
        target = script.accept()
        download = socks.open_socks(wspc.port("socks5"), "127.0.0.1", source.port)
        download.sendall((1 << 40).to_bytes(8, "big"))
        read_exact(download, 1 << 20)
        since = wspc.mark()
        server.kill()
        assert how_it_ends(download)[1] == "reset", "cut-off data must not look complete"
        assert how_it_ends(idle) == (b"", "reset")
        how_it_ends(target)
    fails_promptly(wspc)
    farm.wsps(port=port)
    wspc.wait_link(since=since)
    works(wspc, echo)


def test_killed_wspc_resets_the_targets(farm, echo):
    server, wspc = farm.pair()
    with ScriptOrigin() as script:
        sock = socks.open_socks(wspc.port("socks5"), "127.0.0.1", script.port)
        target = script.accept()
        sock.sendall(b"half of a request")
        assert read_exact(target, 17) == b"half of a request"
        wspc.kill()
        assert how_it_ends(target) == (b"", "reset")
    works(farm.wspc(entry(server.config["port"])), echo)


def test_many_drops(farm, echo):
    """Every loss is followed by a new link, and a channel id of the old one means nothing there."""
    with GoServer() as server:
        wspc = farm.wspc(entry(server.port))
        for _ in range(5):
            works(wspc, echo)
            since = wspc.mark()
            server.drop_links()
            wspc.wait_link(since=since)


@pytest.mark.parametrize("code", [1000, 1001, 1011, 4000])
def test_close_frame_is_answered_and_followed_by_a_new_link(farm, code):
    payload = code.to_bytes(2, "big") + b"going"
    with LinkListener() as listener:
        farm.wspc(entry(listener.port), link=False)
        with listener.accept() as link:
            link.send_frame(frames.CLOSE, payload)
            assert link.expect_end().code == code
        listener.accept().sock.close()


def test_entries_are_independent(farm, echo):
    first, second = farm.wsps(), farm.wsps()
    wspc = farm.wspc(entry(first.config["port"]), entry(second.config["port"]))
    with socks.open_socks(wspc.port("socks5", 1), "127.0.0.1", echo.port) as sock:
        first.kill()
        sock.sendall(b"unharmed")
        assert read_exact(sock, 8) == b"unharmed"
    fails_promptly(wspc, 0)
    works(wspc, echo, 1)


# ---- silence


def test_server_that_never_answers_the_upgrade_is_left(farm):
    with LinkListener() as listener:
        farm.wspc(entry(listener.port), time={"handshake": 1}, link=False)
        with listener.accept_tcp() as first:
            began = time.monotonic()
            head, _ = how_it_ends(first, timeout=4)
            assert head.startswith(b"GET /proxy HTTP/1.1\r\n")
            assert time.monotonic() - began > 0.8
        listener.accept_tcp().close()


def test_upgrade_answered_byte_by_byte_too_slowly_is_left(farm):
    """The time is for the whole answer, not for each of its bytes."""
    with LinkListener() as listener:
        farm.wspc(entry(listener.port), time={"handshake": 1}, link=False)
        with listener.accept_tcp() as first:
            began = time.monotonic()
            try:
                while time.monotonic() - began < 4:
                    first.sendall(b"H")
                    if not is_silent(first, 0.1) and not first.recv(4096):
                        break
            except ConnectionError:
                pass
            assert time.monotonic() - began < 3


def test_client_pings_an_idle_link(farm):
    with LinkListener() as listener:
        farm.wspc(entry(listener.port), time={"ping": 0.5, "dead": 30}, link=False)
        with listener.accept() as link:
            began = time.monotonic()
            frame, *_ = link.next_frame(4)
            assert (frame.op, frame.payload) == (frames.PING, b"")
            assert time.monotonic() - began > 0.4
            link.send_frame(frames.PONG)
            frame, *_ = link.next_frame(4)
            assert frame.op == frames.PING


def test_client_does_not_ping_while_it_receives(farm):
    """A ping into a Go server's bulk data corrupts the link (protocol-0.10 section 5)."""
    with LinkListener() as listener:
        farm.wspc(entry(listener.port), time={"ping": 0.6, "dead": 30}, link=False)
        with listener.accept() as link:
            for _ in range(15):
                link.send(Message(ID, INTERRUPT))  # of an unknown id: ignored
                with pytest.raises(TimeoutError):
                    link.receive(0.1)
            assert link.pings == []


def test_client_leaves_a_silent_link(farm, echo):
    with LinkListener() as listener:
        times = {"ping": 0.4, "dead": 1.2}
        wspc = farm.wspc(entry(listener.port), time=times, link=False)
        with listener.accept() as link:
            link.answers_pings = False
            with ThreadedRequest(wspc, echo) as pending:
                began = time.monotonic()
                link.expect(CONNECT)
                link.expect_end(timeout=5)
                assert time.monotonic() - began > 1
                assert link.pings, "it must ask before it leaves"
                assert pending.code() != 0
        listener.accept().sock.close()


class ThreadedRequest:
    """A SOCKS5 request that waits for its answer in a thread."""

    def __init__(self, wspc, echo):
        self.codes = []
        self.thread = threading.Thread(target=self._run, args=(wspc, echo))

    def _run(self, wspc, echo):
        self.codes.append(socks.code_of(wspc.port("socks5"), "127.0.0.1", echo.port))

    def code(self):
        self.thread.join(10)
        return self.codes[0]

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.thread.join(10)


def test_any_traffic_is_a_sign_of_life(farm):
    """Pongs may queue behind data: the link lives while bytes come."""
    with LinkListener() as listener:
        farm.wspc(entry(listener.port), time={"ping": 0.3, "dead": 0.9}, link=False)
        with listener.accept() as link:
            link.answers_pings = False
            for _ in range(10):
                link.send(Message(ID, INTERRUPT))
                with pytest.raises(TimeoutError):
                    link.receive(0.2)


def test_open_that_is_never_answered(farm, echo):
    with LinkListener() as listener:
        wspc = farm.wspc(entry(listener.port), time={"open": 1}, link=False)
        with listener.accept() as link, ThreadedRequest(wspc, echo) as pending:
            began = time.monotonic()
            late = link.expect(CONNECT).id
            assert pending.code() in (socks.GENERAL, socks.HOST_UNREACHABLE, socks.TTL_EXPIRED)
            assert 0.8 < time.monotonic() - began < 4
            try:
                while True:
                    assert link.receive(0.3).message.cmd == INTERRUPT
            except TimeoutError:
                pass
            link.send(Message(late, RESPOND, messages.response()))
            link.expect(INTERRUPT, late)


def test_server_asks_a_silent_client_for_a_sign_of_life(farm):
    """Not by a ping, which a Go wspc may answer in the middle of a frame."""
    server = farm.wsps(time={"probe": 0.6, "probe_answer": 0.8, "ping": 0.3, "dead": 0.6})
    with link_to(server.config["port"]) as link:
        for _ in range(2):
            began = time.monotonic()
            probe = link.expect(TRANSFER, timeout=4)
            assert time.monotonic() - began > 0.4
            assert probe.data, "an empty TRANSFER is ignored by the original"
            link.send(Message(probe.id, INTERRUPT, messages.UNKNOWN_ID))
        began = time.monotonic()
        link.expect(TRANSFER, timeout=4)
        link.expect_end(timeout=4)
        assert time.monotonic() - began > 0.6
        assert link.pings == []


def test_server_leaves_a_talking_client_alone(farm):
    server = farm.wsps(time={"probe": 1.2, "probe_answer": 0.5})
    with link_to(server.config["port"]) as link:
        for _ in range(8):
            link.send_frame(frames.PING)
            link.expect_silence(0.2)
        assert len(link.pongs) == 8


def test_silent_death_of_a_client_resets_its_targets(farm):
    server = farm.wsps(time={"probe": 0.5, "probe_answer": 0.5})
    with ScriptOrigin() as script, link_to(server.config["port"], PATH) as link:
        assert link.open(ID, f"socks5://127.0.0.1:{script.port}") is None
        assert how_it_ends(script.accept(), timeout=5) == (b"", "reset")


# ---- headers


def test_extra_headers_stand_in_the_request_and_in_no_log(farm):
    headers = {"CF-Access-Client-Id": "s3cret-of-the-cdn", "Host": "front.example"}
    with LinkListener() as listener:
        wspc = farm.wspc(entry(listener.port, headers=headers), link=False, log={"level": "trace"})
        with listener.accept() as link:
            assert b"\r\nHost: front.example\r\n" in link.upgrade
            assert link.upgrade.count(b"Host:") == 1
            assert b"\r\nCF-Access-Client-Id: s3cret-of-the-cdn\r\n" in link.upgrade
        assert "s3cret-of-the-cdn" not in wspc.log()
    server = farm.wsps()
    farm.wspc(entry(server.config["port"], headers=headers))  # a server does not mind
