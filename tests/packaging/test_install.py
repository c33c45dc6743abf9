"""`cmake --install`: where things go, and that libwsp can be built against from there."""

import os
import shutil

import pytest

from harness.env import ROOT
from harness.programs import run
from harness.reverse import tool

PROGRAM = """
#include <stdio.h>
#include <wsp/loop.h>
#include <wsp/version.h>

int main(void)
{
    struct wsp_loop *loop = wsp_loop_new();

    puts(loop ? wsp_version() : "no loop");
    wsp_loop_free(loop);
    return 0;
}
"""


def shared_libraries(build):
    return sorted(path.name for path in build.glob("libwsp.so*"))


@pytest.fixture(scope="module")
def built_elsewhere(release, tmp_path_factory):
    """A build folder with folders of its own choice; what is built comes from the other one."""
    build = tmp_path_factory.mktemp("build")
    folders = {"BINDIR": "programs", "LIBDIR": "lib/any", "INCLUDEDIR": "headers"}
    folders |= {"DOCDIR": "doc", "MANDIR": "manuals"}
    options = [f"-DCMAKE_INSTALL_{name}={folder}" for name, folder in folders.items()]
    prefix = "-DCMAKE_INSTALL_PREFIX=/opt/wsp"
    run("cmake", "-S", ROOT, "-B", build, "-DCMAKE_BUILD_TYPE=Release", prefix, *options, limit=60)
    for product in ("wsps", "wspc", "libwsp.a", *shared_libraries(release)):
        shutil.copy(release / product, build, follow_symlinks=False)
    return build


@pytest.fixture(scope="module")
def installed(built_elsewhere, tmp_path_factory):
    stage = tmp_path_factory.mktemp("stage")
    run("cmake", "--install", built_elsewhere, env={**os.environ, "DESTDIR": str(stage)})
    return stage


def test_everything_goes_where_it_is_told(installed):
    found = {str(p.relative_to(installed)) for p in installed.rglob("*") if p.is_file()}
    for path in (
        "programs/wsps",
        "programs/wspc",
        "headers/wsp/loop.h",
        "lib/any/libwsp.a",
        "lib/any/libwsp.so.0",
        "lib/any/cmake/wsp/wspConfig.cmake",
        "lib/any/pkgconfig/wsp.pc",
        "doc/README.md",
        "doc/configs/wsps.json",
        "doc/configuration.md",
        "manuals/man1/wsps.1",
        "manuals/man5/wsp.json.5",
        "share/bash-completion/completions/wspc",
        "share/zsh/site-functions/_wspc",
        "share/fish/vendor_completions.d/wspc.fish",
    ):
        assert f"opt/wsp/{path}" in found
    assert all(path.startswith("opt/wsp/") for path in found), "what only packages have"


def test_a_program_builds_against_it(installed, tmp_path, release):
    tool("pkg-config", "pkg-config")
    prefix = installed / "opt" / "wsp"
    environment = {**os.environ, "PKG_CONFIG_PATH": str(prefix / "lib" / "any" / "pkgconfig")}
    flags = run("pkg-config", "--cflags", "--libs", "wsp", env=environment).decode().split()
    assert f"-I{prefix}/lib/any/pkgconfig/../../../headers" in flags
    source = tmp_path / "program.c"
    source.write_text(PROGRAM)
    run("cc", "-o", tmp_path / "program", source, *flags)
    found = {**environment, "LD_LIBRARY_PATH": str(prefix / "lib" / "any")}
    version = run(tmp_path / "program", env=found).decode().strip()
    assert version == run("pkg-config", "--modversion", "wsp", env=environment).decode().strip()
