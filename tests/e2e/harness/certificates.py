"""Certificates for tests, by the openssl command."""

import base64
import hashlib
import subprocess


LEDGER = """
[ca]
default_ca = this
[this]
database = {0}.index
crlnumber = {0}.number
default_md = sha256
default_crl_days = 10
"""


class Authority:
    """A certificate authority in a directory."""

    def __init__(self, directory, name="test-ca", issuer=None):
        """`issuer`: another one, whose certificate is put behind ours; otherwise it is a root."""
        self.directory = directory
        self.name = name
        self.file = directory / f"{name}.pem"
        self.key = directory / f"{name}.key"
        self.chain = b""  # behind what we sign
        if issuer:
            cert, key = issuer.issue(name, (), extra="basicConstraints=critical,CA:true")
            cert.rename(self.file)
            key.rename(self.key)
            self.chain = self.file.read_bytes()
            return
        self._new_key(self.key)
        self._run("req", "-x509", "-new", "-key", self.key, "-out", self.file, "-days", "30",
                  "-subj", f"/CN={name}", "-addext", "basicConstraints=CA:true")  # fmt: skip

    def _run(self, *args, data=None):
        command = ["openssl", *(str(arg) for arg in args)]
        done = subprocess.run(command, input=data, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def _new_key(self, file):
        self._run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", file)

    def issue(self, label, names=(), days=10, extra="basicConstraints=CA:false"):
        """(certificate, key) files for names such as "DNS:localhost" and "IP:127.0.0.1"."""
        cert, key = (self.directory / f"{self.name}-{label}.{end}" for end in ("crt", "key"))
        asked, extensions = (self.directory / f"{label}.{end}" for end in ("csr", "ext"))
        self._new_key(key)
        self._run("req", "-new", "-key", key, "-subj", f"/CN={label}", "-out", asked)
        others = f"subjectAltName={','.join(names)}\n" if names else ""
        extensions.write_text(f"{others}{extra}\n")
        self._run("x509", "-req", "-in", asked, "-CA", self.file, "-CAkey", self.key, "-days", days,
                  "-CAcreateserial", "-extfile", extensions, "-out", cert)  # fmt: skip
        cert.write_bytes(cert.read_bytes() + self.chain)
        return cert, key

    def crl(self, *revoked):
        """The list of what it revokes, with these certificates added."""
        ledger, crl = (self.directory / f"{self.name}.{end}" for end in ("cnf", "crl"))
        if not ledger.exists():
            ledger.write_text(LEDGER.format(self.directory / self.name))
            (self.directory / f"{self.name}.index").touch()
            (self.directory / f"{self.name}.number").write_text("01\n")
        ours = ("ca", "-config", ledger, "-cert", self.file, "-keyfile", self.key)
        for cert in revoked:
            self._run(*ours, "-revoke", cert)
        self._run(*ours, "-gencrl", "-out", crl)
        return crl

    def pin(self, cert):
        """The base64 of the SHA-256 of the certificate's public key."""
        text = self._run("x509", "-in", cert, "-noout", "-pubkey")
        der = self._run("pkey", "-pubin", "-outform", "DER", data=text)
        return base64.b64encode(hashlib.sha256(der).digest()).decode()
