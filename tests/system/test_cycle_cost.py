"""The cost of a live cycle with the three sandbox processes. As a script: `python test_cycle_cost.py BINARY [CYCLES]`."""

import sys
import tempfile
from pathlib import Path

import pytest

from parts.cycle_cost import TRADING_ALONE, WITHOUT_CONSOLE, Cost, as_by_default, measure, table
from parts.tables import keep

# Of trading alone. What else a daemon does by default is compared with that in the same run, as machines differ.
BOUNDS = {"trading alone": Cost(own_ms=0.6, cpu_ms=0.8, peak_mib=14, start_ms=20)}


@pytest.fixture(scope="module")
def costs(binary, tmp_path_factory) -> dict[str, Cost]:
    """Of a thousand cycles each."""
    return measured(binary, tmp_path_factory.mktemp("cost"), 1000)


def measured(binary: Path, directory: Path, cycles: int) -> dict[str, Cost]:
    """One after the other, in one run."""
    all_settings = {"trading alone": TRADING_ALONE, "without the console": WITHOUT_CONSOLE, "as by default": as_by_default()}
    return {name: measure(binary, directory / name, cycles, settings) for name, settings in all_settings.items()}


@pytest.mark.long
def test_a_live_cycle_needs_little_memory(binary, tmp_path):
    """Memory alone, for a release build that is quick to make: other tests run beside this one, and its times are theirs, too. A debug
    build is above it. `--full` runs alone and holds the times."""
    cost = measure(binary, tmp_path, 60)
    keep("cost_beside_other_tests", table({"beside other tests": cost}, {}))
    assert cost.peak_mib <= 26


@pytest.mark.full
def test_a_cycle_stays_within_its_bounds(costs):
    keep("cost", table(costs, BOUNDS))
    for name, bound in BOUNDS.items():
        cost = costs[name]
        assert cost.own_ms <= bound.own_ms and cost.cpu_ms <= bound.cpu_ms, (name, cost)
        assert cost.peak_mib <= bound.peak_mib and cost.start_ms <= bound.start_ms, (name, cost)


@pytest.mark.full
def test_paper_account_and_an_idle_console_cost_little(costs):
    alone, usual = costs["trading alone"], costs["as by default"]
    assert usual.own_ms <= alone.own_ms + 0.2 and usual.cpu_ms <= alone.cpu_ms * 1.25, costs
    assert usual.peak_mib <= alone.peak_mib + 1, costs


if __name__ == "__main__":
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    with tempfile.TemporaryDirectory() as scratch:
        print(table(measured(Path(sys.argv[1]).resolve(), Path(scratch), count), BOUNDS))
