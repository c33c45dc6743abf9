"""docs/operations.md, "From nothing to a running service": its commands, under the real systemd. The
system it boots is this one, in a container; what is written there is in memory and goes with it."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from harness.certificates import Authority
from harness.env import BIN_DIR, ROOT, SANITIZED, patience
from harness.reverse import tool

SECTION = re.search(
    r"\n## From nothing to a running service\n(.*?)\n## ",
    (ROOT / "docs/operations.md").read_text(),
    re.S,
).group(1)
BLOCKS = re.findall(r"\n```sh\n(.*?)```\n", SECTION, re.S)

# Around the container: mounts that only it sees and that end with it.
OUTSIDE = r"""
set -e
inside=$1 build=$2 files=$3
shift 3
mount -t tmpfs tmpfs "$inside"
mkdir "$inside"/upper "$inside"/work "$inside"/root
mount -t overlay overlay "$inside/root" \
    -o "lowerdir=/,upperdir=$inside/upper,workdir=$inside/work"
cd "$inside/root"
DESTDIR=$PWD cmake --install "$build" --prefix /usr/local >/dev/null
rm -rf etc/wsp etc/letsencrypt var/log/journal
cp "$files"/walk.* etc/systemd/system/
cp "$files"/*.pem "$files"/walk.sh root/
exec "$@" </dev/null
"""

# In the container, before the first command of the document.
BEFORE = r"""
exec >/result/output 2>&1
set -ex
trap 'echo $? >/result/status; systemctl poweroff --no-block' EXIT
echo begun >/result/status
export SYSTEMD_PAGER=cat HOME=/root
ip link set lo up
echo '127.0.0.1 wsps.example.org' >>/etc/hosts
cat /root/ca.pem >>/etc/ssl/certs/ca-certificates.crt
install -m 644 /root/ca.pem /etc/ssl/certs/$(openssl x509 -hash -noout -in /root/ca.pem).0
mkdir -p /etc/letsencrypt/renewal-hooks/deploy /etc/letsencrypt/live/wsps.example.org /root/www
install -m 600 /root/fullchain.pem /root/privkey.pem /etc/letsencrypt/live/wsps.example.org
echo 'a page of the service' >/root/www/index.html
/usr/bin/python3 -m http.server -d /root/www --bind 127.0.0.1 8080 >/dev/null 2>&1 &
until_status() {
    for _ in $(seq 1000); do
        systemctl show -p StatusText "$1" | grep -q "$2" && return
        sleep 0.02
    done
    exit 9
}
"""

# Behind some commands of the document.
BEHIND = {
    "systemctl enable --now wspc@home\n": """
until_status wspc@home '1 of 1 servers connected'
until curl -s https://wsps.example.org/app/ | grep -q page; do sleep 0.02; done
""",
    "systemctl reload wsps\n": """
until journalctl -u wsps | grep -q 'wsps: reloaded'; do sleep 0.02; done
""",
    "systemctl restart wsps\n": """
curl https://wsps.example.org/nothing
systemctl is-enabled wsps.socket wsps.service wspc@home
for unit in wsps wspc@home; do
    grep -E '^(Uid|Gid|CapEff|NoNewPrivs)' /proc/$(systemctl show -p MainPID --value $unit)/status
done
""",
}

UNITS = {
    "walk.target": "[Unit]\nRequires=basic.target\nAfter=basic.target\nWants=walk.service\n"
    "AllowIsolate=yes\n",
    "walk.service": "[Unit]\nAfter=basic.target\n[Service]\nType=oneshot\n"
    "ExecStart=/bin/bash /root/walk.sh\n",
}


def walk():
    """All commands of the section, in their order."""
    text = "".join(BLOCKS)
    for command, more in BEHIND.items():
        assert text.count(command) == 1, command
        text = text.replace(command, command + more)
    before, asked, behind = text.partition("the auth of the server")
    assert asked
    auth = """$(sed -n 's/.*"auth": "\\(.*\\)",/\\1/p' /etc/wsp/wsps.json)"""
    return BEFORE + before.replace("home.json <<'EOF'", "home.json <<EOF") + auth + behind


def write_files(directory):
    authority = Authority(directory, "ca")
    cert, key = authority.issue("wsps", ["DNS:wsps.example.org"])
    cert.rename(directory / "fullchain.pem")
    key.rename(directory / "privkey.pem")
    (directory / "walk.sh").write_text(walk())
    for name, text in UNITS.items():
        (directory / name).write_text(text)


def boot(files, inside, result):
    """Runs it to its end, and returns what the walk and the container have said."""
    nspawn = tool("systemd-nspawn", "systemd-container")
    # where there is no systemd outside, the container stays in the cgroup of this process
    alone = [] if Path("/run/systemd/system").exists() else ["--keep-unit"]
    command = [
        *("unshare", "--mount", "sh", "-c", OUTSIDE, "sh", inside, BIN_DIR, files),
        *(nspawn, "--quiet", "--register=no", *alone, f"--machine=wsp-{os.getpid()}"),
        *("--private-network", f"--bind={result}:/result", "--directory=.", "--boot"),
        "systemd.unit=walk.target",
    ]
    environment = {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1", "SYSTEMD_NSPAWN_USE_CGNS": "0"}
    done = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=patience(60),
        check=False,
    )
    return done.stdout.decode(errors="replace")


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """What the commands have printed."""
    if os.geteuid() != 0:
        pytest.skip("only root can boot a container")
    if SANITIZED:
        pytest.skip("the build without sanitizers is the one that is installed")
    tool("systemd-nspawn", "systemd-container")
    files, inside, result = (tmp_path_factory.mktemp(name) for name in ("files", "in", "result"))
    write_files(files)
    said = boot(files, inside, result)
    status = result / "status"
    if not status.exists():
        pytest.skip("no container can be booted here: " + said[-300:])
    text = (result / "output").read_text()
    assert status.read_text() == "0\n", text[-6000:]
    return text


def test_commands_of_the_document(output):
    """Each of them has ended well: the walk ends with the first that has not."""
    assert output.count("\na page of the service\n") == 2
    assert "/etc/wsp/wsps.json: configuration is fine" in output
    assert 'Status: "listening on [::]:443"' in output
    assert "wsps: listening on [::]:443 (passed by the service manager) with TLS" in output
    assert "wsps: reloaded" in output
    assert re.findall(r"(?m)^(enabled|disabled)$", output) == ["enabled"] * 3


def test_services_have_next_to_no_rights(output):
    for unit in ("Uid", "Gid"):
        assert re.findall(rf"\n{unit}:\t(\d+)", output).count("0") == 0
    assert re.findall(r"\nNoNewPrivs:\t(.*)", output) == ["1", "1"]
    assert re.findall(r"\nCapEff:\t(.*)", output) == ["0" * 16] * 2
