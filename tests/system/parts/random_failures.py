"""Cycles that fail at random, as promtool input. An alert without hysteresis would start often."""

import random
from itertools import groupby

DAYS = 3
STARTS_A_DAY_MAX = 2
PATTERNS = (0.05, 0.07, 0.10, 0.20, 0.25, 0.30, 0.35, 0.40, 0.50, 0.80)
# The alerts about a rate of failing cycles.
CALM = ("SentinelCyclesFailing", "SentinelFailureBudgetFast", "SentinelFailureBudgetSlow")
LABELS = 'job="sentinel-metrics", instance="inf-sentinel", node="inf"'


def trial(share: float) -> dict:
    """A test of some days with a cycle a minute, each of which fails with this probability. It counts how often each alert
    starts: it fires, and did not fire a minute before."""
    random_ = random.Random(f"{share:.2f}")
    fails = [random_.random() < share for _ in range(DAYS * 1_440)]
    return {
        "name": f"{', '.join(CALM)}: {share:.0%} of the cycles fail at random",
        "interval": "1m",
        "input_series": [
            {"series": f"sentinel_trading_cycles_total{{{LABELS}}}", "values": f"0+1x{len(fails)}"},
            {"series": f"sentinel_trading_cycles_failed_total{{{LABELS}}}", "values": counted(fails)},
        ],
        "promql_expr_test": [few_starts(alert) for alert in CALM],
    }


def few_starts(alert: str) -> dict:
    """Expects at the end of all days that the alert did not start too often."""
    firing = f'ALERTS{{alertname="{alert}", alertstate="firing"}}'
    starts = f"sum(count_over_time(({firing} unless {firing} offset 1m)[{DAYS}d:1m])) or vector(0)"
    most = STARTS_A_DAY_MAX * DAYS
    samples = [{"labels": "{}", "value": 1}]
    return {"expr": f"({starts}) <= bool {most}", "eval_time": f"{DAYS * 1_440}m", "exp_samples": samples}


def counted(fails: list[bool]) -> str:
    """The counter of failures in promtool's notation: `3x4` stays at 3, `3+1x4` rises."""
    runs, count = ["0"], 0
    for failed, run in groupby(fails):
        length = len(list(run))
        runs.append(f"{count + 1}+1x{length - 1}" if failed else f"{count}x{length - 1}")
        count += length if failed else 0
    return " ".join(runs)
