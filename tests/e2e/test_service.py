"""What a service manager gives to the daemons and hears from them."""

import json
import os
import re
import signal
import subprocess

import pytest

from harness.daemons import AUTH, command, entry, environment
from harness.env import patience
from harness.net import connect, free_port
from harness.service import Manager

# ---- notifications


@pytest.fixture
def manager(tmp_path):
    with Manager(tmp_path) as manager:
        yield manager


@pytest.mark.parametrize("abstract", [False, True])
def test_wsps_says_when_it_is_ready(farm, tmp_path, abstract):
    with Manager(tmp_path, abstract) as manager:
        wsps = farm.wsps(launch=manager.launch())
        port = wsps.config["port"]
        assert manager.next() == {"READY": "1", "STATUS": f"listening on 127.0.0.1:{port}"}
        connect(port).close()
        wsps.signal(signal.SIGTERM)
        assert manager.next()["STOPPING"] == "1"
        assert wsps.wait_end() == 0


def test_wspc_says_how_its_links_are(farm, manager):
    """It is ready once its listeners are open: a server that is away keeps nothing from starting."""
    port = free_port()
    wspc = farm.wspc(entry(port), entry(free_port()), link=False, launch=manager.launch())
    assert manager.next() == {"READY": "1", "STATUS": "0 of 2 servers connected"}
    connect(wspc.port("socks5")).close()
    wsps = farm.wsps(port=port)
    manager.wait("STATUS", "1 of 2 servers connected")
    wsps.stop()
    manager.wait("STATUS", "0 of 2 servers connected")
    wspc.signal(signal.SIGTERM)
    manager.wait("STOPPING")
    assert wspc.wait_end() == 0


def test_watchdog(farm, manager):
    """Signs of life come as long as the loop turns."""
    wsps = farm.wsps(launch=manager.launch(WATCHDOG_USEC=200_000))
    manager.wait("READY")
    for _ in range(3):
        assert manager.next() == {"WATCHDOG": "1"}
    wsps.signal(signal.SIGSTOP)
    while not manager.is_silent(0.4):
        manager.next()
    wsps.signal(signal.SIGCONT)
    manager.wait("WATCHDOG")


def test_watchdog_of_another_process(farm, manager):
    """The variables can be inherited: those for another pid are not ours."""
    launch = manager.launch(WATCHDOG_USEC=100_000)
    farm.wsps(launch={"env": {**launch["env"], "WATCHDOG_PID": "1"}})
    manager.wait("READY")
    assert manager.is_silent(0.3)


def test_failed_start_is_never_ready(farm, manager):
    wsps = farm.wsps()
    second = farm.start("wsps", wsps.config, **manager.launch())
    assert second.wait_end() == 1
    assert manager.is_silent(0)


# ---- the journal


def run_into_journal(config, directory, stream="matching"):
    """Runs a wsps with a pipe as the journal's stream, and returns the lines of its log."""
    file = directory / "wsps.json"
    file.write_text(json.dumps(config))
    reader, writer = os.pipe()
    status = os.fstat(writer)
    name = f"{status.st_dev}:{status.st_ino}" if stream == "matching" else stream
    process = subprocess.Popen(
        command("wsps", "-c", file),
        stdout=writer,
        stderr=writer,
        env={**environment(), "JOURNAL_STREAM": name},
    )
    os.close(writer)
    log = b""
    with open(reader, "rb", 0) as pipe:
        while piece := pipe.read(4096):
            log += piece
            if b"listening on" in log:
                process.terminate()
    process.wait(patience(10))
    return log.decode().strip().split("\n")


def test_priorities_for_the_journal(tmp_path):
    config = {"bind": "127.0.0.1", "port": free_port(), "log": {"level": "trace"}}
    lines = run_into_journal(config, tmp_path)
    assert all(re.match(r"<[3467]>\w", line) for line in lines), lines
    assert any(line.startswith("<4>wsps: NO AUTH IS SET") for line in lines)
    assert any(line.startswith("<6>wsps: listening on ") for line in lines)


def test_a_failed_start_has_a_priority(farm, tmp_path):
    taken = farm.wsps().config["port"]
    config = {"bind": "127.0.0.1", "port": taken, "auth": AUTH}
    lines = run_into_journal(config, tmp_path)
    assert lines[-1].startswith("<3>wsps: listen on 127.0.0.1:"), lines


@pytest.mark.parametrize("stream", ["", "1:2", "nonsense"])
def test_another_stream_is_not_the_journal(tmp_path, stream):
    config = {"bind": "127.0.0.1", "port": free_port(), "auth": AUTH}
    lines = run_into_journal(config, tmp_path, stream)
    assert all(re.match(r"\d{4}-\d\d-\d\dT.* info wsps\b", line) for line in lines), lines
