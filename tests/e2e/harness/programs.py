"""Programs of others, run for a test."""

import subprocess

from harness.env import patience
from harness.net import connect, eventually


class Program:
    """A server in the foreground, ended by its own pid."""

    def __init__(self, directory, port, *command):
        self.port = port
        self.output = directory / "output.txt"
        with self.output.open("wb") as sink:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                cwd=directory,
            )
        eventually(self.is_up, f"{command[0]} listens", timeout=10)

    def is_up(self):
        assert self.process.poll() is None, self.output.read_text()
        try:
            connect(self.port).close()
        except OSError:
            return False
        return True

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def run(*command, data=None, limit=20, status=0, **options):
    """The standard output of a program that ends with `status`."""
    done = subprocess.run(
        [str(part) for part in command],
        input=data,
        stdin=subprocess.DEVNULL if data is None else None,
        capture_output=True,
        timeout=patience(limit),
        check=False,
        **options,
    )
    assert done.returncode == status, (done.returncode, done.stdout[-500:], done.stderr[-2000:])
    return done.stdout
