"""The cost of a live cycle with the three sandbox processes. As a script: `python test_cycle_cost.py BINARY [CYCLES]`."""

import sys
import tempfile
from pathlib import Path

import pytest

from parts.cycle_cost import measure
from parts.tables import keep


@pytest.mark.long
def test_a_live_cycle_needs_little_memory(binary, tmp_path):
    """Memory alone, for a release build that is quick to make: other tests run beside this one, and its times are theirs, too. A debug
    build is above it. `--full` runs alone and holds the times."""
    cost = measure(binary, tmp_path, 60)
    keep("cost_beside_other_tests", cost.table())
    assert cost.peak_mib <= 26


@pytest.mark.full
def test_a_cycle_stays_within_the_bounds_of_the_readme(binary, tmp_path):
    cost = measure(binary, tmp_path, 1000)
    keep("cost", cost.table())
    assert cost.own_ms <= 0.6
    assert cost.cpu_ms <= 1.1
    assert cost.peak_mib <= 14
    assert cost.start_ms <= 20


if __name__ == "__main__":
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    with tempfile.TemporaryDirectory() as scratch:
        print(measure(Path(sys.argv[1]).resolve(), Path(scratch), count).table())
