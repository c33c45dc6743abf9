"""A look at the results by contestant."""

from dataclasses import dataclass, field

from rig import stats


@dataclass
class Part:
    """One generated part of the page."""

    name: str
    text: str
    pictures: dict = field(default_factory=dict)
    stamped: bool = True  # says when and of what commit it is


class View:
    def __init__(self, outcome):
        self.outcome = outcome
        self.setups = outcome["setups"]
        self.labels = {setup["name"]: setup["label"] for setup in self.setups}

    def has(self, measure):
        return measure in self.outcome["results"]

    def cases(self, measure):
        return self.outcome["results"].get(measure, {})

    def contestants(self, measure, case):
        """Entries by name, in the order of the table of setups."""
        entries = self.cases(measure).get(case, {})
        return {s["name"]: entries[s["name"]] for s in self.setups if s["name"] in entries}

    def runs(self, measure, case, name):
        return self.cases(measure).get(case, {}).get(name, {"runs": []})["runs"]

    def value(self, measure, case, name, pick):
        """Median and spread of what `pick` finds in the runs; None without any."""
        return stats.of(pick(run) for run in self.runs(measure, case, name))

    def against(self, measure, case, name, pick, other="direct", how=lambda a, b: a / b):
        """The same, each run compared with the other contestant's of the same round."""
        base = {run["round"]: pick(run) for run in self.runs(measure, case, other)}
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
            if s["ours"] and s["kind"] == kind and s["connections"] == 1
        }
