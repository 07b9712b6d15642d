"""The cost of a live cycle: time in addition to its three calls, CPU, memory, and the time to the first answer. Of trading alone, and of
the daemon as it is by default, which also keeps an account on paper, asks the gateway for the real one, and has a console."""

import time
from dataclasses import dataclass
from pathlib import Path

from parts.daemon import Daemon, free_port
from parts.sandbox import Sandbox

WARM_UP_CYCLES = 20
# What a daemon does beside trading, switched off, or on as by default but for the console's port.
TRADING_ALONE = {"SENTINEL__PAPER__ENABLED": "false", "SENTINEL__GATEWAY__ACCOUNT_POLL_S": "0"}
WITHOUT_CONSOLE = {}


def as_by_default() -> dict[str, str]:
    """With a console that nobody has open."""
    return {"SENTINEL__CONSOLE__ENABLED": "true", "SENTINEL__CONSOLE__PORT": str(free_port())}


@dataclass
class Cost:
    """The figures of one measurement."""

    own_ms: float
    cpu_ms: float
    peak_mib: float
    start_ms: float


def table(columns: dict[str, Cost], bounds: dict[str, Cost]) -> str:
    """Measurements beside each other, each followed by its bound."""
    rows = [
        ("cycle beyond the three others, mean, ms", "own_ms"),
        ("CPU per cycle, all threads, ms", "cpu_ms"),
        ("peak resident memory, MiB", "peak_mib"),
        ("from exec to the first /metrics, ms", "start_ms"),
    ]
    lines = [f"{'':42}" + "".join(f"{name:>22}" for name in columns)]
    for what, field in rows:
        cells = [(getattr(cost, field), getattr(bounds[name], field) if name in bounds else None) for name, cost in columns.items()]
        texts = [f"{value:.2f}" + (f" of {bound:g}" if bound is not None else "") for value, bound in cells]
        lines.append(f"{what:42}" + "".join(f"{text:>22}" for text in texts))
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


def measure(binary: Path, directory: Path, cycles: int, settings: dict[str, str] = WITHOUT_CONSOLE) -> Cost:
    """Runs a short and a long daemon with these variables against the sandbox. Their difference does not include the start."""
    sandbox = Sandbox(binary, directory)
    try:
        short = sandbox.trade(WARM_UP_CYCLES, **settings)
        settled(short.wait_serving(), WARM_UP_CYCLES)
        short_cpu_ms = cpu_ms(short.pid)
        short.stop()
        starts = []
        for _ in range(5):
            starting = sandbox.trade(1, **settings)
            starts.append(start_ms(starting))
            starting.stop()
        daemon = sandbox.trade(cycles + WARM_UP_CYCLES, **settings)
        metrics = settled(daemon.wait_serving(), cycles + WARM_UP_CYCLES)
        assert metrics("trading_cycles_failed_total") == 0, daemon.output()[-2000:]
        others = ("data_fetch_duration_seconds", "prediction_latency_seconds", "zmq_send_latency_seconds")
        others_s = sum(metrics(f"{name}_sum") for name in others)
        own_s = (metrics("trading_cycle_duration_seconds_sum") - others_s) / (cycles + WARM_UP_CYCLES)
        per_cycle_ms = (cpu_ms(daemon.pid) - short_cpu_ms) / cycles
        return Cost(own_s * 1e3, per_cycle_ms, peak_mib(daemon.pid), sorted(starts)[len(starts) // 2])
    finally:
        sandbox.close()
