#!/usr/bin/env python3
"""Compares what libwsp offers with symbols.txt, and looks at what it asks of others.

Usage: check_symbols.py LIBWSP_SO LIBWSP_A. Prints "ok - ..." or "not ok - ..." for each check.
"""

import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
INCLUDE = HERE.parents[1] / "include" / "wsp"
SONAME = "libwsp.so.0"
# What belongs to the program alone. abort() is not among it: loop_random (src/net/loop.c) ends a
# process that cannot have strong random bytes.
OF_THE_PROCESS = re.compile(
    r"signal|sigaction|sigprocmask|pthread_sigmask|sigaltstack|_?exit|_Exit|quick_exit|"
    r"(__cxa_)?atexit|on_exit|fchdir|chdir|chroot|umask|setlocale|setenv|putenv|unsetenv|"
    r"setrlimit(64)?|prlimit(64)?|set[ug]id|fork|vfork|exec[lv]\w*|daemon|openlog|syslog|mallopt|"
    r"malloc_trim|lws_\w+"
)
OF_SANITIZERS = re.compile(r"__(asan|ubsan|tsan|sanitizer|odr_asan|gcov)\w*|_init|_fini")


def nm(*arguments):
    """Names of symbols, without their versions."""
    lines = subprocess.run(
        ["nm", "--portability", *arguments], check=True, text=True, capture_output=True
    ).stdout.splitlines()
    fields = [line.split() for line in lines]
    return {f[0].split("@")[0] for f in fields if len(f) >= 2 and not OF_SANITIZERS.match(f[0])}


def declared():
    text = "".join(header.read_text() for header in INCLUDE.glob("*.h"))
    return set(re.findall(r"^WSP_API\s[^(]*?\b(wsp_\w+)\(", text, re.MULTILINE))


def soname(library):
    text = subprocess.run(
        ["readelf", "-d", library], check=True, text=True, capture_output=True
    ).stdout
    return set(re.findall(r"\(SONAME\).*\[(.*)\]", text))


def tested():
    text = "".join(path.read_text() for path in HERE.glob("*.c"))
    return set(re.findall(r"\b(wsp_\w+)\(", text))


def main():
    shared, archive = sys.argv[1:]
    text = (HERE / "symbols.txt").read_text()
    listed = set(text.split())
    in_order = "".join(f"{name}\n" for name in sorted(listed))
    imported = nm("-D", "--undefined-only", shared)
    checks = {
        "symbols.txt is sorted, one on a line": [] if text == in_order else "sort -u it",
        "the headers declare what is listed": declared() ^ listed,
        "the shared library exports what is listed": nm("-D", "--defined-only", shared) ^ listed,
        "the archive defines nothing else": nm("-g", "--defined-only", archive) ^ listed,
        f"the shared library is {SONAME}": soname(shared) ^ {SONAME},
        "it asks for nothing of the process": set(filter(OF_THE_PROCESS.fullmatch, imported)),
        "the tests here call every function": listed - tested(),
    }
    for what, found in checks.items():
        print(f"{'not ok' if found else 'ok'} - {what}")
        if found:
            print(found if isinstance(found, str) else "\n".join(sorted(found)))
    return any(checks.values())


sys.exit(main())
