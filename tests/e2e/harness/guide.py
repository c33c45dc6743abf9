"""What documents have one run; the commands of docs/operations.md as scripts for a container."""

import re
import shutil
from dataclasses import dataclass
from types import MappingProxyType

from harness.certificates import Authority
from harness.env import BIN_DIR, ROOT
from harness.reverse import tool

TOKEN = re.compile(
    r"^#+ (?P<heading>.*)$"
    r"|^```(?P<language>\w*)\n(?P<fenced>(?s:.*?))^```$"
    r"|(?P<indented>(?:^ {4}.*\n(?:\n(?= {4}))?)+)"
    r"|`(?P<span>[^`]+)`",
    re.M,
)

# Headings: the two ways to the programs.
PACKAGED, UNPACKAGED = "2. The programs", "Without packages"

# Programs of the same name have nothing to do with these words of the log.
LOG_WORDS = re.compile(r"link \d|login refused")

# What cannot run in the container, and why or where it is tested instead.
NOT_RUN = {
    "apt-get update": "there is no network",
    "apt-get install -y certbot curl": "there is no network; certbot is one of the STAND_INS",
    "sudo -i": "gives a shell to type into",
    "journalctl -u wsps -f": "has no end",
    "wspc --status": "short for the one with -c, which is run",
    "kill -HUP PID": "PID stands for a number; test_reload.py",
    "pkg-config --cflags --libs wsp": "that package is not installed here; test_install.py",
    "docker build -f packaging/Dockerfile -t wsp .": "there is no network; test_others.py",
    'docker run -d -p 8010:8010 -v "$PWD/wsps.json:/etc/wsp/wsps.json:ro" wsp': "no image",
    'docker run -d --network host -v "$PWD/wspc.json:/etc/wsp/wspc.json:ro" wsp'
    " wspc -c /etc/wsp/wspc.json": "no image",
}

# The programs are built already, and nobody but the test's own authority can give certificates.
STAND_INS = r"""
cmake() {
    case $1 in
    --preset) command cmake --list-presets | grep "\"$2\"" && mkdir -p build ;;
    --build) command cmake --build --list-presets | grep "\"$3\"" ;;
    --install) cp -a /root/installed/. / ;;
    *) return 2 ;;
    esac
}
cpack() {
    test "$*" = "-G DEB" && cp /root/files/*.deb .
}
certbot() {
    case "$*" in
    "certonly --standalone -d wsps.example.org")
        mkdir -p /etc/letsencrypt/renewal-hooks/deploy /etc/letsencrypt/live/wsps.example.org
        cd /root/files
        install -m 600 fullchain.pem privkey.pem /etc/letsencrypt/live/wsps.example.org
        cd -
        echo 'Successfully received certificate.' ;;
    "renew --dry-run") test -x /etc/letsencrypt/renewal-hooks/deploy/wsps ;;
    *) return 2 ;;
    esac
}
type ufw || ufw() {
    test "$*" = "allow 80,443/tcp"
}
"""

# Before the first of them.
BEFORE = r"""
echo '127.0.0.1 wsps.example.org' >>/etc/hosts
cat ca.pem >>/etc/ssl/certs/ca-certificates.crt
install -m 644 ca.pem /etc/ssl/certs/$(openssl x509 -hash -noout -in ca.pem).0
cd /root/wsp
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
until journalctl -u wspc@home | grep -q 'registered http:path:app'; do sleep 0.02; done
""",
    "--directory /srv/try 8080\n": """
until curl -s https://wsps.example.org/app/ | grep -q page; do sleep 0.02; done
""",
    "systemctl reload wspc@home\n": """
for name in wsps wspc; do
    until journalctl -u "$name*" | grep "$name: reloaded"; do sleep 0.02; done
done
""",
    "systemctl restart wsps\n": """
curl https://wsps.example.org/nothing
systemctl is-enabled wsps.socket wsps.service wspc@home
for unit in wsps wspc@home; do
    grep -E '^(Uid|Gid|CapEff|NoNewPrivs)' /proc/$(systemctl show -p MainPID --value $unit)/status
done
""",
    "systemctl start wsps.socket wsps\n": """
curl https://wsps.example.org:8443/nothing
systemctl stop wsps.socket wsps
rm -r /etc/systemd/system/wsps.socket.d
systemctl daemon-reload
systemctl start wsps.socket wsps
until_status wspc@home '1 of 1 servers connected'
""",
}


@dataclass(frozen=True)
class Piece:
    """Something in the page that is written as code."""

    number: int
    heading: str  # the last one above it
    language: str  # of a fenced block; "indented", "span"
    text: str

    def commands(self):
        """What of it is to be run; "" for other things."""
        if self.language == "sh":
            return self.text
        if self.language == "indented":
            return "".join(line[6:] for line in self.text.splitlines(True) if line[4:6] == "$ ")
        return ""


def pieces(page):
    heading = ""
    for number, found in enumerate(TOKEN.finditer((ROOT / page).read_text())):
        if found["heading"]:
            heading = found["heading"]
        elif found["span"]:
            yield Piece(number, heading, "span", " ".join(found["span"].split()))
        elif found["indented"]:
            yield Piece(number, heading, "indented", found["indented"])
        else:
            yield Piece(number, heading, found["language"], found["fenced"])


def expected(blocks):
    """(block, the block of commands above it) for each block that shows what one should see."""
    commands = None
    for block in blocks:
        if block.language == "text":
            yield block, commands
        elif block.commands():
            commands = block


def pattern(line):
    """A line of a page as the end of a line of the output; "…" is anything."""
    parts = (r"\s+".join(map(re.escape, part.split())) for part in line.split("…"))
    return r"(?m)(^|[\s:])" + r".*".join(parts) + r"\s*$"


PIECES = list(pieces("docs/operations.md"))
BLOCKS = [piece for piece in PIECES if piece.language != "span"]


def _programs():
    """The first words of all commands in blocks."""
    lines = [line for block in BLOCKS for line in block.commands().splitlines()]
    return {line.split()[0] for line in [*lines, *NOT_RUN] if line.strip()}


def commands_in_sentences():
    """Spans of code that are a program and its arguments."""
    programs = _programs()
    return list(
        dict.fromkeys(
            piece.text
            for piece in PIECES
            if piece.language == "span"
            and re.match(r"[\w-]+ [^…]+$", piece.text)
            and not LOG_WORDS.match(piece.text)
            and (piece.text.split()[0] in programs or shutil.which(piece.text.split()[0]))
        )
    )


def make_files(directory):
    """What the commands need beside themselves: jq, a certificate, and who has signed it."""
    tool("jq", "jq")
    authority = Authority(directory, "ca")
    cert, key = authority.issue("wsps", ["DNS:wsps.example.org"])
    cert.rename(directory / "fullchain.pem")
    key.rename(directory / "privkey.pem")


def prepare(more=""):
    """Makes the container's root a machine that has only the sources, with the programs built."""
    return f"""
mkdir root/wsp
cp -r '{ROOT}/scripts' '{ROOT}'/CMake* root/wsp
DESTDIR=$PWD/root/installed cmake --install '{BIN_DIR}' --prefix /usr/local >/dev/null
rm -rf etc/wsp etc/letsencrypt
{more}
"""


def mark(number):
    """In the output of a container, what stands behind a mark comes from that piece."""
    return f": 'piece {number}'\n"


def outputs(output):
    """{number of a piece: what it has printed}"""
    parts = re.split(r"^\++ : 'piece (\d+)'$", output, flags=re.M)
    return {int(number): text for number, text in zip(parts[1::2], parts[2::2])}


def _runnable(text):
    lines = (line.partition("  #")[0].rstrip() for line in text.splitlines())
    return "".join(f"{line}\n" for line in lines if line not in NOT_RUN)


def _with_secret(text):
    """The secret is where a person has put it."""
    before, asked, behind = text.partition("the auth of the server")
    assert asked
    auth = """$(sed -n 's/.*"auth": "\\(.*\\)",/\\1/p' /etc/wsp/wsps.json)"""
    return before.replace("home.json <<'EOF'", "home.json <<EOF") + auth + behind


def script(packaged=False, behind=MappingProxyType({})):
    """
    All blocks in their order; without packages, those that stand last come instead of step 2.
    `behind` adds to BEHIND.
    """
    left_out, instead = (UNPACKAGED, []) if packaged else (PACKAGED, [UNPACKAGED])
    order = [block for block in BLOCKS if block.heading in instead]
    order += [block for block in BLOCKS if block.heading not in (left_out, *instead)]
    text = "".join(mark(b.number) + _runnable(b.commands()) for b in order if b.commands())
    for command, more in {**BEHIND, **behind}.items():
        assert text.count(command) == 1, command
        text = text.replace(command, command + more)
    return STAND_INS + BEFORE + _with_secret(text)


def script_of_sentences():
    return _runnable("".join(f"{command}\n" for command in commands_in_sentences()))
