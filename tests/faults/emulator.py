"""Runs tests/tools/path_emulator.c."""

import os
import re
import subprocess

from harness.env import BIN_DIR

PROGRAM = os.environ.get("WSP_PATH_EMULATOR", str(BIN_DIR / "tests" / "path_emulator"))


class Emulator:
    """A path between two namespaces while it exists. Options as on its command line."""

    def __init__(self, a, b, **options):
        assert os.path.exists(PROGRAM), f"{PROGRAM} is not built (WSP_BIN_DIR says where to look)"
        command = [PROGRAM, a, b]
        for key, value in options.items():
            command += ["--" + key.replace("_", "-"), str(value)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        line = self.process.stdout.readline()
        assert line == "ready\n", f"{command}: {line!r}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        assert self.process.wait(10) == 0

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        return self.process.stdout.readline().rstrip("\n")

    def set(self, **settings):
        for key, value in settings.items():
            line = f"{key.replace('_', '-')} {value}"
            assert self.ask(line) == "ok", line

    def stats(self):
        """{"ab": {"carried": …, "lost": …, "dropped": …}, "ba": …}"""
        way = r"(ab|ba) carried (\d+) lost (\d+) dropped (\d+)"
        return {
            name: {"carried": int(carried), "lost": int(lost), "dropped": int(dropped)}
            for name, carried, lost, dropped in re.findall(way, self.ask("stats"))
        }
