"""How connections end in wsp.1: each direction on its own, and resets as resets, whatever leads."""

import json
import random
import socket
import subprocess
import threading
import time
from contextlib import ExitStack

import pytest

from harness import messages, socks
from harness.channels import Opener, UnixScript, connect_unix, offer, tcp
from harness.daemons import command, entry, environment
from harness.env import patience
from harness.far import small_buffer, trade
from harness.http_client import read_response
from harness.messages import CLOSED, INTERRUPT, LIMIT, PROTOCOL, RESET, TIMEOUT, WITHDRAWN
from harness.net import connect, how_it_ends, read_all, read_exact, reset
from harness.reverse import HOST, Service, Stage, upgraded
from harness.tcp_origins import ScriptOrigin

BLOB = random.Random(55).randbytes(1 << 20)


class World:
    """All the ways from one TCP connection to another: each returns both."""

    def __init__(self, farm, stack, directory):
        self.stage = Stage()
        self.origin = stack.enter_context(ScriptOrigin())
        self.unix = stack.enter_context(UnixScript(directory / "target.sock"))
        service = stack.enter_context(Service(script=self.stage))
        self.listener = directory / "listener.sock"
        self.wsps = farm.wsps(host=HOST)
        self.port = self.wsps.config["port"]
        remotes = [tcp("pipe", self.origin), f"unix://sock@{self.unix.path}", "tunnel://vpn@",
                   service.remote("api")]  # fmt: skip
        offer(farm, self.port, *remotes)
        names = ["pipe", "sock", "socks5://vpn", "http://vpn"]
        self.opener = Opener(farm, self.port, *names)
        local = [f"unix://pipe@{self.listener}"]
        self.wspc = farm.wspc(entry(self.port, local=local))
        self.wspc.wait_line("listening on ", count=3)

    def socks5(self):
        return self.by_socks(self.wspc.port("socks5"))

    def http_connect(self):
        return self.by_connect(self.wspc.port("http"))

    def channel(self):
        return self.opener.connect("pipe"), self.origin.accept()

    def unix_target(self):
        return self.opener.connect("sock"), self.unix.accept()

    def unix_listener(self):
        return connect_unix(self.listener), self.origin.accept()

    def tunnel_socks5(self):
        return self.by_socks(self.opener.ports["socks5://vpn"])

    def tunnel_connect(self):
        return self.by_connect(self.opener.ports["http://vpn"])

    def upgrade(self):
        return upgraded(self, self.stage)[:2]

    def connect(self):
        return connect(self.port)

    def by_socks(self, port):
        return socks.open_socks(port, "127.0.0.1", self.origin.port), self.origin.accept()

    def by_connect(self, port):
        sock = connect(port)
        sock.sendall(f"CONNECT 127.0.0.1:{self.origin.port} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert read_response(sock, "CONNECT").status == 200
        return sock, self.origin.accept()


WAYS = ["socks5", "http_connect", "channel", "unix_target", "unix_listener", "tunnel_socks5",
        "tunnel_connect", "upgrade"]  # fmt: skip


@pytest.fixture(scope="module")
def world(shared_farm, tmp_path_factory):
    with ExitStack() as stack:
        yield World(shared_farm, stack, tmp_path_factory.mktemp("unix"))


@pytest.fixture(params=WAYS)
def way(request):
    return request.param


@pytest.fixture(params=["forth", "back"])
def ends(request, world, way):
    """(first, second): the two connections, in either order."""
    here, there = getattr(world, way)()
    with here, there:
        yield (here, there) if request.param == "forth" else (there, here)


# ---- one direction after the other


@pytest.mark.parametrize("size", [0, 1, len(BLOB)])
def test_half_close(ends, size):
    """One ends its side; the other sees that, answers at its ease, and ends as well."""
    first, second = ends
    writer = threading.Thread(target=finish, args=(first, BLOB[:size]))
    writer.start()
    assert how_it_ends(second) == (BLOB[:size], "eof")
    writer.join()
    began = time.monotonic()
    second.sendall(b"a first answer")
    assert read_exact(first, 14) == b"a first answer"
    assert time.monotonic() - began < patience(1), "it must not wait for anything"
    writer = threading.Thread(target=finish, args=(second, BLOB))
    writer.start()
    assert how_it_ends(first) == (BLOB, "eof")
    writer.join()


def finish(sock, data):
    sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)


def test_both_end_at_the_same_time(ends):
    for sock in ends:
        sock.shutdown(socket.SHUT_WR)
    for sock in ends:
        assert how_it_ends(sock) == (b"", "eof")


def test_both_end_in_mid_transfer(ends):
    writers = [threading.Thread(target=finish, args=(sock, BLOB)) for sock in ends]
    got = {}
    readers = [threading.Thread(target=lambda s=s: got.update({s: read_all(s)})) for s in ends]
    for thread in writers + readers:
        thread.start()
    for thread in writers + readers:
        thread.join()
    assert list(got.values()) == [BLOB, BLOB]


def test_one_closes_altogether(ends):
    """What it sent arrives, then the end."""
    first, second = ends
    first.sendall(BLOB[:100_000])
    first.close()
    assert how_it_ends(second) == (BLOB[:100_000], "eof")


@pytest.mark.parametrize("way", ["socks5", "channel"])
@pytest.mark.parametrize("leave", [socket.socket.close, reset])
def test_one_leaves_behind_its_end(world, way, leave):
    """What is sent to it then has no reader, and the sender hears of that."""
    for order in (0, 1):
        ends = getattr(world, way)()
        first, second = ends[order], ends[1 - order]
        first.shutdown(socket.SHUT_WR)
        assert second.recv(1) == b""
        leave(first)
        was_hung_up(second)


@pytest.mark.parametrize("way", ["socks5", "channel", "upgrade"])
def test_reset_behind_an_end_is_noticed(world, way):
    """Though nobody sends anything that could show it."""
    daemon = {"socks5": world.wspc, "channel": world.opener.wspc, "upgrade": world.wsps}[way]
    first, second = getattr(world, way)()
    first.shutdown(socket.SHUT_WR)
    assert second.recv(1) == b""
    since = daemon.mark()
    reset(first)
    daemon.wait_line(r"INTERRUPT 0 sent", since=since)
    second.close()


def test_half_closed_for_long(world):
    """No time runs out, here across the two links of a channel: 0.10 would end after 5 s."""
    pairs = [world.channel(), world.socks5()]
    for here, _ in pairs:
        here.shutdown(socket.SHUT_WR)
    for _, there in pairs:
        assert there.recv(1) == b""
    time.sleep(6)
    for here, there in pairs:
        there.sendall(b"late answer")
        there.close()
        assert how_it_ends(here) == (b"late answer", "eof")


def test_slow_reader_gets_all_of_what_was_sent_before_the_end(ends):
    first, second = ends
    writer = threading.Thread(target=finish, args=(first, BLOB * 8))
    writer.start()
    data = b""
    while len(data) < len(BLOB):
        data += second.recv(10_000)
        time.sleep(0.001)
    data += read_all(second)
    assert data == BLOB * 8
    writer.join()


def was_hung_up(sock):
    """Nobody takes what is sent now: the sender hears of it."""
    with pytest.raises(OSError):
        for _ in range(1000):
            sock.sendall(b"x" * 1000)
            time.sleep(0.01)


# ---- resets


@pytest.fixture(params=[w for w in WAYS if not w.startswith("unix")])
def tcp_ends(request, world):
    """Not sockets in the file system, which know no reset."""
    here, there = getattr(world, request.param)()
    with here, there:
        yield here, there


@pytest.fixture(params=["forth", "back"])
def order(request, tcp_ends):
    return tcp_ends if request.param == "forth" else tcp_ends[::-1]


def test_reset(order):
    first, second = order
    first.sendall(b"before")
    assert read_exact(second, 6) == b"before"
    reset(first)
    assert how_it_ends(second) == (b"", "reset")


def test_reset_in_mid_transfer(order):
    """A part is never taken for the whole."""
    first, second = order
    stop = threading.Event()
    writer = threading.Thread(target=write_until, args=(first, stop))
    writer.start()
    read_exact(second, 300_000)
    stop.set()
    writer.join()
    reset(first)
    assert how_it_ends(second)[1] == "reset"


def write_until(sock, stop):
    while not stop.is_set():
        sock.sendall(BLOB[:10_000])


def test_reset_behind_the_end_of_the_other_side(order):
    first, second = order
    first.shutdown(socket.SHUT_WR)
    assert second.recv(1) == b""
    second.sendall(b"part of an answer")
    assert read_exact(first, 17) == b"part of an answer"
    reset(second)
    assert how_it_ends(first) == (b"", "reset")


# ---- wspc -W


@pytest.fixture
def process(world, tmp_path):
    """wspc -W joined to the channel, and the other side."""
    config = tmp_path / "pipe.json"
    config.write_text(json.dumps({"client": [entry(world.port)]}))
    streams = dict.fromkeys(("stdin", "stdout"), subprocess.PIPE)
    process = subprocess.Popen(command("wspc", "-c", config, "-W", "pipe"),
                               env=environment(), **streams)  # fmt: skip
    yield process, world.origin.accept()
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        stream.close()


def test_pipe_ends_its_input(process):
    """As in `sort < list`: what answers is what has seen the end."""
    process, there = process
    writer = threading.Thread(target=lambda: (process.stdin.write(BLOB), process.stdin.close()))
    writer.start()
    assert how_it_ends(there) == (BLOB, "eof")
    writer.join()
    writer = threading.Thread(target=lambda: (there.sendall(BLOB[::-1]), there.close()))
    writer.start()
    assert process.stdout.read() == BLOB[::-1]
    writer.join()
    assert process.wait(patience(5)) == 0


def test_far_side_of_a_pipe_ends_first(process):
    process, there = process
    there.sendall(b"all there is")
    there.shutdown(socket.SHUT_WR)
    assert process.stdout.read() == b"all there is"
    process.stdin.write(b"thank you")
    process.stdin.close()
    assert how_it_ends(there) == (b"thank you", "eof")
    there.close()
    assert process.wait(patience(5)) == 0


def test_far_side_of_a_pipe_is_reset(process):
    process, there = process
    there.sendall(b"part")
    assert process.stdout.read(4) == b"part"
    reset(there)
    assert process.stdout.read() == b""
    process.wait(patience(5))


# ---- on the wire


@pytest.fixture
def link(far_end):
    with far_end.link() as link:
        yield link


@pytest.fixture
def opened(far_end, link):
    chan, sock = far_end.channel(link)
    trade(chan, sock)
    return chan, sock


def test_finish_both_ways(link, opened):
    """Nothing follows: both know that it is over."""
    chan, sock = opened
    sock.shutdown(socket.SHUT_WR)
    assert chan.read_finish() == b""
    chan.send(b"answer")
    chan.finish()
    assert read_all(sock) == b"answer"
    link.sync()
    link.expect_silence(0.1)


def test_our_finish_first(link, opened):
    chan, sock = opened
    chan.send(b"request")
    chan.finish()
    assert read_all(sock) == b"request"
    sock.sendall(BLOB[:100_000])
    sock.close()
    assert chan.read_finish() == BLOB[:100_000]
    link.sync()
    link.expect_silence(0.1)


@pytest.mark.parametrize("reason", [RESET, TIMEOUT, PROTOCOL, LIMIT, WITHDRAWN, 6, 255])
@pytest.mark.parametrize("text", [b"", b"some text", b"\xff\x00"])
def test_interrupts_that_reset(link, opened, reason, text):
    chan, sock = opened
    chan.interrupt(reason, text)
    assert how_it_ends(sock) == (b"", "reset")
    link.sync()
    link.expect_silence(0.05)


@pytest.mark.parametrize("data", [b"", b"\0", b"\0with a text"])
def test_interrupt_that_closes(link, opened, data):
    """Both directions at once, and properly."""
    chan, sock = opened
    chan.send(b"last words")
    chan.gone = True
    chan.send_message(INTERRUPT, data)
    assert how_it_ends(sock) == (b"last words", "eof")
    link.sync()
    link.expect_silence(0.05)


def test_interrupt_that_closes_after_finish(link, opened):
    chan, sock = opened
    chan.send(b"last words")
    chan.finish()
    assert read_all(sock) == b"last words"
    chan.interrupt(CLOSED)
    was_hung_up(sock)


@pytest.mark.parametrize("finished", [False, True])
def test_reset_is_told_with_its_reason(link, opened, finished):
    chan, sock = opened
    if finished:
        chan.finish()
        assert read_all(sock) == b""
    reset(sock)
    assert chan.read_interrupt() == (b"", RESET)
    link.sync()
    link.expect_silence(0.05)


def test_reset_while_it_is_behind(far_end, link):
    """The reader of what is held for it has gone: nobody pretends that it has got it."""
    chan, sock = far_end.channel(link)
    small_buffer(sock)
    for _ in range(20):
        chan.send(bytes(min(chan.credit, 32768)) or b"")
    reset(sock)
    assert chan.read_interrupt() == (b"", RESET)


def test_interrupt_cancels_an_open(far_end, link):
    """No answer follows, and the other side of the open is let go."""
    chan = far_end.pending(link)
    if link.client:
        link.sync()
        chan.interrupt(RESET)
        link.sync()
        link.expect_silence(0.2)
        return
    chan.interrupt(RESET, b"no more")
    assert socks.read_reply(far_end.waiting.pop()).code not in (socks.SUCCEEDED, socks.TTL_EXPIRED)
    link.sync()
    link.expect_silence(0.1)


def test_user_gives_up_before_the_answer(far_end, link):
    """wspc's user resets: with the answer at the latest, the channel ends."""
    if link.client:
        pytest.skip("for opens of wspc")
    chan = far_end.pending(link)
    reset(far_end.waiting.pop())
    link.sync()
    link.let_in(chan)
    link.until(lambda: chan.reason, "INTERRUPT")
    trade(*far_end.channel(link))


def test_refusals_reach_the_user(far_end, link):
    if link.client:
        pytest.skip("for opens of wspc")
    chan = far_end.pending(link)
    link.turn_down(chan, "limit")
    assert socks.read_reply(far_end.waiting.pop()).code != socks.SUCCEEDED
    trade(*far_end.channel(link))
