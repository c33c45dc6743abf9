"""Registrations and instances in wsp.1, and GOAWAY: raw links against both daemons."""

import os
import re
import signal
import time
from contextlib import suppress

import pytest

from harness import messages, socks
from harness.channels import TAKEN, offer, tcp
from harness.daemons import entry
from harness.env import patience
from harness.far import Wsps, trade
from harness.messages import GOAWAY, LOCAL, REMOTE, WITHDRAWN, Message
from harness.net import eventually, how_it_ends
from harness.reverse import REFUSED, REGISTERED, services
from harness.tcp_origins import EchoOrigin
from harness.wsp1 import Listener, link_1_to, unsettled

URL = "tcp://name:pw@127.0.0.1:9"
UNKNOWN = "not registered"


@pytest.fixture(scope="module")
def port(shared_farm):
    return shared_farm.wsps().config["port"]


@pytest.fixture
def links(port):
    """Makes links to the shared wsps that are gone afterwards."""
    made = []

    def make(**own):
        made.append(link_1_to(port, **own))
        return made[-1]

    yield make
    for link in made:
        link.sock.close()
    with link_1_to(port) as link:  # the next test finds no name that is still held
        eventually(lambda: UNKNOWN in link.refuses(URL, LOCAL), "the name is free")


def instance():
    return os.urandom(16)


def attempt(opener, *services):
    """Opens a channel to the name: its end at the opener and at the service, and the link there."""
    here = opener.ask(URL, LOCAL)
    found = []

    def asked():
        for link in (opener, *services):
            with suppress(TimeoutError):
                link.receive(0.01)
            found.extend(link for link in services if link.connects)
        return found or here.answer

    eventually(asked, "the open reaches the service", 10)
    if not found:
        return None
    there = found[0].accept()
    assert opener.error_of(here) is None
    return here, there, found[0]


def cross(opener, *services):
    done = attempt(opener, *services)
    assert done, "the open was refused"
    return done


def passes(here, there):
    here.send(b"to the service")
    assert there.read(14) == b"to the service"
    there.send(b"and back")
    assert here.read(8) == b"and back"


# ---- at wsps


def test_registration_stays_open(links):
    service, opener = links(), links()
    claim = service.open(URL, REMOTE)
    for _ in range(3):
        here, there, _ = cross(opener, service)
        passes(here, there)
        here.interrupt()
        assert there.read_interrupt() == (b"", messages.CLOSED)
    assert claim.reason is None


@pytest.mark.parametrize("reason", [messages.CLOSED, WITHDRAWN, messages.RESET])
def test_withdrawn_by_its_client(links, reason):
    """The name is free at once, for this client and for others."""
    service, opener, other = links(), links(), links()
    service.open(URL, REMOTE).interrupt(reason)
    service.sync()
    assert UNKNOWN in opener.refuses(URL, LOCAL)
    claim = other.open(URL, REMOTE)
    passes(*cross(opener, other)[:2])
    claim.interrupt()
    other.sync()
    service.open(URL, REMOTE)
    passes(*cross(opener, service)[:2])


def test_refused_registration_leaves_nothing_open(links):
    service = links()
    chan = service.ask("nonsense", REMOTE)
    assert service.error_of(chan)
    chan.interrupt()
    service.sync()
    service.expect_silence(0.05)


def test_holder_that_lives_keeps_the_name(links):
    """The ping that asks is answered."""
    holder, newcomer = links(), links()
    claim = holder.open(URL, REMOTE)
    with holder.alive():
        assert re.search(TAKEN.format("name"), newcomer.refuses(URL, REMOTE))
    assert claim.reason is None
    passes(*cross(newcomer, holder)[:2])


def test_holder_that_shows_no_life_loses_the_name(links):
    holder, newcomer, opener = links(), links(), links()
    claim = holder.open(URL, REMOTE)
    holder.answers_pings = False
    began = time.monotonic()
    newcomer.open(URL, REMOTE)
    assert 2 < time.monotonic() - began < patience(5)
    passes(*cross(opener, newcomer)[:2])
    assert claim.read_interrupt() == (b"", WITHDRAWN)
    assert holder.expect_end().code == 1008


def test_newcomer_gives_up_while_it_waits(links):
    """INTERRUPT before the answer."""
    holder, newcomer, opener = links(), links(), links()
    claim = holder.open(URL, REMOTE)
    holder.answers_pings = False
    newcomer.ask(URL, REMOTE).interrupt()
    newcomer.sync()
    newcomer.expect_silence(3.3)
    holder.answers_pings = True
    passes(*cross(opener, holder)[:2])
    assert claim.reason is None


# ---- several links of one instance


def test_links_of_an_instance_share_its_names(links):
    """Registered on one, opens come on that with the fewest channels."""
    id = instance()
    one, two, opener = links(instance=id), links(instance=id), links()
    one.open(URL, REMOTE)
    used = []
    for _ in range(8):
        here, there, link = cross(opener, one, two)
        passes(here, there)
        used.append(link)
    assert 3 <= used.count(two) <= 5, "not spread"


def test_same_name_of_the_same_instance(links):
    """On another link that is a renewal, which the old link is told; on the same one a mistake."""
    id = instance()
    one, two, opener = links(instance=id), links(instance=id), links()
    old = one.open(URL, REMOTE)
    here, there, _ = cross(opener, one, two)
    new = two.open(URL, REMOTE)
    assert old.read_interrupt() == (b"", WITHDRAWN)
    passes(here, there)
    passes(*cross(opener, one, two)[:2])
    assert re.search(TAKEN.format("name"), two.refuses(URL, REMOTE))
    assert new.reason is None
    new.interrupt()
    two.sync()
    assert UNKNOWN in opener.refuses(URL, LOCAL)


@pytest.mark.parametrize("which", ["the one it came on", "another"])
def test_one_of_several_links_is_lost(links, which):
    id = instance()
    one, two, opener = links(instance=id), links(instance=id), links()
    one.open(URL, REMOTE)
    lost, left = (one, two) if which == "the one it came on" else (two, one)
    here, there, _ = cross(opener, one, two)
    lost.sock.close()
    other = eventually(lambda: attempt(opener, left), "opens go to the other link")
    passes(*other[:2])
    assert UNKNOWN not in str(here.reason), there


def test_last_link_is_lost(links):
    id = instance()
    one, two, opener = links(instance=id), links(instance=id), links()
    one.open(URL, REMOTE)
    for link in (one, two):
        link.sock.close()
    eventually(lambda: UNKNOWN in opener.refuses(URL, LOCAL), "the name is free")
    links().open(URL, REMOTE)


@pytest.mark.parametrize("said", [b"", bytes(16)])
def test_links_that_do_not_say_who_they_are(links, port, said):
    """Each is on its own."""
    data = messages.settings(16384, 32768) + (messages.field(3, said) if said else b"")
    anonymous = [links(), links()]
    for index in (0, 1):
        anonymous[index].sock.close()
        anonymous[index] = bare_link(port, data)
    one, two = anonymous
    one.open(URL, REMOTE)
    with one.alive():
        assert re.search(TAKEN.format("name"), two.refuses(URL, REMOTE))
    one.sock.close()
    two.sock.close()


def bare_link(port, data):
    link = unsettled(port)
    link.window = 16384
    link.send(Message(b"", messages.SETTINGS, data))
    link.expect(messages.SETTINGS)
    return link


# ---- GOAWAY to wsps


def goes(link, last=b""):
    link.send(Message(b"", GOAWAY, last))
    link.sync()


def test_client_that_goes_holds_no_names(links):
    """What is open goes on to its end."""
    service, opener = links(), links()
    service.open(URL, REMOTE)
    here, there, _ = cross(opener, service)
    goes(service, b"2")
    assert UNKNOWN in opener.refuses(URL, LOCAL)
    passes(here, there)
    links().open(URL, REMOTE)
    here.send(b"last")
    here.finish()
    assert there.read_finish() == b"last"


def test_one_link_of_an_instance_goes(links):
    """The names stay with the other."""
    id = instance()
    one, two, opener = links(instance=id), links(instance=id), links()
    one.open(URL, REMOTE)
    goes(one)
    for _ in range(4):
        here, there, link = cross(opener, one, two)
        assert link is two
        passes(here, there)


def test_client_that_goes_may_not_register(links):
    """A link that sent GOAWAY holds no names."""
    service, opener = links(), links()
    goes(service)
    chan = service.ask(URL, REMOTE)
    service.until(lambda: chan.answer, "an answer")
    assert UNKNOWN in opener.refuses(URL, LOCAL)


# ---- GOAWAY from wsps


@pytest.fixture
def end(farm):
    end = Wsps(farm, time={"drain": 8})
    yield end
    end.close()


def test_server_that_is_to_end(end):
    """It says which was the last open; what is open goes on, and with its end the server ends."""
    with end.link() as link:
        first, sock_1 = end.channel(link)
        second, sock_2 = end.channel(link)
        second.interrupt(messages.RESET)
        link.sync()
        end.daemon.signal(signal.SIGTERM)
        link.until(lambda: link.goaway is not None, "GOAWAY")
        assert link.goaway == second.id
        assert link.refuses(f"socks5://127.0.0.1:{end.origin.port}") == "goaway"
        trade(first, sock_1)
        assert end.daemon.process.poll() is None
        sock_1.close()
        assert first.read_finish() == b""
        first.finish()
        assert end.daemon.wait_end(5) == 0
        sock_2.close()


def test_server_that_is_to_end_has_served_nothing(end):
    with end.link() as link:
        end.daemon.signal(signal.SIGTERM)
        link.until(lambda: link.goaway is not None, "GOAWAY")
        assert link.goaway == b""
        assert end.daemon.wait_end(5) == 0


def test_names_end_with_the_server(end):
    with end.link() as service, end.link() as opener:
        service.open(URL, REMOTE)
        here, there, _ = cross(opener, service)
        end.daemon.signal(signal.SIGTERM)
        opener.until(lambda: opener.goaway is not None, "GOAWAY")
        assert opener.refuses(URL, LOCAL) == "goaway"
        passes(here, there)
        here.finish()
        there.finish()
        assert end.daemon.wait_end(5) == 0


# ---- wspc registers


@pytest.fixture
def server():
    with Listener() as listener:
        yield listener


def registrar(farm, server, echo, *names, **config):
    remotes = [tcp(name, echo) for name in names]
    return farm.wspc(services(server.port, *remotes), link=False, **config)


def grants(link, name):
    """Takes the registration that comes next."""
    chan, kind, url = link.asked()
    assert kind == REMOTE and f"//{name}@" in url, url
    link.let_in(chan, 0)
    return chan


def test_wspc_keeps_its_registrations_open(farm, server, echo):
    wspc = registrar(farm, server, echo, "one", "two")
    with server.accept() as link:
        claims = [grants(link, "one"), grants(link, "two")]
        wspc.wait_line(REGISTERED, count=2)
        for name in ("one", "two"):
            chan = link.open(f"tcp://{name}@127.0.0.1:1", REMOTE)
            chan.send(b"hello")
            assert chan.read(5) == b"hello"
            chan.finish()
            assert chan.read_finish() == b""
        assert [c.reason for c in claims] == [None, None]


def test_server_withdraws_a_registration(farm, server, echo):
    """wspc says so, and asks again after a while; its other names are not concerned."""
    wspc = registrar(farm, server, echo, "one", "two")
    with server.accept() as link:
        first, _ = grants(link, "one"), grants(link, "two")
        wspc.wait_line(REGISTERED, count=2)
        first.interrupt(WITHDRAWN)
        wspc.wait_line(REFUSED + ".*withdrawn")
        chan = link.open("tcp://two@127.0.0.1:1", REMOTE)
        chan.send(b"hello")
        assert chan.read(5) == b"hello"
        link.until(lambda: link.connects, "it asks again", 12)
        grants(link, "one")
        wspc.wait_line(REGISTERED + "one", count=2)


def test_wspc_that_is_to_end(farm, server, echo):
    """GOAWAY, which withdraws the names; what is open goes on, and with its end wspc ends."""
    wspc = registrar(farm, server, echo, "one", time={"drain": 8})
    with server.accept() as link:
        grants(link, "one")
        chan = link.open("tcp://one@127.0.0.1:1", REMOTE)
        wspc.signal(signal.SIGTERM)
        link.until(lambda: link.goaway is not None, "GOAWAY")
        assert link.goaway == chan.id
        assert link.refuses("tcp://one@127.0.0.1:1", REMOTE) == "goaway"
        chan.send(b"hello")
        assert chan.read(5) == b"hello"
        assert wspc.process.poll() is None
        chan.finish()
        assert chan.read_finish() == b""
        assert wspc.wait_end(5) == 0


def test_proxy_that_is_to_end(farm, server):
    wspc = farm.wspc(entry(server.port), link=False, time={"drain": 8})
    with server.accept() as link:
        sock = socks.greet(wspc.port("socks5"))
        sock.sendall(socks.request_bytes("127.0.0.1", 9))
        chan = link.accept()
        assert socks.read_reply(sock).code == socks.SUCCEEDED
        wspc.signal(signal.SIGTERM)
        link.until(lambda: link.goaway is not None, "GOAWAY")
        assert link.goaway == b""
        trade(chan, sock)
        sock.close()
        chan.read_finish()
        chan.finish()
        assert wspc.wait_end(5) == 0


def test_wspc_of_a_server_that_goes(farm, server, echo):
    """What is open stays on the old link; names and new opens move to another."""
    both = entry(server.port, remote=[tcp("one", echo)])
    wspc = farm.wspc(both, link=False)
    with server.accept() as old:
        grants(old, "one")
        wspc.wait_line(REGISTERED)
        served = old.open("tcp://one@127.0.0.1:1", REMOTE)
        kept_sock = socks.greet(wspc.port("socks5"))
        kept_sock.sendall(socks.request_bytes("127.0.0.1", 9))
        kept = old.accept()
        assert socks.read_reply(kept_sock).code == socks.SUCCEEDED
        old.send(Message(b"", GOAWAY, kept.id))
        with server.accept() as new:
            assert new.settings[2] == old.settings[2], "it is the same instance"
            grants(new, "one")
            sock = socks.greet(wspc.port("socks5"))
            sock.sendall(socks.request_bytes("127.0.0.1", 9))
            chan = new.accept()
            assert socks.read_reply(sock).code == socks.SUCCEEDED
            trade(chan, sock)
            trade(kept, kept_sock)
            served.send(b"hello")
            assert served.read(5) == b"hello"
            old.sock.close()
            assert how_it_ends(kept_sock)[1] == "reset"
            trade(chan, sock)
            new.expect_silence(0.3)


# ---- both daemons


def test_names_move_on_when_their_client_ends(farm, echo):
    """SIGTERM: the name is free at once, while the old client serves what is open."""
    with EchoOrigin() as second:
        port = farm.wsps().config["port"]
        first = offer(farm, port, tcp("name:pw", echo), time={"drain": 8})
        with link_1_to(port) as opener:
            chan = opener.open(URL, LOCAL)
            chan.send(b"hello")
            assert chan.read(5) == b"hello"
            first.signal(signal.SIGTERM)
            began = time.monotonic()
            offer(farm, port, tcp("name:pw", second))
            assert time.monotonic() - began < patience(2)
            other = opener.open(URL, LOCAL)
            other.send(b"there")
            assert other.read(5) == b"there" and len(second.peers) == 1
            chan.send(b"again")
            assert chan.read(5) == b"again"
            chan.finish()
            assert chan.read_finish() == b""
        assert first.wait_end(5) == 0
