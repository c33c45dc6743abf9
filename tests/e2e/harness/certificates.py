"""Certificates for tests, by the openssl command."""

import base64
import hashlib
import subprocess


class Authority:
    """A certificate authority in a directory."""

    def __init__(self, directory, name="test-ca"):
        self.directory = directory
        self.name = name
        self.file = directory / f"{name}.pem"
        self.key = directory / f"{name}.key"
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

    def issue(self, label, names, days=10):
        """(certificate, key) files for names such as "DNS:localhost" and "IP:127.0.0.1"."""
        cert, key = (self.directory / f"{self.name}-{label}.{end}" for end in ("crt", "key"))
        asked, extra = (self.directory / f"{label}.{end}" for end in ("csr", "ext"))
        self._new_key(key)
        self._run("req", "-new", "-key", key, "-subj", f"/CN={label}", "-out", asked)
        extra.write_text(f"subjectAltName={','.join(names)}\nbasicConstraints=CA:false\n")
        self._run("x509", "-req", "-in", asked, "-CA", self.file, "-CAkey", self.key, "-days", days,
                  "-CAcreateserial", "-extfile", extra, "-out", cert)  # fmt: skip
        return cert, key

    def pin(self, cert):
        """The base64 of the SHA-256 of the certificate's public key."""
        text = self._run("x509", "-in", cert, "-noout", "-pubkey")
        der = self._run("pkey", "-pubin", "-outform", "DER", data=text)
        return base64.b64encode(hashlib.sha256(der).digest()).decode()
