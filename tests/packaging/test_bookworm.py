"""The daemons' packages installed in a fresh Debian 12, run there by the line of their unit."""

import configparser
import json
import os
import shlex
import shutil
import stat
from contextlib import ExitStack, contextmanager

import pytest

import netns
from debian import Debian, archive_with, dependencies
from harness.programs import Program, run
from harness.reverse import tool

NAMES = ("wsps", "wspc")
ENABLED = "etc/systemd/system/multi-user.target.wants/wsps.service"


@pytest.fixture(scope="module")
def archive(packages):
    tool("mmdebstrap", "mmdebstrap")
    tool("ip", "iproute2")
    if os.geteuid():
        pytest.skip("only root can change the root")
    return archive_with(dependencies(packages[name] for name in NAMES))


@pytest.fixture(scope="module")
def debian(archive, tmp_path_factory):
    root = tmp_path_factory.mktemp("bookworm")
    run("tar", "-C", root, "-xf", archive)
    yield Debian(root)
    shutil.rmtree(root)


@pytest.fixture
def loopback():
    """A namespace of the network in which every port is free; the test's thread is in it."""
    name = netns.new_name("packages", 0)
    netns.sh("ip", "netns", "add", name)
    try:
        netns.sh("ip", "-n", name, "link", "set", "lo", "up")
        with netns.inside(name):
            yield
    finally:
        netns.sh("ip", "netns", "del", name)


def unit(debian, name, instance=""):
    """Its sections; of keys given twice the last."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    file = debian.root / "lib/systemd/system" / f"{name}.service"
    parser.read_string(file.read_text().replace("%i", instance))
    return parser


@contextmanager
def started(debian, directory, port, name, instance=""):
    """The daemon by the line of its unit, with no more rights than the unit leaves it."""
    line = shlex.split(unit(debian, name, instance)["Service"]["ExecStart"])
    directory.mkdir()
    user = ["chroot", "--userspec=nobody:wsp", "--groups=wsp", debian.root]
    program = Program(directory, port, *user, *line)
    try:
        yield program
    finally:
        program.end()


def give_secret(debian):
    """As whoever installs them has to."""
    server, client = (debian.root / f"etc/wsp/{name}.json" for name in NAMES)
    server.write_text(json.dumps({**json.loads(server.read_text()), "auth": "a secret"}))
    config = json.loads(client.read_text())
    config["client"][0]["auth"] = "a secret"
    client.write_text(json.dumps(config))


def test_installed_it_runs(debian, packages, loopback, tmp_path):
    debian.install(*(packages[name] for name in NAMES))
    assert (debian.root / ENABLED).is_symlink()
    for name in NAMES:
        details = (debian.root / f"etc/wsp/{name}.json").stat()
        group = debian.run("stat", "-c", "%G", f"/etc/wsp/{name}.json").strip()
        assert (stat.S_IMODE(details.st_mode), group) == (0o640, "wsp")
    give_secret(debian)
    site = tmp_path / "site"
    site.mkdir()
    (site / "page").write_text("through both\n")
    with ExitStack() as stack:
        origin = Program(site, 8000, "python3", "-m", "http.server", "-b", "127.0.0.1", "8000")
        stack.callback(origin.end)
        stack.enter_context(started(debian, tmp_path / "wsps", 8010, "wsps"))
        stack.enter_context(started(debian, tmp_path / "wspc", 8118, "wspc@", "wspc"))
        proxy = ["-x", "http://127.0.0.1:8118", "--retry", "8", "--retry-all-errors"]
        assert run("curl", "-sSf", *proxy, "http://127.0.0.1:8000/page") == b"through both\n"


def test_upgraded_it_keeps_what_was_changed_purged_it_leaves_nothing(debian, packages):
    debian.install(*(packages[name] for name in NAMES))
    config = debian.root / "etc/wsp/wsps.json"
    give_secret(debian)
    (debian.root / ENABLED).unlink()  # as "systemctl disable" does
    debian.install(packages["wsps"])
    assert "a secret" in config.read_text()
    assert not (debian.root / ENABLED).is_symlink(), "enabled again by an upgrade"
    debian.run("dpkg", "-r", *NAMES)
    assert config.exists() and not (debian.root / "usr/bin/wsps").exists()
    debian.run("dpkg", "-P", *NAMES)
    assert debian.paths() - debian.before <= {"etc/group-", "etc/gshadow-", "etc/.pwd.lock", "run/adduser"}
