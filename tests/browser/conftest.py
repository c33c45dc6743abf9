import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
if "harness" not in sys.modules:
    pytest.register_assert_rewrite("harness")

from chromium import Chromium  # noqa: E402
from harness.fixtures import *  # noqa: E402, F401, F403
from harness.fixtures import pytest_configure, pytest_runtest_makereport  # noqa: E402, F401
from harness.reverse import tool  # noqa: E402


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """One browser for all tests; it starts empty."""
    browser = Chromium(tool("chromium", "chromium"), tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.end()


@pytest.fixture
def page(chromium):
    """A page of its own, without cookies or cache of the others."""
    page = chromium.new_page()
    yield page
    page.close()
