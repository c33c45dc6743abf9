"""The generated parts of the page, by subject."""

from rig.parts import about, behaviour, distance, memory, speed, targets
from rig.view import View


def all_of(stored):
    """Every part that these results have something for."""
    view = View(stored)
    makers = [*about.PARTS, *speed.PARTS, *behaviour.PARTS, *memory.PARTS, *distance.PARTS]
    parts = [part for maker in [*makers, *targets.PARTS] if (part := maker(view))]
    return parts
