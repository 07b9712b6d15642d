"""The disk space on HUB: a day of our series at 15 s as blocks of a real Prometheus's storage, and 180 days of them."""

import subprocess
from pathlib import Path

import pytest

from parts.daemon import Daemon
from parts.tables import keep

DAY_S, INTERVAL_S, CYCLE_S = 86_400, 15, 60
RETENTION_DAYS = 180
START_S = 1_795_392_000
# Blocks first cover two hours and grow up to a tenth of the retention; a day is in between.
BLOCK = "24h"
# Prometheus needs one to two bytes per sample; ours change little from one scrape to the next.
BYTES_PER_SAMPLE_MAX = 2.0
DAY_MIB_MAX = 10
# Series whose value is the time since the start, or grows with it.
BY_TIME = ("sentinel_daemon_uptime_seconds", "process_cpu_seconds_total")


def snapshots(daemon: Daemon, count: int) -> list[dict[str, str]]:
    """(series -> value) of several scrapes, with cycles between them."""
    found = []
    for _ in range(count):
        lines = daemon.get("/metrics")[2].splitlines()
        found.append(dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#")))
    return found


def day_of(minutes: list[dict[str, str]], path: Path) -> tuple[int, int]:
    """Writes OpenMetrics text: each snapshot stands for a minute, scraped every 15 s. The number of series and samples."""
    scrapes_per_minute = CYCLE_S // INTERVAL_S
    names = sorted(minutes[-1])
    with path.open("w") as out:
        for name in names:
            for minute, values in enumerate(minutes):
                for scrape in range(scrapes_per_minute):
                    age = minute * CYCLE_S + scrape * INTERVAL_S
                    value = values.get(name, "0")
                    if name in BY_TIME:
                        value = f"{age * 0.0011:.2f}" if "cpu" in name else f"{age + 0.123_456_7 * (minute % 8)}"
                    out.write(f"{name} {value} {START_S + age}\n")
        out.write("# EOF\n")
    return len(names), len(names) * len(minutes) * scrapes_per_minute


def size(directory: Path) -> int:
    """The size of all files in bytes."""
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


@pytest.mark.full
@pytest.mark.parametrize("symbols", [1, 50])
def test_half_a_year_of_series_needs_little_disk(harness, tmp_path, symbols):
    names = ["EURUSD", *(f"SYM{number:03}" for number in range(1, symbols))]
    daemon = harness.start("--back-to-back", "--clock", "bars", "--symbol", ",".join(names))
    daemon.after_cycles(3)
    series, samples = day_of(snapshots(daemon, DAY_S // CYCLE_S), tmp_path / "day.txt")
    blocks = tmp_path / "blocks"
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", f"--max-block-duration={BLOCK}"]
    subprocess.run([*command, str(tmp_path / "day.txt"), str(blocks)], check=True, capture_output=True, timeout=600)
    (tmp_path / "day.txt").unlink()
    day = size(blocks)
    rows = [f"{symbols} symbols, {series} series, {samples:,} samples a day at {INTERVAL_S} s"]
    rows.append(f"a day              {day / 2**20:8.1f} MiB  {day / samples:.2f} bytes a sample")
    rows.append(f"{RETENTION_DAYS} days           {day * RETENTION_DAYS / 2**20:8.0f} MiB  a day times {RETENTION_DAYS}")
    keep(f"retention-{symbols}", "\n".join(rows))
    assert day / samples < BYTES_PER_SAMPLE_MAX
    assert day / 2**20 < DAY_MIB_MAX * max(1, symbols / 10)
