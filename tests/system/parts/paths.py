"""Folders of the repository."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SYSTEM_TESTS = ROOT / "tests/system"
MONITORING = ROOT / "config/monitoring"
