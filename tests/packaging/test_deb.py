"""The Debian packages as files: what lintian says, what is in them, how the programs are built."""

import io
import json
import tarfile

import pytest

from debian import PACKAGES, field
from harness.programs import run
from harness.reverse import tool

DAEMONS = ("wsps", "wspc")
UNITS = {"wsps": "wsps.service", "wspc": "wspc@.service"}


def expected(package):
    """{path: mode} of what must be there."""
    files = {
        f"/usr/share/doc/{package}/changelog.Debian.gz": 0o644,
        f"/usr/share/doc/{package}/copyright": 0o644,
    }
    if package in DAEMONS:
        files |= {
            f"/usr/bin/{package}": 0o755,
            "/etc/wsp": 0o750,
            f"/etc/wsp/{package}.json": 0o640,
            f"/usr/share/doc/{package}/examples/{package}.json": 0o644,
            f"/usr/share/doc/{package}/configuration.md": 0o644,
            f"/lib/systemd/system/{UNITS[package]}": 0o644,
            f"/usr/share/man/man1/{package}.1.gz": 0o644,
            f"/usr/share/man/man5/{package}.json.5.gz": 0o644,
            f"/usr/share/bash-completion/completions/{package}": 0o644,
            f"/usr/share/zsh/vendor-completions/_{package}": 0o644,
            f"/usr/share/fish/vendor_completions.d/{package}.fish": 0o644,
        }
    return files


def contents(package):
    """{path: its TarInfo}"""
    data = io.BytesIO(run("dpkg-deb", "--fsys-tarfile", package))
    with tarfile.open(fileobj=data) as archive:
        return {member.name.lstrip("."): member for member in archive}


@pytest.fixture(scope="module", params=DAEMONS)
def daemon(request, packages, tmp_path_factory):
    """(name, folder with what is in its package)"""
    root = tmp_path_factory.mktemp(request.param)
    run("dpkg-deb", "-x", packages[request.param], root)
    return request.param, root


def test_lintian_is_content(packages):
    tool("lintian", "lintian")
    assert run("lintian", "--allow-root", *packages.values(), limit=60).decode() == ""


@pytest.mark.parametrize("package", PACKAGES)
def test_paths_modes_and_owners(packages, package):
    found = contents(packages[package])
    for path, mode in expected(package).items():
        assert path in found, path
        assert oct(found[path].mode & 0o7777) == oct(mode), path
    assert {(member.uname, member.gname) for member in found.values()} == {("root", "root")}


@pytest.mark.parametrize("package", DAEMONS)
def test_every_file_below_etc_is_a_conffile(packages, package):
    conffiles = run("dpkg-deb", "-I", packages[package], "conffiles").decode().split()
    files = (path for path, member in contents(packages[package]).items() if member.isfile())
    assert conffiles == [path for path in files if path.startswith("/etc/")]


def test_libraries_are_depended_on(packages):
    for package in DAEMONS:
        depends = field(packages[package], "Depends")
        for library in ("libc6", "libssl3", "libwebsockets17", "libcjson1", "libc-ares2"):
            assert f"{library} (>= " in depends
    for library in ("libc6", "libssl3", "libcjson1", "libc-ares2"):
        assert f"{library} (>= " in field(packages["libwsp0"], "Depends")
    assert "libwsp0 (= " in field(packages["libwsp-dev"], "Depends")
    for library in ("libssl-dev", "libcjson-dev", "libc-ares-dev"):
        assert f"{library} (>= " in field(packages["libwsp-dev"], "Depends")


def test_programs_are_hardened_and_stripped(daemon):
    name, root = daemon
    elf = run("readelf", "-hldSW", "--dyn-syms", root / "usr" / "bin" / name).decode()
    for sign in ("DYN (Position-Independent", "GNU_RELRO", "BIND_NOW", "__stack_chk_fail", "_chk@"):
        assert sign in elf, sign
    assert ".symtab" not in elf and ".debug_info" not in elf


def test_version_is_that_of_the_package(daemon, packages):
    name, root = daemon
    upstream, _, _ = field(packages[name], "Version").partition("-")
    assert run(root / "usr" / "bin" / name, "-v").decode().startswith(f"{name} {upstream},")


def test_configurations_are_good(daemon):
    name, root = daemon
    for file in [*root.glob("etc/wsp/*.json"), *root.glob("usr/share/doc/*/examples/*.json")]:
        run(root / "usr" / "bin" / name, "-t", "-c", file)


def test_the_server_starts_out_private(daemon):
    """It runs as soon as it is installed, before anybody has given it a secret."""
    name, root = daemon
    if name == "wsps":
        config = json.loads((root / "etc/wsp/wsps.json").read_text())
        assert config["bind"] == "127.0.0.1" and "auth" not in config
