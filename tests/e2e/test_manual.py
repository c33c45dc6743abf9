"""--help against the manuals and the completions, and what the documents say about keys: the option
tables and the readers of the configuration are in C, all else must not go stale."""

import json
import re
import shlex
import subprocess
from dataclasses import dataclass

import pytest

from harness.daemons import command, environment
from harness.env import ROOT
from harness.programs import run
from harness.reverse import tool

DAEMONS = ["wsps", "wspc"]
BOTH = pytest.mark.parametrize("name", DAEMONS)


@dataclass(frozen=True)
class Option:
    letter: str
    name: str
    value: str
    help: str
    is_repeatable: bool

    @property
    def forms(self):
        return {f"--{self.name}"} | ({f"-{self.letter}"} if self.letter else set())


def help_of(name):
    return run(*command(name, "--help"), env=environment()).decode()


def options_of(name):
    """The option table, as --help shows it."""
    row = r"^  (?:-(\w),|   ) --([a-z-]+)(?: ([A-Z]+))? +(.*?)( \(repeatable\))?$"
    rows = re.findall(row, help_of(name), re.M)
    assert len(rows) > 10, "the form of --help has changed"
    return [Option(*fields[:4], bool(fields[4])) for fields in rows]


def check(name, args, cwd, limit=10):
    """What -t says of a command line."""
    return run(*command(name, "-t", *args), cwd=cwd, env=environment(), limit=limit)


@pytest.fixture
def folder(tmp_path):
    """A working directory for examples, which have their secret in a file there."""
    (tmp_path / "secret").write_text("a long secret\n")
    return tmp_path


# ---- help


@BOTH
def test_help_fits_one_screen(name):
    lines = help_of(name).splitlines()
    assert len(lines) <= 24 and max(map(len, lines)) <= 80


@BOTH
def test_help_has_an_example_for_each_role(name, folder):
    """And they are command lines that are good."""
    lines = [x.strip() for x in help_of(name).splitlines() if x.startswith(f"  {name} ")]
    examples = [shlex.split(re.split("  +", line)[0])[1:] for line in lines]
    roles = {"wsps": {"-p", "-c"}, "wspc": {"-D", "-R", "-L", "-W"}}[name]
    assert roles <= {word for words in examples for word in words}
    for words in examples:
        common = ["-s", "ws://example.com:8010", "--auth-file", "secret"] if name == "wspc" else []
        if "-c" not in words:
            check(name, common + words, folder)


# ---- manuals


@BOTH
def test_manual_has_the_options(name):
    page = (ROOT / "man" / f"{name}.1").read_text()
    items = re.findall(r"^\.It (?:Fl (\w) , )?Fl -([a-z-]+)(?: Ar (\w+))?$", page, re.M)
    table = options_of(name)
    assert items == [(o.letter, o.name, o.value) for o in table]
    synopsis = page.split(".Sh DESCRIPTION")[0]
    for option in table:
        first = option.letter or f"-{option.name}"
        assert re.search(rf"\bFl {first}\b|\| {first}\b", synopsis), option
    repeatable = page.split("can be repeated.")[0].rsplit(".El", 1)[1] if name == "wspc" else ""
    assert re.findall(r"^\.Fl (\w)", repeatable, re.M) == [o.letter for o in table if o.is_repeatable]


@BOTH
def test_examples_of_the_manual(name, folder):
    page = (ROOT / "man" / f"{name}.1").read_text()
    lines = page.split(".Sh EXAMPLES")[1].replace("\\e\n", "").splitlines()
    examples = [shlex.split(line) for line in lines if line.startswith(f"{name} ")]
    assert len(examples) > 2
    for words in examples:
        if "-c" not in words:
            check(name, words[1:], folder)


@pytest.mark.parametrize("page", ["wsps.1", "wspc.1", "wsp.json.5"])
def test_manual_is_well_formed(page):
    run(tool("mandoc", "mandoc"), "-T", "lint", "-W", "warning", ROOT / "man" / page)


def manual_keys():
    page = (ROOT / "man" / "wsp.json.5").read_text()
    items = re.findall(r"^\.It Cm (.+)$", page, re.M)
    return {key for item in items for key in item.split(" , ")}


def test_manual_has_the_keys_of_the_document():
    document = (ROOT / "docs" / "configuration.md").read_text()
    keys = set()
    for table in re.findall(r"^\| key \|.*\n\|[-|]+\n((?:\|.*\n)+)", document, re.M):
        for row in table.splitlines():
            keys |= set(re.findall(r"`([^`]+)`", row.split("|")[1]))
    objects = {key.split(".")[0] for key in keys if "." in key}
    assert manual_keys() ^ (keys - objects) == set()


def test_manual_has_the_keys_of_the_readers():
    """Each name that an object of the files may have, as the lists of known keys in C have it."""
    names = set()
    for file in (ROOT / "src" / "config").glob("*.[ch]"):
        source = file.read_text()
        for known in re.findall(r"\bkeys\[\] = \{(.*?)\}|_KEYS? ((?:\"\w+\",? ?)+)", source, re.S):
            names |= set(re.findall(r'"(\w+)"', "".join(known)))
        names |= set(re.findall(r'^    \{"(\w+)", offsetof\(struct config_time', source, re.M))
    listed = {part for key in manual_keys() for part in re.split(r"\W+", key)}
    assert listed ^ names == set()


def test_files_in_the_manual(folder):
    page = (ROOT / "man" / "wsp.json.5").read_text()
    blocks = re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", page.split(".Sh EXAMPLES")[1], re.M | re.S)
    files = [text for block in blocks for text in block.replace("\\(dq", '"').split("\n\n")]
    assert len(files) == 3
    for text in files:
        (folder / "file.json").write_text(text)
        check("wspc" if "client" in json.loads(text) else "wsps", ["-c", "file.json"], folder)


# ---- completions: the shells themselves are asked


def bash_offers(name, *words):
    """What bash offers behind these words, the last of which is not finished."""
    script = f"""
        source {shlex.quote(str(ROOT / 'completions' / name))}.bash
        complete -p {name} >/dev/null || exit 1
        COMP_WORDS=({shlex.join([name, *words])}); COMP_CWORD={len(words)}
        _{name}
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    return set(run("bash", "--norc", "-c", script).decode().split())


@BOTH
def test_bash(name, folder):
    table = options_of(name)
    assert bash_offers(name, "-") == set().union(*(o.forms for o in table))
    assert bash_offers(name, "--log-level", "=", "t") == {"trace"}
    assert bash_offers(name, "-t", "--log-level", "") == {"error", "warn", "info", "debug", "trace"}
    for form in ("-c", "--config", "--auth-file", "--log-file"):
        assert bash_offers(name, form, f"{folder}/se") == {f"{folder}/secret"}
    for option in table:
        for form in option.forms if option.value in ("URL", "CHANNEL", "PORT") else ():
            assert all("://" in offer for offer in bash_offers(name, form, "")), form
    if name == "wspc":
        assert bash_offers(name, "-R", "t") == {"tcp://", "tunnel://"}


def zsh_specs(name):
    """The arguments of _arguments, as zsh sees them."""
    script = '_arguments() { print -rl -- "$@" }; source "$0"'
    file = ROOT / "completions" / f"{name}.zsh"
    return run(tool("zsh", "zsh"), "-f", "-c", script, file).decode().splitlines()


@BOTH
def test_zsh(name):
    expected = set()
    for option in options_of(name):
        text = option.help.replace("]", "\\]")
        group = f"(-{option.letter} --{option.name})" if option.letter else ""
        first = "*" if option.is_repeatable else group
        for form in option.forms:
            joint = "" if not option.value else "=" if form.startswith("--") else "+"
            value = f":{option.value}:" if option.value else ""
            expected.add(f"{first}{form}{joint}[{text}]{value}")
    specs = [spec for spec in zsh_specs(name) if len(spec) > 2]  # but for -s and -S
    assert {re.sub(r"(\]:[A-Z]+:).*", r"\1", spec) for spec in specs} == expected


def fish_offers(name, line):
    """{offer: its text}"""
    file = ROOT / "completions" / f"{name}.fish"
    script = f"complete -e {name}; source {shlex.quote(str(file))}; complete -C {shlex.quote(line)}"
    told = run(tool("fish", "fish"), "--no-config", "-c", script).decode()
    return dict(line.partition("\t")[::2] for line in told.splitlines())


@BOTH
def test_fish(name, folder):
    table = options_of(name)
    assert fish_offers(name, f"{name} -") == {form: o.help for o in table for form in o.forms}
    assert set(fish_offers(name, f"{name} --log-level d")) == {"debug"}
    assert set(fish_offers(name, f"{name} -c {folder}/se")) == {f"{folder}/secret"}
    if name == "wspc":
        assert {"socks5://", "http://"} == set(fish_offers(name, "wspc -D "))


@BOTH
def test_completions_are_well_formed(name):
    for shell in ("bash", "zsh", "fish"):
        file = ROOT / "completions" / f"{name}.{shell}"
        assert subprocess.run([tool(shell, shell), "-n", file], check=False).returncode == 0
