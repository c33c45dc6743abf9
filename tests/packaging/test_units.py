"""The packages under the real systemd: installed, set up by the document, upgraded, purged."""

import re

import pytest

from harness import guide
from harness.container import walk

# without what keeps packages from starting services, or would take its time
PREPARE = "rm -rf etc/wsp etc/letsencrypt usr/sbin/policy-rc.d var/lib/man-db/auto-update"

INSTALL = r"""
dpkg --force-unsafe-io -i wsps_*.deb wspc_*.deb
echo "after installation: $(systemctl is-enabled wsps.service) $(systemctl is-active wsps.service)" \
    "$(systemctl is-enabled wsps.socket || true)"
wsps --status
"""

UPGRADE = r"""
before=$(systemctl show -p MainPID --value wsps wspc@home)
dpkg --force-unsafe-io -i wsps_*.deb wspc_*.deb
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


@pytest.fixture(scope="module")
def output(packages, tmp_path_factory):
    files = tmp_path_factory.mktemp("files")
    for name in ("wsps", "wspc"):
        (files / packages[name].name).write_bytes(packages[name].read_bytes())
    guide.make_files(files)
    script = INSTALL + guide.script(packaged=True) + "cd /root/files\n" + UPGRADE + PURGE
    return walk(tmp_path_factory, files, script, PREPARE)


def test_the_server_runs_once_it_is_installed(output):
    assert "\nafter installation: enabled active disabled\n" in output
    assert re.search(r"\nlistening +127\.0\.0\.1:8010, ", output)


def test_the_document_holds_for_packages(output):
    assert output.count("\na page of the service\n") == 2
    assert "wsps: listening on [::]:443 (passed by the service manager) with TLS" in output


def test_what_was_set_up_goes_on_after_an_upgrade(output):
    """Of it the script itself makes sure: the services are new processes, and answer."""
    assert output.count("\nSetting up wsp") == 4


def test_only_the_files_of_the_administrator_stay(output):
    assert "\nafter removal: inactive inactive inactive \n" in output
    assert "\nafter purging: fullchain.pem home.json privkey.pem \n" in output
