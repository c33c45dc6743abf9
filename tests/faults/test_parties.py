"""SIGSTOP of those at both ends: a user of the proxy, a visitor, and a service, each its own process."""

import signal
import subprocess
import sys
import threading
import time

import pytest
from spoiled import traffic_of

from harness import socks
from harness.daemons import FAST
from harness.env import DIALECTS, ROOT, patience
from harness.net import eventually
from harness.traffic import BLOB, echo

STALL = 1  # seconds that a channel may hold up its link in 0.10
SIZE = 32 << 20  # more than all buffers on the way
SERVICE = """
import sys
sys.path.insert(0, sys.argv[1])
from harness.tcp_origins import EchoOrigin
with EchoOrigin() as origin:
    print(origin.port, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(params=DIALECTS)
def traffic(request, farm):
    time = {**FAST, "stall": STALL}
    with traffic_of(farm, {}, dialect=request.param, time=time) as traffic:
        yield traffic


@pytest.fixture
def service():
    """An echo service that can be stopped."""
    command = [sys.executable, "-c", SERVICE, str(ROOT / "tests" / "e2e")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.port = int(process.stdout.readline())
    yield process
    process.send_signal(signal.SIGCONT)
    process.communicate(timeout=patience(10))


def download(url, *args):
    """curl, which counts what it gets."""
    command = ["curl", "-q", "-sS", "--fail", "--noproxy", "", "-o", "/dev/null", *args]
    command += ["--limit-rate", "40M", "-w", "%{size_download}", url]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def readers(traffic):
    """A user of the proxy and a visitor, in the middle of a download."""
    proxy = f"socks5h://127.0.0.1:{traffic.daemons['user'].port('socks5')}"
    yield download(traffic.http.url(f"/length/{SIZE}"), "--proxy", proxy)
    yield download(f"http://127.0.0.1:{traffic.port}/web/length/{SIZE}")
    eventually(lambda: len(traffic.http.requests) == 2, "they have begun")


def freeze(processes, traffic, seconds):
    """Stops them so long; after a long time everybody else is served meanwhile."""
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    time.sleep(seconds)
    if seconds > STALL:
        eventually(traffic.works, "the others go on", 4 * STALL + 5)
    for process in processes:
        process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("seconds", [0.3, STALL + 1])
def test_frozen(traffic, service, seconds):
    """
    In wsp.1 each gets all of its bytes afterwards, however long that was; in 0.10 it is cut off after
    `stall`, and sees that. Nobody else is harmed.
    """
    may_be_cut = traffic.dialect == "0.10" and seconds > STALL
    data = BLOB[: 4 << 20]
    proxy = traffic.daemons["user"].port("socks5")
    with socks.open_socks(proxy, "127.0.0.1", service.port) as sock:
        assert echo(sock, b"awake") == b"awake"
        frozen = list(readers(traffic))
        thread = threading.Thread(target=freeze, args=([*frozen, service], traffic, seconds))
        thread.start()
        try:
            assert echo(sock, data) == data
        except (OSError, EOFError):
            assert may_be_cut
        thread.join()
    for reader in frozen:
        got, errors = reader.communicate(timeout=patience(20))
        assert got == b"%d" % SIZE if reader.returncode == 0 else may_be_cut, errors
    assert traffic.works()
