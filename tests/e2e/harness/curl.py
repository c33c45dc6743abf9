"""Runs curl, the client that everyone has."""

import subprocess
from dataclasses import dataclass

from harness.env import patience


@dataclass
class Result:
    status: int  # curl's exit status
    body: bytes
    errors: str


def curl(*args, data=None, limit=20):
    """curl without a configuration file or proxy variables."""
    command = ["curl", "-q", "-sS", "--noproxy", "", "-m", str(int(patience(limit)))]
    command += map(str, args)
    done = subprocess.run(
        command, input=data, capture_output=True, env={"PATH": "/usr/bin:/bin"}, check=False
    )
    return Result(done.returncode, done.stdout, done.stderr.decode(errors="replace"))


def fetch(*args, **options):
    """The body, or the test fails."""
    result = curl("--fail", *args, **options)
    assert result.status == 0, f"curl {args}: status {result.status}: {result.errors}"
    return result.body
