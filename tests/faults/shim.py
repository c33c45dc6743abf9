"""The preloaded library that spoils system calls (tests/faults/shim), as its test sees it."""

import errno
import mmap
import re
import struct
import subprocess
from contextlib import contextmanager
from pathlib import Path

from harness.env import BIN_DIR, SANITIZED

LIBRARY = BIN_DIR / "tests" / "fault_shim.so"
_header = (Path(__file__).parent / "shim" / "shim.h").read_text()


def _numbers(enum):
    body = re.search(rf"enum {enum} {{(.*?)}};", _header, re.S).group(1)
    names = re.findall(r"SHIM_(\w+)", re.sub(r"/\*.*?\*/", "", body, flags=re.S))
    return {name.removeprefix("CALL_").lower(): number for number, name in enumerate(names)}


SLOTS = _numbers("shim_slot")
CALLS = _numbers("shim_call")
MAKERS = [call for call in CALLS if call not in ("send", "recv")]


def _preloaded():
    """The sanitizer's own library has to come first."""
    if not SANITIZED:
        return str(LIBRARY)
    asan = subprocess.check_output(["gcc", "-print-file-name=libasan.so"], text=True).strip()
    return f"{Path(asan).resolve()} {LIBRARY}"


class Shim:
    """What happens to the system calls of one daemon, or of several."""

    def __init__(self, directory, name="faults", **slots):
        assert LIBRARY.exists(), f"{LIBRARY} is not built"
        self.path = directory / name
        self.path.write_bytes(bytes(8 * SLOTS["slots"]))
        with self.path.open("r+b") as file:
            self.page = mmap.mmap(file.fileno(), 0)
        self.env = {"FAULTS": str(self.path), "LD_PRELOAD": _preloaded()}
        self.set(fail_rate=1000, fail_times=-1, **slots)

    @property
    def launch(self):
        """Options of harness.daemons.Daemon."""
        return {"env": self.env}

    def set(self, **slots):
        """In this order: what makes a fault begin comes last."""
        for name, value in slots.items():
            struct.pack_into("q", self.page, 8 * SLOTS[name], value)

    def get(self, name):
        return struct.unpack_from("q", self.page, 8 * SLOTS[name])[0]

    def fail(self, error, *calls, **how):
        """From now on these calls fail: errno's name, some of CALLS (else all that make something)."""
        bits = sum(1 << CALLS[call] for call in calls or MAKERS)
        self.set(fail_calls=bits, **{"fail_after": 0, "fail_times": -1, **how})
        self.set(fail_errno=getattr(errno, error))

    def heal(self):
        self.set(fail_errno=0, short=0, eintr=0, disk_full=0)

    @contextmanager
    def failing(self, error, *calls, **how):
        self.fail(error, *calls, **how)
        try:
            yield
        finally:
            self.heal()
