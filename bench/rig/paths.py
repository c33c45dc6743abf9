"""Where things are."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "bench"
BUILD = ROOT / "build" / "bench"
TOOLS = BUILD / "tools"
DOCS = ROOT / "docs"
