#!/usr/bin/env python3
"""Counts the single tests of a JUnit file and prints "passed failed skipped".

Usage: count_results.py FILE [ctest]

With "ctest" each case is a program, mostly with cmocka: its own tests are counted, and the program
itself as one failure when it failed without naming a test (a crash, a timeout, a leak found at its
end).
Reasons of skips go to standard error. A file that is missing, broken or empty is one failure.
"""
import re
import sys
import xml.etree.ElementTree as ET


def cmocka_count(output, verdict):
    match = re.search(r"^\[  " + verdict + r" *\] (\d+) test\(s\)", output, re.MULTILINE)
    return int(match.group(1)) if match else 0


def count_program(case):
    if case.get("status") == "notrun":  # SKIP_RETURN_CODE
        return count_case(case)
    output = case.findtext("system-out") or ""
    passed = cmocka_count(output, "PASSED")
    failed = cmocka_count(output, "FAILED")
    skipped = cmocka_count(output, "SKIPPED")
    if skipped:
        print(f"skipped: {skipped} in {case.get('name')}", file=sys.stderr)
    if case.get("status") != "run" and failed == 0:
        failed = 1
    if passed + failed + skipped == 0:
        passed = 1
    return passed, failed, skipped


def count_case(case):
    skip = case.find("skipped")
    if skip is not None:
        print(f"skipped: {case.get('name')}: {skip.get('message')}", file=sys.stderr)
        return 0, 0, 1
    bad = case.find("failure") is not None or case.find("error") is not None
    return (0, 1, 0) if bad else (1, 0, 0)


def main():
    count = count_program if sys.argv[2:] == ["ctest"] else count_case
    try:
        cases = list(ET.parse(sys.argv[1]).getroot().iter("testcase"))
    except (OSError, ET.ParseError) as error:
        print(f"no usable results: {error}", file=sys.stderr)
        cases = []
    totals = [sum(column) for column in zip(*map(count, cases))] or [0, 1, 0]
    print(*totals)


if __name__ == "__main__":
    main()
