"""The commands of docs/operations.md, "From nothing to a running service", for a container."""

import re

from harness.certificates import Authority
from harness.env import ROOT

SECTION = re.search(
    r"\n## From nothing to a running service\n(.*?)\n## ",
    (ROOT / "docs/operations.md").read_text(),
    re.S,
).group(1)
BLOCKS = re.findall(r"\n```sh\n(.*?)```\n", SECTION, re.S)

# Before the first of them.
BEFORE = r"""
echo '127.0.0.1 wsps.example.org' >>/etc/hosts
cat ca.pem >>/etc/ssl/certs/ca-certificates.crt
install -m 644 ca.pem /etc/ssl/certs/$(openssl x509 -hash -noout -in ca.pem).0
mkdir -p /etc/letsencrypt/renewal-hooks/deploy /etc/letsencrypt/live/wsps.example.org /root/www
install -m 600 fullchain.pem privkey.pem /etc/letsencrypt/live/wsps.example.org
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
    "systemctl reload wsps wspc@home\n": """
for name in wsps wspc; do
    until journalctl -u "$name*" | grep -q "$name: reloaded"; do sleep 0.02; done
done
""",
    "systemctl restart wsps\n": """
curl https://wsps.example.org/nothing
systemctl is-enabled wsps.socket wsps.service wspc@home
for unit in wsps wspc@home; do
    grep -E '^(Uid|Gid|CapEff|NoNewPrivs)' /proc/$(systemctl show -p MainPID --value $unit)/status
done
""",
}


def make_files(directory):
    """What the commands need beside themselves: a certificate, and who has signed it."""
    authority = Authority(directory, "ca")
    cert, key = authority.issue("wsps", ["DNS:wsps.example.org"])
    cert.rename(directory / "fullchain.pem")
    key.rename(directory / "privkey.pem")


def script(packaged=False):
    """All of them in their order; `packaged`: without those that a package makes unnecessary."""
    text = "".join(BLOCKS[1:] if packaged else BLOCKS)
    for command, more in BEHIND.items():
        assert text.count(command) == 1, command
        text = text.replace(command, command + more)
    before, asked, behind = text.partition("the auth of the server")
    assert asked
    auth = """$(sed -n 's/.*"auth": "\\(.*\\)",/\\1/p' /etc/wsp/wsps.json)"""
    return BEFORE + before.replace("home.json <<'EOF'", "home.json <<EOF") + auth + behind
