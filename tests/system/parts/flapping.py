"""Cycles that fail at random, as promtool input: how often an alert starts is a question of luck, unless it holds."""

import random
from itertools import groupby

DAYS = 3
STARTS_A_DAY_MAX = 2
PATTERNS = (0.05, 0.07, 0.10, 0.15, 0.20, 0.25, 0.30, 0.35, 0.40, 0.50, 0.65, 0.80)
# The alerts about a rate of failing cycles.
CALM = ("SentinelCyclesFailing", "SentinelFailureBudgetFast", "SentinelFailureBudgetSlow")
LABELS = 'job="sentinel-metrics", instance="inf-sentinel", node="inf"'


def trial(alert: str, share: float, days: int = DAYS) -> dict:
    """A test of some days with a cycle a minute, each of which fails with this probability, that asks how often the alert
    started: it fires, and did not a minute before."""
    random_ = random.Random(f"{share:.2f}")
    fails = [random_.random() < share for _ in range(days * 1_440)]
    firing = f'ALERTS{{alertname="{alert}", alertstate="firing"}}'
    starts = f"sum(count_over_time(({firing} unless {firing} offset 1m)[{days}d:1m])) or vector(0)"
    return {
        "name": f"{alert}: {share:.0%} of the cycles fail at random",
        "interval": "1m",
        "input_series": [
            {"series": f"sentinel_trading_cycles_total{{{LABELS}}}", "values": f"0+1x{len(fails)}"},
            {"series": f"sentinel_trading_cycles_failed_total{{{LABELS}}}", "values": counted(fails)},
        ],
        "promql_expr_test": [
            {
                "expr": f"({starts}) <= bool {STARTS_A_DAY_MAX * days}",
                "eval_time": f"{days * 1_440}m",
                "exp_samples": [{"labels": "{}", "value": 1}],
            }
        ],
    }


def counted(fails: list[bool]) -> str:
    """The counter of failures, in runs: `3x4` stays at 3, `3+1x4` rises."""
    runs, count = ["0"], 0
    for failed, run in groupby(fails):
        length = len(list(run))
        runs.append(f"{count + 1}+1x{length - 1}" if failed else f"{count}x{length - 1}")
        count += length if failed else 0
    return " ".join(runs)
