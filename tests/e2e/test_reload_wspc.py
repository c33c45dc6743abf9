"""SIGHUP to wspc: entries are compared, and only what differs is touched."""

import pytest

from harness import socks
from harness.channels import Opener, echoes, tcp
from harness.daemons import LISTENING, PASSWORD, USER, entry
from harness.env import DIALECTS
from harness.http_client import exchange
from harness.net import connect, eventually, free_port, how_it_ends, listen
from harness.reverse import REGISTERED, Service, request, services


def by_socks(wspc, echo):
    return socks.open_socks(wspc.port("socks5"), "127.0.0.1", echo.port)


def is_closed(port):
    try:
        connect(port).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.fixture
def server(farm):
    return farm.wsps()


@pytest.fixture
def first(server):
    """An entry of `client` with both proxies."""
    return entry(server.config["port"])


def test_nothing_has_changed(farm, server, first, echo):
    first["remote"] = [tcp("echo", echo)]
    wspc = farm.wspc(first)
    wspc.wait_line(REGISTERED)
    with by_socks(wspc, echo) as sock:
        since = wspc.reload()
        assert echoes(sock)
        with by_socks(wspc, echo) as another:
            assert echoes(another)
    lines = wspc.lines[since:]
    assert not [line for line in lines if "listening" in line or "registered" in line]
    assert len([line for line in server.lines if " up, from " in line]) == 1


# ---- listeners


def test_listeners_come_and_go(farm, first, echo):
    wspc = farm.wspc(first)
    old, kept = wspc.port("socks5"), wspc.port("http")
    new = free_port()
    with by_socks(wspc, echo) as sock, connect(kept) as idle:
        since = wspc.reload(
            client=[{**first, "dynamic": [f"socks5://127.0.0.1:{new}", first["dynamic"][1]]}]
        )
        assert is_closed(old)
        with by_socks(wspc, echo) as another:
            assert echoes(another)
        assert echoes(sock), "a connection of a closed listener was cut"
        idle.sendall(request(f"GET http://127.0.0.1:{free_port()}/"))
        assert idle.recv(12) == b"HTTP/1.1 502"
        assert len([x for x in wspc.lines[since:] if "listening" in x]) == 1
        wspc.reload(client=[{**first, "dynamic": []}])
        assert is_closed(new) and is_closed(kept)
        assert echoes(sock)


def test_another_kind_at_the_same_port(farm, first, echo):
    wspc = farm.wspc(first)
    port = wspc.port("socks5")
    with by_socks(wspc, echo) as sock:
        wspc.reload(client=[{**first, "dynamic": [f"http://127.0.0.1:{port}"]}])
        with connect(port) as proxy:
            line = f"CONNECT 127.0.0.1:{echo.port}"
            assert exchange(proxy, request(line), "CONNECT").status == 200
            assert echoes(proxy)
        assert echoes(sock)


def test_address_is_taken(farm, first, echo):
    """The rest is applied, and it is opened once it is free."""
    wspc = farm.wspc(first)
    with listen() as holder:
        port = holder.getsockname()[1]
        other = free_port()
        taken = [f"socks5://127.0.0.1:{port}", f"http://127.0.0.1:{other}"]
        since = wspc.reload(client=[{**first, "dynamic": taken}])
        wspc.wait_line(
            f"error link 1: listen on 127.0.0.1:{port}: Address already in use; trying again",
            since=since,
        )
        connect(other).close()
    wspc.wait_line(LISTENING + f".*:{port}", since=since)
    with by_socks(wspc, echo) as sock:
        assert echoes(sock)


def test_dynamic_auth(farm, first, echo):
    wspc = farm.wspc(first)
    with by_socks(wspc, echo) as sock:
        wspc.reload(client=[{**first, "dynamic_auth": f"{USER}:{PASSWORD}"}])
        with connect(wspc.port("socks5")) as asked:
            asked.sendall(b"\x05\x02\x00\x02")
            assert asked.recv(2) == b"\x05\x02"
            wspc.reload(client=[first])  # in the middle of the dialogue
            asked.sendall(socks.login_bytes(USER, PASSWORD))
            assert how_it_ends(asked)[1] == "eof"
        with by_socks(wspc, echo) as another:
            assert echoes(another)
        assert echoes(sock)


def test_limits(farm, first, echo):
    wspc = farm.wspc(first)
    with by_socks(wspc, echo) as sock:
        wspc.reload(limits={"connections": 1, "memory": 1 << 20})
        with connect(wspc.port("socks5")) as waits:
            waits.sendall(b"\x05\x01\x00")
            waits.settimeout(0.1)
            with pytest.raises(TimeoutError):
                waits.recv(2)
            wspc.reload(limits=None)
            waits.settimeout(10)
            assert waits.recv(2) == b"\x05\x00"
        assert echoes(sock)


# ---- registrations


@pytest.fixture(params=DIALECTS)
def dialect(request):
    return request.param


def status(server, path):
    with connect(server.config["port"]) as sock:
        return exchange(sock, request(f"GET {path}")).status


def test_services_come_and_go(farm, server, dialect):
    """In 0.10 the server cannot be told that one has gone: it is refused here."""
    gone = 404 if dialect == "wsp.1" else 502
    with Service() as a, Service() as b:
        remotes = {"a": a.remote("a"), "b": b.remote("b"), "c": b.remote("c")}
        only = services(server.config["port"], remotes["a"], remotes["b"], dialect=dialect)
        wspc = farm.wspc(only)
        wspc.wait_line(REGISTERED, count=2)
        with connect(server.config["port"]) as kept:
            assert exchange(kept, request("GET /a/length/1")).status == 200
            since = wspc.reload(client=[{**only, "remote": [remotes["a"], remotes["c"]]}])
            wspc.wait_line(REGISTERED + "http:path:c", since=since)
            assert exchange(kept, request("GET /a/length/1")).status == 200
            eventually(lambda: status(server, "/b/length/1") == gone, "b is gone")
            assert status(server, "/c/length/1") == 200
        since = wspc.reload(client=[only])
        wspc.wait_line("http:path:b is registered|registered http:path:b", since=since)
        assert status(server, "/b/length/1") == 200
        assert len(a.peers) == 1, "the service that stayed has lost its connection"


def test_another_target(farm, server, dialect):
    with Service() as a, Service() as b:
        only = services(server.config["port"], a.remote("api"), dialect=dialect)
        wspc = farm.wspc(only)
        wspc.wait_line(REGISTERED)
        since = wspc.reload(client=[{**only, "remote": [b.remote("api")]}])
        wspc.wait_line("http:path:api is registered|registered http:path:api", since=since)
        assert status(server, "/api/length/1") == 200
        assert b.requests and not a.requests


def test_another_password(farm, server, echo, dialect):
    port = server.config["port"]
    only = services(port, tcp("ssh:old", echo), dialect=dialect)
    wspc = farm.wspc(only)
    wspc.wait_line(REGISTERED)
    opener = Opener(farm, port, "ssh:old", "ssh:new")
    with opener.connect("ssh:old") as sock:
        assert echoes(sock)
        assert opener.refuses("ssh:new")
        since = wspc.reload(client=[{**only, "remote": [tcp("ssh:new", echo)]}])
        wspc.wait_line("ssh is registered|registered ssh", since=since)
        assert opener.refuses("ssh:old")
        with opener.connect("ssh:new") as another:
            assert echoes(another)
        assert echoes(sock), "an open connection was cut"


# ---- entries


def test_one_of_two_alike(farm, server, echo):
    """Both lead to the same server in the same way; the one that stays is found by what it has."""
    port = server.config["port"]
    serving = services(port, tcp("echo", echo))
    using = {**serving, "remote": [], "local": [tcp("echo", free_port())]}
    wspc = farm.wspc(serving, using, time={"drain": 30})
    wspc.wait_line(REGISTERED)
    local = int(using["local"][0].rsplit(":", 1)[1])
    with connect(local) as sock:
        assert echoes(sock)
        since = wspc.reload(client=[using])
        wspc.wait_line("link 1: configured no more", since=since)
        assert echoes(sock)
        wspc.reload(client=[{**using, "local": []}, serving])
        assert echoes(sock)
    wspc.wait_line(REGISTERED, since=since)
    assert not [x for x in wspc.lines[since:] if "link 2: down" in x]


def test_entry_vanishes(farm, server, first):
    with Service() as service:
        wspc = farm.wspc(first, services(server.config["port"], service.remote("api")))
        wspc.wait_line(REGISTERED)
        assert status(server, "/api/length/1") == 200
        wspc.reload(client=[first])
        gone = (404, 503)  # 0.10: the link ends, the name with it
        eventually(lambda: status(server, "/api/length/1") in gone, "the service is gone")


def test_another_connection_drains_the_old(farm, server, first, echo):
    """A new link is made; on the old one what is open may finish, then it ends."""
    wspc = farm.wspc(first, time={"drain": 30})
    with by_socks(wspc, echo) as sock:
        server.reload(auth="new")
        since = wspc.reload(client=[{**first, "auth": "new"}])
        wspc.wait_link(2, since=since)
        with by_socks(wspc, echo) as another:
            assert echoes(another)
        assert echoes(sock)
        ended = server.mark()
    server.wait_line("link 1: ended", since=ended)


def test_drain_time(farm, server, first, echo):
    wspc = farm.wspc(first, entry(server.config["port"]))
    with by_socks(wspc, echo) as sock:
        since = wspc.reload(client=[wspc.config["client"][1]])
        wspc.wait_line("link 1: ending what is still open", since=since)
        assert how_it_ends(sock) == (b"", "reset")


def test_names_move_to_another_entry(farm, server, echo):
    """Its connection differs, so that it is another client for the server."""
    old = services(server.config["port"], tcp("echo", echo))
    wspc = farm.wspc(old)
    wspc.wait_line(REGISTERED)
    since = wspc.reload(client=[{**old, "headers": {"X-Other": "1"}}])
    wspc.wait_line(REGISTERED, since=since)


def test_listener_moves_to_another_entry(farm, server, first, echo):
    wspc = farm.wspc(first, services(server.config["port"], headers={"X-Other": "1"}))
    with by_socks(wspc, echo) as sock:
        second = wspc.config["client"][1]
        wspc.reload(client=[{**first, "dynamic": []}, {**second, "dynamic": first["dynamic"]}])
        with socks.open_socks(wspc.port("socks5", 1), "127.0.0.1", echo.port) as another:
            assert echoes(another)
        assert echoes(sock)
