"""The cost of a live cycle: time in addition to its three calls, CPU, memory, and the time to the first answer."""

import time
from dataclasses import dataclass
from pathlib import Path

from parts.daemon import Daemon
from parts.sandbox import Sandbox

WARM_UP_CYCLES = 20


@dataclass
class Cost:
    """The figures of one measurement, with the bounds and the figures of the daemon that Sentinel replaces."""

    own_ms: float
    cpu_ms: float
    peak_mib: float
    start_ms: float

    def table(self) -> str:
        """The figures as a text table."""
        rows = [
            ("cycle beyond the three others, mean", self.own_ms, "ms", 0.6, 27),
            ("CPU per cycle, all threads", self.cpu_ms, "ms", 1.1, 27),
            ("peak resident memory", self.peak_mib, "MiB", 14, 85),
            ("from exec to the first /metrics", self.start_ms, "ms", 20, 410),
        ]
        lines = [f"{'':38}{'measured':>10}{'bound':>9}{'before':>9}"]
        for what, value, unit, bound, before in rows:
            lines.append(f"{what:38}{value:>10.2f}{bound:>9}{before:>9}  {unit}")
        return "\n".join(lines)


def cpu_ms(pid: int) -> float:
    """CPU time of all threads so far, with nanosecond resolution; /proc/PID/stat has only hundredths of a second."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e6


def peak_mib(pid: int) -> float:
    """The largest resident size so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def start_ms(daemon: Daemon) -> float:
    """Waits for the first 200 of /metrics of a daemon that was just started; milliseconds."""
    while not daemon.serves():
        assert time.monotonic() - daemon.started_at < 10, daemon.output()
        time.sleep(0.0005)
    return (time.monotonic() - daemon.started_at) * 1e3


def settled(daemon: Daemon, cycles: int):
    """Waits for the last cycle. It scrapes seldom, because a scrape also costs CPU."""
    deadline = time.monotonic() + 120
    while (metrics := daemon.metrics())("trading_cycles_total") < cycles:
        assert time.monotonic() < deadline, daemon.output()[-2000:]
        time.sleep(0.25)
    return metrics


def measure(binary: Path, directory: Path, cycles: int) -> Cost:
    """Runs a short and a long daemon against the sandbox. Their difference does not include the start."""
    sandbox = Sandbox(binary, directory)
    try:
        short = sandbox.trade(WARM_UP_CYCLES)
        settled(short.wait_serving(), WARM_UP_CYCLES)
        short_cpu_ms = cpu_ms(short.pid)
        short.stop()
        starts = []
        for _ in range(5):
            starting = sandbox.trade(1)
            starts.append(start_ms(starting))
            starting.stop()
        daemon = sandbox.trade(cycles + WARM_UP_CYCLES)
        metrics = settled(daemon.wait_serving(), cycles + WARM_UP_CYCLES)
        assert metrics("trading_cycles_failed_total") == 0, daemon.output()[-2000:]
        others = ("data_fetch_duration_seconds", "prediction_latency_seconds", "zmq_send_latency_seconds")
        others_s = sum(metrics(f"{name}_sum") for name in others)
        own_s = (metrics("trading_cycle_duration_seconds_sum") - others_s) / (cycles + WARM_UP_CYCLES)
        per_cycle_ms = (cpu_ms(daemon.pid) - short_cpu_ms) / cycles
        return Cost(own_s * 1e3, per_cycle_ms, peak_mib(daemon.pid), sorted(starts)[len(starts) // 2])
    finally:
        sandbox.close()
