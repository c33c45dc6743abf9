"""Runs wsps and wspc for a test and judges how they end."""

import json
import os
import re
import signal
import subprocess
import threading
import time

from harness import tls
from harness.env import BIN_DIR, DIALECT, TLS, patience
from harness.net import free_port

AUTH = "s3cret-of-the-link"
PATH = "/proxy"
USER, PASSWORD = "us er", "p:w0rd-\u00e9"  # of a proxy that asks for credentials

# Short where a test would wait for it; the rest keeps the defaults.
FAST = {"reconnect_min": 0.1, "reconnect_max": 0.4, "drain": 1}

# The log lines that tests wait for: the only place that knows their wording.
LISTENING = r"listening on "
RELOADED = r"wsp.: reloaded"
NOT_RELOADED = r"wsp.: not reloaded, nothing has changed: "
LINK_UP = r"link {}(\.\d+)?: up"  # "link 1.2" is the second connection of the first entry
LINK_FAILED = r"link {}(\.\d+)?: cannot connect.*{}"

SANITIZER = re.compile(
    r"ERROR: (Address|Leak|Memory)Sanitizer|WARNING: ThreadSanitizer|runtime error: "
)
SANITIZER_ENV = {
    "ASAN_OPTIONS": "exitcode=99:detect_leaks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": "exitcode=66",
}

running = []  # every daemon that has not been judged yet; read when a test fails


def command(name, *args):
    binary = BIN_DIR / name
    assert binary.exists(), f"{binary} is not built (WSP_BIN_DIR says where to look)"
    return [str(binary), *map(str, args)]


def environment():
    """Without the user's own runtime directory, where all daemons would want one status socket."""
    return {k: v for k, v in os.environ.items() if k != "XDG_RUNTIME_DIR"} | SANITIZER_ENV


class Daemon:
    """One running daemon. Its output is collected as it comes."""

    def __init__(self, name, config, directory, under=(), env=(), args=(), **options):
        """Without a configuration (None) it has `args` only.

        `under`: what runs the command instead of us; `env`: more of it; `options`: Popen's."""
        self.name = name
        self.config = config
        self.file = directory / f"{name}-{len(list(directory.iterdir()))}.json"
        if config is not None:
            self.file.write_text(json.dumps(tls.written(config), indent=1))
            args = ["-c", self.file, *args]
        self.lines = []
        self.news = threading.Condition()
        self.process = subprocess.Popen(
            [*under, *command(name, *args)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env={**environment(), **dict(env)},
            **options,
        )
        self.collector = threading.Thread(target=self._collect, daemon=True)
        self.collector.start()
        running.append(self)

    def _collect(self):
        for line in self.process.stdout:
            with self.news:
                self.lines.append(line.decode(errors="replace").rstrip("\n"))
                self.news.notify_all()
        with self.news:
            self.lines.append("(end of output)")
            self.news.notify_all()

    def log(self, last=None):
        with self.news:
            lines = self.lines[-last:] if last else self.lines[:]
        return "\n".join(lines)

    def mark(self):
        """A place in the log to wait from."""
        with self.news:
            return len(self.lines)

    def wait_line(self, pattern, timeout=10, count=1, since=0):
        """Waits until `count` lines match, and returns the last of them."""
        deadline = time.monotonic() + patience(timeout)
        expression = re.compile(pattern)
        with self.news:
            while True:
                hits = [x for x in self.lines[since:] if expression.search(x)]
                if len(hits) >= count:
                    return hits[count - 1]
                left = deadline - time.monotonic()
                ended = self.lines and self.lines[-1] == "(end of output)"
                if left <= 0 or ended:
                    break
                self.news.wait(left)
        raise AssertionError(
            f"{self.name} {'ended' if ended else 'ran'} without {count} line(s) of {pattern!r}:\n"
            + self.log(40)
        )

    def wait_link(self, number=1, timeout=10, since=0):
        return self.wait_line(LINK_UP.format(number), timeout, since=since)

    def wait_link_failed(self, number, text="", timeout=10, since=0):
        return self.wait_line(LINK_FAILED.format(number, text), timeout, since=since)

    def port(self, scheme, entry=0):
        """The port of a listener of wspc, by its scheme and client entry."""
        for url in self.config["client"][entry]["dynamic"]:
            if url.startswith(scheme + ":"):
                return int(url.rsplit(":", 1)[1])
        raise KeyError(scheme)

    def configure(self, **changes):
        """Writes its file anew; keys that are None are left out."""
        self.config = {k: v for k, v in {**self.config, **changes}.items() if v is not None}
        self.file.write_text(json.dumps(tls.written(self.config), indent=1))

    def reload(self, result=RELOADED, **changes):
        """Has it read a changed file and returns the place in the log where that began."""
        since = self.mark()
        self.configure(**changes)
        self.signal(signal.SIGHUP)
        self.wait_line(result, since=since)
        return since

    def signal(self, number):
        self.process.send_signal(number)

    def wait_end(self, timeout=10):
        """Waits for the end and returns the exit status."""
        try:
            status = self.process.wait(patience(timeout))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            self._judged()
            raise AssertionError(f"{self.name} did not end in {timeout} s:\n{self.log(40)}")
        self._judged()
        return status

    def _judged(self):
        self.collector.join(5)
        if self in running:
            running.remove(self)
        report = SANITIZER.search(self.log())
        assert not report, f"{self.name}: {report.group()}\n{self.log()}"

    def stop(self):
        """SIGTERM and exit status 0, or the test fails. A daemon that was judged is left alone."""
        if self not in running:
            return
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        status = self.wait_end()
        assert status == 0, f"{self.name} ended with status {status}:\n{self.log(60)}"

    def kill(self):
        self.signal(signal.SIGKILL)
        assert self.wait_end() == -signal.SIGKILL, self.log(60)


def descriptors(daemon):
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))


def entry(server_port, *schemes, path=PATH, auth=AUTH, **extra):
    """One element of wspc's `client`; a free port for each listener."""
    dynamic = [f"{s}://127.0.0.1:{free_port()}" for s in schemes or ("socks5", "http")]
    to = tls.server(server_port)
    to["server"] += path
    return {**to, "auth": auth, "dynamic": dynamic, **extra}


class Farm:
    """Starts daemons in one directory and ends them all, each by its own pid."""

    def __init__(self, directory, secure=TLS):
        """`secure`: every wsps is reached by TLS, without its tests noticing."""
        self.directory = directory
        self.daemons = []
        self.secure = secure
        self.bridges = tls.Bridges()

    def start(self, name, config, **options):
        daemon = Daemon(name, config, self.directory, **options)
        self.daemons.append(daemon)
        return daemon

    def wsps(self, port=None, time=(), launch=(), **config):
        """A wsps that listens; keys that are None are left out. `launch`: options of Daemon."""
        config = {
            "bind": "127.0.0.1",
            "port": port or free_port(),
            "path": PATH,
            "auth": AUTH,
            "log": {"level": "debug"},
            "time": {**FAST, **dict(time)},
            "dialect": DIALECT,
            **config,
        }
        config = {k: v for k, v in config.items() if v is not None}
        if self.secure and "ssl" not in config:
            self.bridges.open(config["port"])
        daemon = self.start("wsps", config, **dict(launch))
        daemon.wait_line(LISTENING)
        return daemon

    def wspc(self, *entries, time=(), link=True, launch=(), **config):
        """A wspc that listens and, unless `link` is false, has all its links up."""
        config = {
            "client": list(entries),
            "log": {"level": "debug"},
            "time": {**FAST, **dict(time)},
            **config,
        }
        daemon = self.start("wspc", config, **dict(launch))
        listeners = sum(len(e["dynamic"]) for e in entries)
        if listeners:
            daemon.wait_line(LISTENING, count=listeners)
        for number in range(1, len(entries) + 1 if link else 1):
            daemon.wait_link(number)
        return daemon

    def pair(self, time=(), wsps=(), **extra):
        """A wsps and a wspc with one entry of both listeners."""
        server = self.wsps(time=time, **dict(wsps))
        return server, self.wspc(entry(server.config["port"], **extra), time=time)

    def close(self):
        faults = []
        for daemon in reversed(self.daemons):
            try:
                daemon.stop()
            except AssertionError as fault:
                faults.append(str(fault))
        self.bridges.close()
        assert not faults, "\n\n".join(faults)
