"""How much of everything: for figures, and for a quick look whether it all works."""

from dataclasses import dataclass


@dataclass
class Sizes:
    runs: int = 5
    warm: float = 0.4
    seconds: float = 2.0
    bulk: tuple = (("down", 1), ("up", 1), ("down", 16), ("up", 16))
    syscalls: tuple = ("down", "up")
    churn: int = 2000
    churn_seconds: float = 10.0
    idle_max: int = 10000
    links: int = 2000
    stalled_warm: float = 2.0
    tiny_channels: int = 1000
    tiny_rate: int = 10000
    tiny_ticks: tuple = (("single", 0), ("bursts", 1000))  # µs
    # over distances: (round trip in ms, loss in percent, way)
    paths: tuple = (
        (20, 0, "down"),
        (100, 0, "down"),
        (100, 0, "up"),
        (200, 0, "down"),
        (20, 0.1, "down"),
        (20, 1, "down"),
    )
    path_rate_mbit: int = 200
    path_seconds: float = 4.0
    lossy_seconds: float = 8.0
    path_warm_trips: int = 20  # round trips, on top of a second
    path_rtt_seconds: float = 4.0


FULL = Sizes()
QUICK = Sizes(
    runs=1,
    warm=0.05,
    seconds=0.12,
    bulk=(("down", 1), ("up", 16)),
    syscalls=("down",),
    churn=50,
    churn_seconds=1.0,
    idle_max=100,
    links=100,
    stalled_warm=0.2,
    tiny_channels=100,
    tiny_ticks=(("single", 0),),
    paths=((20, 0, "down"),),
    path_seconds=0.3,
    path_warm_trips=0,
    path_rtt_seconds=0.15,
)
