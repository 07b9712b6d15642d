"""The contract with HUB: the eighteen families with every name, type, label and bucket bound that dashboards, alerts and years
of stored history depend on. It is written out here so that a change of the product cannot change it."""

import itertools
from dataclasses import dataclass, field

from parts.paths import SYSTEM_TESTS

ACTIONS = {"action": ["BUY", "SELL", "HOLD"]}
ENDPOINTS = {"endpoint": ["eodhd", "hub"]}
ERROR_CODES = (
    "timeout connect 401 402 403 404 422 429 500 502 503 504 empty_response bad_shape no_api_key exception".split()
)


@dataclass(frozen=True)
class Family:
    """One family: `labels` are the values that exist with 0 from the first scrape; `bounds` must be among the buckets."""

    name: str
    type: str
    labels: dict[str, list[str]] = field(default_factory=dict)
    bounds: str = ""


EIGHTEEN = [
    Family("sentinel_trading_cycles_total", "counter"),
    Family("sentinel_trading_cycles_failed_total", "counter"),
    Family("sentinel_trading_cycle_duration_seconds", "histogram", bounds="0.1 0.5 1.0 2.0 5.0 10.0"),
    Family("sentinel_data_fetch_duration_seconds", "histogram", bounds="0.5 1.0 2.0 5.0 10.0"),
    Family("sentinel_data_fetch_failed_total", "counter"),
    Family("sentinel_feature_build_duration_seconds", "histogram", bounds="0.1 0.5 1.0 2.0"),
    Family("sentinel_prediction_requests_total", "counter"),
    Family("sentinel_prediction_failures_total", "counter"),
    Family("sentinel_prediction_latency_seconds", "histogram", bounds="0.1 0.5 1.0 2.0 5.0"),
    Family("sentinel_last_prediction_confidence", "gauge"),
    Family("sentinel_trading_signals_total", "counter", ACTIONS),
    Family("sentinel_trading_signals_executed_total", "counter", ACTIONS),
    Family("sentinel_zmq_send_latency_seconds", "histogram", bounds="0.01 0.05 0.1 0.5 1.0"),
    Family("sentinel_zmq_send_failures_total", "counter"),
    Family("sentinel_api_calls_total", "counter", ENDPOINTS),
    Family("sentinel_api_errors_total", "counter", ENDPOINTS | {"error_code": ERROR_CODES}),
    Family("sentinel_daemon_uptime_seconds", "gauge"),
    Family("sentinel_last_cycle_timestamp_unix", "gauge"),
]

FAILURE_COUNTERS = {family.name for family in EIGHTEEN if "fail" in family.name or "error" in family.name}


@dataclass(frozen=True)
class Row:
    """One row of the complete catalogue, as agreed with HUB. `buckets` are all bounds except `+Inf`, as Prometheus stores them.
    `labels` are the values that exist from the first scrape; those of symbols and builds are examples."""

    name: str
    type: str
    labels: dict[str, list[str]]
    buckets: list[str]
    help: str
    is_absent_until_told: bool

    def children(self, symbols: list[str]) -> set[frozenset]:
        """The label sets of every child of a daemon with these symbols."""
        values = [symbols if label == "symbol" else given for label, given in self.labels.items()]
        return {frozenset(zip(self.labels, chosen, strict=True)) for chosen in itertools.product(*values)}


def catalogue() -> list[Row]:
    """The rows of data/catalogue.md, in its order."""
    lines = (SYSTEM_TESTS / "data/catalogue.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("|")]
    assert rows[0] == ["name", "type", "labels (pre-initialised values)", "unit", "buckets", "help"]
    return [_row(*cells) for cells in rows[2:]]


def _row(name: str, kind: str, labels: str, unit: str, buckets: str, help_text: str) -> Row:
    given = dict(label.strip().split("=") for label in labels.split(";")) if labels else {}
    bounds = [str(float(bound)) for bound in buckets.replace("*", "").split()]
    return Row(name, kind, {label: values.split("/") for label, values in given.items()}, bounds, help_text, "absent until told" in unit)
