"""
docs/embedding.md: all its commands in one shell, with the library installed in a folder; its pieces
of C are compiled. What is run there are the examples, built as anybody would.
"""

import re
import subprocess

import pytest

from harness import guide
from harness.daemons import SANITIZER
from harness.env import ROOT, patience
from harness.net import free_port
from harness.programs import run

PIECES = list(guide.pieces("docs/embedding.md"))
BLOCKS = [piece for piece in PIECES if piece.language != "span"]
PORTS = ("8100", "8101", "8080", "8013", "1080")

# In place of these there is the fixture `installed`; tests/packaging tries the packages.
NOT_RUN = """\
./scripts/packages build
cmake --preset release
cmake --build --preset release
(cd build && cpack -G DEB)
apt-get install -y ./build/libwsp0_*.deb ./build/libwsp-dev_*.deb ./build/wspc_*.deb
apt-get install -y libwebsockets-dev libmicrohttpd-dev libglib2.0-dev curl python3
"""

# A person does not type as fast as that, uses no sanitizers, and sees no meters of curl's.
FUNCTIONS = r"""
cc() { command cc $CFLAGS "$@"; }
curl() { command curl -sS "$@"; }
until_up() { until (: <>/dev/tcp/127.0.0.1/$1) 2>/dev/null; do sleep 0.02; done; }
until_said() { until grep -qE "^([^+].*)?$1" output; do sleep 0.02; done; }
"""
BEHIND = {
    "lws-server 8100 &\n": "until_up 8100",
    "build/try 8080 &\n": "until_up 8080",
    "value=app' &\n": "until_said 'registered http:path:app'",
    "microhttpd-server 8101 &\n": "until_up 8101",
    "socks5://127.0.0.1:1080 &\n": "until_up 1080; until_said 'up, to ws://127.0.0.1:8101'",
    "wsp shout &\n": "until_said 'serving shout'",
    "serve_forever()' &\n": "until_up 8013",
    "tcp://clock@127.0.0.1:8013 &\n": "until_said 'registered clock'",
}

HEADERS = {
    "uv_": "uv.h",
    "ev_": "ev.h",
    "g_unix_": "glib-unix.h",
    "poll(": "poll.h",
    "lws_": "libwebsockets.h",
    "sig_atomic_t": "signal.h",
    "F_DUPFD_": "fcntl.h",
    "bool": "stdbool.h",
}


def script():
    text = "".join(guide.mark(b.number) + b.commands() for b in BLOCKS if b.commands())
    assert text.count(NOT_RUN) == 1
    text = text.replace(NOT_RUN, "")
    for command, wait in BEHIND.items():
        assert text.count(command) == 1, command
        text = text.replace(command, command + wait + "\n")
    assert len(re.findall(r"&$", text, re.M)) == len(BEHIND)
    text = "set -ex\n" + FUNCTIONS + text
    for port in PORTS:
        text = re.sub(rf"\b{port}\b", str(free_port()), text)
    return text


@pytest.fixture(scope="module")
def output(installed, sources):
    """All of it; whatever still runs when it fails is ended with its process group."""
    file = sources / "output"
    with file.open("wb") as sink:
        shell = subprocess.Popen(
            ["bash", "-c", script()],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            cwd=sources,
            env=installed.environment,
            start_new_session=True,
        )
        try:
            status = shell.wait(patience(50))
        finally:
            if shell.poll() is None or shell.returncode:
                subprocess.run(["kill", "--", f"-{shell.pid}"], check=False)
    text = file.read_text()
    assert status == 0 and not SANITIZER.search(text), text[-3000:]
    return guide.outputs(text)


@pytest.mark.parametrize(
    "block, commands", [pytest.param(*pair, id=pair[0].heading) for pair in guide.expected(BLOCKS)]
)
def test_what_one_should_see(output, block, commands):
    shown = output[commands.number]
    for line in block.text.splitlines():
        found = re.search(guide.pattern(line), shown)
        assert found, (line, shown)
        shown = shown[found.end() :]


C_BLOCKS = [block for block in BLOCKS if block.language == "c"]


@pytest.mark.parametrize("block", C_BLOCKS, ids=[f"{b.heading} {b.number}" for b in C_BLOCKS])
def test_its_pieces_of_c(block, installed):
    includes = [name for word, name in HEADERS.items() if word in block.text] + ["wsp/wsp.h"]
    text = "".join(f"#include <{name}>\n" for name in includes) + block.text
    flags = run("pkg-config", "--cflags", "wsp", "glib-2.0", env=installed.environment).split()
    flags = [flag.decode() for flag in flags] + ["-Wno-unused-function", "-Wno-unused-variable"]
    command = ["cc", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", *flags, "-xc", "-"]
    run(*command, data=text.encode())


def test_every_block_is_known():
    known = {"sh", "text", "c"}
    assert {block.language for block in BLOCKS} == known


def test_links_lead_somewhere():
    text = (ROOT / "docs/embedding.md").read_text()
    headings = re.findall(r"^#+ (.*)$", re.sub(r"(?ms)^```.*?^```$", "", text), re.M)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    for target in re.findall(r"\[[^]]*\]\(([^)]*)\)", text):
        file, _, anchor = target.partition("#")
        assert (ROOT / "docs" / file).exists() if file else anchor in anchors, target
