"""What a run of the benchmark replaces in the results and on the page, and what it leaves alone."""

import pytest

from rig import report, results, stamps
from rig.view import View

NAMES = ("direct", "socat", "wsp-socks5-wsp.1")
PAGE = """by hand
<!-- begin throughput -->
old
<!-- end throughput -->
<!-- begin tiny -->
of before
<!-- end tiny -->
<!-- begin targets -->
<!-- end targets -->
"""


def contestant(name):
    ours = name.startswith("wsp")
    kinds = {"kind": "socks5", "dialect": "wsp.1"} if ours else {"kind": None, "dialect": None}
    return {"name": name, "label": name, "title": name, "ours": ours, "connections": 1, **kinds}


SETUPS = [contestant(name) for name in NAMES]


def entry(*rates):
    runs = [
        {"round": number, "mib_s": rate, "cpu_s_gib": {"wsps": rate / 1000}}
        for number, rate in enumerate(rates, 1)
    ]
    return {"runs": runs, "failed": [], "left_out": None}


def outcome(day, **cases):
    """A session: `down_1={"socat": entry(…)}` is throughput/down-1."""
    machine = {
        "cpu": "cpu", "cores": 2, "memory_gib": 24, "kernel": "6", "load": 0, "versions": {},
        "counted_by": "perf", "commit": f"commit {day}", "date": f"2026-01-0{day}",
    }
    measured = {name.replace("_", "-"): contestants for name, contestants in cases.items()}
    return {
        "id": f"2026-01-0{day} 00:00:00",
        "session": {"machine": machine, "runs": day, "sizes": {"links": 1}},
        "results": {"throughput": measured},
    }


def all_of(*rates):
    return dict(zip(NAMES, map(entry, rates)))


def merged(*outcomes):
    stored = results.EMPTY
    for each in outcomes:
        stored = results.merge(stored, each, SETUPS)
    return stored


def rate(view, case, name):
    value = view.value("throughput", case, name, lambda run: run["mib_s"])
    return value and value.median


def share(view, case, name):
    value = view.against("throughput", case, name, lambda run: run["mib_s"])
    return value and value.median


FIRST = outcome(1, down_1=all_of(1000, 500, 400), up_1=all_of(1000, 600, 700))


def test_a_case_measured_again_replaces_only_itself():
    view = View(merged(FIRST, outcome(2, down_1=all_of(2000, 800, 900))))
    assert [rate(view, "down-1", name) for name in NAMES] == [2000, 800, 900]
    assert [rate(view, "up-1", name) for name in NAMES] == [1000, 600, 700]
    assert len(view.cases("throughput")["down-1"]) == 1


def test_a_contestant_measured_again_is_compared_within_its_own_session():
    again = outcome(2, down_1={"direct": entry(4000), "socat": entry(1000)})
    view = View(merged(FIRST, again))
    assert rate(view, "down-1", "direct") == 4000
    assert share(view, "down-1", "socat") == 0.25
    assert rate(view, "down-1", NAMES[2]) == 400
    assert share(view, "down-1", NAMES[2]) == 0.4, "not 400 of the later 4000"


def test_what_nothing_stands_on_goes():
    stored = merged(
        FIRST,
        outcome(2, down_1={"direct": entry(1), "socat": entry(2)}),
        outcome(3, down_1=all_of(3, 3, 3), up_1=all_of(3, 3, 3)),
    )
    assert list(stored["sessions"]) == ["2026-01-03 00:00:00"]


LEFT_OUT = {"runs": [], "failed": [], "left_out": "not here"}
FAILED = {"runs": [], "failed": ["broken"], "left_out": None}


@pytest.mark.parametrize("late, found", [(LEFT_OUT, 500), (FAILED, None)])
def test_left_out_keeps_what_there_is_failed_does_not(late, found):
    view = View(merged(FIRST, outcome(2, down_1={"direct": entry(1), "socat": late})))
    assert rate(view, "down-1", "socat") == found


def test_contestants_of_before_stay_behind_those_of_now():
    peer = results.merge(results.EMPTY, outcome(1, down_1={"go": entry(1)}), [contestant("go")])
    stored = results.merge(peer, FIRST, SETUPS)
    assert [s["name"] for s in stored["setups"]] == [*NAMES, "go"]


SESSIONS = [outcome(day)["session"] for day in (1, 2)]
FIRST_STAMP = "1 run, commit 1, 2026-01-01"
SECOND_STAMP = "2 runs, commit 2, 2026-01-02"


@pytest.mark.parametrize(
    "first, second, said",
    [
        ("a1 a2 b1 b2", "", None),
        ("", "a1 a2 b1 b2", None),
        ("a1 a2 c1 c2", "b1 b2", "b"),
        ("a1 a2 b1 c1 c2", "b2", "b (2)"),
        ("a1 a3 b1 b3", "a2 b2", "2"),
        ("a1 b1", "a2 b2", "2"),
        ("a1 d1 d2 e1 e2 f1 f2", "a2 b1 b2 c2 c1", "a (2); b; c"),
    ],
)
def test_the_stamp_names_what_was_measured_at_another_time(first, second, said):
    cells = [(*cell, SESSIONS[0]) for cell in first.split()]
    cells += [(*cell, SESSIONS[1]) for cell in second.split()]
    if said:
        expected = f"\n*{FIRST_STAMP}, but for:*\n\n* {said}: {SECOND_STAMP}\n"
    else:
        expected = f"\n*{FIRST_STAMP if first else SECOND_STAMP}.*\n"
    assert stamps.text(cells) == expected


def test_the_page_keeps_its_columns_its_aims_and_what_was_never_measured(tmp_path):
    (tmp_path / "benchmarks.md").write_text(PAGE)
    for each in (FIRST, outcome(2, down_1=all_of(2000, 800, 1800))):
        results.save(tmp_path, results.merge(results.load(tmp_path), each, SETUPS))
        report.write(tmp_path, results.load(tmp_path))
    text = (tmp_path / "benchmarks.md").read_text()
    assert "| wsp-socks5-wsp.1 | 1800 · 0.90 | 700 · 0.70 |" in text
    assert "| SOCKS5: throughput, down, share of direct | ≥ 0.45 | 0.90 ✓ |" in text
    assert "| SOCKS5: throughput, up, share of direct | ≥ 0.45 | 0.70 ✓ |" in text
    assert f"*{SECOND_STAMP}, but for:*\n\n* up, 1 stream: {FIRST_STAMP}\n" in text
    assert "by hand\n" in text and "\nof before\n" in text
    assert (tmp_path / "benchmarks" / "throughput-up-1.svg").exists()
