"""SOCKS5 (RFC 1928, RFC 1929) on wspc, dialled by wsps."""

import errno
import os
import socket
import time

import pytest

from harness import socks
from harness.curl import curl, fetch
from harness.daemons import PASSWORD, USER, entry
from harness.http_origin import HttpOrigin
from harness.net import Blackhole, connect, free_port, how_it_ends, is_silent, read_exact, reset
from harness.socks import request_bytes
from harness.tcp_origins import EchoOrigin, ScriptOrigin

@pytest.fixture(scope="module")
def port(proxies):
    return proxies.port("socks5")


@pytest.fixture(scope="module")
def auth_port(proxies):
    return proxies.port("socks5", entry=1)


def assert_echo(sock, data=b"through the tunnel"):
    sock.sendall(data)
    assert read_exact(sock, len(data)) == data


# ---- by curl


@pytest.mark.parametrize("option", ["--socks5", "--socks5-hostname"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_curl(port, origin, option, host):
    url = f"http://{host}:{origin.port}/length/50000"
    assert len(fetch(option, f"127.0.0.1:{port}", url)) == 50000


@pytest.mark.parametrize("option", ["--socks5", "--socks5-hostname"])
def test_curl_ipv6(port, option):
    with HttpOrigin(host="::1") as origin:
        assert fetch(option, f"127.0.0.1:{port}", origin.url("/x")).endswith(b"GET /x\n")


def test_curl_with_credentials(auth_port, origin):
    proxy = f"127.0.0.1:{auth_port}"
    good, bad = f"{USER}:{PASSWORD}", f"{USER}:wrong"
    assert fetch("--socks5-hostname", proxy, "-U", good, origin.url("/x"))
    assert curl("--socks5-hostname", proxy, "-U", bad, origin.url("/x")).status == 97
    assert curl("--socks5-hostname", proxy, origin.url("/x")).status == 97


# ---- the bytes


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_reply_has_the_bound_address_of_the_exit(port, host):
    with EchoOrigin(host=host) as echo:
        sock, reply = socks.ask(port, host, echo.port)
        with sock:
            assert reply.code == socks.SUCCEEDED
            assert_echo(sock)
            assert (reply.host, reply.port) == echo.peers[0]


@pytest.mark.parametrize("name", ["localhost", "LocalHost", "127.0.0.1", "::1"])
def test_domain_targets(port, name):
    """Also addresses written as a domain."""
    host = "::1" if name == "::1" else "127.0.0.1"
    with EchoOrigin(host=host) as echo, socks.greet(port) as sock:
        text = name.encode()
        sock.sendall(b"\x05\x01\x00\x03" + bytes([len(text)]) + text + echo.port.to_bytes(2, "big"))
        assert socks.read_reply(sock).code == socks.SUCCEEDED
        assert_echo(sock)


def test_byte_by_byte(port, echo):
    with connect(port) as sock:
        for byte in b"\x05\x02\x00\x02":
            sock.sendall(bytes([byte]))
        assert read_exact(sock, 2) == b"\x05\x00"
        for byte in request_bytes("localhost", echo.port):
            sock.sendall(bytes([byte]))
        assert socks.read_reply(sock).code == socks.SUCCEEDED
        assert_echo(sock)


def test_everything_in_one_segment(port, echo):
    """Bytes behind the request belong to the target."""
    with connect(port) as sock:
        sock.sendall(b"\x05\x01\x00" + request_bytes("127.0.0.1", echo.port) + b"early")
        assert read_exact(sock, 2) == b"\x05\x00"
        assert socks.read_reply(sock).code == socks.SUCCEEDED
        assert read_exact(sock, 5) == b"early"
        assert_echo(sock)


def test_many_early_bytes(port, echo):
    data = os.urandom(300_000)
    with socks.greet(port) as sock:
        sock.sendall(request_bytes("127.0.0.1", echo.port) + data)
        assert socks.read_reply(sock).code == socks.SUCCEEDED
        assert read_exact(sock, len(data)) == data


@pytest.mark.parametrize(
    "greeting, answer",
    [
        (b"\x05\x01\x00", b"\x05\x00"),
        (b"\x05\x02\x00\x02", b"\x05\x00"),
        (b"\x05\x03\x01\x02\x00", b"\x05\x00"),
        (b"\x05\xff" + bytes(range(1, 255)) + b"\x00", b"\x05\x00"),
        (b"\x05\x01\x02", b"\x05\xff"),
        (b"\x05\x01\x01", b"\x05\xff"),
        (b"\x05\x02\x80\xff", b"\x05\xff"),
    ],
)
def test_method_selection(port, greeting, answer):
    with connect(port) as sock:
        sock.sendall(greeting)
        assert read_exact(sock, 2) == answer
        if answer[1] == 0xFF:
            assert how_it_ends(sock) == (b"", "eof")


@pytest.mark.parametrize(
    "bad",
    [b"\x04\x01\x00\x50\x7f\x00\x00\x01\x00", b"\x05\x00", b"GET / HTTP/1.1\r\n\r\n", b"\x00"],
)
def test_bad_greeting_is_closed(port, bad):
    with connect(port) as sock:
        sock.sendall(bad)
        answer, _ = how_it_ends(sock)
        assert answer in (b"", b"\x05\xff")


@pytest.mark.parametrize(
    "cmd, code",
    [(socks.BIND, 7), (socks.UDP_ASSOCIATE, 7), (0, 7), (9, 7), (255, 7)],
)
def test_other_commands(port, echo, cmd, code):
    sock, reply = socks.ask(port, "127.0.0.1", echo.port, cmd)
    assert reply.code == code
    assert how_it_ends(sock) == (b"", "eof")


@pytest.mark.parametrize("kind", [0, 2, 5, 9, 255])
def test_unknown_address_type(port, kind):
    with socks.greet(port) as sock:
        sock.sendall(bytes([5, 1, 0, kind]) + b"\x01\x02\x03\x04\x00\x50")
        assert socks.read_reply(sock).code == socks.BAD_ADDRESS
        assert how_it_ends(sock)[0] == b""


@pytest.mark.parametrize(
    "bad",
    [
        b"\x04\x01\x00\x01\x7f\x00\x00\x01\x00\x50",
        b"\x05\x01\x00\x03\x00\x00\x50",
        b"\x05\x01\x00\x03\x03a/b\x00\x50",
        b"\x05\x01\x00\x03\x03a b\x00\x50",
        b"\x05\x01\x00\x03\x03a\x00b\x00\x50",
        b"\x05\x01\x00\x03\x05a@b:1\x00\x50",
    ],
    ids=["version", "empty name", "slash", "blank", "nul", "userinfo"],
)
def test_malformed_request_fails(port, bad):
    """A failure reply or none at all, then the end: never a success, never silence."""
    with socks.greet(port) as sock:
        sock.sendall(bad)
        answer, _ = how_it_ends(sock)
        assert answer == b"" or answer[1] != socks.SUCCEEDED


# ---- failures of the dial


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_refused(port, host):
    assert socks.code_of(port, host, free_port()) == socks.REFUSED


def test_unresolvable(port):
    assert socks.code_of(port, "no.such.invalid", 80) == socks.HOST_UNREACHABLE


def test_long_unresolvable_name(port):
    name = ".".join(["x" * 61] * 4)
    assert socks.code_of(port, name, 80) in (socks.HOST_UNREACHABLE, socks.GENERAL)


def test_network_unreachable(port):
    """The broadcast address of the loopback network: connecting fails at once, without a packet."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.255.255.255", 9)) != errno.ENETUNREACH:
            pytest.skip("this system has another answer for it")
    assert socks.code_of(port, "127.255.255.255", 9) == socks.NET_UNREACHABLE


def test_dial_timeout(port):
    with Blackhole() as hole:
        began = time.monotonic()
        assert socks.code_of(port, "127.0.0.1", hole.port) in (
            socks.TTL_EXPIRED,
            socks.HOST_UNREACHABLE,
        )
        assert 0.8 < time.monotonic() - began < 4


def test_no_link(farm):
    """Answered at once, not left hanging."""
    wspc = farm.wspc(entry(free_port()), link=False)
    began = time.monotonic()
    assert socks.code_of(wspc.port("socks5"), "127.0.0.1", 9) not in (0, 7, 8)
    assert time.monotonic() - began < 1


# ---- a client that does not go on


@pytest.mark.parametrize(
    "start",
    [b"", b"\x05", b"\x05\x03\x00", b"\x05\x01\x00", b"\x05\x01\x00\x05\x01\x00\x03\x09loc"],
)
def test_unfinished_greeting_is_closed_after_handshake_time(port, start):
    began = time.monotonic()
    with connect(port) as sock:
        sock.sendall(start)
        answer, _ = how_it_ends(sock, timeout=4)
        assert answer in (b"", b"\x05\x00")
        assert time.monotonic() - began > 0.8


def test_established_connection_has_no_such_limit(port, echo):
    with socks.open_socks(port, "127.0.0.1", echo.port) as sock:
        assert is_silent(sock, 1.5)
        assert_echo(sock)


def test_client_that_leaves_during_the_dial(port):
    """The late answer finds nobody; the listener goes on."""
    with Blackhole() as hole:
        sock = socks.greet(port)
        sock.sendall(request_bytes("127.0.0.1", hole.port))
        reset(sock)
    assert socks.code_of(port, "127.0.0.1", free_port()) == socks.REFUSED


# ---- ends of a connection


def test_target_closes(port):
    with ScriptOrigin() as script, socks.open_socks(port, "127.0.0.1", script.port) as sock:
        target = script.accept()
        target.sendall(b"last words")
        target.shutdown(socket.SHUT_RDWR)
        assert how_it_ends(sock) == (b"last words", "eof")


def test_client_closes(port):
    with ScriptOrigin() as script, socks.open_socks(port, "127.0.0.1", script.port) as sock:
        target = script.accept()
        sock.sendall(b"last words")
        sock.close()
        assert how_it_ends(target) == (b"last words", "eof")


def test_target_resets(port):
    with ScriptOrigin() as script, socks.open_socks(port, "127.0.0.1", script.port) as sock:
        reset(script.accept())
        assert how_it_ends(sock)[0] == b""


def test_client_resets(port):
    with ScriptOrigin() as script, socks.open_socks(port, "127.0.0.1", script.port) as sock:
        target = script.accept()
        reset(sock)
        assert how_it_ends(target)[0] == b""


# ---- credentials


def test_login(auth_port, echo):
    with socks.greet(auth_port, USER, PASSWORD) as sock:
        sock.sendall(request_bytes("127.0.0.1", echo.port))
        assert socks.read_reply(sock).code == socks.SUCCEEDED
        assert_echo(sock)


def test_login_in_one_segment(auth_port, echo):
    with connect(auth_port) as sock:
        sock.sendall(
            b"\x05\x02\x00\x02"
            + socks.login_bytes(USER, PASSWORD)
            + request_bytes("127.0.0.1", echo.port)
            + b"early"
        )
        assert read_exact(sock, 4) == b"\x05\x02\x01\x00"
        assert socks.read_reply(sock).code == socks.SUCCEEDED
        assert read_exact(sock, 5) == b"early"


@pytest.mark.parametrize(
    "user, password",
    [(USER, "wrong"), ("wrong", PASSWORD), (USER, ""), ("", ""), (USER, PASSWORD + "x"),
     (USER, PASSWORD[:-1]), ("u" * 255, "p" * 255)],
)  # fmt: skip
def test_wrong_login(auth_port, user, password):
    with connect(auth_port) as sock:
        sock.sendall(b"\x05\x01\x02" + socks.login_bytes(user, password))
        assert read_exact(sock, 2) == b"\x05\x02"
        answer, _ = how_it_ends(sock)
        assert len(answer) == 2 and answer[0] == 1 and answer[1] != 0


def test_login_is_not_optional(auth_port, echo):
    with connect(auth_port) as sock:
        sock.sendall(b"\x05\x01\x00" + request_bytes("127.0.0.1", echo.port))
        assert read_exact(sock, 2) == b"\x05\xff"
        assert how_it_ends(sock)[0] == b""


def test_credentials_never_reach_the_log(proxies, auth_port, echo):
    test_login(auth_port, echo)
    assert "p:w0rd" not in proxies.log()
