"""wsps and wspc, built here or pointed at by --peer."""

import json
import subprocess

from rig.errors import LeftOut
from rig.setups import Running, Setup

PATH = "/bench"
AUTH = "secret-of-the-benchmark"
CHANNEL = "bench:password-of-the-benchmark"
SERVER_LIMITS = {"links": 8192, "channels_per_link": 20000, "connections": 20000}
CLIENT_LIMITS = {"connections": 20000}

LABELS = {"socks5": "SOCKS5", "channel": "named channel", "wrap": "WebSocket-wrapped"}


class Binaries:
    """A pair of daemons, and what their configuration may say."""

    def __init__(self, directory, extended):
        self.directory = directory
        self.extended = extended  # knows our own keys; others get the original's only
        self.refused = {}

    def program(self, name):
        return self.directory / name

    def check_key(self, directory, key, value):
        """Raises LeftOut when wspc does not take that key in an entry of `client`."""
        if key not in self.refused:
            entry = {"server": "ws://127.0.0.1:1", key: value}
            file = directory / f"probe-{key}.json"
            file.write_text(json.dumps({"client": [entry]}))
            command = [self.program("wspc"), "-t", "-c", file]
            done = subprocess.run(command, capture_output=True, text=True, timeout=10)
            self.refused[key] = "unknown key" in done.stdout + done.stderr
        if self.refused[key]:
            raise LeftOut(f"this build has no {key} key")


class Wsp(Setup):
    def __init__(self, binaries, kind, dialect, *, title="wsp", connections=1, tls=False):
        self.binaries = binaries
        self.title = title
        self.kind = kind
        self.dialect = dialect
        self.connections = connections
        self.ours = binaries.extended
        self.tls = tls
        self.near = connections == 1
        self.far = kind == "socks5" and not tls
        self.idle = () if tls else (1000, 10000)
        name = f"{title}-{kind}-{dialect}"
        label = f"{title} {LABELS[kind]}, {dialect}"
        if connections > 1:
            name, label = f"{name}-x{connections}", f"{label}, {connections} connections"
        if tls:
            name, label = f"{name}-tls", f"{label}, TLS"
        super().__init__(name, label)

    def check(self):
        if not self.binaries.program("wsps").exists() or not self.binaries.program("wspc").exists():
            raise LeftOut(f"no wsps and wspc in {self.binaries.directory}")

    def check_keys(self, world):
        if self.dialect != "0.10":
            self.binaries.check_key(world.directory, "dialect", self.dialect)
        if self.connections > 1:
            self.binaries.check_key(world.directory, "connections", self.connections)

    # ---- configuration

    def _dialect(self, world):
        """The dialect in a configuration: a build that knows only one has no key for it."""
        try:
            if self.binaries.extended:
                self.binaries.check_key(world.directory, "dialect", self.dialect)
                return {"dialect": self.dialect}
        except LeftOut:
            pass
        return {}

    def _certificate(self, world):
        """A key and the certificate it has signed itself, made once for each world."""
        name = f"tls-{world.far_address}"
        cert, key = (world.directory / f"{name}.{end}" for end in ("pem", "key"))
        if not cert.exists():
            command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"]
            command += ["ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=bench", "-days", "2"]
            command += ["-addext", f"subjectAltName=IP:{world.far_address}"]
            command += ["-keyout", key, "-out", cert]
            subprocess.run(command, check=True, capture_output=True, timeout=10)
        return {"cert": str(cert), "key": str(key)}

    def _daemon(self, world, name, config, side):
        file = world.file(f"{name}.json")
        config = {"log": {"level": "error"}, **config}
        file.write_text(json.dumps(config, indent=1))
        return world.process(name, [self.binaries.program(name.split("-")[0]), "-c", file], side)

    def start_server(self, world):
        port = world.free_port("far")
        config = {"port": port, "path": PATH, "auth": AUTH, **self._dialect(world)}
        if self.binaries.extended:
            config["limits"] = SERVER_LIMITS
        if self.tls:
            config["ssl"] = {"enable": True, **self._certificate(world)}
        process = self._daemon(world, "wsps", config, "far")
        try:
            world.wait_port(process, port, world.far_address, "far")
        except BaseException:
            process.end()
            raise
        return process, port

    def _client(self, world, name, port, side, **entry):
        entry = {
            "server": f"{'wss' if self.tls else 'ws'}://{world.far_address}:{port}{PATH}",
            "auth": AUTH,
            **self._dialect(world),
            **entry,
        }
        if self.connections > 1:
            entry["connections"] = self.connections
        if self.tls:
            entry["ca"] = self._certificate(world)["cert"]
        config = {"client": [entry]}
        if self.binaries.extended:
            config["limits"] = CLIENT_LIMITS
        return self._daemon(world, name, config, side)

    # ---- kinds: each returns the processes in the order of the data, and the route

    def _socks5(self, world, port):
        listen = world.free_port("near")
        url = f"socks5://127.0.0.1:{listen}"
        process = self._client(world, "wspc", port, "near", dynamic=[url])
        return [process], f"socks5:127.0.0.1:{listen}/{world.target()}"

    def _channel(self, world, port):
        listen = world.free_port("near")
        remote = [f"tcp://{CHANNEL}@{world.target()}"]
        local = [f"tcp://{CHANNEL}@127.0.0.1:{listen}"]
        out = self._client(world, "wspc-out", port, "far", remote=remote)
        into = self._client(world, "wspc-in", port, "near", local=local)
        return [into, out], f"tcp:127.0.0.1:{listen}"

    def _wrap(self, world, port):
        remote = [f"tcp://{world.target()}?mode=path&value=wrapped"]
        process = self._client(world, "wspc", port, "far", remote=remote)
        return [process], f"ws:{world.far_address}:{port}/wrapped"

    def start(self, world):
        self.check_keys(world)
        server, port = self.start_server(world)
        try:
            clients, route = getattr(self, f"_{self.kind}")(world, port)
        except BaseException:
            Running(world, None, [server]).close()
            raise
        running = self.bring_up(world, [*clients, server], route)
        running.server_address = f"{world.far_address}:{port}"
        return running
