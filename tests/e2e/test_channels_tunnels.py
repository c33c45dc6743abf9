"""Tunnels: another client's network as the exit of a SOCKS5 or HTTP proxy."""

from contextlib import ExitStack

import pytest

from harness import socks
from harness.channels import MIXES, Rig, echoes
from harness.http_client import exchange, get, read_response
from harness.http_origin import HttpOrigin, pattern
from harness.net import free_port, how_it_ends
from harness.tcp_origins import EchoOrigin, SourceOrigin

BLOB = pattern(4 << 20)


class Origins:
    def __init__(self, stack):
        self.echo = stack.enter_context(EchoOrigin())
        self.echo6 = stack.enter_context(EchoOrigin(host="::1"))
        self.source = stack.enter_context(SourceOrigin(BLOB))
        self.http = stack.enter_context(HttpOrigin())


@pytest.fixture(scope="module")
def origins():
    with ExitStack() as stack:
        yield Origins(stack)


@pytest.fixture(scope="module", params=MIXES, ids=lambda mix: "-".join(mix))
def rig(request, shared_farm):
    names = [f"{scheme}://{channel}" for scheme in ("socks5", "http")
             for channel in ("vpn:pw", "free", "none:pw")]  # fmt: skip
    return Rig(shared_farm, ["tunnel://vpn:pw@", "tunnel://free@"], names, request.param)


@pytest.fixture(params=["vpn:pw", "free"])
def tunnel(request):
    return request.param


def test_socks5_through_a_tunnel(rig, tunnel, origins):
    port = rig.opener.ports[f"socks5://{tunnel}"]
    for host, origin in (("127.0.0.1", origins.echo), ("localhost", origins.echo),
                         ("::1", origins.echo6)):  # fmt: skip
        with socks.open_socks(port, host, origin.port) as sock:
            assert echoes(sock)
    with socks.open_socks(port, "127.0.0.1", origins.source.port) as sock:
        sock.sendall(len(BLOB).to_bytes(8, "big"))
        assert how_it_ends(sock, rig.end_time) == (BLOB, "eof")


def test_http_through_a_tunnel(rig, tunnel, origins):
    """CONNECT, and requests in absolute-form on one kept connection to several origins."""
    with rig.connect(f"http://{tunnel}") as sock:
        sock.sendall(f"CONNECT 127.0.0.1:{origins.echo.port} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert read_response(sock, "CONNECT").status == 200
        assert echoes(sock, BLOB[:100_000])
    with HttpOrigin() as other, rig.connect(f"http://{tunnel}") as sock:
        for origin in (origins.http, other, origins.http):
            response = exchange(sock, get(origin.url("/abc")))
            assert response.status == 200 and b"/abc" in response.body
        assert other.requests[0].target == "/abc"


def status_of(rig, proxy, host, port):
    """(of a request in absolute-form, of CONNECT)"""
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    connect_head = f"CONNECT {authority} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    with rig.connect(proxy) as one, rig.connect(proxy) as two:
        return (exchange(one, get(f"http://{authority}/")).status,
                exchange(two, connect_head).status)  # fmt: skip


def test_failures_through_a_tunnel(rig):
    code = socks.code_of
    port = rig.opener.ports["socks5://vpn:pw"]
    assert code(port, "127.0.0.1", free_port()) == socks.REFUSED
    assert code(port, "no-such-host.invalid", 80) == socks.HOST_UNREACHABLE
    assert status_of(rig, "http://vpn:pw", "127.0.0.1", free_port()) == (502, 502)
    assert code(rig.opener.ports["socks5://none:pw"], "127.0.0.1", 80) != socks.SUCCEEDED
    assert status_of(rig, "http://none:pw", "127.0.0.1", 80) == (502, 502)


@pytest.mark.parametrize("host", ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1"])
def test_egress_of_a_tunnel(rig, host):
    """Its exit keeps the built-in rules: no packet leaves for the clouds' metadata."""
    port = rig.opener.ports["socks5://vpn:pw"]
    assert socks.code_of(port, host, 80) == socks.NOT_ALLOWED
    assert status_of(rig, "http://vpn:pw", host, 80) == (403, 403)


