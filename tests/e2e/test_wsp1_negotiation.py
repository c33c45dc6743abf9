"""Which dialect a link speaks, and how wsp.1 begins."""

import os

import pytest

from harness import messages, socks
from harness.channels import echoes
from harness.daemons import PATH, entry
from harness.far import Wspc, trade
from harness.frames import PING, PONG
from harness.messages import CONNECT, GOAWAY, SETTINGS, Message
from harness.net import connect, read_all, read_until
from harness.peer import Peer, switch, upgrade, upgrade_request
from harness.tap import Tap, without_protocol
from harness.wsp1 import WSP_1, Link, unsettled

DIALECTS = ["auto", "0.10", "wsp.1"]
OFFER = b"\r\nSec-WebSocket-Protocol: wsp.1\r\n"

# The only place that knows how wspc words it.
DEMANDED = r"the server does not speak wsp\.1, which \"dialect\" demands"
OLD_SERVER = r" warn link 1: the server speaks dialect 0\.10 only"


def works(wspc, echo):
    with socks.open_socks(wspc.port("socks5"), "127.0.0.1", echo.port) as sock:
        return echoes(sock)


def spoken(wire):
    """The dialect of what went over a link."""
    up, down = wire.messages_up(), wire.messages_down()
    first = up[0].cmd == SETTINGS
    assert first == (down[0].cmd == SETTINGS), (up[0], down[0])
    assert [m.cmd for m in up + down].count(SETTINGS) == (2 if first else 0)
    return "wsp.1" if first else "0.10"


# ---- two daemons


@pytest.mark.parametrize("client", DIALECTS)
@pytest.mark.parametrize("server", DIALECTS)
def test_dialects_that_have_one_in_common(farm, echo, server, client):
    if {server, client} == {"0.10", "wsp.1"}:
        pytest.skip("these have none")
    wsps = farm.wsps(dialect=server)
    with Tap(wsps.config["port"]) as tap:
        wspc = farm.wspc(entry(tap.port, dialect=client))
        assert works(wspc, echo)
        wire = tap.wire()
        assert spoken(wire) == ("0.10" if "0.10" in (server, client) else "wsp.1")
        assert (OFFER in wire.request) == (client != "0.10")
        assert (OFFER in wire.answer) == ("0.10" not in (server, client))
    warned = "the server speaks dialect 0.10 only" in wspc.log()
    assert warned == ((server, client) == ("0.10", "auto"))


def test_default_is_wsp_1(farm, echo):
    with Tap(farm.wsps().config["port"]) as tap:
        assert works(farm.wspc(entry(tap.port)), echo)
        assert spoken(tap.wire()) == "wsp.1"


def test_client_that_demands_wsp_1(farm):
    wsps = farm.wsps(dialect="0.10")
    wspc = farm.wspc(entry(wsps.config["port"], dialect="wsp.1"), link=False)
    wspc.wait_link_failed(1, DEMANDED)
    since = wspc.mark()
    wspc.wait_link_failed(1, DEMANDED, since=since)  # and it tries again
    assert socks.code_of(wspc.port("socks5"), "127.0.0.1", 9) != socks.SUCCEEDED


def test_server_that_demands_wsp_1(farm):
    wsps = farm.wsps(dialect="wsp.1")
    wspc = farm.wspc(entry(wsps.config["port"], dialect="0.10"), link=False)
    wspc.wait_link_failed(1, "400")
    wsps.wait_line("needs dialect wsp.1")


def test_warned_once(farm):
    """Not with every link again."""
    wsps = farm.wsps(dialect="0.10")
    wspc = farm.wspc(entry(wsps.config["port"]))
    port, since = wsps.config["port"], wspc.mark()
    wsps.kill()
    farm.wsps(port=port, dialect="0.10")
    wspc.wait_link(since=since)
    assert wspc.log().count("the server speaks dialect 0.10 only") == 1


# ---- intermediaries


@pytest.mark.parametrize("stripped", ["request", "answer"])
def test_intermediary_strips_the_header(farm, echo, stripped):
    """From the request, or only from the 101: then just the client knows. 0.10 works in both."""
    with Tap(farm.wsps().config["port"], **{stripped: without_protocol}) as tap:
        wspc = farm.wspc(entry(tap.port))
        assert works(wspc, echo)
        wire = tap.wire()
        assert OFFER in wire.request and (OFFER in wire.answer) == (stripped == "answer")
        assert spoken(wire) == "0.10"
        wspc.wait_line(OLD_SERVER)


def test_answer_is_stripped_for_a_client_that_demands_wsp_1(farm):
    with Tap(farm.wsps().config["port"], answer=without_protocol) as tap:
        farm.wspc(entry(tap.port, dialect="wsp.1"), link=False).wait_link_failed(1, DEMANDED)


@pytest.mark.parametrize("selected", ["wsp.2", "wsp.1, wsp.1", "WSP.1", ""])
def test_another_protocol_selected(farm, selected):
    """RFC 6455 section 4.1: a client that gets one it did not offer fails the connection."""
    with Tap(farm.wsps().config["port"], answer=with_selected(selected)) as tap:
        wspc = farm.wspc(entry(tap.port), link=False)
        wspc.wait_link_failed(1, "Sec-WebSocket-Protocol")


def with_selected(protocol):
    return lambda head: head.replace(OFFER, OFFER.replace(b"wsp.1", protocol.encode()))


def test_selected_without_an_offer(farm):
    port = farm.wsps().config["port"]
    with Tap(port, answer=lambda head: head[:-2] + OFFER[2:] + b"\r\n") as tap:
        wspc = farm.wspc(entry(tap.port, dialect="0.10"), link=False)
        wspc.wait_link_failed(1, "Sec-WebSocket-Protocol")


# ---- a raw client and wsps


@pytest.fixture(scope="module")
def port(shared_farm):
    return shared_farm.wsps().config["port"]


@pytest.mark.parametrize(
    "offer, selected",
    [(None, None), ("wsp.1", "wsp.1"), ("chat, wsp.1", "wsp.1"), ("wsp.1,chat", "wsp.1"),
     ("wsp.2", None), ("wsp.10", None), ("xwsp.1", None)],
)  # fmt: skip
def test_offers(port, echo, offer, selected):
    sock = upgrade(port, offer=offer, selected=selected)
    if selected:
        with Link(sock, client=True).settle() as link:
            link.open(f"socks5://127.0.0.1:{echo.port}")
    else:
        with Peer(sock, client=True) as peer:
            assert peer.open(b"x" * 27, f"socks5://127.0.0.1:{echo.port}") is None


def test_offers_in_two_fields(port):
    with connect(port) as sock:
        key = b"AAAAAAAAAAAAAAAAAAAAAA=="
        head = upgrade_request(port, key=key, protocol="chat")
        sock.sendall(head[:-2] + OFFER[2:] + b"\r\n")
        assert read_until(sock, b"\r\n\r\n") == switch(key, "wsp.1")


def test_server_that_knows_0_10_only_selects_nothing(farm):
    upgrade(farm.wsps(dialect="0.10").config["port"], offer=WSP_1).close()


def test_server_that_demands_wsp_1_refuses_others(farm):
    port = farm.wsps(dialect="wsp.1").config["port"]
    with connect(port) as sock:
        sock.sendall(upgrade_request(port))
        answer = read_all(sock)
        assert answer.startswith(b"HTTP/1.1 400 ") and b"wsp.1" in answer


def test_offer_without_the_right_auth(farm, port):
    with connect(port) as sock:
        sock.sendall(upgrade_request(port, auth="wrong", protocol=WSP_1))
        assert read_all(sock).startswith(b"HTTP/1.1 401 ")


def test_first_message_is_of_0_10(port, echo):
    """The client has not seen that wsp.1 was selected."""
    with Peer(upgrade(port, offer=WSP_1, selected=WSP_1), client=True) as peer:
        assert peer.open(b"y" * 27, f"socks5://127.0.0.1:{echo.port}") is None
        peer.send(Message(b"y" * 27, messages.TRANSFER, b"hello"))
        assert peer.expect(messages.TRANSFER).data == b"hello"
        peer.send(Message(b"", SETTINGS, messages.settings(instance=os.urandom(16))))
        peer.send(Message(b"y" * 27, messages.TRANSFER, b"still 0.10"))
        assert peer.expect(messages.TRANSFER).data == b"still 0.10"


def test_server_waits_for_settings(port):
    """Its own come behind the client's, and pings do not count as a beginning."""
    with unsettled(port) as link:
        link.send_frame(PING, b"early")
        frame, *_ = link.next_frame()
        assert (frame.op, frame.payload) == (PONG, b"early")
        link.expect_silence(0.2)
        link.settle()


def test_connect_right_behind_settings_and_the_request(port, echo):
    """All in one segment; nothing has to be waited for."""
    with connect(port) as sock:
        key = b"AAAAAAAAAAAAAAAAAAAAAA=="
        link = Link(Recorder(), client=True)
        link.send_settings()
        chan = link.ask(f"socks5://127.0.0.1:{echo.port}")
        sock.sendall(upgrade_request(port, PATH, key=key, protocol=WSP_1) + link.sock.sent)
        assert read_until(sock, b"\r\n\r\n") == switch(key, WSP_1)
        link.sock = sock
        assert link.error_of(chan) is None
        chan.send(b"hello")
        assert chan.read(5) == b"hello"


class Recorder:
    """In place of a socket, to see what would be sent."""

    sent = b""

    def sendall(self, data):
        self.sent += data

    def settimeout(self, _):
        pass


# ---- SETTINGS, to both daemons


def test_what_settings_say(far_end):
    with far_end.link() as link:
        window, transfer, instance = link.settings
        assert 16384 <= window <= 262144 and transfer == 32768 and len(instance) == 16
        assert link.client or instance != bytes(16)


def test_instance_is_the_process(farm, echo):
    """All links of an entry say the same, and another process says something else."""
    seen = []
    with Tap(farm.wsps().config["port"]) as tap:
        for _ in range(2):
            wspc = farm.wspc(entry(tap.port))
            assert works(wspc, echo)
            since = wspc.mark()
            tap.wire(len(seen)).cut()
            wspc.wait_link(since=since)
            assert works(wspc, echo)
            for number in (len(seen), len(seen) + 1):
                first = tap.wire(number).messages_up()[0]
                seen.append(messages.decode_settings(first.data)[2])
            wspc.stop()
    assert seen[0] == seen[1] != seen[2] == seen[3]


INSTANCE = messages.field(3, bytes(range(16)))


@pytest.mark.parametrize(
    "data",
    [b"", INSTANCE, INSTANCE + messages.number(1, 1 << 40), INSTANCE + messages.number(2, 1024),
     messages.number(99, 7) + INSTANCE + messages.field(100, b"later"),
     messages.number(2, 1 << 60)],
)  # fmt: skip
def test_settings_that_are_fine(far_end, data):
    with far_end.unsettled() as link:
        link.window = 16384
        send_first(link, Message(b"", SETTINGS, data))
        trade(*far_end.channel(link))


def send_first(link, message):
    """In the place of SETTINGS, where it is this end's turn."""
    if link.client:
        link.send(message)
    link.expect(SETTINGS)
    if not link.client:
        link.send(message)


@pytest.mark.parametrize(
    "data",
    [messages.number(2, 1), messages.number(2, 1023), messages.field(3, b"short"),
     messages.field(3, bytes(17)), b"\x08", b"\xff" * 11],
)  # fmt: skip
def test_settings_that_are_not(far_end, data):
    with far_end.unsettled() as link:
        send_first(link, Message(b"", SETTINGS, data))
        assert link.expect_end().code == 1002


@pytest.mark.parametrize("channels", [0, 1])
def test_second_settings(far_end, channels):
    with far_end.link() as link:
        for _ in range(channels):
            trade(*far_end.channel(link))
        link.send_settings()
        assert link.expect_end().code == 1002


@pytest.mark.parametrize("cmd", [c for c in range(9) if c != SETTINGS])
def test_client_that_selected_wsp_1_gets_another_first_message(farm, cmd):
    """There is no falling back any more: the client has promised wsp.1, and the server as well."""
    end = Wspc(farm)
    with end.unsettled() as link:
        link.expect(SETTINGS)
        data = messages.request("tcp://name@", messages.REMOTE) if cmd == CONNECT else b"\x01"
        link.send(Message(b"" if cmd == GOAWAY else b"2", cmd, data))
        assert link.expect_end().code == 1002
    with end.link() as link:
        trade(*end.channel(link))
    end.close()


@pytest.mark.parametrize("transfer", [1024, 5000, 32768])
def test_transfers_are_no_larger_than_announced(far_end, transfer):
    with far_end.link(transfer=transfer) as link:
        chan, sock = far_end.channel(link)
        sock.sendall(bytes(200_000))
        sizes = []
        while sum(sizes) < 200_000:
            message = link.receive().message
            assert message.cmd == messages.TRANSFER
            sizes.append(len(message.data))
        assert max(sizes) <= transfer
        assert len(sizes) < 2.5 * 200_000 / transfer + 20
