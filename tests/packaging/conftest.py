import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from harness.env import BIN_DIR  # noqa: E402
from harness.programs import run  # noqa: E402

PACKAGES = ("wsps", "wspc", "libwsp-dev")


def needs(*tools):
    for tool in tools:
        if not shutil.which(tool):
            pytest.skip(f"there is no {tool} here")


@pytest.fixture(scope="session")
def release():
    """A build as people make it."""
    cache = BIN_DIR / "CMakeCache.txt"
    if not cache.exists() or "CMAKE_BUILD_TYPE:STRING=Release\n" not in cache.read_text():
        pytest.skip(f"{BIN_DIR} is no Release build")
    return BIN_DIR


@pytest.fixture(scope="session")
def packages(release, tmp_path_factory):
    """{name: file}, as cpack makes them."""
    needs("cpack", "dpkg-deb", "dpkg-shlibdeps")
    directory = tmp_path_factory.mktemp("packages")
    run("cpack", "--config", release / "CPackConfig.cmake", "-G", "DEB", "-B", directory, limit=60)
    found = {name: list(directory.glob(f"{name}_*.deb")) for name in PACKAGES}
    assert all(len(files) == 1 for files in found.values()), found
    return {name: files[0] for name, files in found.items()}


def field(package, name):
    return run("dpkg-deb", "-f", package, name).decode().strip()
