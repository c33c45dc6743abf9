"""Tables of attacks: what each is called, what the daemons have to do about it, and how it goes."""

import os
from dataclasses import dataclass
from typing import Callable

LONG = os.environ.get("WSP_LONG") == "1"


def every(step):
    """So many bytes of a dialogue lie between the places where it is cut; 1 in the long form."""
    return 1 if LONG else step


def times(count):
    """So often; ten times as often in the long form."""
    return count * 10 if LONG else count


@dataclass(frozen=True)
class Attack:
    role: str
    name: str
    refusal: str  # what is to come of it, in the words of verdicts.py
    act: Callable  # act(arena), which tells what came of it
    arena: type  # the daemons that it is for

    def __str__(self):
        return f"{self.role}: {self.name} -> {self.refusal}"


class Table:
    """The attacks of one role. Those of a role run one after the other against the same daemons."""

    def __init__(self, role, arena):
        self.role = role
        self.arena = arena
        self.attacks = []

    def __call__(self, name, refusal):
        """Decorates the function that makes the attack."""

        def add(act):
            self.attacks.append(Attack(self.role, name, refusal, act, self.arena))
            return act

        return add

    def rows(self, act, refusal, rows):
        """Attacks that differ in one argument of act(arena, argument), by name."""
        for name, argument in rows.items():
            self(name, refusal)(lambda arena, argument=argument: act(arena, argument))
