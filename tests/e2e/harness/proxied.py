"""A wsps on whose port every connection begins with a PROXY header."""

import contextlib

from harness.net import connect
from harness.proxy_header import v1, v2
from harness.reverse import Rig
from harness.tap import Tap

VISITOR, SERVER = "203.0.113.9", "203.0.113.1"
HEADER = v2(VISITOR, SERVER)


class ProxiedRig(Rig):
    """wspc comes through something that puts the header in; a visitor brings his own."""

    def link_port(self):
        self.tap = Tap(self.port, request=lambda head: v1("203.0.113.5", SERVER, 5) + head)
        return self.tap.__enter__().port

    def connect(self, header=HEADER):
        sock = connect(self.port)
        sock.sendall(header)
        return sock


@contextlib.contextmanager
def proxied(farm, *remotes, time=(), **wsps):
    wsps = {"proxy_protocol": "required", **wsps}
    rig = ProxiedRig(farm, *remotes, time={"handshake": 1, **dict(time)}, wsps=wsps)
    try:
        yield rig
    finally:
        rig.wspc.stop()
        rig.tap.__exit__()
