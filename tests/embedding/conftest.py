import functools
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "e2e")]
if "harness" not in sys.modules:
    pytest.register_assert_rewrite("harness")

from harness.daemons import SANITIZER_ENV  # noqa: E402
from harness.env import BIN_DIR, ROOT, SANITIZED  # noqa: E402
from harness.fixtures import *  # noqa: E402, F401, F403
from harness.fixtures import pytest_configure, pytest_runtest_makereport  # noqa: E402, F401
from harness.programs import run  # noqa: E402
from harness.reverse import tool  # noqa: E402

NEEDED = {  # module of pkg-config: package
    "libwebsockets": "libwebsockets-dev",
    "libmicrohttpd": "libmicrohttpd-dev",
    "glib-2.0": "libglib2.0-dev",
}
# A program that embeds a library with sanitizers has them itself.
FLAGS = "-Werror" + (" -fsanitize=address,undefined" if SANITIZED else "")


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """The library, installed, and what programs that embed it are built and run with."""
    tool("cmake", "cmake")
    tool("pkg-config", "pkg-config")
    prefix = tmp_path_factory.mktemp("installed")
    run("cmake", "--install", BIN_DIR, "--prefix", prefix)
    (pc_file,) = prefix.rglob("wsp.pc")
    environment = {
        **{k: v for k, v in os.environ.items() if k != "XDG_RUNTIME_DIR"},
        **SANITIZER_ENV,
        "CMAKE_PREFIX_PATH": str(prefix),
        "CFLAGS": FLAGS,
        "CXXFLAGS": FLAGS,
        "PKG_CONFIG_PATH": str(pc_file.parent),
        "LD_LIBRARY_PATH": str(pc_file.parent.parent),
        "PATH": f"{prefix}/bin:{os.environ['PATH']}",
        "LC_ALL": "C.UTF-8",
    }
    for module, package in NEEDED.items():
        if os.spawnlp(os.P_WAIT, "pkg-config", "pkg-config", "--exists", module):
            pytest.skip(f"there is no {module} (package {package})")
    return SimpleNamespace(prefix=prefix, environment=environment)


@pytest.fixture(scope="session")
def sources(tmp_path_factory):
    """A folder in which the sources' folders are seen, and `build` is our own."""
    folder = tmp_path_factory.mktemp("sources")
    (folder / "examples").symlink_to(ROOT / "examples")
    (folder / "build").mkdir()
    return folder


@pytest.fixture(scope="session")
def program(installed, sources):
    """Builds an example, and gives the path of its program."""

    def build(name, program=None):
        folder = f"build/{name}"
        for command in (["-S", f"examples/{name}", "-B", folder], ["--build", folder]):
            run("cmake", *command, limit=60, cwd=sources, env=installed.environment)
        return sources / folder / (program or name)

    return functools.cache(build)
