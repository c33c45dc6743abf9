"""What wsps may be asked to dial: egress rules, checked after name resolution."""

import pytest

from harness import socks
from harness.daemons import entry
from harness.http_client import exchange, get
from harness.net import connect, free_port
from harness.tcp_origins import EchoOrigin

OK, DENIED, REFUSED = socks.SUCCEEDED, socks.NOT_ALLOWED, socks.REFUSED


@pytest.fixture
def ask(farm):
    """ask(host, port): the reply code under the given rules."""

    def under(**egress):
        server = farm.wsps(egress=egress) if egress else farm.wsps()
        wspc = farm.wspc(entry(server.config["port"]))
        return lambda host, port: socks.code_of(wspc.port("socks5"), host, port)

    return under


def test_built_in_denials(ask):
    """Link-local addresses and the clouds' metadata, in every spelling; no packet leaves."""
    code = ask()
    for host in (
        "169.254.169.254",
        "169.254.0.1",
        "::ffff:169.254.169.254",
        "fe80::1",
        "febf::1",
        "64:ff9b::a9fe:a9fe",
        "fd00:ec2::254",
    ):
        assert code(host, 80) == DENIED, host


def test_loopback_is_open_by_default(ask, echo):
    assert ask()("127.0.0.1", echo.port) == OK


@pytest.mark.parametrize(
    "rule", ["127.0.0.1", "127.0.0.0/8", "127.0.0.1:{port}", "127.0.0.0/8:{port}", "*:{port}", "*",
             "127.0.0.1:{low}-{high}"]
)  # fmt: skip
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::ffff:127.0.0.1", "0.0.0.0"])
def test_denied(ask, echo, rule, host):
    """By address, whatever name or spelling leads to it."""
    port = echo.port
    code = ask(deny=[rule.format(port=port, low=port - 1, high=port + 1), "::1"])
    assert code(host, port) == DENIED


def test_denied_name(ask, echo):
    code = ask(deny=["localhost", "*.test"])
    for host in ("localhost", "LOCALHOST", "localhost.", "a.test", "b.a.TEST"):
        assert code(host, echo.port) == DENIED, host
    assert code("127.0.0.1", echo.port) == OK


def test_other_ports_and_addresses_stay_open(ask, echo):
    code = ask(deny=[f"127.0.0.1:{free_port()}", "127.0.0.2", "10.0.0.0/8", "*.example"])
    assert code("127.0.0.1", echo.port) == OK
    assert code("127.0.0.1", free_port()) == REFUSED


def test_allow_list_excludes_the_rest(ask, echo):
    with EchoOrigin() as other:
        code = ask(allow=[f"127.0.0.1:{echo.port}"])
        assert code("127.0.0.1", echo.port) == OK
        assert code("127.0.0.1", other.port) == DENIED
        assert code("::1", echo.port) == DENIED


def test_deny_wins_over_allow(ask, echo):
    code = ask(allow=["127.0.0.0/8"], deny=[f"127.0.0.1:{echo.port}"])
    assert code("127.0.0.1", echo.port) == DENIED
    assert code("127.0.0.1", free_port()) == REFUSED


def test_name_with_an_allowed_and_a_denied_address(ask, echo):
    """`localhost` may be both ::1 and 127.0.0.1: the denied one is left out."""
    code = ask(deny=["::1"])
    assert code("localhost", echo.port) == OK


def test_http_proxy_is_told(farm, origin):
    server = farm.wsps(egress={"deny": ["127.0.0.0/8"]})
    wspc = farm.wspc(entry(server.config["port"]))
    for request in (
        get(origin.url("/x")),
        f"CONNECT {origin.authority} HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    ):
        with connect(wspc.port("http")) as sock:
            assert exchange(sock, request, "X").status in (403, 502)
    assert origin.requests == []


def test_denials_are_logged_without_harm(farm, echo):
    server = farm.wsps(egress={"deny": ["127.0.0.1"]})
    wspc = farm.wspc(entry(server.config["port"]))
    for _ in range(300):
        assert socks.code_of(wspc.port("socks5"), "127.0.0.1", echo.port) == DENIED
    denials = [x for x in server.log().split("\n") if "denied" in x.lower() or "not allowed" in x]
    assert denials
