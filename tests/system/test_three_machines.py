"""INF, HUB and GTW as three containers on a private network, and a market: scraped with the project's own file, cut off
from one another, killed and started again. Each test but the last leaves all of them well."""

import json
import random
import time
from contextlib import ExitStack

import pytest

from parts.contract import EIGHTEEN, FAILURE_COUNTERS
from parts.daemon import wait_until
from parts.exposition import Metrics
from parts.machines import INF, MONITORING, ORDERS_A_BAR, SYMBOLS, Machines
from parts.seed import new_seed
from parts.stations import ALERTMANAGER_PORT, PROMETHEUS_PORT
from parts.tables import keep

LABELS = {"job": "sentinel-metrics", "instance": "inf-sentinel", "component": "trading", "node": "inf"}
LABELS |= {"region": "singapore"}
UP = 'up{job="sentinel-metrics"}'
EACH_KIND = pytest.mark.parametrize("kind", [Machines.unplugged, Machines.vanishing], ids=["unplugged", "vanishing"])
# Cycles that a cut lasts at least, and kills.
CYCLES, KILLS = 3, 6
pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def machines(image, tmp_path_factory):
    """All of them, trading; removed at the end."""
    machines = Machines(image, tmp_path_factory.mktemp("machines"))
    yield machines
    machines.close()


def flows_again(machines: Machines, endpoint: str):
    """All is as it was before a cut: cycles succeed, orders arrive and are filled, and the gauges say so."""
    machines.wait_received(ORDERS_A_BAR)
    machines.wait("readiness", lambda m: m("ready") == 1 and m("orders_unresolved") == 0)
    found = machines.judge()
    assert found["unknown"] == 0 and found["filled"] == found["received"]
    assert machines.metrics()("breaker_state", endpoint=endpoint, state="closed") == 1


def test_orders_arrive_once_each_and_are_filled(machines):
    machines.wait_received(3 * ORDERS_A_BAR)
    found = machines.judge()
    assert found == {"received": found["received"], "filled": found["received"]}
    assert {order["request"]["symbol"] for order in machines.received()} == set(SYMBOLS) - {"EURGBP", "USDCHF"}


def test_hub_scrapes_inf_with_the_projects_file(machines):
    machines.wait_value("a scrape", UP, 1)
    [up] = machines.query(UP)
    assert up["metric"] == {"__name__": "up"} | LABELS
    for family in EIGHTEEN:
        series = family.name + ("_bucket" if family.type == "histogram" else "")
        found = machines.query(series)
        assert found, series
        assert all(LABELS.items() <= sample["metric"].items() for sample in found)


@EACH_KIND
def test_without_gtw_orders_are_not_sent_and_nothing_arrives_later(machines, kind):
    with ExitStack() as cut:
        # With no order on its way, whose reply would be lost.
        with machines.quiet():
            before = machines.metrics()
            cut.enter_context(kind(machines, machines.gtw))
        sent = len(machines.received())
        not_sent = before("orders_total", outcome="not_sent")
        machines.wait("an order not sent", lambda m: m("orders_total", outcome="not_sent") > not_sent)
        # After that it is asked whether it is there, and gets no order unless it is.
        handshakes = before("signals_suppressed_total", reason="handshake") + CYCLES
        machines.wait(
            "cycles without it",
            lambda m: m("signals_suppressed_total", reason="handshake") >= handshakes
            and m("trading_cycles_total") >= before("trading_cycles_total") + CYCLES,
        )
        status, said = machines.inf.get("/readyz")
        metrics = machines.metrics()
        assert status == 503 and "gateway" in said
        assert metrics("zmq_send_failures_total") > before("zmq_send_failures_total")
        assert metrics("trading_cycles_failed_total") > before("trading_cycles_failed_total")
        assert metrics("orders_unresolved") == 0 and metrics.sum("api_errors_total") == before.sum("api_errors_total")
        assert len(machines.received()) == sent
    flows_again(machines, "gateway")
    assert machines.judge()["not_sent"] == machines.metrics()("orders_total", outcome="not_sent")


def fails_without(machines: Machines, endpoint: str, counter: str, before: Metrics):
    """While an endpoint is cut off: cycles fail and are counted, the breaker opens, and no order leaves."""
    # A cut in the middle of a cycle leaves some symbols their orders.
    failed = before("trading_cycles_failed_total")
    machines.wait("a failure", lambda m: m("trading_cycles_failed_total") > failed)
    sent = len(machines.received())
    metrics = machines.wait(
        "failed cycles",
        lambda m: m("trading_cycles_failed_total") >= failed + CYCLES
        and m("breaker_state", endpoint=endpoint, state="closed") == m("ready") == 0,
    )
    assert metrics(counter) > before(counter)
    assert set(metrics.errors(endpoint)) <= {"timeout", "connect"}
    assert sum(metrics.errors(endpoint).values()) > sum(before.errors(endpoint).values())
    assert len(machines.received()) == sent
    for outcome in ("not_sent", "unknown", "rejected"):
        assert metrics("orders_total", outcome=outcome) == before("orders_total", outcome=outcome)


@EACH_KIND
def test_without_the_market_cycles_fail_and_no_order_leaves(machines, kind):
    before = machines.metrics()
    with kind(machines, machines.market):
        fails_without(machines, "eodhd", "data_fetch_failed_total", before)
    flows_again(machines, "eodhd")


def test_without_hub_cycles_fail_and_no_order_leaves(machines):
    before = machines.metrics()
    with machines.vanishing(machines.hub):
        fails_without(machines, "hub", "prediction_failures_total", before)
    flows_again(machines, "hub")


def test_an_unplugged_hub_knows_that_inf_is_away_and_its_history_goes_on(machines):
    machines.wait_value("a scrape", UP, 1)
    before, cycles = machines.metrics(), machines.value("sentinel_trading_cycles_total")
    with machines.unplugged(machines.hub):
        fails_without(machines, "hub", "prediction_failures_total", before)
        machines.wait_value("a scrape that failed", UP, 0)
        failures = machines.metrics()("prediction_failures_total")
    machines.wait_value("a scrape", UP, 1)
    # The failures of the time when nobody could tell it, too.
    assert machines.value("sentinel_prediction_failures_total") >= failures
    assert machines.value("sentinel_trading_cycles_total") > cycles
    assert machines.value("resets(sentinel_trading_cycles_total[5m])") == 0
    assert machines.value(f"min_over_time({UP}[5m])") == 0
    flows_again(machines, "hub")


def test_a_reply_lost_on_the_way_leaves_an_unknown_order_until_it_is_proven(machines):
    before = machines.metrics()
    machines.pace(1.1)
    try:
        # A reply may be quicker than a cut.
        for _ in range(10):
            machines.wait_received(1)
            metrics = lose_the_reply(machines)
            if metrics("orders_total", outcome="unknown") > before("orders_total", outcome="unknown"):
                break
    finally:
        machines.pace(0)
    assert metrics("orders_unresolved") == 1
    unresolved = {"reason": "unresolved"}
    assert metrics("signals_suppressed_total", **unresolved) > before("signals_suppressed_total", **unresolved)
    flows_again(machines, "gateway")


def lose_the_reply(machines: Machines) -> Metrics:
    """Cuts GTW off for two cycles after an order has arrived there: what INF says then."""
    with machines.unplugged(machines.gtw):
        sent = len(machines.received())
        wanted = machines.metrics()("trading_cycles_total") + 2
        metrics = machines.wait("the cut", lambda m: m("trading_cycles_total") >= wanted)
        assert len(machines.received()) == sent
    return metrics


def test_hub_has_every_failure_of_inf(machines):
    metrics = machines.metrics()
    counted = {name: metrics.sum(name.removeprefix("sentinel_")) for name in FAILURE_COUNTERS}
    for name, value in counted.items():
        wait_until(f"{name} at {value}", lambda: machines.value(f"sum({name})") == value or time.sleep(0.2), 40)


def test_verify_hub_and_verify_inf_find_all_well(machines):
    options = [f"--network=container:{machines.hub.name}", MONITORING]
    flags = ["--inf", f"http://{INF}:8000", "--prometheus", f"http://localhost:{PROMETHEUS_PORT}"]
    flags += ["--alertmanager", f"http://localhost:{ALERTMANAGER_PORT}"]
    flags += ["--prometheus-config", "/etc/prometheus/prometheus.yml", "--json"]
    found = machines.engine.once(machines.image, "verify", "hub", *flags, options=options)
    assert found.returncode == 0 and json.loads(found.stdout)["is_good"], found.stdout + found.stderr
    found = machines.inf.exec("sentinel", "verify", "inf", "--wait", "30", "--json", check=False)
    assert found.returncode == 0 and json.loads(found.stdout)["is_good"], found.stdout + found.stderr


def test_a_bar_that_was_ordered_is_not_ordered_again_after_a_kill(machines):
    machines.wait_received(1)
    with machines.still():
        counted = machines.metrics()("signals_suppressed_total", reason="already_ordered")
        repeated = counted + ORDERS_A_BAR
        machines.wait("the bar again", lambda m: m("signals_suppressed_total", reason="already_ordered") >= repeated)
        sent = len(machines.received())
        machines.inf.kill()
        machines.inf.wait_exit()
        machines.inf.start()
        machines.wait(
            "the bar once more",
            lambda m: m("signals_suppressed_total", reason="already_ordered") >= 2 * ORDERS_A_BAR,
        )
        assert len(machines.received()) == sent
        assert machines.metrics().sum("orders_total") == 0
    flows_again(machines, "gateway")


def test_kills_at_any_moment_lose_no_order_and_repeat_none(machines):
    chance = random.Random(new_seed())
    sent, met = len(machines.received()), 0
    # Long enough for a kill to meet an order on its way.
    machines.pace(0.3)
    try:
        for kill in range(KILLS):
            if kill % 2:
                machines.wait_received(1)
            else:
                time.sleep(chance.uniform(0, 1.5))
            machines.inf.kill()
            assert machines.inf.wait_exit() == 137
            if kill == KILLS // 2:
                # As in an upgrade: another container with the same volume.
                machines.start_inf()
            else:
                machines.inf.start()
                machines.wait_ready()
            met += machines.metrics()("orders_unresolved") > 0
    finally:
        machines.pace(0)
    assert met > 0, "no kill met an order on its way"
    flows_again(machines, "gateway")
    assert len(machines.received()) > sent + KILLS


def test_gtw_has_no_complaint(machines):
    """The last one, and the end of GTW: every order of all these tests had its identity, its signature and its time."""
    found = machines.judge()
    keep("three-machines", f"cuts and {KILLS} kills in containers, 0 orders twice, 0 missing: {dict(found)}")
    assert machines.gtw.stop()[0] == 0
    assert machines.gtw.logs() == ""
