"""docs/operations.md, "From nothing to a running service": its commands under the real systemd,
without packages. tests/packaging/test_operations_page.py has the rest of the page."""

import re

import pytest

from harness import guide
from harness.container import walk
from harness.env import SANITIZED

@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """What the commands have printed: the walk ends with the first that does not end well."""
    if SANITIZED:
        pytest.skip("the build without sanitizers is the one that is installed")
    files = tmp_path_factory.mktemp("files")
    guide.make_files(files)
    return walk(tmp_path_factory, files, guide.script(), guide.prepare())


def test_commands_of_the_document(output):
    assert output.count("\na page of the service\n") == 2
    assert "/etc/wsp/wsps.json: configuration is fine" in output
    assert 'Status: "listening on [::]:443"' in output
    assert "wsps: listening on [::]:443 (a socket that was passed) with TLS" in output
    assert "wsps: reloaded" in output and "wspc: reloaded" in output
    assert re.findall(r"(?m)^(enabled|disabled)$", output) == ["enabled"] * 3


def test_services_have_next_to_no_rights(output):
    for unit in ("Uid", "Gid"):
        assert re.findall(rf"\n{unit}:\t(\d+)", output).count("0") == 0
    assert re.findall(r"\nNoNewPrivs:\t(.*)", output) == ["1", "1"]
    assert re.findall(r"\nCapEff:\t(.*)", output) == ["0" * 16] * 2
