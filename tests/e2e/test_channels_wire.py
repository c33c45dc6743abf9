"""Channels as the wire of 0.10 has them: a raw opener and a raw service, wsps between them."""

import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import frames, hazard, messages
from harness.channels import TAKEN, Opener, offer, tcp
from harness.env import patience, volume
from harness.messages import CONNECT, INTERRUPT, LOCAL, REMOTE, RESPOND, TRANSFER, UNKNOWN_ID
from harness.messages import Message, decode_response, request, response
from harness.peer import link_to
from harness.raw_channels import ID, URL, answered, cross, fresh_id, trade
from harness.raw_channels import opener, port, service  # noqa: F401
from harness.tcp_origins import BannerOrigin, SourceOrigin

BLOB = random.Random(27).randbytes(300_000)
ROUNDS = volume(12, 6)


# ---- what is forwarded

REQUESTS = {
    "plain": request(URL, LOCAL),
    "reordered": messages.field(2, URL.encode()) + messages.number(1, 0),
    "explicit zero": b"\x08\x00" + messages.field(2, URL.encode()),
    "unknown fields": messages.field(9, b"later") + request(URL, LOCAL) + messages.number(7, 300),
    "twice": messages.field(2, b"tcp://other@:1") + messages.field(2, URL.encode()),
    "escaped": request("tcp://r%61w:p%77@[::1]:22/x?y=%7a#f", LOCAL),
    "socks5": request("socks5://raw:other@10.0.0.1:22", LOCAL),
    "http": request("http://raw:pw@example.com:80", LOCAL),
    "long": request(URL + "?" + "x" * 3000, LOCAL),
}


@pytest.mark.parametrize("data", REQUESTS.values(), ids=REQUESTS)
def test_request_is_forwarded_verbatim(opener, service, data):
    opener.send(Message(ID, CONNECT, data))
    got = service.expect(CONNECT)
    assert got.data == data
    service.send(Message(got.id, RESPOND, response()))
    assert decode_response(answered(opener, ID)) is None
    trade(opener, service, got.id)


ANSWERS = {
    "success": response(),
    "bound address": messages.number(1, 1) + messages.field(2, b"127.0.0.1:1234"),
    "failure": response("raw password is incorrect"),
    "any text": response("what\u00e9ver \u201cit\u201d says"),
    "dial": response("dial tcp 10.0.0.1:22: i/o timeout"),
}


@pytest.mark.parametrize("data", ANSWERS.values(), ids=ANSWERS)
def test_answer_is_forwarded(opener, service, data):
    opener.send(Message(ID, CONNECT, request(URL, LOCAL)))
    service.send(Message(service.expect(CONNECT).id, RESPOND, data))
    assert decode_response(answered(opener, ID)) == decode_response(data)


def test_data_is_forwarded(opener, service):
    """Any bytes, in order and in messages of any size; an empty one is nothing."""
    there = cross(opener, service)
    opener.send(Message(ID, TRANSFER))
    for size in (1, 127, 128, 32768, 100_000, 2):
        opener.send(Message(ID, TRANSFER, BLOB[:size]))
        got = b""
        while len(got) < size:
            got += service.expect(TRANSFER, there).data
        assert got == BLOB[:size]


def test_two_clients_with_the_same_id(opener, service, port):
    with link_to(port) as other:
        one, two = cross(opener, service), cross(other, service)
        assert one != two
        for _ in range(3):
            trade(opener, service, one)
            trade(other, service, two)
        other.send(Message(ID, INTERRUPT))
        service.expect(INTERRUPT, two)
        trade(opener, service, one)


def test_live_id_again(opener, service):
    there = cross(opener, service)
    assert opener.open(ID, URL, LOCAL) == "channel id is in use"
    trade(opener, service, there)


def test_channel_to_itself(service):
    """One link as opener and service: two channels on it."""
    service.send(Message(ID, CONNECT, request(URL, LOCAL)))
    there = service.expect(CONNECT).id
    assert there != ID
    service.send(Message(there, RESPOND, response()))
    assert decode_response(answered(service, ID)) is None
    trade(service, service, there)


# ---- ends


def test_end_of_one_side_ends_the_other(opener, service):
    for first, second in ((opener, service), (service, opener)):
        ids = {opener: fresh_id()}
        ids[service] = cross(opener, service, ids[opener])
        first.send(Message(ids[first], TRANSFER, b"last words"))
        first.send(Message(ids[first], INTERRUPT))
        assert second.expect(TRANSFER, ids[second]).data == b"last words"
        second.expect(INTERRUPT, ids[second])
        second.send(Message(ids[second], INTERRUPT))
        second.send(Message(ids[second], TRANSFER, b"too late"))
        assert second.expect(INTERRUPT, ids[second]).data == UNKNOWN_ID


def test_opener_gives_up_before_the_answer(opener, service):
    opener.send(Message(ID, CONNECT, request(URL, LOCAL)))
    there = service.expect(CONNECT).id
    opener.send(Message(ID, INTERRUPT))
    service.expect(INTERRUPT, there)
    service.send(Message(there, RESPOND, response()))
    assert service.expect(INTERRUPT, there).data == UNKNOWN_ID


@pytest.mark.parametrize("was_open", [True, False])
def test_service_link_is_lost(opener, service, was_open):
    if was_open:
        cross(opener, service)
    else:
        opener.send(Message(ID, CONNECT, request(URL, LOCAL)))
        service.expect(CONNECT)
    service.sock.close()
    opener.expect(INTERRUPT if was_open else RESPOND, ID)
    assert opener.open(fresh_id(), URL, LOCAL) == "channel raw not registered"


@pytest.mark.parametrize("was_open", [True, False])
def test_opener_link_is_lost(opener, service, port, was_open):
    if was_open:
        there = cross(opener, service)
    else:
        opener.send(Message(ID, CONNECT, request(URL, LOCAL)))
        there = service.expect(CONNECT).id
    opener.sock.close()
    service.expect(INTERRUPT, there)
    with link_to(port) as again:
        trade(again, service, cross(again, service))


def test_service_that_does_not_answer(opener, service):
    """`timeout` after 5 s, and what comes then is told that it is too late."""
    began = time.monotonic()
    assert opener.open(ID, URL, LOCAL) == "timeout"
    assert 4.8 < time.monotonic() - began < 4.8 + patience(0.7)
    there = service.expect(CONNECT).id
    service.expect(INTERRUPT, there)
    service.send(Message(there, RESPOND, response()))
    assert service.expect(INTERRUPT, there).data == UNKNOWN_ID
    opener.expect_silence(0.1)
    trade(opener, service, cross(opener, service))


# ---- the hazards of Go receivers, on both sides of the bridge


@pytest.fixture
def reader():
    """Reads a channel like a Go receiver, always looking, so that arrivals are told apart."""
    with ThreadPoolExecutor(1) as pool:

        def read(peer, id, inbox=None):
            done = pool.submit(hazard.read_channel, peer, id, inbox)
            time.sleep(0.003)
            return done

        yield read


def send_at_once(peer, *parts):
    peer.send_raw(
        b"".join(frames.encode(frames.BINARY, m.encode(), masked=True) for m in parts)
    )


def stream(id, size):
    """The data of a whole channel, and its end."""
    steps = range(0, size, 32768)
    data = [Message(id, TRANSFER, BLOB[at : min(at + 32768, size)]) for at in steps]
    return [*data, Message(id, INTERRUPT)]


@pytest.mark.parametrize("size", [2, 30_000, 250_000])
def test_opener_gets_what_a_quick_service_sent(port, service, reader, size):
    """RESPOND, data and the end in one write, as a Go service may send them."""
    for _ in range(ROUNDS):
        with link_to(port) as opener:
            opener.send(Message(ID, CONNECT, request(URL, LOCAL)))
            there = service.expect(CONNECT).id
            done = reader(opener, ID)
            send_at_once(service, Message(there, RESPOND, response()), *stream(there, size))
            inbox = done.result()
            assert inbox.lost == [] and inbox.data() == BLOB[:size]
            while service.expect(INTERRUPT).id != there:
                pass


@pytest.mark.parametrize("size", [2, 250_000])
def test_service_gets_what_a_quick_opener_sent(port, service, reader, size):
    for _ in range(ROUNDS):
        with link_to(port) as opener:
            there = cross(opener, service)
            done = reader(service, there)
            send_at_once(opener, *stream(ID, size))
            inbox = done.result()
            assert inbox.lost == [] and inbox.data() == BLOB[:size]


def test_opener_gets_what_our_service_sent(port, shared_farm, reader):
    """Servers that close after their answer, and that speak first."""
    with SourceOrigin(BLOB) as source, BannerOrigin() as banner:
        remotes = [tcp("source", source), tcp("banner", banner)]
        wspc = offer(shared_farm, port, *remotes, dialect="0.10")
        for number in range(ROUNDS):
            size = 1 + number * 1000
            with link_to(port) as opener:
                assert opener.open(ID, "tcp://source@127.0.0.1:1", LOCAL) is None
                time.sleep(0.006)
                done = reader(opener, ID)
                opener.send(Message(ID, TRANSFER, size.to_bytes(8, "big")))
                inbox = done.result()
                assert inbox.lost == [] and inbox.data() == BLOB[:size]
                inbox, id = hazard.Inbox(), fresh_id()
                opener.send(Message(id, CONNECT, request("tcp://banner@127.0.0.1:1", LOCAL)))
                while not inbox.chunks:
                    assert not inbox.put(opener.receive(patience(5)))
                assert inbox.lost == [] and inbox.data() == BannerOrigin.banner
        wspc.stop()


def test_service_gets_what_our_opener_sent(farm, port, service, reader):
    """A client that sends and closes at once."""
    opener = Opener(farm, port, "raw:pw", dialect="0.10")
    for number in range(ROUNDS):
        data = BLOB[: 1 + number * 1000]
        with opener.connect("raw:pw") as sock:
            sock.sendall(data)
        there = service.expect(CONNECT).id
        done = reader(service, there)
        service.send(Message(there, RESPOND, response()))
        inbox = done.result()
        assert inbox.lost == [] and inbox.data() == data


# ---- who holds a name


def asks(newcomer, holder, url):
    """The text of a registration; the holder answers all it gets as 0.10 peers do."""
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(newcomer.open, ID, url, REMOTE)
        while not done.done():
            try:
                message = holder.receive(0.05).message
            except TimeoutError:
                continue
            assert message.cmd == TRANSFER
            holder.send(Message(message.id, INTERRUPT, UNKNOWN_ID))
        return done.result()


@pytest.mark.parametrize("url", ["tcp://raw:x@127.0.0.1:2", "tunnel://raw@"])
def test_live_link_keeps_its_name(port, service, url):
    """It answers the question for a sign of life, if one comes."""
    began = time.monotonic()
    with link_to(port) as newcomer:
        assert asks(newcomer, service, url) == TAKEN.format("raw")
        trade(newcomer, service, cross(newcomer, service))
    assert time.monotonic() - began < patience(1)


def test_name_asked_for_twice_by_one_link(opener, service):
    """Who asks lives."""
    assert service.open(ID, URL, REMOTE) == TAKEN.format("raw")
    trade(opener, service, cross(opener, service))


def test_name_of_a_silent_link_is_taken_over(port, service):
    """It answers nothing for 3 s; the newcomer is answered within the 5 s that it waits."""
    began = time.monotonic()
    with link_to(port) as newcomer, link_to(port) as opener:
        assert newcomer.open(ID, "tcp://raw:x@127.0.0.1:2", REMOTE) is None
        assert 2.5 < time.monotonic() - began < 2.5 + patience(2)
        trade(opener, newcomer, cross(opener, newcomer))
