"""A wsps whose port is for TLS, with certificates of every kind, and who comes to it."""

import socket
import ssl
import subprocess
from functools import cache, cached_property

from harness.certificates import Authority
from harness.daemons import PATH, entry
from harness.env import patience

SPECS = {  # label: issuer, names and days of a certificate
    "default": ("root", ["DNS:localhost", "IP:127.0.0.1"], 10),
    "wild": ("root", ["DNS:*.wild.example"], 10),
    "wrong": ("root", ["DNS:right.example"], 10),
    "expired": ("root", ["DNS:expired.example"], -1),
    "chained": ("sub", ["DNS:chained.example"], 10),
    "orphan": ("lost", ["DNS:orphan.example"], 10),
    "foreign": ("other", ["DNS:foreign.example"], 10),
}


class Pki:
    """An authority, others below it and beside it, and what they issue, when it is needed."""

    def __init__(self, directory):
        self.directory = directory
        self.root = Authority(directory, "root")
        self.ca = str(self.root.file)

    @cached_property
    def sub(self):
        return Authority(self.directory, "sub", issuer=self.root)

    @cached_property
    def lost(self):
        """It is revoked itself."""
        return Authority(self.directory, "lost", issuer=self.root)

    @cached_property
    def other(self):
        """Nobody trusts it."""
        return Authority(self.directory, "other")

    @cached_property
    def crl(self):
        """What each of the first three revokes."""
        lists = [self.root.crl(self.files("revoked")[0], self.lost.file), self.sub.crl(),
                 self.lost.crl()]  # fmt: skip
        out = self.directory / "all.crl"
        out.write_bytes(b"".join(part.read_bytes() for part in lists))
        return str(out)

    @cache
    def files(self, label):
        """(certificate, key)"""
        issuer, names, days = SPECS.get(label, ("root", [f"DNS:{label}.example"], 10))
        return getattr(self, issuer).issue(label, names, days)

    def pair(self, label):
        """{cert, key}, as the configuration files have it."""
        return dict(zip(("cert", "key"), map(str, self.files(label))))

    def ssl(self, *labels, **more):
        """Key `ssl` of wsps: the default certificate, and others for names of their own."""
        certs = [
            {"domains": ["*.wild.example" if label == "wild" else f"{label}.example"],
             **self.pair(label)}
            for label in labels
        ]  # fmt: skip
        return {"enable": True, **self.pair("default"), "certs": certs, **more}

    def context(self, label=None, version=None):
        """Of a client, with a certificate or without."""
        context = ssl.create_default_context(cafile=self.ca)
        if label:
            context.load_cert_chain(*self.files(label))
        if version:
            context.minimum_version = context.maximum_version = version
        return context

    def connect(self, port, name="localhost", buffer=None, **options):
        """`buffer`: bytes that the kernel may receive ahead."""
        sock = socket.socket()
        sock.settimeout(patience(10))
        if buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        sock.connect(("127.0.0.1", port))
        return self.context(**options).wrap_socket(sock, server_hostname=name)

    def entry(self, port, *schemes, host="localhost", **more):
        """An element of wspc's `client`; keys that are None are left out."""
        server = f"wss://{host}:{port}{PATH}"
        whole = entry(port, *schemes, **{"server": server, "ca": self.ca, **more})
        return {key: value for key, value in whole.items() if value is not None}


def s_client(port, *args, data=b"Q\n"):
    """What `openssl s_client` prints, and whether it ended with 0."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *map(str, args)]
    done = subprocess.run(
        command, input=data, capture_output=True, timeout=patience(20), check=False
    )
    return (done.stdout + done.stderr).decode(errors="replace"), done.returncode == 0
