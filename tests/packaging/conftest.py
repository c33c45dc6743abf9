import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "e2e"), str(TESTS / "faults")]
if "harness" not in sys.modules:
    pytest.register_assert_rewrite("harness")

from debian import PACKAGES  # noqa: E402
from harness.env import BIN_DIR  # noqa: E402
from harness.programs import run  # noqa: E402
from harness.reverse import tool  # noqa: E402


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
    tool("dpkg-shlibdeps", "dpkg-dev")
    directory = tmp_path_factory.mktemp("packages")
    run("cpack", "--config", release / "CPackConfig.cmake", "-G", "DEB", "-B", directory, limit=60)
    found = {name: list(directory.glob(f"{name}_*.deb")) for name in PACKAGES}
    assert all(len(files) == 1 for files in found.values()), found
    return {name: files[0] for name, files in found.items()}
