"""
Who has nothing to do with the attacks: connections through the daemons, both ends of which are in
this process. Bytes go forth and back on each, and have to arrive as they were sent.

Usage: bystander.py PORT WAY...
Listens on PORT, where each WAY leads to: socks:PORT or local:PORT.
Each line that is read is answered with the state as JSON.
"""

import json
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

from harness import socks  # noqa: E402
from harness.http_origin import pattern  # noqa: E402
from harness.net import connect, listen, read_exact  # noqa: E402

STEP = 6000  # bytes of a round, each way
PAUSE = 0.01  # seconds between two rounds
TICK = 0.01
DATA = pattern(1 << 20)


class Clock:
    """
    Counts only while this process gets to run: how long it was itself kept from the processor says
    nothing of the daemons.
    """

    def __init__(self):
        self.now = 0.0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            time.sleep(TICK)
            self.now += TICK


class Way:
    """One connection, by its number."""

    def __init__(self, number, kind, port, listener, clock):
        self.clock = clock
        self.near = self._open(kind, port, listener.getsockname()[1])
        self.far, _ = listener.accept()
        for sock in (self.near, self.far):
            sock.settimeout(None)
        self.at = number * STEP  # in DATA
        self.rounds = 0
        self.began = None  # of the round that is under way
        self.longest = 0.0
        self.fault = None
        threading.Thread(target=self._run, daemon=True).start()

    @staticmethod
    def _open(kind, port, target):
        if kind == "socks":
            return socks.open_socks(port, "127.0.0.1", target)
        return connect(port)

    def _run(self):
        try:
            while True:
                self.began = self.clock.now
                self._pass(self.near, self.far)
                self._pass(self.far, self.near)
                self.longest = max(self.longest, self.clock.now - self.began)
                self.began = None
                self.rounds += 1
                time.sleep(PAUSE)
        except (OSError, EOFError, ValueError) as fault:
            self.fault = repr(fault)

    def _pass(self, source, sink):
        self.at = (self.at + STEP) % (len(DATA) - STEP)
        piece = DATA[self.at : self.at + STEP]
        source.sendall(piece)
        if read_exact(sink, STEP) != piece:
            raise ValueError("other bytes than those that were sent")

    def stall(self):
        """The longest round since the last call, in seconds."""
        began = self.began
        longest = max(self.longest, 0.0 if began is None else self.clock.now - began)
        self.longest = 0.0
        return longest


def main():
    listener = listen(port=int(sys.argv[1]))
    clock = Clock()
    kinds = [word.split(":") for word in sys.argv[2:]]
    ways = [Way(n, kind, int(port), listener, clock) for n, (kind, port) in enumerate(kinds)]
    for _ in sys.stdin:
        state = {
            "rounds": [way.rounds for way in ways],
            "stall": max(way.stall() for way in ways),
            "faults": [way.fault for way in ways if way.fault],
        }
        print(json.dumps(state), flush=True)


if __name__ == "__main__":
    main()
