"""
Three hosts, each in a network namespace of its own:

    client 10.77.1.1 --- 10.77.1.2 server 10.77.2.2 --- 10.77.2.1 router 192.168.77.1 --- service

The router hides the service's network behind its one address and lets nothing in that was not asked
for. The server forwards nothing, so the client reaches the server only. The two legs to the server
are cables, or path emulators; either way their devices are called path1 and path2.
"""

import itertools
from contextlib import ExitStack

from emulator import Emulator
from netns import inside, new_name, sh

SERVER = {"client": "10.77.1.2", "service": "10.77.2.2"}  # as seen by
ROUTER = "10.77.2.1"
SERVICE = "192.168.77.2"

# leg: (the end that is not the server, subnet)
LEGS = {"client": ("client", 1), "service": ("router", 2)}

NAT = """
table ip router {
    chain post {
        type nat hook postrouting priority 100;
        oifname "path2" masquerade;
    }
    chain through {
        type filter hook forward priority 0; policy drop;
        ct state established,related accept;
        iifname "lan" accept;
    }
    chain in {
        type filter hook input priority 0;
        iifname "path2" ct state new drop;
    }
}
"""
# Where packets arrive, so that no sender is told: neither by an error nor by its own queue.
FAULTS = """
table ip fault {
    chain arriving {
        type filter hook prerouting priority -300;
    }
}
"""

_serials = itertools.count()


class World:
    def __init__(self, emulated=False):
        serial = next(_serials)
        self.hosts = {
            role: new_name(role, serial) for role in ("client", "server", "router", "service")
        }
        self.emulators = {}
        self.emulated = emulated

    def __enter__(self):
        with ExitStack() as stack:
            for name in self.hosts.values():
                sh("ip", "netns", "add", name)
                stack.callback(sh, "ip", "netns", "del", name)
            self._prepare()
            for leg, (end, subnet) in LEGS.items():
                self._lay(stack, leg, self.hosts[end], subnet)
            self._lan()
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def inside(self, role):
        return inside(self.hosts[role])

    def _prepare(self):
        for role in self.hosts:
            self.ip(role, "link", "set", "lo", "up")
            with self.inside(role):
                for key in ("all", "default"):
                    self._write(f"ipv6/conf/{key}/disable_ipv6", 1)
                self._write("ipv4/ip_forward", int(role == "router"))
                sh("nft", FAULTS)

    @staticmethod
    def _write(key, value):
        with open(f"/proc/sys/net/{key}", "w") as file:
            file.write(str(value))

    def ip(self, role, *args):
        sh("ip", "-n", self.hosts[role], *args)

    def _lay(self, stack, leg, end, subnet):
        server = self.hosts["server"]
        if self.emulated:
            emulator = Emulator(end, server, subnet=subnet)
            self.emulators[leg] = stack.enter_context(emulator)
            return
        name = f"path{subnet}"
        sh("ip", "-n", end, "link", "add", name, "type", "veth", "peer", name, "netns", server)
        for host, number in ((end, 1), (server, 2)):
            sh("ip", "-n", host, "addr", "add", f"10.77.{subnet}.{number}/30", "dev", name)
            sh("ip", "-n", host, "link", "set", name, "up")

    def _lan(self):
        peer = ("type", "veth", "peer", "lan", "netns", self.hosts["service"])
        self.ip("router", "link", "add", "lan", *peer)
        for role, number in (("router", 1), ("service", 2)):
            self.ip(role, "addr", "add", f"192.168.77.{number}/24", "dev", "lan")
            self.ip(role, "link", "set", "lan", "up")
        self.ip("service", "route", "add", "default", "via", "192.168.77.1")
        with self.inside("router"):
            sh("nft", NAT)

    # ---- faults of a leg

    def cut(self, leg):
        """The cable is pulled out of the server."""
        self.ip("server", "link", "set", f"path{LEGS[leg][1]}", "down")

    def lose(self, leg, percent):
        """That much of what arrives at either end is dropped; 100: everything, silently."""
        end, subnet = LEGS[leg]
        chance = "" if percent == 100 else f"numgen random mod 100 < {percent} "
        for role in (end, "server"):
            with self.inside(role):
                sh("nft", f'add rule ip fault arriving iifname "path{subnet}" {chance}drop')

    def silence(self, leg):
        self.lose(leg, 100)

    def heal(self):
        for leg, (end, subnet) in LEGS.items():
            self.ip("server", "link", "set", f"path{subnet}", "up")
            for role in (end, "server"):
                with self.inside(role):
                    sh("nft", "flush chain ip fault arriving")
        for emulator in self.emulators.values():
            emulator.set(delay_ms=0, loss=0, rate_mbit=0)
