#!/usr/bin/env python3
"""Checks include/wsp as a foreign program sees it: each header compiles alone, as C11 and as C++17,
includes nothing but the standard and its own, is guarded for C++, and documents every function.

Usage: check_headers.py CC CXX. Prints "ok - ..." or "not ok - ..." for each check.
"""

import pathlib
import re
import subprocess
import sys

INCLUDE = pathlib.Path(__file__).resolve().parents[2] / "include"
ALLOWED = re.compile(r"<(wsp/\w+\.h|std(bool|def|int)\.h|sys/types\.h)>")
WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", "-pedantic-errors"]
CXX_GUARD = '#ifdef __cplusplus\nextern "C" {\n#endif\n'


def compile_alone(compiler, language, standard, name):
    command = [compiler, f"-std={standard}", *WARNINGS, f"-I{INCLUDE}", "-fsyntax-only"]
    unit = f"#include <{name}>\n#include <{name}>\nint main(void) {{ return 0; }}\n"
    done = subprocess.run(
        [*command, "-x", language, "-"], input=unit, text=True, capture_output=True, check=False
    )
    return done.stderr


def foreign_includes(text):
    names = re.findall(r"^\s*#\s*include\s*(\S+)", text, re.MULTILINE)
    return [name for name in names if not ALLOWED.fullmatch(name)]


def unguarded(text):
    """Headers with functions or callbacks stand within extern "C"."""
    needs = "WSP_API " in text.replace("#define WSP_API", "") or "typedef" in text
    return ["no extern C"] if needs and text.count(CXX_GUARD) != 1 else []


def undocumented(text):
    """Functions without a comment right above them, or right above the group that they stand in."""
    lacking = []
    for group in re.split(r"\n\s*\n", text):
        before = group.split("WSP_API ")[0]
        if "WSP_API " in group and not before.rstrip().endswith("*/"):
            lacking += re.findall(r"\b(wsp_\w+)\(", group)[:1]
    return lacking


def main():
    cc, cxx = sys.argv[1:]
    failed = False
    for header in sorted(INCLUDE.glob("wsp/*.h")):
        name = f"wsp/{header.name}"
        text = header.read_text()
        checks = {
            "compiles alone as C11": compile_alone(cc, "c", "c11", name),
            "compiles alone as C++17": compile_alone(cxx, "c++", "c++17", name),
            "includes nothing foreign": foreign_includes(text),
            "is guarded for C++": unguarded(text),
            "documents its functions": undocumented(text),
        }
        for what, found in checks.items():
            print(f"{'not ok' if found else 'ok'} - {name} {what}")
            if found:
                print(found)
                failed = True
    return failed


sys.exit(main())
