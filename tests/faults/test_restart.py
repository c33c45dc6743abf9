"""The server is killed and started again under many clients."""

import re

from harness import messages
from harness.net import eventually
from harness.peer import link_to
from system import PORT, descriptors

PROCESSES = 4
ENTRIES = 50
CLIENTS = PROCESSES * ENTRIES


def many_clients(system):
    """Processes on the service's host, each with many links, each link with a name of its own."""
    processes = []
    for process in range(PROCESSES):
        names = range(process * ENTRIES, (process + 1) * ENTRIES)
        entries = [system.link("service", remote=[f"tcp://c{n}:pw@127.0.0.1:9"]) for n in names]
        processes.append(
            system.run("service", "wspc", {"client": entries}, reconnect_min=1, reconnect_max=2)
        )
    return processes


def wait_registered(server, timeout):
    server.wait_line(r"registered c\d+$", count=CLIENTS, timeout=timeout)
    names = set(re.findall(r"registered (c\d+)$", server.log(), re.M))
    assert len(names) == CLIENTS


def answers(system):
    """Asks every client by its name; each tries its target, where nothing listens."""
    with system.world.inside("server"), link_to(PORT) as peer:
        for number in range(CLIENTS):
            url = f"tcp://c{number}:pw@127.0.0.1:1"
            error = peer.open(b"%027d" % number, url, messages.LOCAL)
            assert error == "dial tcp 127.0.0.1:9: connect: connection refused", (number, error)


def test_two_hundred_clients(system):
    server = system.daemons["server"]
    processes = many_clients(system)
    wait_registered(server, 10)
    answers(system)
    held = [descriptors(d) for d in (server, *processes)]
    load = system.load(survives=False)
    system.kill("server")
    system.expect(load, "broken")
    server = system.start("server")
    wait_registered(server, 15)
    answers(system)
    system.held["server"] = (held[0], system.held["server"][1] + 4096)
    system.recovers()
    for daemon, count in zip((server, *processes), held):
        eventually(lambda: descriptors(daemon) <= count, f"{daemon.name} closed everything")
