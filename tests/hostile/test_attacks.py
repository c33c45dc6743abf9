"""
Malicious peers of every kind, by name, against daemons that live through all of it.
`pytest tests/hostile --collect-only -q` lists the attacks with what the daemons are to do.
"""

import importlib
from pathlib import Path

import pytest

FILES = sorted(path.stem for path in Path(__file__).parent.glob("attacks_*.py"))
TABLES = [table for name in FILES for table in importlib.import_module(name).TABLES]
ATTACKS = [attack for table in TABLES for attack in table.attacks]


def param(attack):
    return pytest.param(attack, id=str(attack), marks=pytest.mark.xdist_group(attack.role))


@pytest.mark.parametrize("attack", [param(attack) for attack in ATTACKS])
def test_attack(arenas, attack):
    """It is refused as the table says, and leaves nothing behind."""
    arena = arenas.get(attack.arena)
    try:
        with arena.attack():
            assert attack.act(arena) == attack.refusal
    except BaseException:
        arenas.drop(attack.arena)
        raise


def test_there_are_enough():
    names = {(attack.role, attack.name) for attack in ATTACKS}
    assert len(names) == len(ATTACKS), "two of one name"
    assert len(names) >= 150
