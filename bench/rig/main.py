"""The command line of bench/run."""

import argparse
import datetime
import resource
import shutil
import signal
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from rig import build, machine, measures, network, report, results
from rig.errors import Failed, LeftOut
from rig.ours import Binaries, Wsp
from rig.paths import BUILD, DOCS
from rig.runner import Runner, log
from rig.setups import Direct, Socat, Ssh, Websockify
from rig.sizes import FULL, QUICK

DESCRIPTORS = 65536
DIALECTS = ("0.10", "wsp.1")
KINDS = ("socks5", "channel", "wrap")


def setups(binaries, peers):
    """The table of contestants, in the order in which they are measured and shown."""
    own = Binaries(binaries, extended=True)
    ours = [Wsp(own, kind, dialect) for kind in KINDS for dialect in DIALECTS]
    ours.append(Wsp(own, "socks5", "wsp.1", tls=True))
    ours.append(Wsp(own, "channel", "wsp.1", tls=True))
    ours.append(Wsp(own, "socks5", "wsp.1", connections=4))
    others = [
        Wsp(Binaries(directory, extended=False), kind, "0.10", title=name)
        for name, directory in peers
        for kind in KINDS
    ]
    return [
        Direct(),
        Socat(),
        Ssh("L", "OpenSSH -L"),
        Ssh("D", "OpenSSH -D"),
        Websockify(),
        *others,
        *ours,
    ]


def peer(text):
    name, _, directory = text.partition("=")
    if not name or not directory:
        raise argparse.ArgumentTypeError("expected NAME=DIR")
    return name, Path(directory).resolve()


def options(argv):
    parser = argparse.ArgumentParser(
        prog="bench/run",
        description="Measures wsp beside other ways to forward TCP, all interleaved.",
    )
    parser.add_argument("--quick", action="store_true", help="once, and little of everything")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="measures, or measure/case")
    parser.add_argument("--setups", nargs="+", metavar="NAME", help="contestants; direct is added")
    parser.add_argument("--list", action="store_true", help="say what there is, and end")
    parser.add_argument("--runs", type=int, metavar="N", help="rounds (5; with --quick 1)")
    parser.add_argument(
        "--out", type=Path, metavar="DIR",
        help="of benchmarks.md and its numbers (docs; with --quick build/bench/quick)",
    )
    parser.add_argument(
        "--peer", type=peer, action="append", default=[], metavar="NAME=DIR",
        help="another implementation's wsps and wspc; can be given several times",
    )
    parser.add_argument(
        "--bin", type=Path, metavar="DIR", help="our wsps and wspc, instead of building them"
    )
    parser.add_argument(
        "--render", action="store_true", help=f"only write the page anew, from {results.FILE}"
    )
    return parser.parse_args(argv)


def pick_cases(cases, wanted):
    if not wanted:
        return cases
    names = {name for case in cases for name in (case.measure, f"{case.measure}/{case.name}")}
    unknown = set(wanted) - names
    if unknown:
        sys.exit(f"bench/run: no measure {', '.join(sorted(unknown))}; --list tells what there is")
    return [c for c in cases if c.measure in wanted or f"{c.measure}/{c.name}" in wanted]


def pick_setups(table, wanted, quick):
    if not wanted:
        return [setup for setup in table if setup.quick or not quick]
    unknown = set(wanted) - {setup.name for setup in table}
    if unknown:
        sys.exit(f"bench/run: no contestant {', '.join(sorted(unknown))}; --list tells them")
    return [setup for setup in table if setup.name in wanted or setup.name == "direct"]


def show_list(cases, table):
    print("measures:")
    for case in cases:
        print(f"  {case.measure}/{case.name}")
    print("contestants:")
    for setup in table:
        try:
            setup.check()
            print(f"  {setup.name}")
        except LeftOut as reason:
            print(f"  {setup.name}: left out: {reason}")


def raise_descriptors():
    """The daemons inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, max(hard, DESCRIPTORS)))
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def usable(table, runner, cases):
    """Those that can take part; the others get their reason into every case."""
    found = []
    for setup in table:
        try:
            setup.check()
            found.append(setup)
        except LeftOut as reason:
            log(f"{setup.name}: left out: {reason}")
            for case in cases:
                if case.wants(setup):
                    runner.results.at(case, setup)["left_out"] = str(reason)
    return found


def about(setup):
    return {
        "name": setup.name,
        "label": setup.label,
        "ours": setup.ours,
        "kind": setup.kind,
        "tls": setup.tls,
        "dialect": setup.dialect,
        "connections": setup.connections,
        "title": getattr(setup, "title", setup.name),
    }


def measure(args, sizes, cases, table):
    """One session: all that was asked for, into one dictionary."""
    runs = args.runs or sizes.runs
    begin = datetime.datetime.now().isoformat(sep=" ", timespec="seconds")
    described = machine.describe(args.bin)
    directory = Path(tempfile.mkdtemp(prefix="wsp-bench-"))
    runner = Runner([], runs, directory)
    runner.setups = usable(table, runner, cases)
    try:
        for case in cases:
            runner.run(case)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return {
        "id": begin,
        "session": {"machine": described, "runs": runs, "sizes": asdict(sizes)},
        "results": runner.results.data,
        "failures": runner.results.failures(),
    }


def main(argv=None):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that all is cleared away
    args = options(argv)
    out = args.out or (BUILD / "quick" if args.quick else DOCS)
    stored = results.load(out)  # before hours of measuring, since it may be broken
    if args.render:
        report.write(out, stored)
        return 0
    sizes = QUICK if args.quick else FULL
    cases = pick_cases([*measures.cases(sizes), *network.cases(sizes)], args.only)
    everybody = setups((args.bin or BUILD).resolve(), args.peer)
    table = pick_setups(everybody, args.setups, args.quick)
    if args.list:
        show_list(cases, table)
        return 0
    raise_descriptors()
    network.remove_stale()
    try:
        log("building")
        build.tools()
        if not args.bin:
            build.daemons()
    except Failed as fault:
        sys.exit(f"bench/run: {fault}")
    outcome = measure(args, sizes, cases, table)
    stored = results.merge(stored, outcome, [about(setup) for setup in everybody])
    results.save(out, stored)
    log(f"written: {report.write(out, stored)}")
    if outcome["failures"]:
        log(f"{outcome['failures']} measurements failed")
    return 1 if outcome["failures"] else 0
