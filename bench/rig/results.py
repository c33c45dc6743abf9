"""All that stands on the page, as numbers: benchmarks.json beside it, to which each run is added."""

import json

FILE = "benchmarks.json"
BASE = "direct"  # the contestant that the others of its run are compared with
EMPTY = {"setups": [], "sessions": {}, "results": {}}

# {
#   "setups": [description of a contestant, …],
#   "sessions": {id: {"machine": …, "runs": …, "sizes": …}},          one for each call of bench/run
#   "results": {measure: {case: [{"session": id, "contestants": {name: entry}}, …]}}    newest first
# }


def load(directory):
    path = directory / FILE
    return json.loads(path.read_text()) if path.exists() else EMPTY


def save(directory, stored):
    """At once or not at all: it holds hours of measuring."""
    directory.mkdir(parents=True, exist_ok=True)
    fresh = directory / (FILE + ".new")
    fresh.write_text(json.dumps(stored, indent=1, ensure_ascii=False) + "\n")
    fresh.replace(directory / FILE)


def _without(batch, names):
    """What is left of a batch. Its base stays while there is somebody to compare with it."""
    kept = {n: e for n, e in batch["contestants"].items() if n not in names or n == BASE}
    return {**batch, "contestants": kept} if set(kept) - {BASE} else None


def _tried(contestants, batches):
    """Those that were measured, or never before: who is left out keeps what there is."""
    known = {name for batch in batches for name in batch["contestants"]}
    return {
        name: entry
        for name, entry in contestants.items()
        if entry["runs"] or entry["failed"] or name not in known
    }


def _merged_case(batches, session, contestants):
    tried = _tried(contestants, batches)
    if not tried:
        return batches
    older = (_without(batch, tried) for batch in batches)
    return [{"session": session, "contestants": tried}, *filter(None, older)]


def _others(known, setups, batches):
    """Contestants that take no part any more, but have results."""
    present = {name for batch in batches for name in batch["contestants"]}
    absent = present - {setup["name"] for setup in setups}
    return [setup for setup in known if setup["name"] in absent]


def merge(stored, outcome, setups):
    """
    `stored` with what the session of `outcome` measured in place of what it measured again.
    `setups` describes all contestants there are now, in their order.
    """
    results = {measure: dict(cases) for measure, cases in stored["results"].items()}
    for measure, cases in outcome["results"].items():
        merged = results.setdefault(measure, {})
        for case, contestants in cases.items():
            merged[case] = _merged_case(merged.get(case, []), outcome["id"], contestants)
    batches = [b for cases in results.values() for case in cases.values() for b in case]
    sessions = {**stored["sessions"], outcome["id"]: outcome["session"]}
    used = {batch["session"] for batch in batches}
    return {
        "setups": [*setups, *_others(stored["setups"], setups, batches)],
        "sessions": {key: session for key, session in sessions.items() if key in used},
        "results": results,
    }
