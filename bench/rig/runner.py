"""Makes the measurements: interleaved, so that what else the machine does meets all alike."""

import sys
import time
from contextlib import ExitStack, suppress

from rig.errors import Failed, LeftOut

# What a single measurement may end with. Anything else is a fault of the benchmark.
TROUBLE = (Failed, OSError, AssertionError, ValueError)


def log(text):
    print(text, file=sys.stderr, flush=True)


class Stage:
    """The contestants of one case, each started when it is first needed."""

    def __init__(self, case, world):
        self.case = case
        self.world = world
        self.running = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for name in list(self.running):
            self.drop(name)

    def drop(self, name):
        running = self.running.pop(name, None)
        if running:
            running.close()

    def obituary(self, setup):
        """Which of its daemons have ended, and with what words."""
        running = self.running.get(setup.name)
        dead = [p for p in running.daemons.values() if not p.alive()] if running else []
        return "".join(f"; {p.name} has ended: {p.last_words()}" for p in dead)

    def measure(self, setup):
        running = self.running.get(setup.name)
        if running and (self.case.fresh or not running.alive()):
            self.drop(setup.name)
        if setup.name not in self.running:
            self.running[setup.name] = setup.start(self.world)
        result = self.case.run(setup, self.running[setup.name])
        if self.case.fresh:
            self.drop(setup.name)
        return result


class Results:
    """results[measure][case][contestant] = {"runs": […], "failed": […], "left_out": text}"""

    def __init__(self):
        self.data = {}

    def at(self, case, setup):
        cases = self.data.setdefault(case.measure, {})
        contestants = cases.setdefault(case.name, {})
        empty = {"runs": [], "failed": [], "left_out": None}
        return contestants.setdefault(setup.name, empty)

    def failures(self):
        return sum(
            len(entry["failed"])
            for cases in self.data.values()
            for contestants in cases.values()
            for entry in contestants.values()
        )


class Runner:
    def __init__(self, setups, runs, directory):
        self.setups = setups
        self.runs = runs
        self.directory = directory
        self.results = Results()
        self.begin = time.monotonic()

    def _say(self, case, number, setup, text):
        name = f"{case.measure} {case.name}"
        seconds = time.monotonic() - self.begin
        log(f"[{seconds:6.1f} s] {name}, {number}/{self.runs}: {setup.name}: {text}")

    def run(self, case):
        """One case: round by round, all contestants in each."""
        wanted = [setup for setup in self.setups if case.wants(setup)]
        try:
            with ExitStack() as stack:
                world = stack.enter_context(case.place(self.directory))
                stage = stack.enter_context(Stage(case, world))
                for number in range(1, self.runs + 1):
                    for setup in wanted:
                        self._once(stage, setup, number)
        except LeftOut as reason:
            self._all(case, wanted, str(reason))
        except TROUBLE as fault:  # there is no place for it, or it could not be cleared away
            for setup in wanted:
                self._failed(case, setup, 0, fault)

    def _all(self, case, wanted, reason):
        log(f"{case.measure} {case.name}: left out: {reason}")
        for setup in wanted:
            self.results.at(case, setup)["left_out"] = reason

    def _failed(self, case, setup, number, fault):
        text = " ".join(str(fault).split()) or type(fault).__name__
        self.results.at(case, setup)["failed"].append(text)
        self._say(case, number, setup, f"FAILED: {text}")

    def _once(self, stage, setup, number):
        case = stage.case
        entry = self.results.at(case, setup)
        if entry["left_out"]:
            return
        try:
            result = stage.measure(setup)
        except LeftOut as reason:
            entry["left_out"] = str(reason)
            self._say(case, number, setup, f"left out: {reason}")
        except TROUBLE as fault:
            self._failed(case, setup, number, f"{fault}{stage.obituary(setup)}")
            with suppress(*TROUBLE):
                stage.drop(setup.name)
        else:
            entry["runs"].append({"round": number, **result})
            self._say(case, number, setup, case.say(result))
