"""What a contestant is, and those that are not ours."""

import os
import shutil
from pathlib import Path

from rig.errors import LeftOut

SSH_CIPHER = "chacha20-poly1305@openssh.com"


class Running:
    """A contestant that is up: the route through it, and its daemons by role."""

    def __init__(self, world, route, daemons=()):
        self.world = world
        self.route = route
        self.daemons = {process.name: process for process in daemons}

    def alive(self):
        return all(process.alive() for process in self.daemons.values())

    def close(self):
        for process in self.daemons.values():
            process.end()


class Setup:
    """One contestant; a table of these is all that the measurements know."""

    ours = False
    quick = True  # takes part in --quick
    near = True  # takes part on one host
    far = False  # takes part over distances
    tls = False
    idle = ()  # for how many idle channels its memory is measured
    kind = dialect = None  # of wsps and wspc
    connections = 1

    def __init__(self, name, label):
        self.name = name
        self.label = label

    def check(self):
        """Raises LeftOut when it cannot take part here."""

    def start(self, world):
        raise NotImplementedError

    def bring_up(self, world, processes, route):
        """Waits until it works; ends what was started when it does not."""
        running = Running(world, route, processes)
        try:
            world.wait_through(route, processes)
        except BaseException:
            running.close()
            raise
        return running


def need(program, package):
    if not shutil.which(program) and not Path("/usr/sbin", program).exists():
        raise LeftOut(f"{program} is missing: apt-get install {package}")


class Direct(Setup):
    far = True

    def __init__(self):
        super().__init__("direct", "direct")

    def start(self, world):
        return Running(world, f"tcp:{world.far_address}:{world.target_port}")


class Socat(Setup):
    idle = (1000,)

    def __init__(self):
        super().__init__("socat", "socat")

    def check(self):
        need("socat", "socat")

    def start(self, world):
        port = world.free_port("near")
        listen = f"TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr,nodelay,backlog=1024"
        target = f"TCP:{world.far_address}:{world.target_port},nodelay"
        process = world.process("socat", ["socat", listen, target])
        return self.bring_up(world, [process], f"tcp:127.0.0.1:{port}")


class Websockify(Setup):
    quick = False  # as with ssh: its start takes longer than a quick measurement
    idle = (100,)

    def __init__(self):
        super().__init__("websockify", "websockify")

    def check(self):
        need("websockify", "websockify")

    def start(self, world):
        port = world.free_port("far")
        argv = ["websockify", f"{world.far_address}:{port}", world.target()]
        process = world.process("websockify", argv, "far")
        return self.bring_up(world, [process], f"ws:{world.far_address}:{port}/")


SSHD_CONFIG = """
Port {port}
ListenAddress {address}
HostKey {directory}/host_key
AuthorizedKeysFile {directory}/user_key.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
AllowTcpForwarding yes
MaxStartups 100
Ciphers {cipher}
"""


class Ssh(Setup):
    quick = False
    idle = (1000,)  # 10,000 take it most of a minute

    def __init__(self, option, label):
        super().__init__(f"ssh-{option}", label)
        self.option = option
        self.far = option == "D"

    def check(self):
        need("ssh", "openssh-client")
        need("sshd", "openssh-server")

    def _server(self, world, directory):
        port = world.free_port("far")
        text = SSHD_CONFIG.format(
            port=port, address=world.far_address, directory=directory, cipher=SSH_CIPHER
        )
        (directory / "sshd_config").write_text(text)
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        sshd = shutil.which("sshd") or "/usr/sbin/sshd"
        argv = [sshd, "-D", "-e", "-f", directory / "sshd_config"]
        return world.process("sshd", argv, "far"), port

    def _client(self, world, directory, sshd_port, port):
        forward = f"127.0.0.1:{port}" + (f":{world.target()}" if self.option == "L" else "")
        options = {
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
            "IdentitiesOnly": "yes",
            "ExitOnForwardFailure": "yes",
            "BatchMode": "yes",
            "LogLevel": "ERROR",
        }
        argv = ["ssh", "-F", "none", "-N", "-i", directory / "user_key", "-p", str(sshd_port)]
        for key, value in options.items():
            argv += ["-o", f"{key}={value}"]
        argv += ["-c", SSH_CIPHER, f"-{self.option}", forward, world.far_address]
        return world.process("ssh", argv)

    def start(self, world):
        directory = world.file("ssh")
        directory.mkdir(mode=0o700)
        for key in ("host_key", "user_key"):
            argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / key]
            world.process("ssh-keygen", argv).popen.wait(10)
        port = world.free_port("near")
        sshd, sshd_port = self._server(world, directory)
        processes = [sshd]
        try:
            world.wait_port(sshd, sshd_port, world.far_address, "far")
            processes.insert(0, self._client(world, directory, sshd_port, port))
            world.wait_port(processes[0], port)
        except BaseException:
            Running(world, None, processes).close()
            raise
        route = f"tcp:127.0.0.1:{port}"
        if self.option == "D":
            route = f"socks5:127.0.0.1:{port}/{world.target()}"
        return self.bring_up(world, processes, route)
