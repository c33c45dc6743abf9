"""What is said when a channel cannot be opened: by wsps, and by wspc behind a raw server."""

import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import messages, socks
from harness.channels import Opener, offer, tcp
from harness.env import patience
from harness.http_client import exchange, get
from harness.messages import CONNECT, DYNAMIC, LOCAL, REMOTE, RESPOND, TRANSFER
from harness.messages import Message, decode_response, request, response
from harness.peer import LinkListener, link_to
from harness.raw_channels import ID, URL, answered, fresh_id
from harness.raw_channels import opener, port, service  # noqa: F401
from harness.reverse import services
from harness.tcp_origins import EchoOrigin


@pytest.fixture(scope="module")
def echo_service(shared_farm, port):
    """Our wspc, with channels and a tunnel."""
    with EchoOrigin() as origin:
        offer(shared_farm, port, tcp("echo:pw", origin), tcp("dead:pw", 1), "tunnel://vpn:pw@")
        yield


# ---- the texts of refusals

UNDECODABLE = "proto: cannot parse invalid wire-format data"
REFUSED = "dial tcp 127.0.0.1:1: connect: connection refused"


@pytest.mark.parametrize(
    "url, text",
    [
        ("tcp://none:pw@127.0.0.1:1", "channel none not registered"),
        ("tcp://a%20%c3%a9:pw@127.0.0.1:1", "channel a \u00e9 not registered"),
        ("socks5://none:pw@127.0.0.1:1", "channel none not registered"),
        ("http://none:pw@127.0.0.1:1", "channel none not registered"),
        ("tcp://echo:bad@127.0.0.1:1", "echo password is incorrect"),
        ("tcp://echo:@127.0.0.1:1", "echo password is incorrect"),
        ("tcp://echo@127.0.0.1:1", "echo password is incorrect"),
        ("tcp://echo:pww@127.0.0.1:1", "echo password is incorrect"),
        ("tcp://echo:PW@127.0.0.1:1", "echo password is incorrect"),
        ("socks5://vpn:bad@127.0.0.1:1", "vpn password is incorrect"),
        ("http://vpn:bad@127.0.0.1:1", "vpn password is incorrect"),
        ("tcp://dead:pw@127.0.0.1:9", REFUSED),
        ("socks5://dead:pw@10.0.0.1:9", REFUSED),
        ("socks5://vpn:pw@127.0.0.1:1", REFUSED),
        ("http://vpn:pw@127.0.0.1:1", REFUSED),
        ("socks5://vpn:pw@[::1]:1", "dial tcp [::1]:1: connect: connection refused"),
        ("%%", 'parse "%%": invalid URL escape "%%"'),
    ],
)
def test_refusals(opener, echo_service, url, text):
    """Of wsps, and of our client through it; the link can open a channel right afterwards."""
    assert opener.open(ID, url, LOCAL) == text
    assert opener.open(ID, "tcp://echo:pw@127.0.0.1:1", LOCAL) is None


@pytest.mark.parametrize(
    "url, text",
    [
        ("socks5://vpn:pw@no-such-host.invalid:80",
         r"dial tcp: lookup no-such-host\.invalid.*: no such host"),
        ("socks5://vpn:pw@169.254.169.254:80", r"dial tcp 169\.254\.169\.254:80: .*not allowed.*"),
        ("socks5://vpn:pw@[fe80::1]:80", r"dial tcp \[fe80::1\]:80: .*not allowed.*"),
        ("socks5://vpn:pw@127.0.0.1:0", "dial tcp .*"),
        ("socks5://vpn:pw@127.0.0.1", "dial tcp .*"),
        ("socks5://vpn:pw@", "dial tcp.*"),
        ("tunnel://vpn:pw@", "dial tcp.*"),
    ],
)  # fmt: skip
def test_refusals_of_a_tunnel(opener, echo_service, url, text):
    assert re.fullmatch(text, opener.open(ID, url, LOCAL))


def test_refusals_without_a_url(opener, echo_service):
    opener.send(Message(ID, CONNECT, b"\x12\xff"))
    assert decode_response(answered(opener, ID)) == UNDECODABLE
    for kind in (3, 9):
        assert opener.open(ID, "tcp://echo:pw@127.0.0.1:1", kind) == f"unknown {kind}"
    assert opener.open(ID, "", LOCAL)


@pytest.mark.parametrize("url", ["tcp://127.0.0.1:1", "tcp://:pw@127.0.0.1:1", "tunnel://",
                                 "tunnel://@", "tcp://http%3apath%3aapi@127.0.0.1:1",
                                 "tcp://a%00b@127.0.0.1:1"])  # fmt: skip
def test_names_that_cannot_be_registered(opener, url):
    assert opener.open(ID, url, REMOTE) == "channel  is illegal or empty"
    assert opener.open(ID, "tcp://fine@127.0.0.1:1", REMOTE) is None


def test_reverse_names_are_no_channels(opener, port):
    """Services of the web port cannot be opened by name, whatever the spelling."""
    with link_to(port) as other:
        url = "http://127.0.0.1:9?mode=path&value=web"
        assert other.open(ID, url, REMOTE) is None
        for url in (url, "tcp://http%3apath%3aweb@127.0.0.1:1",
                    "tcp://x@127.0.0.1:1?mode=path&value=web"):  # fmt: skip
            assert re.fullmatch("channel http:path:web not registered", opener.open(ID, url, LOCAL))
        other.expect_silence(0.05)


@pytest.mark.parametrize("url, chooses", [
    ("tcp://echo:pw@127.0.0.1:1", False),
    ("socks5://echo:pw@127.0.0.1:1", False),
    ("http://echo:pw@127.0.0.1:1", False),
    ("socks5://vpn:pw@127.0.0.1:{}", True),
    ("http://vpn:pw@127.0.0.1:{}", True),
    ("tcp://vpn:pw@localhost:{}", True),
])  # fmt: skip
def test_opens(opener, echo_service, url, chooses):
    """A channel leads to its target whatever the URL says; a tunnel to where the URL says."""
    with EchoOrigin() as elsewhere:
        assert opener.open(ID, url.format(elsewhere.port), LOCAL) is None
        time.sleep(0.01)
        opener.send(Message(ID, TRANSFER, b"hello"))
        assert opener.expect(TRANSFER, ID).data == b"hello"
        assert bool(elsewhere.peers) == chooses


# ---- guesses


def guess(opener, service, password):
    """Whether the service is asked; if so it answers. The text that comes back."""
    opener.send(Message(ID, CONNECT, request(f"tcp://raw:{password}@127.0.0.1:1", LOCAL)))
    try:
        asked = service.receive(patience(0.2)).message
    except TimeoutError:
        return False, decode_response(answered(opener, ID))
    wrong = None if password == "pw" else "raw password is incorrect"
    service.send(Message(asked.id, RESPOND, response(wrong)))
    return True, decode_response(answered(opener, ID))


def test_guessing_is_refused_without_asking(opener, service, port):
    for number in range(10):
        assert guess(opener, service, f"no{number}") == (True, "raw password is incorrect")
    for password in ("no", "pw"):
        asked, text = guess(opener, service, password)
        assert not asked and text and "incorrect" not in text
    with link_to(port) as other:
        assert guess(other, service, "pw") == (True, None)


def test_guesses_all_at_once(opener, service):
    """Sent before the first is answered: after ten wrong ones, all others get the same answer."""
    ids = [fresh_id() for _ in range(50)]
    for id in ids:
        opener.send(Message(id, CONNECT, request(URL, LOCAL)))
    texts = []
    for number, id in enumerate(ids):
        asked = service.expect(CONNECT)
        text = {48: "dial tcp: no", 49: None}.get(number, "raw password is incorrect")
        service.send(Message(asked.id, RESPOND, response(text)))
        texts.append(decode_response(answered(opener, id)))
    assert texts[:10] == ["raw password is incorrect"] * 10
    assert set(texts[10:]) == {"too many wrong passwords, try again in a minute"}


# ---- our client behind a raw server


@pytest.fixture(scope="module")
def raw_server(shared_farm):
    """The server's end of a link to our client, which offers a channel and a tunnel."""
    with LinkListener() as listener, EchoOrigin() as origin:
        remotes = [tcp("echo:pw", origin), tcp("open", origin), "tunnel://vpn:pw@"]
        shared_farm.wspc(services(listener.port, *remotes), link=False)
        with listener.accept() as peer:
            for url in remotes:
                asked = peer.expect(CONNECT)
                kind, sent = messages.decode_request(asked.data)
                assert (kind, sent) == (REMOTE, url)
                peer.send(Message(asked.id, RESPOND, response()))
            yield peer


@pytest.mark.parametrize(
    "url, text",
    [
        ("tcp://none:pw@127.0.0.1:1", "none not found"),
        ("tcp://127.0.0.1:1", " not found"),
        ("http://127.0.0.1:9?mode=path&value=api", "http:path:api not found"),
        ("tcp://echo:bad@127.0.0.1:1", "echo password is incorrect"),
        ("tcp://open:bad@127.0.0.1:1", "open password is incorrect"),
        ("socks5://127.0.0.1:1", " not found"),
        ("socks5://vpn:pw@127.0.0.1:1", REFUSED),
        ("%%", 'parse "%%": invalid URL escape "%%"'),
        ("tcp://echo:pw@127.0.0.1:1", None),
        ("tcp://open:@127.0.0.1:1", None),
    ],
)
@pytest.mark.parametrize("kind", [LOCAL, REMOTE])
def test_answers_of_a_service(raw_server, url, text, kind):
    """The type does not matter, as in the original."""
    assert raw_server.open(fresh_id(), url, kind) == text


def test_service_dials_for_nobody(raw_server):
    with EchoOrigin() as origin:
        for scheme in ("socks5", "http", "tcp"):
            url = f"{scheme}://127.0.0.1:{origin.port}"
            assert raw_server.open(fresh_id(), url, DYNAMIC).endswith("not found")
        assert origin.peers == []


def test_undecodable_open_of_a_service(raw_server):
    raw_server.send(Message(ID, CONNECT, b"\x12\xff"))
    assert decode_response(answered(raw_server, ID)) == UNDECODABLE


@pytest.mark.parametrize("name, url", [
    ("chan:p%77", "tcp://chan:pw@127.0.0.1:{}"),
    ("socks5://chan:pw", "socks5://chan:pw@127.0.0.1:99"),
    ("http://chan:pw", "(http|socks5)://chan:pw@127.0.0.1:99"),
    ("socks5://ch%61n", "socks5://chan@127.0.0.1:99"),
])  # fmt: skip
def test_what_our_opener_sends(farm, name, url):
    """LOCAL with the URL as configured, or the tunnel's with the target that was asked for."""
    with LinkListener() as listener:
        opener = Opener(farm, listener.port, name, link=False)
        with listener.accept() as peer, opener.connect(name) as sock:
            if name.startswith("socks5"):
                sock.sendall(b"\x05\x01\x00" + socks.request_bytes("127.0.0.1", 99))
            elif name.startswith("http"):
                sock.sendall(get("http://127.0.0.1:99/"))
            kind, sent = messages.decode_request(peer.expect(CONNECT).data)
            assert kind == LOCAL
            assert re.fullmatch(url.format(opener.ports[name]), sent)


TEXTS = [
    ("dial tcp 10.0.0.1:1: connect: connection refused", socks.REFUSED, 502),
    ("dial tcp: lookup x on 1.1.1.1:53: no such host", socks.HOST_UNREACHABLE, 502),
    ("dial tcp 10.0.0.1:1: i/o timeout", socks.TTL_EXPIRED, 504),
    ("timeout", socks.TTL_EXPIRED, 504),
    ("raw password is incorrect", socks.NOT_ALLOWED, 403),
    ("raw not found", socks.GENERAL, 502),
]


def test_texts_become_replies_of_the_proxies(farm, service, port):
    """What a raw exit says, as SOCKS5 and HTTP clients see it; a local one is reset."""
    names = ("socks5://raw:pw", "http://raw:pw", "raw:pw")
    opener = Opener(farm, port, *names)

    def refuse(text):
        service.send(Message(service.expect(CONNECT).id, RESPOND, response(text)))

    for text, code, status in TEXTS:
        with ThreadPoolExecutor() as pool:
            done = pool.submit(socks.code_of, opener.ports[names[0]], "10.0.0.1", 1)
            refuse(text)
            assert done.result() == code
            with opener.connect(names[1]) as sock:
                done = pool.submit(exchange, sock, get("http://10.0.0.1:1/"))
                refuse(text)
                assert done.result().status == status
        with ThreadPoolExecutor() as pool:
            done = pool.submit(opener.refuses, names[2])
            refuse(text)
            assert done.result()


