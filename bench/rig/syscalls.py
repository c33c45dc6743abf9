"""Counts the system calls of running daemons: with perf, which costs little, or with strace."""

import re
import shutil
import signal
import subprocess
import time
from functools import lru_cache

from rig import tree
from rig.errors import Failed, LeftOut

WRITES = ("write", "writev", "sendto", "sendmsg", "sendmmsg", "splice")
ALL = "raw_syscalls:sys_enter"
ATTACH_SECONDS = 0.15


@lru_cache(maxsize=None)
def method():
    """ "perf", "strace", or None."""
    if shutil.which("perf"):
        probe = ["perf", "stat", "-x,", "-e", ALL, "true"]
        done = subprocess.run(probe, capture_output=True, text=True)
        if done.returncode == 0 and re.search(rf"^\d+,.*{ALL}", done.stderr, re.M):
            return "perf"
    return "strace" if shutil.which("strace") else None


class Counter:
    """
    Counts from its making to stop(). Nothing is sampled or scaled: made before a load and stopped
    behind it, while the daemons are idle, it has all that the load has cost.
    """

    def __init__(self, running):
        tools = {"perf": _Perf, "strace": _Strace}
        if method() is None:
            raise LeftOut("neither perf nor strace can count: apt-get install strace")
        time.sleep(ATTACH_SECONDS)  # perf wants none of what is about to end
        self.tools = {
            role: tools[method()](running.world, tree.members(process.pid))
            for role, process in running.daemons.items()
        }

    def __enter__(self):
        time.sleep(ATTACH_SECONDS)
        return self

    def __exit__(self, *_):
        for tool in self.tools.values():
            tool.end()

    def stop(self):
        """{role: (system calls, those among them that write)}"""
        return {role: tool.result() for role, tool in self.tools.items()}


class _Tool:
    def __init__(self, argv, output):
        self.output = output
        self.popen = subprocess.Popen(
            argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def end(self):
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGINT)
        try:
            self.popen.wait(15)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()

    def text(self):
        self.end()
        return self.output.read_text()


class _Perf(_Tool):
    def __init__(self, world, pids):
        output = world.file("perf")
        events = [ALL, *(f"syscalls:sys_enter_{name}" for name in WRITES)]
        argv = ["perf", "stat", "-x,", "-o", str(output), "-p", ",".join(map(str, pids))]
        super().__init__([*argv, *(word for event in events for word in ("-e", event))], output)

    def result(self):
        text = self.text()
        counts = re.findall(r"^(\d+|<not counted>),[^,]*,([\w:]+)", text, re.M)
        found = {event: int(n) if n.isdigit() else 0 for n, event in counts}  # else it slept
        if ALL not in found:
            raise Failed(f"perf: {text.strip()}")
        return found[ALL], sum(found.values()) - found[ALL]


class _Strace(_Tool):
    def __init__(self, world, pids):
        output = world.file("strace")
        attach = [word for pid in pids for word in ("-p", str(pid))]
        super().__init__(["strace", "-f", "-c", "-o", str(output), *attach], output)

    def result(self):
        # % time, seconds, usecs/call, calls, errors (perhaps), name
        line = r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$"
        calls = re.findall(line, self.text(), re.M)
        counts = {name: int(number) for number, name in calls if name != "total"}
        return sum(counts.values()), sum(counts.get(name, 0) for name in WRITES)
