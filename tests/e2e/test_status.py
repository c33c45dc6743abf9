"""--status: what the tables and the document say, who may ask, what becomes of the socket."""

import itertools
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from harness import socks
from harness.channels import connect_unix
from harness.daemons import AUTH, SANITIZER, command, entry, environment
from harness.env import DIALECTS, patience
from harness.net import connect, eventually, free_port, read_all, read_exact
from harness.reverse import REGISTERED, request, services

OPEN = "status: listening on "
NOBODY = 65534
SECRET = "pa55word"


@pytest.fixture
def folder():
    """For sockets: pytest's own directories have too long names."""
    path = Path(tempfile.mkdtemp(prefix="wsp-"))
    yield path
    shutil.rmtree(path)


def ask(name, *options, **run):
    """--status: (exit status, standard output, error output)."""
    done = subprocess.run(
        command(name, "--status", *options),
        env=environment(),
        capture_output=True,
        timeout=patience(20),
        check=False,
        **run,
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    assert not SANITIZER.search(out + err), out + err
    return done.returncode, out, err


def document(daemon):
    code, out, err = ask(daemon.name, "--json", "-c", daemon.file)
    assert code == 0 and err == "", err
    assert SECRET not in out and AUTH not in out
    return json.loads(out)


def tables(daemon):
    code, out, err = ask(daemon.name, "-c", daemon.file)
    assert code == 0 and err == "", err
    assert SECRET not in out and AUTH not in out
    for line in out.splitlines():
        wide = sum(unicodedata.east_asian_width(c) in "WF" for c in line)
        assert len(line) + wide <= 80 and line.isprintable(), repr(line)
    return out


@pytest.fixture
def start(farm, folder):
    """Starts a daemon of a farm, with a socket of its own, and waits for that."""
    numbers = itertools.count()

    def start(name, *args, **config):
        path = str(folder / f"{next(numbers)}.sock")
        daemon = getattr(farm, name)(*args, status=path, **config)
        daemon.wait_line(OPEN)
        return daemon

    return start


# ---- what is said


@pytest.mark.parametrize("dialect", DIALECTS)
def test_traffic(start, echo, dialect):
    server = start("wsps")
    client = start("wspc", entry(server.config["port"], "socks5", dialect=dialect))
    data = b"x" * 100_000
    with socks.open_socks(client.port("socks5"), "127.0.0.1", echo.port) as sock:
        sock.sendall(data)
        assert read_exact(sock, len(data)) == data
        s, c = document(server), document(client)
        (here,), (there,) = s["links"], c["clients"][0]["links"]
        assert (s["program"], s["pid"]) == ("wsps", server.process.pid)
        assert s["config"] == str(server.file.resolve())
        assert (c["program"], c["pid"]) == ("wspc", client.process.pid)
        assert here["dialect"] == there["dialect"] == dialect
        assert here["name"] == "link 1" and here["address"].startswith("127.0.0.1:")
        assert 0 <= here["age_s"] <= s["uptime_s"] <= 60
        for link in (here, there):
            assert (link["channels"], link["channels_opened"]) == (1, 1)
            assert len(data) < link["bytes_in"] < 1.1 * len(data)
            assert len(data) < link["bytes_out"] < 1.1 * len(data)
        for channel in s["channels"] + c["channels"]:
            assert channel["state"] == "open"
            assert channel["bytes_in"] == channel["bytes_out"] == len(data)
        assert len(s["channels"]) == len(c["channels"]) == 1
        assert (s["usage"]["forwarded"], s["usage"]["connections"]) == (1, 1)
        assert c["clients"][0]["listeners"][0]["connections"] == 1
        assert s["limits"]["links"] == 1024 and 0 < s["memory"]["limit_bytes"]
        assert here["address"] in tables(server) and "up" in tables(client)
    eventually(lambda: document(server)["usage"]["channels"] == 0, "the channel is gone")
    eventually(
        lambda: document(server)["totals"]["bytes_in"] == document(client)["totals"]["bytes_out"],
        "what one has sent the other has received",
    )
    client.stop()
    eventually(lambda: document(server)["links"] == [], "the link is gone")
    totals = document(server)["totals"]
    assert (totals["links"], totals["channels_opened"]) == (1, 1)
    assert totals["bytes_in"] >= here["bytes_in"]


def test_what_waits_and_what_is_refused(start, echo):
    """Bytes that a reader leaves show as held; refusals and requests for a link are counted."""
    server = start("wsps", egress={"deny": ["192.0.2.1"]})
    client = start("wspc", entry(server.config["port"], "socks5"))
    assert socks.code_of(client.port("socks5"), "192.0.2.1", 80) != socks.SUCCEEDED
    with socket.create_connection(("127.0.0.1", server.config["port"])) as sock:
        sock.sendall(request("GET /proxy"))
        read_all(sock)
    totals = document(server)["totals"]
    assert (totals["channels_refused"], totals["links_refused"]) == (1, 1)
    with socks.open_socks(client.port("socks5"), "127.0.0.1", echo.port) as sock:
        sock.setblocking(False)

        def held():
            try:
                while sock.send(bytes(1 << 16)):
                    pass
            except BlockingIOError:
                pass
            return document(client)["clients"][0]["links"][0]["held_bytes"]

        eventually(lambda: held() > 0, "bytes wait for the reader", 20)
        memory = document(client)["memory"]
        assert memory["buffers_bytes"] >= 8000 and memory["reserved_bytes"] > 0


def test_a_crowd_is_counted(start):
    limits = {"handshakes_per_second": 1}
    server = start("wsps", proxy_protocol="required", limits=limits)
    head = b"PROXY TCP4 203.0.113.7 203.0.113.7 4711 80\r\n" + request("GET /x")

    def is_refused():
        with connect(server.config["port"]) as sock:
            sock.sendall(head)
            try:
                return sock.recv(1) == b""
            except ConnectionResetError:
                return True

    refused = sum(is_refused() for _ in range(20))
    assert 0 < document(server)["totals"]["connections_refused"] == refused
    assert document(server)["limits"]["handshakes_per_second"] == 1


def test_names_and_users(start, echo, origin):
    server = start("wsps")
    port = server.config["port"]
    remotes = [
        f"http://127.0.0.1:{origin.port}?mode=path&value=api",
        f"tcp://ssh:{SECRET}@127.0.0.1:{echo.port}",
    ]
    client = start("wspc", services(port, *remotes))
    client.wait_line(REGISTERED, count=2)
    local = free_port()
    url = f"tcp://ssh:{SECRET}@127.0.0.1:{local}"
    opener = start("wspc", entry(port, dynamic=[], local=[url]))
    with socket.create_connection(("127.0.0.1", local)) as sock:
        sock.sendall(b"hello")
        assert read_exact(sock, 5) == b"hello"
        names = {n["name"]: n for n in document(server)["names"]}
        assert names.keys() == {"http:path:api", "ssh"}
        assert (names["ssh"]["kind"], names["ssh"]["users"]) == ("channel", 1)
        api = names["http:path:api"]
        assert (api["kind"], api["value"], api["users"], api["online"]) == ("http", "api", 0, True)
        assert api["link"] == "link 1"
        assert document(server)["usage"]["crossings"] == 1
        assert "http:path:api" in tables(server)
    eventually(lambda: document(server)["usage"]["crossings"] == 0, "nobody uses ssh")
    registered = document(client)["clients"][0]["remote"]
    assert [r["state"] for r in registered] == ["registered"] * 2
    (listener,) = document(opener)["clients"][0]["listeners"]
    assert (listener["kind"], listener["channel"]) == ("local", "ssh")
    assert "ssh" in tables(opener)
    client.stop()
    eventually(lambda: document(server)["usage"]["names_offline"] == 1, "only the service's name")
    assert document(server)["usage"]["names"] == 0
    assert "offline" in tables(server)


def test_what_does_not_work(start):
    """A link that is sought, and a name that another client has."""
    server = start("wsps")
    remote = f"tcp://ssh:{SECRET}@127.0.0.1:22"
    first = services(server.config["port"], remote)
    entries = [first, first, entry(free_port(), dynamic=[], auth=None)]
    client = start("wspc", *entries, link=False)
    client.wait_line("link 2: remote .* not registered")
    client.wait_link_failed(3)
    one, two, three = document(client)["clients"]
    assert one["remote"][0]["state"] == "registered"
    assert two["remote"][0]["state"] == "refused"
    assert "already registered" in two["remote"][0]["last_error"]
    assert 0 < two["remote"][0]["next_try_s"] <= 60
    assert "connection refused" in three["links"][0]["last_error"]
    out = tables(client)
    assert "already registered" in out and "connection refused" in out and "next try in" in out


def test_hostile_names(start):
    """Names of any bytes are valid JSON, and tables keep their width and the terminal its state."""
    server = start("wsps")
    names = ["%1b%5b2J%0a%22%5c", "%ff%fe", "%c2%9b31m", "%e6%97%a5" * 85, "x" * 256]
    remotes = [f"tcp://{name}:{SECRET}@127.0.0.1:22" for name in names]
    client = start("wspc", services(server.config["port"], *remotes))
    client.wait_line(REGISTERED, count=len(names))
    said = {n["name"] for n in document(server)["names"]}
    assert said == {'\x1b[2J\n"\\', "\ufffd\ufffd", "\x9b31m", "\u65e5" * 85, "x" * 256}
    assert "x" * 20 in tables(server) and "x" * 20 in tables(client)


@pytest.mark.parametrize("name", ["wsps", "wspc"])
def test_reload(start, name):
    """The socket moves with the file."""
    args = {"wsps": [], "wspc": [entry(free_port(), "socks5")]}[name]
    daemon = start(name, *args, **({"link": False} if name == "wspc" else {}))
    before = Path(daemon.config["status"])
    daemon.config["status"] = str(before.with_name("moved.sock"))
    daemon.file.write_text(json.dumps(daemon.config))
    daemon.signal(signal.SIGHUP)
    daemon.wait_line(f"{name}: reloaded")
    assert not before.exists() and document(daemon)["pid"] == daemon.process.pid


# ---- who asks


def test_no_daemon(folder, tmp_path):
    config = {"port": 8010, "status": str(folder / "x.sock")}
    (tmp_path / "wsps.json").write_text(json.dumps(config))
    for options in (["-c", tmp_path / "wsps.json"], []):
        code, out, err = ask("wsps", *options, cwd=tmp_path)
        assert code == 1 and out == ""
        assert err == f"wsps: {folder}/x.sock: no daemon answers there\n"
    (tmp_path / "wsps.json").write_text(json.dumps({"port": 8010, "status": "off"}))
    code, _, err = ask("wsps", cwd=tmp_path)
    assert code == 1 and "off" in err


def test_usage():
    done = subprocess.run(command("wsps", "--json"), capture_output=True, check=False)
    assert done.returncode == 2 and b"--status" in done.stderr


def test_default_place(farm, folder, tmp_path, monkeypatch):
    """With the same environment, and no configuration at hand, it is found."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(folder))
    server = farm.wsps()
    server.wait_line(OPEN)
    code, out, err = ask("wsps", "--json", cwd=folder)
    assert code == 0 and json.loads(out)["pid"] == server.process.pid, err
    second = farm.wsps()
    second.wait_line("no status socket")
    code, out, _ = ask("wsps", "--json", cwd=folder)
    assert code == 0 and json.loads(out)["pid"] == server.process.pid


def test_others_are_refused(start):
    """By the mode of the socket, and where that was changed, by who they are."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become another user")
    server = start("wsps")
    path = Path(server.config["status"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.parent.chmod(0o755)
    code = f"import socket; s = socket.socket(1); s.connect({str(path)!r}); print(s.recv(9))"
    as_nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": [], "capture_output": True}
    done = subprocess.run([sys.executable, "-c", code], check=False, **as_nobody)
    assert done.returncode and b"PermissionError" in done.stderr
    path.chmod(0o666)
    done = subprocess.run([sys.executable, "-c", code], check=False, **as_nobody)
    assert done.stdout == b"b''\n", done.stderr
    server.wait_line(f"status: refused to user {NOBODY}")


def test_many_at_once(start):
    """Fifty ask, while others connect and do not read, or say what nobody wants to hear."""
    server = start("wsps")
    path = server.config["status"]
    silent = [connect_unix(path) for _ in range(20)]
    for sock in silent[:10]:
        with suppress(BrokenPipeError):  # it may be through with us already
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")

    def one(_):
        with connect_unix(path) as sock:
            return json.loads(read_all(sock))["pid"]

    with ThreadPoolExecutor(50) as pool:
        assert set(pool.map(one, range(50))) == {server.process.pid}
    for sock in silent:
        sock.close()


# ---- the socket


def test_life_of_the_socket(start, farm, tmp_path):
    """One left behind is replaced, one in use is not, and a daemon that ends makes room."""
    server = start("wsps", time={"drain": 30})
    path = Path(server.config["status"])
    server.kill()
    assert path.is_socket()
    assert "no daemon answers there" in ask("wsps", "-c", server.file)[2]

    server = farm.wsps(status=str(path), time={"drain": 30})
    server.wait_line(OPEN)
    assert document(server)["pid"] == server.process.pid
    config = tmp_path / "second.json"
    config.write_text(json.dumps({"port": free_port(), "status": str(path)}))
    done = subprocess.run(
        command("wsps", "-c", config), env=environment(), capture_output=True, check=False
    )
    assert done.returncode == 1
    assert f"status: listen on {path}: Address already in use" in done.stderr.decode()
    assert document(server)["pid"] == server.process.pid

    client = farm.wspc(entry(server.config["port"], "socks5"))
    with socket.create_server(("127.0.0.1", 0)) as target:
        with socks.open_socks(client.port("socks5"), *target.getsockname()):
            server.signal(signal.SIGTERM)
            eventually(lambda: not path.exists(), "the socket is gone")
            successor = farm.wsps(port=server.config["port"], status=str(path))
            successor.wait_line(OPEN)
            assert document(successor)["pid"] == successor.process.pid
    assert server.wait_end() == 0
    assert path.exists()
    successor.stop()
    assert not path.exists()
