"""What the environment says about this run."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BIN_DIR = Path(os.environ.get("WSP_BIN_DIR", ROOT / "build")).resolve()

# A sanitizer build is several times slower: less volume, more patience.
SANITIZED = os.environ.get("WSP_SANITIZED") == "1"

# With WSP_DIALECT=0.10 every wsps speaks that only: the tests of wsp.1 are left out.
DIALECT = os.environ.get("WSP_DIALECT")
DIALECTS = [DIALECT] if DIALECT else ["0.10", "wsp.1"]

# With WSP_TLS=1 links and visitors reach every wsps by TLS.
TLS = os.environ.get("WSP_TLS") == "1"
SCHEME = "https" if TLS else "http"  # as wsps is spoken to

# Several runs side by side (pytest-xdist), each with its own share of the ports.
WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1))
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])


def volume(release, sanitized):
    """The amount to move: bytes, connections or rounds."""
    return sanitized if SANITIZED else release


def patience(seconds):
    """An upper limit of time, stretched for slow builds and shared machines. Never a pause."""
    return seconds * (4 if SANITIZED else 1) * (1 if WORKERS == 1 else 2)
