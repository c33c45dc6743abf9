"""Credit on raw links: no daemon sends more than it was granted, and each grants what it can."""

import random
import socket
import threading

import pytest

from harness import messages
from harness.far import Wspc, Wsps, small_buffer, trade, use_up
from harness.net import how_it_ends, read_exact, was_reset
from harness.wsp1 import TRANSFER_MAX, WINDOW_FIRST, WINDOW_MIN

KIB = 1 << 10
MIB = 1 << 20
BLOB = random.Random(92).randbytes(4 * MIB)


def pour(sock, data=BLOB):
    """Writes it all in a thread, which is returned."""
    thread = threading.Thread(target=sock.sendall, args=(data,))
    thread.start()
    return thread


@pytest.fixture
def link(far_end):
    with far_end.link() as link:
        yield link


# ---- what they send


@pytest.mark.parametrize("window", [1, 1000, WINDOW_MIN, 100_000, WINDOW_FIRST, 3 * MIB])
def test_window_of_the_opening(far_end, link, window):
    """So much comes and not a byte more; every further grant lets through just that."""
    chan, sock = far_end.channel(link, window)
    writer = pour(sock)
    assert chan.read_data(window) == BLOB[:window]
    link.expect_silence(0.1)
    at = window
    for grant in (1, 2, 32768, 32769, 100_000):
        chan.grant(grant)
        assert chan.read_data(grant) == BLOB[at : at + grant]
        link.expect_silence(0.03)
        at += grant
    chan.grant(len(BLOB) - at)
    assert chan.read_data(len(BLOB) - at) == BLOB[at:]
    writer.join()
    assert chan.allowed == 0


@pytest.mark.parametrize("said", [1, 20_000])
def test_window_of_settings(far_end, said):
    """It counts where CONNECT or RESPOND says none."""
    with far_end.link(window=said) as link:
        chan, sock = far_end.channel(link, window=0)
        sock.sendall(BLOB[:50_000])
        assert chan.read_data(said) == BLOB[:said]
        link.expect_silence(0.1)
        chan.grant(50_000)
        assert chan.read_data(50_000 - said) == BLOB[said:50_000]


def test_window_that_nobody_says(far_end):
    """16 KiB are assumed then."""
    with far_end.unsettled() as link:
        if link.client:
            link.send(messages.Message(b"", messages.SETTINGS))
        link.expect(messages.SETTINGS)
        if not link.client:
            link.send(messages.Message(b"", messages.SETTINGS))
        link.window = WINDOW_MIN
        chan, sock = far_end.channel(link, window=0)
        sock.sendall(BLOB[:50_000])
        assert chan.read_data(WINDOW_MIN) == BLOB[:WINDOW_MIN]
        link.expect_silence(0.1)


def test_grants_add_up_while_nothing_is_sent(far_end, link):
    chan, sock = far_end.channel(link, window=1)
    for _ in range(100):
        chan.grant(1000)
    sock.sendall(BLOB[:200_000])
    assert chan.read_data(100_001) == BLOB[:100_001]
    link.expect_silence(0.1)


def test_credit_of_one_channel_is_not_another_s(far_end, link):
    (one, sock_1), (two, sock_2) = (far_end.channel(link, window=1000) for _ in range(2))
    for sock in (sock_1, sock_2):
        sock.sendall(BLOB[:10_000])
    one.read_data(1000), two.read_data(1000)
    two.grant(9000)
    two.read_data(9000)
    link.expect_silence(0.1)
    assert one.total == 1000


def test_many_small_grants(far_end, link):
    """As from a reader that takes a little at a time."""
    chan, sock = far_end.channel(link, window=10)
    sock.sendall(BLOB[:5000])
    data = chan.read_data(10)
    while len(data) < 5000:
        chan.grant(10)
        data += chan.read_data(10)
    assert data == BLOB[:5000]


def test_end_needs_no_credit(far_end, link):
    """FINISH stands behind the last byte, and comes without a grant."""
    chan, sock = far_end.channel(link, window=1000)
    sock.sendall(BLOB[:1000])
    sock.shutdown(socket.SHUT_WR)
    assert chan.read_data(1000) == BLOB[:1000]
    assert chan.read_finish() == b""


def test_end_waits_for_what_is_before_it(far_end, link):
    chan, sock = far_end.channel(link, window=1000)
    sock.sendall(BLOB[:2000])
    sock.shutdown(socket.SHUT_WR)
    assert chan.read_data(1000) == BLOB[:1000]
    link.expect_silence(0.2)
    chan.grant(500)
    assert chan.read_data(500) == BLOB[1000:1500]
    link.expect_silence(0.1)
    chan.grant(10_000)
    assert chan.read_finish() == BLOB[1500:2000]


def test_window_grants_do_not_wait_for_data(far_end, link):
    """WINDOW for the other direction goes out while this one has no credit."""
    chan, sock = far_end.channel(link, window=1)
    writer = pour(sock)
    reader = threading.Thread(target=read_exact, args=(sock, len(BLOB)))
    reader.start()
    chan.send(BLOB)
    assert chan.total == 1
    chan.grant(len(BLOB))
    chan.read_data(len(BLOB))
    writer.join()
    reader.join()


# ---- what they grant


def test_first_window(far_end, link):
    chan, _ = far_end.channel(link)
    assert WINDOW_MIN <= chan.credit <= WINDOW_FIRST


@pytest.mark.parametrize("size", [1, 1000, TRANSFER_MAX])
def test_everything_that_is_sent_is_granted_again(far_end, link, size):
    """A sender that keeps to its credit never stands still."""
    chan, sock = far_end.channel(link)
    for at in range(0, 2000 * size if size < 1000 else 4 * MIB, size):
        data = BLOB[at % MIB :][:size]
        chan.send(data)
        assert read_exact(sock, size) == data


def test_reader_that_stalls(far_end, link):
    """No more is granted than one window, and it goes on where it stopped."""
    chan, sock = far_end.channel(link)
    small_buffer(sock)
    first = chan.credit
    sent = use_up(chan)
    assert chan.credit == 0 and not chan.reason
    granted = first + sum(chan.granted)
    assert granted == sent
    before = len(chan.granted)
    other = far_end.channel(link)
    for _ in range(20):
        trade(*other)
    assert len(chan.granted) == before
    reader = threading.Thread(target=read_exact, args=(sock, sent + len(BLOB)))
    reader.start()
    chan.send(BLOB)
    reader.join()


def test_held_data_is_delivered_before_the_end(far_end, link):
    """FINISH comes while the reader is behind: it gets all, then the end."""
    chan, sock = far_end.channel(link)
    small_buffer(sock)
    sent = use_up(chan)
    chan.finish()
    data = b""
    while piece := sock.recv(1 << 18):
        data += piece
    assert data == bytes(sent)
    sock.sendall(b"answer")
    sock.shutdown(socket.SHUT_WR)
    assert chan.read_finish() == b"answer"


def test_held_data_is_delivered_before_closed(far_end, link):
    chan, sock = far_end.channel(link)
    small_buffer(sock)
    sent = use_up(chan)
    chan.interrupt(messages.CLOSED)
    link.sync()
    assert how_it_ends(sock) == (bytes(sent), "eof")


def test_held_data_is_dropped_by_a_reset(far_end, link):
    chan, sock = far_end.channel(link)
    small_buffer(sock)
    use_up(chan)
    chan.interrupt(messages.RESET)
    was_reset(sock)


@pytest.fixture(params=[Wsps, Wspc])
def fresh_end(request, farm):
    """Makes a daemon with its own limits, as `far_end`."""
    ends = []

    def make(**limits):
        ends.append(request.param(farm, limits=limits))
        return ends[0]

    yield make
    for end in ends:
        end.close()


@pytest.mark.parametrize("most", [256 * KIB, MIB])
def test_window_grows_for_a_fast_reader_up_to_its_limit(fresh_end, most):
    """At the same moment never more than limits.channel_memory is granted."""
    end = fresh_end(channel_memory=most)
    with end.link() as link:
        chan, sock = end.channel(link)
        reader = threading.Thread(target=read_exact, args=(sock, 32 * MIB))
        reader.start()
        largest, sent = chan.credit, 0
        while sent < 32 * MIB:
            chan.send(BLOB[:TRANSFER_MAX])
            sent += TRANSFER_MAX
            largest = max(largest, chan.credit)
        reader.join()
        link.sync()
        assert max(largest, chan.credit) <= most


def test_no_room_for_another_channel(fresh_end):
    """Then the open fails, with a word, and what is open goes on; with room again, it succeeds."""
    end = fresh_end(memory=MIB, link_memory=256 * KIB)
    with end.link() as link:
        chans = []
        while (opened := end.try_channel(link)) and len(chans) < 20:
            chans.append(opened)
        assert 1 <= len(chans) <= 16
        assert sum(chan.credit for chan, _ in chans) <= 256 * KIB
        for pair in chans:
            trade(*pair)
        chan, sock = chans.pop()
        chan.interrupt(messages.RESET)
        was_reset(sock)
        link.sync()
        trade(*end.channel(link))
