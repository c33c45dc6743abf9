"""docs/operations.md: all its commands under the real systemd, with our packages, which are then upgraded
and purged. A command that is added there is run by that, or listed with a reason in guide.NOT_RUN."""

import re

import pytest

from harness import guide
from harness.container import walk
from harness.env import ROOT

# without what keeps packages from starting services, or would take its time
PREPARE = """
rm -rf usr/sbin/policy-rc.d var/lib/man-db/auto-update var/lib/apt/lists
echo force-unsafe-io >etc/dpkg/dpkg.cfg.d/quick
"""

INSTALLED = {
    "apt-get install -y ./build/wspc_*.deb\n": r"""
echo "after installation: $(systemctl is-enabled wsps.service) $(systemctl is-active wsps.service)" \
    "$(systemctl is-enabled wsps.socket || true)"
"""
}

UPGRADE = r"""
cd /root/files
before=$(systemctl show -p MainPID --value wsps wspc@home)
dpkg -i wsps_*.deb wspc_*.deb
systemctl is-active wsps.socket wsps.service wspc@home.service
test "$before" != "$(systemctl show -p MainPID --value wsps wspc@home)"
curl https://wsps.example.org/nothing
"""

PURGE = r"""
test -d /var/log/wsps/ -a -d /var/log/wspc/home/
dpkg -r wsps wspc
echo "after removal: $(systemctl is-active wsps.socket wsps.service wspc@home | tr '\n' ' ')"
dpkg -P wsps wspc
ls -d /var/log/wsp* /var/log/private/wsp* /etc/systemd/system/*/wsps* && exit 8
systemctl list-unit-files 'wsp*' && exit 9
echo "after purging: $(ls /etc/wsp | tr '\n' ' ')"
"""

# Blocks that are configurations, by heading and language: who runs them.
PROXIES = "tests/e2e/test_behind_proxies.py"
CONFIGURATIONS = {
    ("Reload", ""): "tests/e2e/test_reload.py",
    ("Behind another proxy", "json"): PROXIES,
    ("nginx", "nginx"): PROXIES,
    ("HAProxy", "haproxy"): PROXIES,
    ("Caddy", "caddyfile"): PROXIES,
    ("With the PROXY protocol", "haproxy"): PROXIES,
    ("With the PROXY protocol", "nginx"): PROXIES,
    ("With the PROXY protocol", "json"): PROXIES,
}


@pytest.fixture(scope="module")
def output(packages, tmp_path_factory):
    files = tmp_path_factory.mktemp("files")
    for package in packages.values():
        (files / package.name).write_bytes(package.read_bytes())
    guide.make_files(files)
    script = guide.script(packaged=True, behind=INSTALLED) + guide.script_of_sentences()
    return walk(tmp_path_factory, files, script + UPGRADE + PURGE, guide.prepare(PREPARE))


@pytest.mark.parametrize(
    "block, commands",
    [pytest.param(*pair, id=pair[0].heading) for pair in guide.expected(guide.BLOCKS)],
)
def test_what_one_should_see(output, block, commands):
    shown = guide.outputs(output)[commands.number]
    for line in block.text.splitlines():
        found = re.search(guide.pattern(line), shown)
        assert found, (line, shown)
        shown = shown[found.end() :]


def test_every_block_is_run():
    """Commands are in the script; of other blocks there are these and no more."""
    others = [b for b in guide.BLOCKS if not b.commands() and b.language != "text"]
    assert {(block.heading, block.language) for block in others} == CONFIGURATIONS.keys()
    for file in CONFIGURATIONS.values():
        assert "operations.md" in (ROOT / file).read_text()


def test_what_is_not_run_is_there():
    text = [line for block in guide.BLOCKS for line in block.commands().splitlines()]
    text += guide.commands_in_sentences()
    assert guide.NOT_RUN.keys() <= set(text)


def test_the_server_runs_once_it_is_installed(output):
    assert "\nafter installation: enabled active disabled\n" in output


def test_what_was_set_up_goes_on_after_an_upgrade(output):
    """Of it the script itself makes sure: the services are new processes, and answer."""
    assert output.count("\nSetting up wsp") == 4


def test_only_the_files_of_the_administrator_stay(output):
    assert "\nafter removal: inactive inactive inactive \n" in output
    assert "\nafter purging: fullchain.pem home.json privkey.pem \n" in output
