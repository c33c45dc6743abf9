"""The recipes for other systems, as far as they can be tried here."""

import re
import subprocess

from harness.env import ROOT
from harness.programs import run
from harness.reverse import tool

PACKAGING = ROOT / "packaging"
INSTRUCTIONS = {"FROM", "WORKDIR", "COPY", "RUN", "USER", "EXPOSE", "CMD", "HEALTHCHECK"}


def test_the_spec_is_good():
    tool("rpmspec", "rpm")
    tool("rpmlint", "rpmlint")
    queried = run("rpmspec", "-q", "--qf", "%{NAME} %{VERSION}\\n", PACKAGING / "wsp.spec").decode()
    names = [line.split()[0] for line in queried.splitlines()]
    assert {"wsps", "wspc", "libwsp", "libwsp-devel"} <= set(names)
    run("rpmlint", "-c", PACKAGING / "rpmlint.toml", PACKAGING / "wsp.spec")


def test_all_versions_agree():
    project = re.search(r"project\(wsp VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text())
    version = project.group(1)
    header = (ROOT / "include/wsp/version.h").read_text()
    assert f'#define WSP_VERSION "{version}"' in header
    assert f"\nVersion:        {version}\n" in (PACKAGING / "wsp.spec").read_text()
    assert (PACKAGING / "debian/changelog").read_text().startswith(f"wsp ({version}-")


def dockerfile():
    """Its instructions as (name, rest), lines joined."""
    lines = (PACKAGING / "Dockerfile").read_text().splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#"))
    joined = text.replace("\\\n", " ").splitlines()
    return [tuple(line.split(None, 1)) for line in joined if line.strip()]


def test_the_dockerfile_is_good():
    instructions = dockerfile()
    assert {name for name, _ in instructions} <= INSTRUCTIONS
    for name, rest in instructions:
        if name == "RUN":
            command = re.sub(r"^(--\S+\s+)+", "", rest)
            subprocess.run(["bash", "-n", "-c", command], check=True, timeout=10)
        if name == "COPY":
            *sources, _ = rest.split()
            assert all((ROOT / source).exists() for source in sources)
    after_the_last_stage = [n for n, _ in instructions][::-1]
    last = after_the_last_stage[: after_the_last_stage.index("FROM")]
    assert "USER" in last and last.index("CMD") < last.index("USER"), "it runs as nobody special"
