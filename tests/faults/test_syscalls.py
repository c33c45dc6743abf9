"""
System calls that do less than asked: short counts, interrupted calls, no descriptors or memory left;
by a preloaded library, on loopback.
"""

import random
import subprocess

import pytest

from harness import socks
from harness.daemons import LISTENING, Farm, command, entry
from harness.env import DIALECTS, patience
from harness.net import connect, eventually, free_port, is_silent, read_exact
from harness.traffic import BLOB, Broken, Traffic
from shim import MAKERS, Shim
from spoiled import ROLES, bystander, held, shims, traffic, traffic_of  # noqa: F401

SIZE = 600_000
SMALL = 64  # bytes: what the kernel takes whole or not at all, while it has memory
RUNNING = [call for call in MAKERS if call in ("socket", "accept", "open", "epoll_ctl", "connect")]


# ---- short counts and signals


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_bytes_are_the_same(tmp_path, shims, dialect, secure):
    """Most reads and writes move a part, many are interrupted first: nobody notices."""
    farm = Farm(tmp_path, secure=secure)
    try:
        with traffic_of(farm, shims, dialect=dialect) as traffic:
            for shim in shims.values():
                shim.set(short_from=SMALL, short=600, eintr=200)
            traffic.all_at_once(SIZE, seed=f"{dialect} {secure}", rounds=2)
            for role, shim in shims.items():
                assert shim.get("did_short") > 100, role
                assert shim.get("did_eintr") > 100, role
    finally:
        farm.close()


def test_pipe(traffic, tmp_path):
    """-W: standard input, output and the socket between its threads."""
    shim = Shim(tmp_path, "pipe", short=600, eintr=300)
    server = traffic.daemons["service"].config["client"][0]["server"]
    (tmp_path / "secret").write_text("s3cret-of-the-link\n")
    options = ["-s", server, "--auth-file", tmp_path / "secret", "-W", "echo:pw"]
    done = subprocess.run(
        command("wspc", *options),
        input=BLOB[:SIZE],
        capture_output=True,
        env=shim.env,
        timeout=patience(20),
        check=False,
    )
    assert (done.stdout == BLOB[:SIZE], done.returncode) == (True, 0), done.stderr
    assert shim.get("did_short") > 20


def test_proxy_headers(farm, tmp_path):
    """Interrupted while it is looked for and while it is taken."""
    shim = Shim(tmp_path, eintr=500)
    server = farm.wsps(proxy_protocol="required", launch=shim.launch)
    for _ in range(20):
        with connect(server.config["port"]) as sock:
            sock.sendall(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n")
            assert read_exact(sock, 12) == b"HTTP/1.1 404"


@pytest.mark.parametrize("kind", Traffic.KINDS)
def test_short_answers(traffic, shims, kind):
    """
    Also those of a few bytes are cut: a handshake that cannot be said is given up, links are made
    anew, and what is carried is right.
    """
    for shim in shims.values():
        shim.set(short=150, eintr=300)
    outcomes = [outcome(traffic, kind, 2000, seed) for seed in range(40)]
    assert "done" in outcomes
    for shim in shims.values():
        shim.heal()
    eventually(traffic.works, "all is well again", 20)


def outcome(traffic, kind, size, seed):
    try:
        traffic.run(kind, size, random.Random(seed))
        return "done"
    except Broken as fault:
        return str(fault)


# ---- descriptors and memory

SHORTAGES = {
    "EMFILE": "(?i)too many open files",
    "ENFILE": "(?i)too many open files in system",
    "ENOBUFS": "(?i)no buffer space",
    "ENOMEM": "(?i)cannot allocate memory",
}


@pytest.mark.parametrize("role", ["server", "user"])
def test_connections_wait(traffic, shims, held, bystander, role):
    """Who comes while there is no descriptor is served once there is one."""
    daemon = traffic.daemons[role]
    port, said, answer = {
        "server": (traffic.port, b"GET /none HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 404"),
        "user": (traffic.daemons["user"].port("socks5"), b"\x05\x01\x00", b"\x05\x00"),
    }[role]
    for error in SHORTAGES:
        with shims[role].failing(error, "accept"), connect(port) as sock:
            sock.sendall(said)
            bystander.goes_on()
            assert is_silent(sock, 0.1)
            shims[role].heal()
            assert read_exact(sock, len(answer)) == answer
    daemon.wait_line("listener: accept: .*; trying again")  # not of each: the rate is limited


@pytest.mark.parametrize("call", ["socket", "epoll_ctl", "connect"])
def test_targets_are_refused(traffic, shims, held, bystander, call):
    """An exit that cannot dial says why to its user, whose log has it."""
    user = traffic.daemons["user"]
    for error, reason in SHORTAGES.items():
        since = user.mark()
        with shims["server"].failing(error, call):
            # A connection to wsps would need epoll_ctl, too: the link is there already.
            with pytest.raises(socks.SocksError) as refused:
                socks.open_socks(user.port("socks5"), "127.0.0.1", traffic.echo.port)
            assert refused.value.code == socks.GENERAL
            user.wait_line(reason, since=since)
            bystander.goes_on()


@pytest.mark.parametrize("role", ROLES)
def test_each_call_fails_once(traffic, shims, held, bystander, role):
    """The nth of all calls that make something, for each n: that one thing fails, at most."""
    broken = 0
    for number in range(20):
        shims[role].fail("EMFILE", *RUNNING, fail_after=number, fail_times=1)
        outcomes = [outcome(traffic, kind, 1000, number) for kind in Traffic.KINDS]
        broken += len([text for text in outcomes if text != "done"])
        bystander.goes_on()
        shims[role].heal()
    assert 5 <= shims[role].get("did_fail")
    assert broken <= shims[role].get("did_fail")


@pytest.mark.parametrize("error", ["EMFILE", "ENOMEM"])
def test_often(traffic, shims, held, bystander, error):
    """A third of everything fails, everywhere."""
    for shim in shims.values():
        shim.set(fail_rate=300)
        shim.fail(error, *RUNNING)
    outcomes = {outcome(traffic, kind, 5000, seed) for seed in range(6) for kind in Traffic.KINDS}
    assert "done" in outcomes and len(outcomes) > 1
    bystander.goes_on()
    for role, shim in shims.items():
        shim.heal()
        assert shim.get("did_fail"), role


# ---- the start


def config_of(name):
    if name == "wsps":
        return {"bind": "127.0.0.1", "port": free_port(), "auth": "x"}
    return {"client": [entry(9, "socks5")]}


@pytest.mark.parametrize("name", ["wsps", "wspc"])
def test_start_without_descriptors(farm, tmp_path, name):
    """At the nth call: it starts, or it says what was missing and ends with 1."""
    ended, number, shim = 0, 0, None
    while not shim or shim.get("did_fail"):
        shim = Shim(tmp_path, f"start-{number}")
        shim.fail("EMFILE", fail_after=number, fail_times=1)
        daemon = farm.start(name, config_of(name), **shim.launch)
        daemon.wait_line(rf"{LISTENING}|^{name}: ")
        if LISTENING in daemon.log():
            daemon.stop()
        else:
            assert daemon.wait_end() == 1, daemon.log()
            ended += 1
        number += 1
    assert ended > 3
