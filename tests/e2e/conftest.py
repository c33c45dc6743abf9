import sys

import pytest

if "harness" not in sys.modules:
    pytest.register_assert_rewrite("harness")

from harness.fixtures import *  # noqa: E402, F401, F403
from harness.fixtures import pytest_configure, pytest_runtest_makereport  # noqa: E402, F401
