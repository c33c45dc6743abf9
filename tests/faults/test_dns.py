"""Name servers that are slow, wrong, cut short or dead, behind the proxy of a wsps."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from dns import A, NameServer
from shim import Shim

from harness import socks
from harness.daemons import descriptors, entry
from harness.env import patience
from harness.net import eventually, read_exact
from harness.tcp_origins import BannerOrigin, EchoOrigin

ASKED_TWICE = 4  # seconds: c-ares asks each server once more after 2 s
NO_HOST = socks.HOST_UNREACHABLE

CASES = {  # name: SOCKS5 reply
    "good": socks.SUCCEEDED,
    "slow": socks.SUCCEEDED,
    "lossy": socks.SUCCEEDED,
    "twice": socks.SUCCEEDED,
    "forged": socks.SUCCEEDED,
    "short": socks.SUCCEEDED,
    "mixed": socks.SUCCEEDED,
    "dead": socks.TTL_EXPIRED,
    "cut": (NO_HOST, socks.TTL_EXPIRED),
    "fails": NO_HOST,
    "unknown": NO_HOST,
    "empty": NO_HOST,
    "garbage": (NO_HOST, socks.TTL_EXPIRED),
    "loop": (NO_HOST, socks.TTL_EXPIRED),
    "aliases": NO_HOST,
    "wide": (NO_HOST, socks.TTL_EXPIRED),
    "many": socks.REFUSED,
    "denied": socks.NOT_ALLOWED,
}


@pytest.fixture
def names():
    with NameServer() as server:
        yield server


def pair(farm, directory, names, dial):
    """A wsps that knows that server only, and a wspc; `dial`: seconds, of both."""
    (directory / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    shim = Shim(directory, dns_port=names.port)
    shim.env["FAULTS_RESOLV"] = str(directory / "resolv.conf")
    time = {"dial": dial, "open": dial + 2}
    server = farm.wsps(launch=shim.launch, time=time)
    return server, farm.wspc(entry(server.config["port"]), time=time), shim


def reply_to(wspc, name, port):
    """And that what is behind it is the right one."""
    sock, reply = socks.ask(wspc.port("socks5"), f"{name}.test", port)
    with sock:
        if reply.code == socks.SUCCEEDED:
            assert read_exact(sock, len(BannerOrigin.banner)) == BannerOrigin.banner
    return reply.code


def test_answers(farm, tmp_path, names):
    """All at once: none holds up another."""
    _, wspc, _ = pair(farm, tmp_path, names, ASKED_TWICE)
    with BannerOrigin() as origin, ThreadPoolExecutor(len(CASES)) as pool:
        began = time.monotonic()
        ends = {n: pool.submit(reply_to, wspc, n, origin.port) for n in CASES}
        assert ends["good"].result() == socks.SUCCEEDED
        assert time.monotonic() - began < patience(1)
        codes = {name: end.result() for name, end in ends.items()}
    wrong = {
        name: code
        for name, code in codes.items()
        if code not in (CASES[name] if isinstance(CASES[name], tuple) else (CASES[name],))
    }
    assert not wrong
    assert ("short.test", A, True) in names.asked


def test_many_while_it_is_dead(farm, tmp_path, names):
    """Two hundred users wait for it in vain; who has a connection, or an address, does not."""
    server, wspc, _ = pair(farm, tmp_path, names, 1.5)
    proxy = wspc.port("socks5")
    with EchoOrigin() as echo, socks.open_socks(proxy, "127.0.0.1", echo.port) as other:
        before = descriptors(server)
        waiting = [socks.greet(proxy) for _ in range(200)]
        for number, sock in enumerate(waiting):
            sock.sendall(socks.request_bytes(f"dead-{number}.test", 80))
        eventually(lambda: len(names.asked) >= 400, "all are asked for")
        other.sendall(b"still here")
        assert read_exact(other, 10) == b"still here"
        with socks.open_socks(proxy, "127.0.0.1", echo.port) as late:
            late.sendall(b"and new")
            assert read_exact(late, 7) == b"and new"
        for sock in waiting[:100]:
            sock.close()
        codes = {socks.read_reply(sock).code for sock in waiting[100:]}
        assert codes == {socks.TTL_EXPIRED}
        for sock in waiting:
            sock.close()
        eventually(lambda: descriptors(server) <= before + 4, "its sockets are closed", 10)


def test_it_comes_back(farm, tmp_path):
    """Nobody listens at first: a failure, soon; and success once somebody does."""
    names = NameServer()
    names.__exit__()
    _, wspc, shim = pair(farm, tmp_path, names, ASKED_TWICE)
    with BannerOrigin() as origin:
        assert reply_to(wspc, "good", origin.port) == NO_HOST
        with NameServer() as names:
            shim.set(dns_port=names.port)
            assert reply_to(wspc, "good", origin.port) == socks.SUCCEEDED
