"""Options, exit statuses, configuration errors, signals."""

import json
import os
import re
import signal
import socket
import subprocess
import time

import pytest

from harness import socks
from harness.daemons import AUTH, SANITIZER, command, entry, environment
from harness.env import ROOT, patience
from harness.net import eventually, free_port, how_it_ends, listen, read_exact
from harness.tcp_origins import ScriptOrigin

BOTH = pytest.mark.parametrize("name", ["wsps", "wspc"])


def minimal(name):
    if name == "wsps":
        return {"bind": "127.0.0.1", "port": free_port(), "auth": AUTH}
    return {"client": [entry(free_port())]}


def listener_port(config, index):
    return int(config["client"][0]["dynamic"][index].split(":")[2])


def run(name, *args, cwd=None, limit=10):
    """Runs a daemon that should end by itself: (exit status, standard output, error output)."""
    done = subprocess.run(
        command(name, *args),
        cwd=cwd,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=patience(limit),
        check=False,
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    assert not SANITIZER.search(out + err), out + err
    return done.returncode, out, err


@pytest.fixture
def write(tmp_path):
    """Writes a configuration, as text or as JSON, and returns its path."""

    def write(config, file="test.json"):
        path = tmp_path / file
        path.write_text(config if isinstance(config, str) else json.dumps(config))
        return path

    return write


# ---- options


@BOTH
def test_version(name):
    header = (ROOT / "include/wsp/version.h").read_text()
    told = dict(re.findall(r'#define (\w+) "(.*)"', header))
    status, out, _ = run(name, "-v")
    assert status == 0
    for value in (told["WSP_VERSION"], told["WSP_RELEASE_DATE"], told["WSP_PROTOCOL"]):
        assert value in out


@BOTH
def test_help(name):
    status, out, _ = run(name, "-h")
    assert status == 0
    assert all(option in out for option in ("-c", "-t", "-v", "-h")) and f"{name}.json" in out


@BOTH
@pytest.mark.parametrize("args", [["-x"], ["-c"], ["--nonsense"], ["extra"]])
def test_bad_usage(name, args):
    status, out, err = run(name, *args)
    assert status == 2 and out == "" and err


@BOTH
def test_check_of_a_good_file(name, write):
    config = minimal(name)
    status, out, err = run(name, "-t", "-c", write(config))
    assert status == 0, out + err


@BOTH
def test_check_opens_nothing(name, write):
    """A running daemon's file can be checked: its ports are taken, its log is in use."""
    config = minimal(name)
    with listen(port=config["port"] if name == "wsps" else listener_port(config, 0)):
        assert run(name, "-t", "-c", write(config))[0] == 0


@BOTH
def test_default_file(name, write, tmp_path):
    write(minimal(name), f"{name}.json")
    assert run(name, "-t", cwd=tmp_path)[0] == 0
    (tmp_path / f"{name}.json").unlink()
    status, out, err = run(name, "-t", cwd=tmp_path)
    assert status == 1 and f"{name}.json" in out + err


# ---- configuration errors: one line, exit status 1, nothing opened


def assert_config_error(name, path, *texts, options=()):
    status, out, err = run(name, *options, "-c", path)
    assert status == 1, out + err
    lines = (out + err).strip().split("\n")
    assert len(lines) == 1, lines
    for text in texts:
        assert text in lines[0], lines[0]
    return lines[0]


@BOTH
def test_missing_file(name, tmp_path):
    assert_config_error(name, tmp_path / "none.json", "none.json", "No such file")


@BOTH
def test_unreadable_file(name, tmp_path):
    assert_config_error(name, tmp_path, str(tmp_path))


@BOTH
@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"port": 1,}', "{} {}", '{"a": "\\x"}', "\x00"]
)
def test_no_json_object(name, write, text):
    assert_config_error(name, write(text), "test.json")


@BOTH
def test_place_of_a_syntax_error(name, write):
    assert_config_error(name, write('{\n  "port": 8010\n  "path": "/"\n}'), "test.json:3:3: ")


FAULTS = [
    ("wsps", '{\n  "prot": 8010\n}', ["test.json:2:3", "prot", "port"]),
    ("wsps", "{}", ["port"]),
    ("wsps", '{"port": "8010"}', [":1:10: port: "]),
    ("wsps", '{"port": 0}', ["port", "1", "65535"]),
    ("wsps", '{"port": 65536}', ["port"]),
    ("wsps", '{"port": 8010.5}', ["port"]),
    ("wsps", '{"port": 8010, "port": 8011}', ["port"]),
    ("wsps", '{"port": 8010, "bind": "nowhere.example"}', ["bind"]),
    ("wsps", '{"port": 8010, "path": "/a b"}', ["path"]),
    ("wsps", '{"port": 8010, "auth": 5}', ["auth"]),
    ("wsps", '{"port": 8010, "log": {"level": "loud"}}', ["log.level", "debug"]),
    ("wsps", '{"port": 8010, "log": {"file": "x"}}', ["log: ", "file", "output"]),
    ("wsps", '{"port": 8010, "time": {"dial": -1}}', ["time.dial"]),
    ("wsps", '{"port": 8010, "time": {"ping": 60, "dead": 30}}', ["time.dead", "ping"]),
    ("wsps", '{"port": 8010, "egress": {"deny": ["10.0.0.0/33"]}}', ["egress.deny[0]"]),
    ("wsps", '{"port": 8010, "egress": {"allow": ["a b"]}}', ["egress.allow[0]"]),
    ("wspc", "{}", ["client"]),
    ("wspc", '{"client": []}', ["client"]),
    ("wspc", '{"client": {}}', ["client"]),
    ("wspc", '{"client": [{}]}', ["client[0]", "server"]),
    ("wspc", '{"client": [{"server": "http://x"}]}', ["client[0].server", "ws://"]),
    ("wspc", '{"client": [{"server": "ws://x:0"}]}', ["client[0].server"]),
    (
        "wspc",
        '{"client": [{"server": "ws://x", "dynamics": []}]}',
        ["client[0]: ", "dynamics", '"dynamic"'],
    ),
    (
        "wspc",
        '{"client": [{"server": "ws://x"},\n{"server": "ws://x", "dynamic": [\n'
        '"socks5://:1080",\n  "socks4://:1081"]}]}',
        ["test.json:4:3: client[1].dynamic[1]: "],
    ),
    ("wspc", '{"client": [{"server": "ws://x", "dynamic": ["http://:99999"]}]}', [".dynamic[0]"]),
    (
        "wspc",
        '{"client": [{"server": "ws://x", "dynamic": ["http://:1080", "socks5://:1080"]}]}',
        ["client[0].dynamic[1]"],
    ),
    ("wspc", '{"client": [{"server": "ws://x", "dynamic_auth": "x"}]}', [".dynamic_auth"]),
]


@pytest.mark.parametrize("name, text, told", FAULTS)
def test_faults_are_named(name, write, text, told):
    path = write(text)
    line = assert_config_error(name, path, *told, options=["-t"])
    assert assert_config_error(name, path) == line


@BOTH
def test_errors_never_show_secrets(name, write):
    secret = "hunter2-hunter2"
    config = minimal(name)
    if name == "wsps":
        config["auth"] = secret + "\n"
    else:
        config["client"][0].update(auth=secret + "\n", dynamic=[f"socks5://chan:{secret}@:x"])
    assert secret not in assert_config_error(name, write(config))


# ---- failures at the start: an error and exit status 1, never a daemon that serves nothing


def test_wsps_port_in_use(write):
    config = minimal("wsps")
    with listen(port=config["port"]):
        status, out, err = run("wsps", "-c", write(config))
    assert status == 1 and str(config["port"]) in out + err and "in use" in out + err


def test_wspc_port_in_use(write):
    config = minimal("wspc")
    port = listener_port(config, 1)
    with listen(port=port):
        status, out, err = run("wspc", "-c", write(config))
    assert status == 1 and str(port) in out + err and "in use" in out + err


@pytest.mark.parametrize("text", [None, "", "this is no certificate\n"])
def test_unusable_upstream_ca(write, tmp_path, text):
    file = tmp_path / "ca.pem"
    if text is not None:
        file.write_text(text)
    config = {**minimal("wsps"), "upstream_ca": {"mine": str(file)}}
    status, out, err = run("wsps", "-c", write(config))
    assert status == 1 and "upstream_ca.mine" in err and str(file) in err


@BOTH
def test_unwritable_log(name, write):
    config = {**minimal(name), "log": {"output": "/nonexistent/wsp.log"}}
    status, out, err = run(name, "-c", write(config))
    assert status == 1 and "/nonexistent/wsp.log" in out + err


def test_address_of_another_machine(write):
    config = {**minimal("wsps"), "bind": "192.0.2.77"}
    status, out, err = run("wsps", "-c", write(config))
    assert status == 1 and "192.0.2.77" in out + err


# ---- logs


def test_log_file(farm, tmp_path, echo):
    file = tmp_path / "wsps.log"
    server = farm.start("wsps", {**minimal("wsps"), "log": {"output": str(file)}})
    eventually(lambda: file.exists() and "listening on" in file.read_text(), "the log is written")
    server.stop()
    size = file.stat().st_size
    server = farm.start("wsps", server.config)
    eventually(lambda: file.stat().st_size > size, "the log is appended to")
    assert "listening on" not in server.log()


def test_levels(farm, echo):
    """Error is silent when all is well, info tells what is served; no level shows a secret."""
    for level in ("error", "info", "debug", "trace"):
        server = farm.start("wsps", {**minimal("wsps"), "path": "/proxy", "log": {"level": level}})
        client = entry(server.config["port"], dynamic_auth="user:s3cret-of-the-proxy")
        config = {"client": [client], "log": {"level": level}, "time": {"reconnect_max": 0.5}}
        wspc = farm.start("wspc", config)
        eventually(lambda: reaches(wspc, echo.port), "the link is up")
        logs = server.log() + wspc.log()
        assert AUTH not in logs and "s3cret-of-the-proxy" not in logs
        assert ("listening on" in logs) == (level != "error"), level
        assert level != "error" or logs == "", logs
        server.stop()


def reaches(wspc, port):
    try:
        with socks.greet(wspc.port("socks5"), "user", "s3cret-of-the-proxy") as sock:
            sock.sendall(socks.request_bytes("127.0.0.1", port))
            return socks.read_reply(sock).code == socks.SUCCEEDED
    except (OSError, EOFError):
        return False


def test_open_proxy_listener_is_warned_about(farm):
    """Not on loopback, without credentials: anybody there can use it."""
    server = farm.wsps()
    client = entry(server.config["port"])
    client["dynamic"] = [f"socks5://:{free_port()}"]
    assert re.search(r"(?i)warn.*socks5|socks5.*(anyone|any|open)", farm.wspc(client).log())
    client = entry(server.config["port"], dynamic_auth="user:password", dialect="0.10")
    client["dynamic"] = [f"socks5://:{free_port()}"]
    assert not re.search(r"(?i)warn", farm.wspc(client).log())


def test_secrets_are_not_in_the_process_title(farm):
    server, wspc = farm.pair()
    for daemon in (server, wspc):
        with open(f"/proc/{daemon.process.pid}/cmdline", "rb") as file:
            assert AUTH.encode() not in file.read()


# ---- signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_is_prompt_and_clean(farm, number):
    server, wspc = farm.pair(time={"drain": 30})
    for daemon in (wspc, server):
        began = time.monotonic()
        daemon.signal(number)
        assert daemon.wait_end() == 0
        assert time.monotonic() - began < patience(2)


def test_stop_without_a_link(farm):
    wspc = farm.wspc(entry(free_port()), link=False)
    wspc.signal(signal.SIGTERM)
    assert wspc.wait_end(2) == 0


@pytest.mark.parametrize("who", ["wsps", "wspc"])
def test_open_connections_are_drained(farm, who):
    """SIGTERM lets them finish, and nothing new is accepted."""
    server, wspc = farm.pair(time={"drain": 20})
    daemon = server if who == "wsps" else wspc
    with ScriptOrigin() as script:
        with socks.open_socks(wspc.port("socks5"), "127.0.0.1", script.port) as sock:
            target = script.accept()
            daemon.signal(signal.SIGTERM)
            eventually(lambda: refuses(daemon), "the listener is closed")
            target.sendall(b"the rest")
            assert read_exact(sock, 8) == b"the rest"
            target.shutdown(socket.SHUT_RDWR)
            assert how_it_ends(sock) == (b"", "eof")
        assert daemon.wait_end(4) == 0


def refuses(daemon):
    port = daemon.config["port"] if daemon.name == "wsps" else daemon.port("socks5")
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.parametrize("who", ["wsps", "wspc"])
@pytest.mark.parametrize("second", [True, False])
def test_end_of_the_drain(farm, who, second):
    """A second signal, or the time, ends what is still open."""
    server, wspc = farm.pair(time={"drain": 30 if second else 1})
    daemon = server if who == "wsps" else wspc
    with ScriptOrigin() as script:
        with socks.open_socks(wspc.port("socks5"), "127.0.0.1", script.port) as sock:
            script.accept()
            daemon.signal(signal.SIGTERM)
            eventually(lambda: refuses(daemon), "the listener is closed")
            if second:
                daemon.signal(signal.SIGTERM)
            assert daemon.wait_end(4) == 0
            assert how_it_ends(sock)[0] == b""


def test_restart_on_the_same_port(farm):
    """Connections of the old process in TIME_WAIT are no obstacle."""
    server, wspc = farm.pair()
    with ScriptOrigin() as script:
        with socks.open_socks(wspc.port("socks5"), "127.0.0.1", script.port):
            script.accept()
            server.signal(signal.SIGTERM)
            assert server.wait_end() == 0
    since = wspc.mark()
    farm.wsps(port=server.config["port"])
    wspc.wait_link(since=since)


def test_broken_output_does_not_end_a_daemon(tmp_path):
    """Who read its log is gone: SIGPIPE must not end it."""
    config = {**minimal("wsps"), "log": {"level": "trace"}}
    file = tmp_path / "wsps.json"
    file.write_text(json.dumps(config))
    reader, writer = os.pipe()
    process = subprocess.Popen(command("wsps", "-c", file), stdout=writer, env=environment())
    os.close(writer)
    try:
        told = b""
        while b"listening on" not in told:
            told += os.read(reader, 4096)
        os.close(reader)
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", config["port"]), 5) as sock:
                sock.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
                assert how_it_ends(sock)[0].startswith(b"HTTP/1.1 404 ")
    finally:
        process.terminate()
        assert process.wait(10) == 0
