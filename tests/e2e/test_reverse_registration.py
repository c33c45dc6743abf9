"""Registrations: their errors, on the wire of 0.10 and in wspc's log; clients that come and go."""

import itertools
import re
import signal
import time

import pytest

from harness import messages
from harness.http_client import exchange, read_response
from harness.messages import CONNECT, INTERRUPT, REMOTE, RESPOND, TRANSFER, Message
from harness.net import Blackhole, connect, eventually, free_port, how_it_ends, read_exact
from harness.peer import link_to
from harness.reverse import HOST, REFUSED, REGISTERED, Rig, landed, request, services

ID = b"3MXEaTTv3gGxOcHjeVzsqNRZ1Xd"
GONE = (502, 503)  # a name whose client has left


# ---- registration


def remote_of(query, path=""):
    return f"http://127.0.0.1:9{path}?{query}"


PATH_TAKEN = "setting the same path as wsps is not allowed"
DOMAIN_TAKEN = "setting the same domain as wsps is not allowed"
REFUSALS = [
    (remote_of("mode=path&value=proxy"), PATH_TAKEN),
    (remote_of("mode=path&value=%70roxy"), PATH_TAKEN),
    (remote_of("mode=domain&value=" + HOST), DOMAIN_TAKEN),
    (remote_of("mode=domain&value=" + HOST.upper()), DOMAIN_TAKEN),
    (remote_of("mode=header&value=x"), "unsupported http mode header"),
    (remote_of("mode=Path&value=x"), "unsupported http mode Path"),
    ("http://127.0.0.1:9", "unsupported http mode "),
    ("https://127.0.0.1:9?value=x", "unsupported http mode "),
    (remote_of("mode=path&value=taken"), "channel http:path:taken already registered"),
    ("tcp://127.0.0.1:9?mode=path&value=taken", "channel http:path:taken already registered"),
    (remote_of("mode=domain&value=taken.example"),
     "channel http:domain:taken.example already registered"),
    (remote_of("mode=path&value="), "channel .*is illegal or empty"),
    (remote_of("mode=domain&value="), "channel .*is illegal or empty"),
    ("tcp://127.0.0.1:9", "channel .*is illegal or empty"),
    (remote_of("mode=path&value=.well-known"), "."),
    (remote_of("mode=path&value=.well-known/acme"), "."),
    (remote_of("mode=domain&value=127.0.0.1"), "."),
    (remote_of("mode=domain&value=[::1]"), "."),
    (remote_of("mode=domain&value=a%00b.example"), "."),
    (remote_of("mode=path&value=x", path="/%zz"), 'parse ".*": invalid URL escape "%zz"'),
    ("%%", 'parse "%%": '),
    ("", "."),
]  # fmt: skip


numbers = itertools.count()


@pytest.fixture(scope="module")
def registrar(shared_farm):
    """A link that holds two names."""
    with link_to(shared_farm.wsps(host=HOST).config["port"]) as peer:
        for query in ("mode=path&value=taken", "mode=domain&value=taken.example"):
            assert peer.open(ID, remote_of(query), REMOTE) is None
        peer.port = peer.sock.getpeername()[1]
        yield peer


@pytest.mark.parametrize("url, text", REFUSALS)
def test_registration_errors(registrar, url, text):
    """By the same link and by another; each can register right afterwards."""
    assert re.match(text, registrar.open(ID, url, REMOTE))
    with link_to(registrar.port) as other, registrar.alive():
        assert re.match(text, other.open(ID, url, REMOTE))
        fresh = remote_of(f"mode=path&value=fresh-{next(numbers)}")
        assert other.open(ID, fresh, REMOTE) is None


def test_too_many_registrations(farm):
    """Of one link; with the next one there is room again."""
    port = farm.wsps().config["port"]
    with link_to(port) as peer:
        for number in range(1024):
            assert peer.open(b"%027d" % number, f"tcp://c{number}@127.0.0.1:9", REMOTE) is None
        text = peer.open(ID, "tcp://another@127.0.0.1:9", REMOTE)
        assert text == "too many registrations on this link"
    with link_to(port) as peer:
        assert peer.open(ID, "tcp://another@127.0.0.1:9", REMOTE) is None


def test_domain_without_host(farm):
    text = "wsps does not set host, domain method is not allowed"
    with link_to(farm.wsps().config["port"]) as peer:
        assert peer.open(ID, remote_of("mode=domain&value=x.example"), REMOTE) == text
        assert peer.open(ID, remote_of("mode=path&value=x.example"), REMOTE) is None


def test_names_are_freed_with_their_link(farm):
    port = farm.wsps().config["port"]
    url = remote_of("mode=path&value=x")
    with link_to(port) as first, link_to(port) as second:
        assert first.open(ID, url, REMOTE) is None
        with first.alive():
            assert second.open(ID, url, REMOTE) == "channel http:path:x already registered"
        first.sock.close()
        eventually(lambda: second.open(ID, url, REMOTE) is None, "the name is free")


# The error, and a word of what to change.
HINTS = [
    ("http://127.0.0.1:9?mode=path&value=proxy", {}, PATH_TAKEN, r"value|another|other"),
    ("http://127.0.0.1:9?mode=domain&value=a.example", {"host": None},
     "wsps does not set host, domain method is not allowed", r'"?host"? .*wsps\.json'),
    (f"http://127.0.0.1:9?mode=domain&value={HOST}", {}, DOMAIN_TAKEN, r"value|another|other"),
    ("http://127.0.0.1:9?mode=path&value=held", {},
     "channel http:path:held already registered", r"value|another|other"),
]  # fmt: skip


@pytest.mark.parametrize("url, wsps, text, hint", HINTS)
def test_wspc_reports_errors_with_a_hint(farm, service, url, wsps, text, hint):
    """Once per fault, with what to change; the other registrations are made all the same."""
    server = farm.wsps(**{"host": HOST, **wsps})
    port = server.config["port"]
    with link_to(port) as other:
        assert other.open(ID, remote_of("mode=path&value=held"), REMOTE) is None
        remotes = (service.remote("first"), url, service.remote("last"))
        with other.alive():
            wspc = farm.wspc(services(port, *remotes))
            line = wspc.wait_line(REFUSED + re.escape(text))
            wspc.wait_line(REGISTERED, count=2)
        assert re.search(hint, line.replace(text, "").replace(url, ""), re.I), line
        for name in ("first", "last"):
            with connect(port) as sock:
                assert exchange(sock, request(f"GET /{name}/x")).status == 200


def test_wspc_tries_a_taken_name_again(farm, service):
    """After a reconnect its old link may still hold the name for a while."""
    server = farm.wsps()
    port = server.config["port"]
    with link_to(port) as other:
        assert other.open(ID, remote_of("mode=path&value=api"), REMOTE) is None
        with other.alive():
            wspc = farm.wspc(services(port, service.remote("api")))
            wspc.wait_line(REFUSED + "channel http:path:api already registered")
    wspc.wait_line(REGISTERED, timeout=20)
    with connect(port) as sock:
        assert exchange(sock, request("GET /api/x")).status == 200


def test_registered_again_after_a_reconnect(farm, service):
    rig = Rig(farm, service.remote("api"), service.remote("b.example", mode="domain"))
    rig.wsps.kill()
    since = rig.wspc.mark()
    rig.wsps = farm.wsps(port=rig.port, host=HOST)
    rig.wspc.wait_line(REGISTERED, count=2, since=since)
    assert landed(rig, service, "/api/x") == "/x"


# ---- on the wire of 0.10


def test_dialogue_of_a_request(farm):
    """CONNECT REMOTE with the URL as registered, then HTTP; the next request reuses the channel."""
    url = "http://127.0.0.1:9/base/?mode=path&value=%61pi&x=y"
    port = farm.wsps().config["port"]
    with link_to(port) as peer, connect(port) as visitor:
        assert peer.open(ID, url, REMOTE) is None
        visitor.sendall(request("GET /api/one"))
        opened = peer.expect(CONNECT)
        assert messages.decode_request(opened.data) == (REMOTE, url)
        peer.send(Message(opened.id, RESPOND, messages.response()))
        for name in (b"one", b"two"):
            got = peer.expect(TRANSFER, opened.id).data
            assert got.startswith(b"GET /base/%s HTTP/1.1\r\nHost: 127.0.0.1\r\n" % name)
            answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n" + name
            peer.send(Message(opened.id, TRANSFER, answer))
            assert read_response(visitor).body == name
            visitor.sendall(request("GET /api/two"))


@pytest.mark.parametrize(
    "text, statuses",
    [
        ("dial tcp 127.0.0.1:9: connect: connection refused", (502,)),
        ("dial tcp: lookup no.such.invalid on 1.1.1.1:53: no such host", (502,)),
        ("timeout", (504,)),
        ("http:path:api not found", (502, 503)),
        ("anything else", (502,)),
    ],
)
def test_failed_opens(registrar, text, statuses):
    with connect(registrar.port) as visitor:
        visitor.sendall(request("GET /taken/x"))
        opened = registrar.expect(CONNECT)
        registrar.send(Message(opened.id, RESPOND, messages.response(text)))
        response = read_response(visitor)
        assert response.status in statuses
        assert 3 < len(response.body) < 200 and response.body.count(b"\n") <= 1


def test_client_that_leaves(farm):
    """Before and in the middle of an answer; afterwards its name is gone."""
    port = farm.wsps().config["port"]
    with link_to(port) as peer, connect(port) as early, connect(port) as late:
        assert peer.open(ID, remote_of("mode=path&value=api"), REMOTE) is None
        for visitor in (early, late):
            visitor.sendall(request("GET /api/x"))
            opened = peer.expect(CONNECT)
            peer.send(Message(opened.id, RESPOND, messages.response()))
            peer.expect(TRANSFER, opened.id)
        part = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart"
        peer.send(Message(opened.id, TRANSFER, part))
        assert read_exact(late, len(part)) == part
        peer.sock.close()
        assert read_response(early).status in (502, 503)
        assert how_it_ends(late) == (b"", "reset")
        with connect(port) as visitor:
            response = exchange(visitor, request("GET /api/x"))
            assert response.status in GONE and 0 < len(response.body) < 200


def test_visitor_that_leaves_is_told_to_the_client(farm):
    port = farm.wsps().config["port"]
    with link_to(port) as peer:
        assert peer.open(ID, remote_of("mode=path&value=api"), REMOTE) is None
        with connect(port) as visitor:
            visitor.sendall(request("GET /api/x"))
            opened = peer.expect(CONNECT)
            peer.send(Message(opened.id, RESPOND, messages.response()))
            peer.expect(TRANSFER, opened.id)
        peer.expect(INTERRUPT, opened.id)


# ---- services that are not there


def test_dead_service_is_502(farm):
    rig = Rig(farm, f"http://127.0.0.1:{free_port()}?mode=path&value=api")
    began = time.monotonic()
    assert rig.ask(request("GET /api/x")).status == 502
    assert time.monotonic() - began < 2


def test_service_that_cannot_be_reached_is_504(farm):
    with Blackhole() as hole:
        remote = f"http://127.0.0.1:{hole.port}?mode=path&value=api"
        rig = Rig(farm, remote, time={"dial": 0.5, "open": 2})
        assert rig.ask(request("GET /api/x")).status == 504


def test_client_that_ended_and_came_back(farm, service):
    rig = Rig(farm, service.remote("api"))
    rig.wspc.stop()
    assert landed(rig, service, "/api/x") in GONE
    again = farm.wspc(services(rig.port, service.remote("api")))
    again.wait_line(REGISTERED)
    assert landed(rig, service, "/api/x") == "/x"


def test_client_that_hangs(farm, service):
    rig = Rig(farm, service.remote("api"), time={"open": 0.5})
    rig.wspc.signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert rig.ask(request("GET /api/x")).status in (502, 503, 504)
        assert time.monotonic() - began < 3
    finally:
        rig.wspc.signal(signal.SIGCONT)
    eventually(lambda: rig.ask(request("GET /api/x")).status == 200, "it is back")


def test_two_clients_of_one_server(farm, service):
    rig = Rig(farm, service.remote("one", base="/1/"))
    second = farm.wspc(services(rig.port, service.remote("two", base="/2/")))
    second.wait_line(REGISTERED)
    for target, mapped in (("/one/x", "/1/x"), ("/two/x", "/2/x")):
        service.forget()
        assert landed(rig, service, target) == mapped
    second.stop()
    service.forget()
    assert landed(rig, service, "/two/x") in GONE
    assert landed(rig, service, "/one/x") == "/1/x"
