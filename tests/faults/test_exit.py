"""The world is what it claims to be, and what only the exit can reach is reached through it."""

import socket

import pytest

from harness.curl import fetch
from system import SERVICE
from transfers import KINDS
from world import ROUTER


@pytest.mark.parametrize("host", ["client", "server"])
def test_nobody_else_reaches_the_service(system, host):
    """Neither at its own address nor at the router's."""
    for address in (SERVICE, ROUTER):
        with system.world.inside(host), pytest.raises(OSError):
            socket.create_connection((address, system.web.port), 0.3).close()


def test_the_server_sees_the_router_only(system):
    log = system.daemons["server"].log()
    assert f"up, from {ROUTER}" in log and SERVICE not in log


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["socks5h", "http"])
def test_through_the_tunnel(system, kind, how):
    assert system.transfer(kind, 5 << 20, how=how).outcome() == "complete"


@pytest.mark.parametrize("kind", KINDS)
def test_through_the_named_channel(system, kind):
    named = system.transfer(kind, 5 << 20, how=None, host="127.0.0.1", port=system.ports["named"])
    assert named.outcome() == "complete"


def test_many_at_once(system):
    """Twelve transfers on one link do not mix."""
    running = [system.transfer(k, 3 << 20, how=h) for k in KINDS for h in ("socks5h", "http") * 2]
    assert [t.outcome() for t in running] == ["complete"] * len(running)


def test_a_small_page_by_plain_curl(system):
    with system.world.inside("client"):
        page = fetch("-x", "socks5h://127.0.0.1:1080",
                     f"http://{SERVICE}:{system.web.port}/length/10")  # fmt: skip
    assert len(page) == 10
