"""A look at the results by contestant."""

from dataclasses import dataclass, field

from rig import stats


@dataclass
class Part:
    """One generated part of the page."""

    name: str
    text: str
    pictures: dict = field(default_factory=dict)
    cells: list = field(default_factory=list)  # (row, column, session) of what stands in it


class View:
    def __init__(self, stored):
        self.sessions = stored["sessions"]
        self.results = stored["results"]
        self.setups = stored["setups"]
        self.labels = {setup["name"]: setup["label"] for setup in self.setups}

    def cases(self, measure):
        """{case: its batches, newest first}"""
        return self.results.get(measure, {})

    def _batch(self, measure, case, name):
        """The newest one that has this contestant; None without any."""
        batches = self.cases(measure).get(case, [])
        return next((batch for batch in batches if name in batch["contestants"]), None)

    def contestants(self, measure, case):
        """Entries by name, in the order of the table of setups."""
        found = ((s["name"], self._batch(measure, case, s["name"])) for s in self.setups)
        return {name: batch["contestants"][name] for name, batch in found if batch}

    def session(self, measure, case, name):
        """In which it was measured or failed; None when it was neither."""
        batch = self._batch(measure, case, name)
        entry = batch and batch["contestants"][name]
        tried = entry and (entry["runs"] or entry["failed"])
        return self.sessions[batch["session"]] if tried else None

    def runs(self, measure, case, name):
        batch = self._batch(measure, case, name)
        return batch["contestants"][name]["runs"] if batch else []

    def value(self, measure, case, name, pick):
        """Median and spread of what `pick` finds in the runs; None without any."""
        return stats.of(pick(run) for run in self.runs(measure, case, name))

    def against(self, measure, case, name, pick, other="direct", how=lambda a, b: a / b):
        """The same, each run compared with the other contestant's of the same session and round."""
        batch = self._batch(measure, case, name)
        against = batch["contestants"].get(other) if batch else None
        base = {run["round"]: pick(run) for run in against["runs"]} if against else {}
        return stats.of(
            how(pick(run), base[run["round"]])
            for run in self.runs(measure, case, name)
            if base.get(run["round"])
        )

    def setup(self, name):
        return next(s for s in self.setups if s["name"] == name)

    def kind(self, name):
        """The colour of its bar."""
        setup = self.setup(name)
        if not setup["ours"]:
            return "other"
        return "ours" if setup["dialect"] == "wsp.1" else "second"

    def ours(self, kind):
        """{dialect: name} of our contestants of a kind."""
        return {
            s["dialect"]: s["name"]
            for s in self.setups
            if s["ours"] and s["kind"] == kind and s["connections"] == 1 and not s.get("tls")
        }
