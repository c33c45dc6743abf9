"""The options of both daemons, each end to end; what ps shows; exit statuses."""

import signal
import subprocess
from types import SimpleNamespace

import pytest

from harness.channels import echoes
from harness.curl import fetch
from harness.daemons import AUTH, LISTENING, RELOADED, command, entry, environment
from harness.env import patience
from harness.net import connect, eventually, free_port
from harness.programs import run
from harness.reverse import REGISTERED
from harness.tcp_origins import EchoOrigin

PASSWORD = "pa55-of-the-channel"


def shown_of(process):
    """What others see of a process: its line in ps, and what /proc has of it."""
    shown = run("ps", "-ww", "-o", "args=", "-p", process.pid)
    for file in ("cmdline", "environ"):
        with open(f"/proc/{process.pid}/{file}", "rb") as stream:
            shown += stream.read()
    return shown.decode(errors="replace")


@pytest.fixture
def secret(tmp_path):
    file = tmp_path / "secret"
    file.write_text(AUTH + "\n")
    file.chmod(0o600)
    return file


@pytest.fixture
def world(farm, secret):
    """A wsps without a configuration file; wspc(…) starts one without a file that is up."""
    port = free_port()
    args = ["-p", port, "--bind", "127.0.0.1", "--path", "/proxy", "--auth-file", secret]
    wsps = farm.start("wsps", None, args=args)
    wsps.wait_line(LISTENING)
    url = f"ws://127.0.0.1:{port}/proxy"

    def wspc(*args, listeners=0, **options):
        daemon = farm.start("wspc", None, args=["-s", url, *args], **options)
        if listeners:
            daemon.wait_line(LISTENING, count=listeners)
        daemon.wait_link()
        return daemon

    return SimpleNamespace(port=port, url=url, wsps=wsps, wspc=wspc, secret=secret)


# ---- without a file


def test_forward_proxy(world, origin):
    """-p, --bind, --path, --auth-file; -s, -D twice, the secret in the environment."""
    socks, http = free_port(), free_port()
    wspc = world.wspc(
        "-D", f"socks5://127.0.0.1:{socks}", f"--dynamic=http://127.0.0.1:{http}",
        listeners=2, env={"WSP_AUTH": AUTH},
    )  # fmt: skip
    url = origin.url("/length/5")
    assert len(fetch("--socks5-hostname", f"127.0.0.1:{socks}", url)) == 5
    assert len(fetch("-x", f"http://127.0.0.1:{http}", url)) == 5
    for daemon in (world.wsps, wspc):
        assert AUTH not in shown_of(daemon.process) + daemon.log()


def test_channel(world, echo):
    """-R offers it, -L uses it at a port, -W as a pipe; none shows the password."""
    channel, auth = f"ssh:{PASSWORD}", ["--auth-file", world.secret]
    service = world.wspc("-R", f"tcp://{channel}@127.0.0.1:{echo.port}", *auth)
    service.wait_line(REGISTERED)
    port = free_port()
    user = world.wspc(f"-Ltcp://{channel}@127.0.0.1:{port}", *auth, listeners=1)
    with connect(port) as sock:
        assert echoes(sock)
    with pipe("-s", world.url, "-W", channel, *auth) as process:
        told = talk(process, b"through the pipe\n")
        shown = shown_of(process)
    assert told == b"through the pipe\n"
    assert process.returncode == 0
    shown += "".join(shown_of(d.process) + d.log() for d in (service, user))
    assert PASSWORD not in shown and "ssh:***" in shown


def pipe(*args):
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen(command("wspc", *args), env=environment(), **streams)


def talk(process, line):
    process.stdin.write(line)
    process.stdin.flush()
    told = process.stdout.readline()
    assert told, process.stderr.read()
    return told


def test_service(world, origin):
    """-R with a path, as in the README."""
    remote = f"http://{origin.authority}?mode=path&value=api"
    world.wspc("-R", remote, "--auth-file", world.secret).wait_line(REGISTERED)
    assert len(fetch(f"http://127.0.0.1:{world.port}/api/length/5")) == 5


def test_pipe_beside_a_proxy(farm, world, echo, origin, tmp_path):
    """-W leaves out what the file has besides its server, and -D works beside it."""
    service = f"tcp://ssh:{PASSWORD}@127.0.0.1:{echo.port}"
    world.wspc("-R", service, "--auth-file", world.secret).wait_line(REGISTERED)
    taken, free = free_port(), free_port()
    config = {"client": [{"server": world.url, "auth": AUTH, "dynamic": [f"http://:{taken}"]}]}
    farm.start("wspc", config).wait_line(LISTENING)
    file = farm.daemons[-1].file
    with pipe("-c", file, "-W", f"ssh:{PASSWORD}", "-D", f"http://127.0.0.1:{free}") as process:
        assert talk(process, b"x\n") == b"x\n"
        assert len(fetch("-x", f"http://127.0.0.1:{free}", origin.url("/length/5"))) == 5


def test_files_in_the_working_directory_are_not_read(farm, tmp_path):
    for name in ("wsps", "wspc"):
        (tmp_path / f"{name}.json").write_text("this is no JSON")
    for name, args in (("wsps", ["-p", "1"]), ("wspc", ["-s", "ws://h"])):
        assert ends(name, "-t", *args, cwd=tmp_path).status == 0
        assert ends(name, "-t", "--log-level", "warn", cwd=tmp_path).status == 1


# ---- over a file


def test_wsps_over_its_file(farm, origin, tmp_path):
    """The options win; --host allows services by domain; the log goes where --log-file says."""
    log, port = tmp_path / "the.log", free_port()
    config = {"bind": "127.0.0.1", "port": free_port(), "auth": AUTH, "log": {"level": "error"}}
    farm.start("wsps", config, args=["-p", port, "--host", "wsps.example.org",
                                     "--log-level", "info", "--log-file", log])  # fmt: skip
    eventually(lambda: log.exists() and "listening on" in log.read_text(), "it listens")
    client = entry(port, path="/", dynamic=[])
    client["remote"] = [f"http://{origin.authority}?mode=domain&value=www.example.org"]
    farm.wspc(client).wait_line(REGISTERED)
    host = "Host: www.example.org"
    assert len(fetch("-H", host, f"http://127.0.0.1:{port}/length/5")) == 5


def test_options_stay_over_a_reloaded_file(farm, secret):
    """The file of the secret is read again, too; without a configuration file only that one is."""
    port = free_port()
    config = {"bind": "127.0.0.1", "port": free_port(), "path": "/a"}
    args = ["-p", port, "--auth-file", secret]
    server = farm.start("wsps", config, args=args)
    alone = farm.start("wsps", None, args=["-p", free_port(), "--auth-file", secret])
    for daemon in (server, alone):
        daemon.wait_line(LISTENING)
    secret.write_text("another-s3cret\n")
    server.reload(path="/b", port=free_port(), auth="not-this-one")
    alone.signal(signal.SIGHUP)
    alone.wait_line(RELOADED)
    farm.wspc(entry(port, path="/b", auth="another-s3cret", dynamic=[]))
    secret.write_text("\n")
    since = server.mark()
    server.signal(signal.SIGHUP)
    server.wait_line("not reloaded.*--auth-file: .*its first line is empty", since=since)


def test_wspc_over_its_file(farm, world, echo):
    """With -s one more server, without it what is given is for the first one of the file."""
    config = {"client": [{"server": world.url, "auth": AUTH}], "log": {"level": "debug"}}
    ports = [free_port(), free_port()]
    for number, port in enumerate(ports):
        args = ["-D", f"http://127.0.0.1:{port}"]
        if number:
            args += ["-s", world.url, "--auth-file", world.secret]
        wspc = farm.start("wspc", config, args=args)
        wspc.wait_line(rf"link {number + 1}: HTTP proxy listening on 127\.0\.0\.1:{port}")
        for link in range(1, number + 2):
            wspc.wait_link(link)


# ---- how it ends


def ends(name, *args, cwd="/", **env):
    done = subprocess.run(
        command(name, *args), cwd=cwd, env={**environment(), **env}, stdin=subprocess.DEVNULL,
        capture_output=True, timeout=patience(10), check=False,
    )  # fmt: skip
    return SimpleNamespace(
        status=done.returncode, out=done.stdout.decode(), err=done.stderr.decode()
    )


WRONG = [
    ("wsps", ["--prot", "1"], 2, "wsps: --prot: unknown option: did you mean --port?"),
    ("wsps", ["-p"], 2, "wsps: -p: expected a value: -p PORT"),
    ("wsps", ["-p", "x"], 2, "wsps: -p: expected a whole number from 1 to 65535"),
    ("wsps", ["-p", "1", "--bind", "h"], 2, "wsps: --bind: expected an IPv4 or IPv6 address"),
    ("wsps", ["-p", "1", "--auth-file", "/none"], 1, "wsps: --auth-file: /none: No such file"),
    ("wsps", ["-p", "1", "--log-file", "/none/x"], 1, "wsps: log.output: /none/x: No such file"),
    ("wsps", ["-c", "/none"], 1, "wsps: /none: cannot open: No such file or directory"),
    ("wsps", [], 1, "wsps: wsps.json: cannot open: No such file or directory: -c FILE names"),
    ("wspc", ["ws://h"], 2, "wspc: argument 1 is no option"),
    ("wspc", ["-s", "ws://h", "-s", "ws://h"], 2, "wspc: -s: given twice"),
    ("wspc", ["-s", "http://h"], 2, "wspc: -s: expected ws"),
    ("wspc", ["-s", "ws://h", "-D", "http://:1", "-D", f"http://:{PASSWORD}"], 2,
     "wspc: -D 2: expected socks5://"),
    ("wspc", ["-s", "ws://h", "-W", f":{PASSWORD}"], 2, "wspc: -W: expected channel[:password]"),
    ("wspc", ["-D", "http://:1"], 1, "wspc: wspc.json: cannot open: No such file or directory: "),
]  # fmt: skip


@pytest.mark.parametrize("name, args, status, error", WRONG)
def test_what_is_wrong(name, args, status, error, tmp_path):
    """The option and the fix are named, no secret is shown, and nothing is started."""
    end = ends(name, *args, cwd=tmp_path)
    assert end.status == status and end.out == "", end
    assert end.err.startswith(error), end.err
    assert PASSWORD not in end.err
    assert len(end.err.splitlines()) <= 2


def test_port_in_use(echo):
    end = ends("wsps", "-p", str(echo.port), "--bind", "127.0.0.1")
    assert end.status == 1 and f":{echo.port}: Address already in use" in end.err


@pytest.mark.parametrize("mode, warned", [(0o600, False), (0o640, False), (0o644, True)])
def test_open_auth_file(secret, mode, warned):
    """Groups are how daemons get to read their secrets; the rest of the world has no business."""
    secret.chmod(mode)
    end = ends("wsps", "-t", "-p", "1", "--auth-file", secret)
    assert end.status == 0
    assert ("is open to all users" in end.err) == warned
    assert AUTH not in end.out + end.err


def test_empty_variable_is_not_set(tmp_path):
    """Or it would make an open proxy of a server whose file has a secret."""
    assert ends("wsps", "-t", "-p", "1", WSP_AUTH="").status == 0
    end = ends("wsps", "-t", "-p", "1", WSP_AUTH=" s3cret")
    assert end.status == 2 and end.err == "wsps: WSP_AUTH: must not start or end with a space\n"
