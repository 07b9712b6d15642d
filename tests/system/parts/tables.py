"""Tables of measured figures."""

import os
from pathlib import Path


def keep(name: str, text: str):
    """Prints a table, and writes it to a file that tests/run.sh prints at the end."""
    print(text)
    if directory := os.environ.get("SENTINEL_TEST_LOGS"):
        Path(directory, f"{name}.table").write_text(text + "\n")


def percentile(values: list[float], share: float) -> float:
    """The smallest value that is not exceeded by at least this share of the values."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]
