"""The contract with HUB: the eighteen families, with every name, type, label and bucket bound that dashboards,
alerts and years of stored history depend on. Written out here so that no change of the product can bend it."""

from dataclasses import dataclass, field

ACTIONS = {"action": ["BUY", "SELL", "HOLD"]}
ENDPOINTS = {"endpoint": ["eodhd", "hub"]}
ERROR_CODES = (
    "timeout connect 401 402 403 404 422 429 500 502 503 504 empty_response bad_shape no_api_key exception".split()
)


@dataclass(frozen=True)
class Family:
    """One family: `labels` are the values that exist at 0 from the first scrape; `bounds` must be among the buckets."""

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

# What this daemon has beside the eighteen: name -> label names.
FURTHER = {
    "sentinel_build_info": {"version", "revision", "rustc"},
    "sentinel_ready": set(),
    "sentinel_actor_up": {"actor"},
    "sentinel_actor_restarts_total": {"actor"},
    "sentinel_scheduler_lag_seconds": set(),
    "sentinel_scheduler_ticks_missed_total": set(),
    "sentinel_step_last_success_timestamp_seconds": {"step"},
    "sentinel_last_bar_timestamp_seconds": {"symbol"},
    "sentinel_bars_rejected_total": {"reason"},
    "sentinel_inflight_requests": {"endpoint"},
    "sentinel_gateway_roundtrip_seconds": set(),
    "sentinel_orders_total": {"outcome"},
    "sentinel_prediction_confidence": set(),
    "sentinel_feature_invalid_values_total": {"kind"},
    "sentinel_signals_suppressed_total": {"reason"},
    "sentinel_symbol_signals_total": {"symbol", "action"},
    "sentinel_bar_gaps_total": {"symbol"},
    "sentinel_clock_steps_total": set(),
    "sentinel_market_open": set(),
    "sentinel_breaker_state": {"endpoint", "state"},
    "sentinel_journal_pending_signals": set(),
    "sentinel_journal_write_failures_total": set(),
    "sentinel_orders_unresolved": set(),
    "process_cpu_seconds_total": set(),
    "process_open_fds": set(),
    "process_max_fds": set(),
    "process_virtual_memory_bytes": set(),
    "process_resident_memory_bytes": set(),
    "process_start_time_seconds": set(),
    "process_threads": set(),
}
