"""Programs of others, ended by their own pid."""

import subprocess

from harness.net import connect, eventually


class Program:
    """A program in the foreground; what it prints goes into a file."""

    def __init__(self, output, *command, **options):
        self.output = output
        with output.open("ab") as sink:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                **options,
            )

    def text(self):
        return self.output.read_text(errors="replace")

    def wait_text(self, text, timeout=10):
        def printed():
            assert self.process.poll() is None or text in self.text(), self.text()
            return text in self.text()

        eventually(printed, f"{self.process.args[0]} prints {text!r}", timeout)

    def wait_port(self, port, timeout=10):
        def is_up():
            assert self.process.poll() is None, self.text()
            try:
                connect(port).close()
            except OSError:
                return False
            return True

        eventually(is_up, f"{self.process.args[0]} listens", timeout)

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
