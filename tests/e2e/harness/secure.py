"""A wsps whose port is for TLS, with certificates of every kind, and who comes to it."""

import ssl
import subprocess

from harness.certificates import Authority
from harness.daemons import PATH, entry
from harness.env import patience
from harness.net import connect

NAMES = {  # of certificates of the server
    "default": ["DNS:localhost", "IP:127.0.0.1"],
    "a": ["DNS:a.example"],
    "wild": ["DNS:*.wild.example"],
    "wrong": ["DNS:right.example"],
}


class Pki:
    """An authority, one below it, one that nobody trusts, and what they have issued."""

    def __init__(self, directory):
        self.root = Authority(directory, "root")
        self.sub = Authority(directory, "sub", issuer=self.root)
        self.lost = Authority(directory, "lost", issuer=self.root)
        self.other = Authority(directory, "other")
        self.ca = str(self.root.file)
        self.files = {label: self.root.issue(label, names) for label, names in NAMES.items()}
        self.files["expired"] = self.root.issue("expired", ["DNS:expired.example"], days=-1)
        self.files["revoked"] = self.root.issue("revoked", ["DNS:revoked.example"])
        self.files["chained"] = self.sub.issue("chained", ["DNS:chained.example"])
        self.files["orphan"] = self.lost.issue("orphan", ["DNS:orphan.example"])
        self.files["foreign"] = self.other.issue("foreign", ["DNS:foreign.example"])
        self.crl = str(directory / "all.crl")
        lists = (self.root.crl(self.files["revoked"][0], self.lost.file), self.sub.crl(),
                 self.lost.crl())  # fmt: skip
        with open(self.crl, "wb") as out:
            out.writelines(part.read_bytes() for part in lists)

    def pair(self, label):
        """{cert, key}, as the configuration files have it."""
        return dict(zip(("cert", "key"), map(str, self.files[label])))

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
            context.load_cert_chain(*self.files[label])
        if version:
            context.minimum_version = context.maximum_version = version
        return context

    def connect(self, port, name="localhost", **options):
        return self.context(**options).wrap_socket(connect(port), server_hostname=name)

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
