import sys

import pytest

if "harness" not in sys.modules:
    pytest.register_assert_rewrite("harness")

from harness.fixtures import *  # noqa: E402, F401, F403
from harness.fixtures import pytest_configure, pytest_runtest_makereport  # noqa: E402, F401
from harness.env import DIALECT  # noqa: E402

collect_ignore_glob = ["test_wsp1_*"] if DIALECT == "0.10" else []
