"""Signs of life in wsp.1: both ends ask, both are heard, and silence ends the link."""

import time

import pytest

from harness import frames, socks
from harness.far import Wspc, Wsps, small_buffer, trade, use_up
from harness.net import how_it_ends


@pytest.fixture(params=[Wsps, Wspc])
def quick_end(request, farm):
    """Makes a daemon with its own times, as `far_end`."""
    ends = []

    def make(**times):
        ends.append(request.param(farm, time=times))
        return ends[0]

    yield make
    for end in ends:
        end.close()


def listen(link, seconds):
    """Receives for so long; the times of the pings that came."""
    link.pings.clear()
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        try:
            link.receive(left)
        except TimeoutError:
            break
    return [at for at, _ in link.pings]


def test_both_ends_ping_an_idle_link(quick_end):
    end = quick_end(ping=0.4, dead=30)
    with end.link() as link:
        pings = listen(link, 2.2)
        assert 3 <= len(pings) <= 7, pings


def test_pings_have_different_payloads(quick_end):
    """So that a pong belongs to one of them."""
    end = quick_end(ping=0.1, dead=30)
    with end.link() as link:
        listen(link, 1)
        payloads = [payload for _, payload in link.pings]
        assert len(payloads) > 3 and len(set(payloads)) == len(payloads)


def test_no_pings_while_there_is_traffic(quick_end):
    end = quick_end(ping=0.5, dead=30)
    with end.link() as link:
        trade(*end.channel(link))
        listen(link, 0.1)  # it may have looked at the round trip
        for _ in range(15):
            link.send_frame(frames.PONG, b"nobody asked")
            assert listen(link, 0.1) == []


def test_silent_link_is_left(quick_end):
    """After `dead`, and what it carried is reset."""
    end = quick_end(ping=0.3, dead=1)
    with end.link() as link:
        chan, sock = end.channel(link)
        trade(chan, sock)
        link.answers_pings = False
        began = time.monotonic()
        link.pings.clear()
        link.expect_end(5)
        assert 0.8 < time.monotonic() - began < 3
        assert link.pings, "it must ask before it leaves"
        assert how_it_ends(sock) == (b"", "reset")


def test_any_traffic_is_a_sign_of_life(quick_end):
    end = quick_end(ping=0.3, dead=0.8)
    with end.link() as link:
        chan, sock = end.channel(link)
        link.answers_pings = False
        for _ in range(10):
            listen(link, 0.2)
            trade(chan, sock, b"x", b"")


def test_reader_that_stalls_does_not_keep_the_link_from_hearing(quick_end):
    """In 0.10 nothing is read then."""
    end = quick_end(ping=0.3, dead=1, stall=0.5)
    with end.link() as link:
        chan, sock = end.channel(link)
        small_buffer(sock)
        use_up(chan)
        other = end.channel(link)
        began = time.monotonic()
        while time.monotonic() - began < 2.5:
            listen(link, 0.2)
            link.sync()
            trade(*other)
        assert chan.reason is None and chan.credit == 0
        link.answers_pings = False
        link.expect_end(5)


@pytest.mark.parametrize("payload", [b"", b"x", b"12345678", bytes(125)])
def test_pongs_that_nobody_asked_for(quick_end, payload):
    end = quick_end()
    with end.link() as link:
        for _ in range(20):
            link.send_frame(frames.PONG, payload)
        trade(*end.channel(link))


def test_server_that_never_settles(farm):
    """It has selected wsp.1 and then says nothing at all."""
    end = Wspc(farm, time={"ping": 0.3, "dead": 1})
    with end.unsettled() as link:
        link.answers_pings = False
        link.expect_end(5)
    end.close()


def test_open_that_is_never_answered(farm):
    end = Wspc(farm, time={"open": 1})
    with end.link() as link:
        chan = end.pending(link)
        code = socks.read_reply(end.waiting.pop()).code
        assert code in (socks.GENERAL, socks.HOST_UNREACHABLE, socks.TTL_EXPIRED)
        link.until(lambda: chan.reason, "INTERRUPT")
        link.let_in(chan)  # too late
        link.sync()
        link.expect_silence(0.1)
    end.close()
