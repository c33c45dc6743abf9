"""Programs of others through named channels: OpenSSH, rsync, Redis, git."""

import getpass
import hashlib
import json
import os
import random
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness import daemons
from harness.channels import Rig, tcp
from harness.daemons import entry
from harness.env import volume
from harness.net import free_port
from harness.programs import Program, run
from harness.reverse import tool

MIB = 1 << 20
BLOB = random.Random(22).randbytes(volume(8 * MIB, 2 * MIB))
SHA = hashlib.sha256(BLOB).hexdigest()


def environment(home):
    """Of a client program: nothing of the user who runs the tests."""
    path = os.environ["PATH"]
    return {"PATH": path, "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C.UTF-8",
            "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com",
            "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com"}  # fmt: skip


class Channel:
    """A program's port as a channel, and the port that leads there."""

    def __init__(self, farm, name, program):
        self.name = f"{name}:s3cret"
        self.rig = Rig(farm, [tcp(self.name, program)], [self.name])
        self.port = self.rig.opener.ports[self.name]


# ---- OpenSSH

SSHD = """
ListenAddress 127.0.0.1
Port {port}
HostKey {dir}/host_key
AuthorizedKeysFile {dir}/user_key.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
MaxStartups 100
Subsystem sftp internal-sftp
"""

SSH = """
Host *
User {user}
IdentityFile {dir}/user_key
IdentitiesOnly yes
IdentityAgent none
UserKnownHostsFile {dir}/known_hosts
GlobalKnownHostsFile none
HostKeyAlias the-service
StrictHostKeyChecking yes
BatchMode yes
LogLevel ERROR
Host by-channel
HostName 127.0.0.1
Port {port}
Host by-command
HostName unused.invalid
ProxyCommand {command}
"""


class Ssh:
    """Our own sshd behind a channel, and a client's configuration to reach it."""

    def __init__(self, farm, directory):
        self.directory = directory
        tool("sshd", "openssh-server")
        self.make_keys()
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)  # where it puts its unprivileged part
        port = free_port()
        config = directory / "sshd_config"
        config.write_text(SSHD.format(dir=directory, port=port))
        self.program = Program(directory, port, tool("sshd", "openssh-server"), "-D", "-e", "-f",
                               config)  # fmt: skip
        self.channel = Channel(farm, "ssh", self.program)
        self.config = directory / "ssh_config"
        self.config.write_text(
            SSH.format(
                user=getpass.getuser(),
                dir=directory,
                port=self.channel.port,
                command=self.proxy_command(),
            )
        )

    def make_keys(self):
        keygen = tool("ssh-keygen", "openssh-client")
        for name in ("host_key", "user_key"):
            path = self.directory / name
            run(keygen, "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path)
        public = (self.directory / "host_key.pub").read_text()
        (self.directory / "known_hosts").write_text(f"the-service {public}")

    def proxy_command(self):
        """A wspc of its own for each connection, which joins standard input and output."""
        file = self.directory / "wspc.json"
        client = entry(self.channel.rig.port, dynamic=[])
        file.write_text(json.dumps({"log": {"level": "debug"}, "client": [client]}))
        return " ".join(daemons.command("wspc", "-c", file, "-W", self.channel.name))

    def run(self, *command, **options):
        home = environment(self.directory)
        return run(command[0], "-F", self.config, *command[1:], env=home, **options)

    def ssh(self, host, command, **options):
        return self.run("ssh", host, command, **options)


@pytest.fixture(scope="module")
def ssh(shared_farm, tmp_path_factory):
    ssh = Ssh(shared_farm, tmp_path_factory.mktemp("ssh"))
    yield ssh
    ssh.program.end()


def has_w():
    return b"-W" in run(*daemons.command("wspc", "-h"))


@pytest.fixture(params=["by-channel", "by-command"])
def host(request, ssh):
    if request.param == "by-command" and not has_w():
        pytest.skip("this wspc has no -W")
    return request.param


def test_ssh(ssh, host):
    assert ssh.ssh(host, "echo out; echo err >&2; exit 7", status=7) == b"out\n"
    assert ssh.ssh(host, "sha256sum", data=BLOB).split()[0].decode() == SHA


def test_ssh_sessions_at_once(ssh, host):
    def session(number):
        text = b"%d\n" % number
        return ssh.ssh(host, "cat; sleep 0.2", data=text * 1000) == text * 1000

    with ThreadPoolExecutor(5) as pool:
        assert all(pool.map(session, range(5)))


def test_ssh_session_that_is_cut(ssh):
    """Ended from its own side: the channel and both connections go."""
    client = subprocess.Popen(
        ["ssh", "-F", str(ssh.config), "by-channel", "echo up; sleep 60"],
        stdout=subprocess.PIPE,
        env=environment(ssh.directory),
    )
    try:
        assert client.stdout.readline() == b"up\n"
        since = ssh.channel.rig.service.mark()
    finally:
        client.terminate()
        client.wait(10)
        client.stdout.close()
    ssh.channel.rig.service.wait_line("INTERRUPT|FINISH sent", since=since)


@pytest.mark.parametrize("protocol", [[], ["-O"]], ids=["sftp", "scp"])
def test_scp(ssh, host, protocol, tmp_path):
    here, there, back = (tmp_path / name for name in ("here", "there", "back"))
    here.write_bytes(BLOB)
    tool("scp", "openssh-client")
    ssh.run("scp", "-q", *protocol, here, f"{host}:{there}")
    assert there.read_bytes() == BLOB
    ssh.run("scp", "-q", *protocol, f"{host}:{there}", back)
    assert back.read_bytes() == BLOB


def make_tree(top, large):
    """Files of many sizes, with a name that is no ASCII."""
    chance = random.Random(873)
    for number in range(200):
        folder = top / f"folder {number % 7}"
        folder.mkdir(parents=True, exist_ok=True)
        size = chance.choice([0, 1, 1000, 40_000])
        (folder / f"f\u00efle-{number}").write_bytes(chance.randbytes(size))
    (top / "large").write_bytes(large)


def tree(top):
    return {str(path.relative_to(top)): path.read_bytes()
            for path in sorted(top.rglob("*")) if path.is_file()}  # fmt: skip


def test_rsync(ssh, host, tmp_path):
    """There and back; the second time only what has changed."""
    rsync = tool("rsync", "rsync")
    here, there, back = (tmp_path / name for name in ("here", "there", "back"))
    make_tree(here, BLOB)

    def copy(source, target):
        shell = f"ssh -F {ssh.config}"
        command = [rsync, "-a", "--stats", "-e", shell, source, target]
        text = run(*command, env=environment(ssh.directory)).decode()
        return int(re.search(r"regular files transferred: (\d+)", text).group(1))

    assert copy(f"{here}/", f"{host}:{there}/") == 201
    assert tree(there) == tree(here)
    assert copy(f"{host}:{there}/", f"{back}/") == 201
    assert tree(back) == tree(here)
    with (here / "large").open("r+b") as file:
        file.seek(MIB)
        file.write(b"changed")
    os.utime(here / "large", (1, 1))
    assert copy(f"{here}/", f"{host}:{there}/") == 1
    assert tree(there) == tree(here)


# ---- git


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A bare one, with a history and a large file."""
    git = tool("git", "git")
    top = tmp_path_factory.mktemp("git")
    work, bare = top / "work", top / "served" / "project.git"
    make_tree(work, BLOB[:MIB])
    env = environment(top)
    run(git, "init", "-q", "-b", "main", work, env=env)
    for number in range(5):
        (work / "count").write_text(f"{number}\n")
        run(git, "-C", work, "add", ".", env=env)
        run(git, "-C", work, "commit", "-q", "-m", f"change {number}", env=env)
    run(git, "clone", "-q", "--bare", work, bare, env=env)
    return bare


def head_of(git, path, env):
    return run(git, "-C", path, "rev-parse", "main", env=env)


def test_git_daemon(shared_farm, repository, tmp_path):
    git = tool("git", "git")
    if not (Path(run(git, "--exec-path").decode().strip()) / "git-daemon").exists():
        pytest.skip("there is no git-daemon (package git)")
    env, port = environment(tmp_path), free_port()
    served = repository.parent
    command = (git, "-c", f"safe.directory={repository}", "daemon", "--listen=127.0.0.1",
               f"--port={port}", "--export-all", f"--base-path={served}", served)  # fmt: skip
    program = Program(tmp_path, port, *command)
    try:
        channel = Channel(shared_farm, "git", program)
        url = f"git://127.0.0.1:{channel.port}/project.git"
        run(git, "clone", "-q", url, tmp_path / "clone", env=env)
        assert head_of(git, tmp_path / "clone", env) == head_of(git, repository, env)
        run(git, "-C", tmp_path / "clone", "fsck", "--full", "--strict", env=env)
        run(git, "-C", tmp_path / "clone", "pull", "-q", env=env)
    finally:
        program.end()


def test_git_over_ssh(ssh, host, repository, tmp_path):
    """Clone, commit and push."""
    git = tool("git", "git")
    env = {**environment(tmp_path), "GIT_SSH_COMMAND": f"ssh -F {ssh.config}"}
    url = f"{host}:{repository}"
    run(git, "clone", "-q", url, tmp_path / "one", env=env)
    (tmp_path / "one" / "new").write_bytes(host.encode() + BLOB[:MIB])
    run(git, "-C", tmp_path / "one", "add", ".", env=env)
    run(git, "-C", tmp_path / "one", "commit", "-q", "-m", "more", env=env)
    run(git, "-C", tmp_path / "one", "push", "-q", "origin", "main", env=env)
    assert head_of(git, repository, env) == head_of(git, tmp_path / "one", env)


# ---- Redis


class Redis:
    def __init__(self, farm, directory):
        port = free_port()
        server = tool("redis-server", "redis-server")
        self.cli = tool("redis-cli", "redis-tools")
        options = ("--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", directory)
        self.program = Program(directory, port, server, "--port", port, *options)
        self.channel = Channel(farm, "redis", self.program)

    def command(self, *args):
        return [self.cli, "-h", "127.0.0.1", "-p", str(self.channel.port), *args]

    def ask(self, *args, **options):
        return run(*self.command(*args), **options).decode(errors="replace").strip()


@pytest.fixture(scope="module")
def redis(shared_farm, tmp_path_factory):
    redis = Redis(shared_farm, tmp_path_factory.mktemp("redis"))
    yield redis
    redis.program.end()


def test_redis_commands(redis):
    assert redis.ask("set", "key", "some value") == "OK"
    assert redis.ask("get", "key") == "some value"
    assert redis.ask("-x", "set", "blob", data=BLOB) == "OK"
    assert redis.ask("strlen", "blob") == str(len(BLOB))
    got = run(*redis.command("--raw", "get", "blob"))
    assert hashlib.sha256(got[:-1]).hexdigest() == SHA
    assert redis.ask("-r", "300", "incr", "count").split("\n")[-1] == "300"


def test_redis_pipe(redis):
    """Half a megabyte of commands in one go, answers all the while."""
    count = 20_000
    commands = b"".join(b"SET mass:%d %d\r\n" % (n, n) for n in range(count))
    text = redis.ask("--pipe", data=commands)
    assert f"errors: 0, replies: {count}" in text, text
    assert redis.ask("get", f"mass:{count - 1}") == str(count - 1)


def test_redis_messages(redis):
    """What one client publishes, another gets at once."""
    listener = subprocess.Popen(redis.command("subscribe", "news"), stdout=subprocess.PIPE)
    try:
        for _ in range(3):
            listener.stdout.readline()
        for number in range(20):
            assert redis.ask("publish", "news", f"item {number}") == "1"
            lines = [listener.stdout.readline() for _ in range(3)]
            assert lines[2] == b"item %d\n" % number
    finally:
        listener.kill()
        listener.wait()
        listener.stdout.close()


def test_redis_benchmark(redis):
    """50 clients, pipelined; it ends with status 1 at the first error."""
    benchmark = tool("redis-benchmark", "redis-tools")
    port = str(redis.channel.port)
    count = str(volume(20_000, 2_000))
    text = run(benchmark, "-h", "127.0.0.1", "-p", port, "-n", count, "-c", "50", "-P", "8", "-e",
               "-t", "ping,set,get,lrange_100", "--csv").decode()  # fmt: skip
    assert text.count("\n") >= 5 and "rror" not in text, text
