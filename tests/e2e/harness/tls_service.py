"""HTTP services behind TLS."""

import ssl
from contextlib import suppress

from harness.reverse import Service


class TlsService(Service):
    """A service behind TLS, as Python's ssl speaks it."""

    def __init__(self, files, script=None, version=None, polite=True, **options):
        super().__init__(script, **options)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*files)
        self.context.set_alpn_protocols(["h2", "http/1.1"])
        self.context.sni_callback = lambda sock, name, context: self.names.append(name)
        if version:
            self.context.minimum_version = self.context.maximum_version = version
        self.polite = polite  # says so before it closes
        self.names = []  # of each handshake
        self.protocols = []  # chosen by each

    def remote(self, value="api", mode="path", host="localhost", **options):
        return super().remote(value, mode, scheme="https", host=host, **options)

    def serve(self, sock):
        with self.context.wrap_socket(sock, server_side=True) as tls:
            self.protocols.append(tls.selected_alpn_protocol())
            super().serve(tls)
            if self.polite:
                tls.settimeout(1)
                with suppress(OSError):
                    tls.unwrap()
