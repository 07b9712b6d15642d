"""Figures that a run leaves behind."""

import os
from pathlib import Path


def keep(name: str, text: str):
    """Shows a table, and leaves it where tests/run.sh prints it at the end."""
    print(text)
    if directory := os.environ.get("SENTINEL_TEST_LOGS"):
        Path(directory, f"{name}.table").write_text(text + "\n")


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]
