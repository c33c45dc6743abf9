"""A real VNC server with a terminal on its screen."""

import os

from harness.net import free_port
from harness.reverse import tool
from programs import Program

WIDTH, HEIGHT = 640, 480
ROOT_COLOUR, PAPER, INK = "#336699", "#ffffcc", "#660000"
TERMINAL = 40, 60  # its left upper corner

# Writes down each line that is typed; one that names a colour is painted on the whole desktop.
SHELL = r"""
while IFS= read -r line; do
    printf '%s\n' "$line" >>typed.txt
    case $line in '#'*) xsetroot -solid "$line" ;; esac
done
"""


class Desktop:
    def __init__(self, directory):
        self.port = free_port()
        self.typed = directory / "typed.txt"
        self.typed.touch()
        self.programs = []
        self.directory = directory
        self.environment = {**os.environ, "HOME": str(directory), "LANG": "C.UTF-8"}
        try:
            self._start_server()
            self._paint()
        except BaseException:
            self.end()
            raise

    def _run(self, name, *command, **options):
        program = Program(
            self.directory / f"{name}.txt", *command, cwd=self.directory, env=self.environment,
            **options,
        )  # fmt: skip
        self.programs.append(program)
        return program

    def _start_server(self):
        """It picks a free display, and says which when it is ready for clients."""
        reader, writer = os.pipe()
        server = self._run(
            "vnc-server",
            tool("Xtigervnc", "tigervnc-standalone-server"),
            *("-displayfd", writer, "-nolisten", "tcp", "-geometry", f"{WIDTH}x{HEIGHT}"),
            *("-depth", 24, "-SecurityTypes", "None", "-interface", "127.0.0.1"),
            *("-rfbport", self.port, "-desktop", "the desktop"),
            pass_fds=[writer],
        )
        os.close(writer)
        with os.fdopen(reader) as pipe:
            number = pipe.readline().strip()
        assert number, server.text()
        self.environment["DISPLAY"] = f":{number}"
        server.wait_port(self.port)

    def _paint(self):
        paint = self._run("xsetroot", tool("xsetroot", "x11-xserver-utils"), "-solid", ROOT_COLOUR)
        assert paint.process.wait(10) == 0, paint.text()
        self._run(
            "terminal",
            tool("xterm", "xterm"),
            *("-geometry", "60x16+%d+%d" % TERMINAL, "-fn", "fixed", "-bg", PAPER, "-fg", INK),
            *("-b", 4, "-bw", 0, "+sb", "-e", "sh", "-c", SHELL),
        )

    def lines(self):
        return self.typed.read_text().splitlines()

    def end(self):
        for program in reversed(self.programs):
            program.end()
