import sys

import pytest

if "harness" not in sys.modules:
    pytest.register_assert_rewrite("harness")

from harness.fixtures import *  # noqa: E402, F401, F403
from harness.fixtures import pytest_configure, pytest_runtest_makereport  # noqa: E402, F401
from harness.env import DIALECT, TLS  # noqa: E402

collect_ignore_glob = ["test_wsp1_*"] if DIALECT == "0.10" else []
if TLS:  # these are about the port itself, or who has connected to it
    collect_ignore_glob += [
        f"test_{name}.py"
        for name in ("cli", "proxies", "proxy_protocol", "proxy_to_services", "reload_wsps",
                     "service", "status", "trusted_proxies")
    ]  # fmt: skip
