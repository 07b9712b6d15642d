"""INF, HUB and GTW as three containers on a private network, and a market: scraped with the project's own file, disconnected
from each other, killed and restarted. Each test except the last leaves all of them healthy."""

import json
import random
import time
from contextlib import ExitStack

import pytest

from parts.container_network import INF, MONITORING, ORDERS_A_BAR, SYMBOLS, ContainerNetwork
from parts.container_servers import ALERTMANAGER_PORT, PROMETHEUS_PORT
from parts.contract import EIGHTEEN, FAILURE_COUNTERS
from parts.daemon import wait_until
from parts.exposition import Metrics
from parts.random_seed import new_seed
from parts.tables import keep

LABELS = {"job": "sentinel-metrics", "instance": "inf-sentinel", "component": "trading", "node": "inf"}
LABELS |= {"region": "singapore"}
UP = 'up{job="sentinel-metrics"}'
EACH_KIND = pytest.mark.parametrize("kind", [ContainerNetwork.unplugged, ContainerNetwork.vanishing], ids=["unplugged", "vanishing"])
# The least cycles of a disconnection, and the number of kills.
CYCLES, KILLS = 3, 6
pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def containers(image, tmp_path_factory):
    """All containers, trading. Removed at the end."""
    containers = ContainerNetwork(image, tmp_path_factory.mktemp("containers"))
    yield containers
    containers.close()


def flows_again(containers: ContainerNetwork, endpoint: str):
    """Expects the state before a disconnection: cycles succeed, orders arrive and are filled, and the gauges show it."""
    containers.wait_received(ORDERS_A_BAR)
    containers.wait("readiness", lambda m: m("ready") == 1 and m("orders_unresolved") == 0)
    found = containers.judge()
    assert found["unknown"] == 0 and found["filled"] == found["received"]
    assert containers.metrics()("breaker_state", endpoint=endpoint, state="closed") == 1


def test_orders_arrive_once_each_and_are_filled(containers):
    containers.wait_received(3 * ORDERS_A_BAR)
    found = containers.judge()
    assert found == {"received": found["received"], "filled": found["received"]}
    assert {order["request"]["symbol"] for order in containers.received()} == set(SYMBOLS) - {"EURGBP", "USDCHF"}


def test_hub_scrapes_inf_with_the_projects_file(containers):
    containers.wait_value("a scrape", UP, 1)
    [up] = containers.query(UP)
    assert up["metric"] == {"__name__": "up"} | LABELS
    for family in EIGHTEEN:
        series = family.name + ("_bucket" if family.type == "histogram" else "")
        found = containers.query(series)
        assert found, series
        assert all(LABELS.items() <= sample["metric"].items() for sample in found)


@EACH_KIND
def test_without_gtw_orders_are_never_sent_later(containers, kind):
    with ExitStack() as cut:
        # Disconnects while no order is on its way, whose reply would be lost.
        with containers.quiet():
            before = containers.metrics()
            cut.enter_context(kind(containers, containers.gtw))
        sent = len(containers.received())
        not_sent = before("orders_total", outcome="not_sent")
        containers.wait("an order not sent", lambda m: m("orders_total", outcome="not_sent") > not_sent)
        # After that, the gateway gets the handshake first, and no order without an answer to it.
        handshakes = before("signals_suppressed_total", reason="handshake") + CYCLES
        containers.wait(
            "cycles without it",
            lambda m: m("signals_suppressed_total", reason="handshake") >= handshakes
            and m("trading_cycles_total") >= before("trading_cycles_total") + CYCLES,
        )
        status, said = containers.inf.get("/readyz")
        metrics = containers.metrics()
        assert status == 503 and "gateway" in said
        assert metrics("zmq_send_failures_total") > before("zmq_send_failures_total")
        assert metrics("trading_cycles_failed_total") > before("trading_cycles_failed_total")
        assert metrics("orders_unresolved") == 0 and metrics.sum("api_errors_total") == before.sum("api_errors_total")
        assert len(containers.received()) == sent
    flows_again(containers, "gateway")
    assert containers.judge()["not_sent"] == containers.metrics()("orders_total", outcome="not_sent")


def fails_without(containers: ContainerNetwork, endpoint: str, counter: str, before: Metrics):
    """While an endpoint is disconnected: cycles fail and are counted, the breaker opens, and no orders are sent."""
    # If the disconnection happens during a cycle, some symbols still get their orders.
    failed = before("trading_cycles_failed_total")
    containers.wait("a failure", lambda m: m("trading_cycles_failed_total") > failed)
    sent = len(containers.received())
    metrics = containers.wait(
        "failed cycles",
        lambda m: m("trading_cycles_failed_total") >= failed + CYCLES
        and m("breaker_state", endpoint=endpoint, state="closed") == m("ready") == 0,
    )
    assert metrics(counter) > before(counter)
    assert set(metrics.errors(endpoint)) <= {"timeout", "connect"}
    assert sum(metrics.errors(endpoint).values()) > sum(before.errors(endpoint).values())
    assert len(containers.received()) == sent
    for outcome in ("not_sent", "unknown", "rejected"):
        assert metrics("orders_total", outcome=outcome) == before("orders_total", outcome=outcome)


@EACH_KIND
def test_without_the_market_cycles_fail_without_orders(containers, kind):
    before = containers.metrics()
    with kind(containers, containers.market):
        fails_without(containers, "eodhd", "data_fetch_failed_total", before)
    flows_again(containers, "eodhd")


def test_without_hub_cycles_fail_without_orders(containers):
    before = containers.metrics()
    with containers.vanishing(containers.hub):
        fails_without(containers, "hub", "prediction_failures_total", before)
    flows_again(containers, "hub")


def test_a_disconnected_hub_reports_inf_as_down(containers):
    containers.wait_value("a scrape", UP, 1)
    before, cycles = containers.metrics(), containers.value("sentinel_trading_cycles_total")
    with containers.unplugged(containers.hub):
        fails_without(containers, "hub", "prediction_failures_total", before)
        containers.wait_value("a scrape that failed", UP, 0)
        failures = containers.metrics()("prediction_failures_total")
    containers.wait_value("a scrape", UP, 1)
    # Also the failures during the disconnection.
    assert containers.value("sentinel_prediction_failures_total") >= failures
    assert containers.value("sentinel_trading_cycles_total") > cycles
    assert containers.value("resets(sentinel_trading_cycles_total[5m])") == 0
    assert containers.value(f"min_over_time({UP}[5m])") == 0
    flows_again(containers, "hub")


def test_a_lost_reply_leaves_an_unknown_order_until_proven(containers):
    before = containers.metrics()
    containers.pace(1.1)
    try:
        # A reply may arrive before the disconnection.
        for _ in range(10):
            containers.wait_received(1)
            metrics = lose_the_reply(containers)
            if metrics("orders_total", outcome="unknown") > before("orders_total", outcome="unknown"):
                break
    finally:
        containers.pace(0)
    assert metrics("orders_unresolved") == 1
    unresolved = {"reason": "unresolved"}
    assert metrics("signals_suppressed_total", **unresolved) > before("signals_suppressed_total", **unresolved)
    flows_again(containers, "gateway")


def lose_the_reply(containers: ContainerNetwork) -> Metrics:
    """Disconnects GTW for two cycles after an order has arrived there; INF's metrics then."""
    with containers.unplugged(containers.gtw):
        sent = len(containers.received())
        wanted = containers.metrics()("trading_cycles_total") + 2
        metrics = containers.wait("the disconnection", lambda m: m("trading_cycles_total") >= wanted)
        assert len(containers.received()) == sent
    return metrics


def test_hub_has_every_failure_of_inf(containers):
    metrics = containers.metrics()
    counted = {name: metrics.sum(name.removeprefix("sentinel_")) for name in FAILURE_COUNTERS}
    for name, value in counted.items():
        wait_until(f"{name} at {value}", lambda: containers.value(f"sum({name})") == value or time.sleep(0.2), 40)


def test_verify_hub_and_verify_inf_pass(containers):
    options = [f"--network=container:{containers.hub.name}", MONITORING]
    flags = ["--inf", f"http://{INF}:8000", "--prometheus", f"http://localhost:{PROMETHEUS_PORT}"]
    flags += ["--alertmanager", f"http://localhost:{ALERTMANAGER_PORT}"]
    flags += ["--prometheus-config", "/etc/prometheus/prometheus.yml", "--json"]
    found = containers.engine.once(containers.image, "verify", "hub", *flags, options=options)
    assert found.returncode == 0 and json.loads(found.stdout)["is_good"], found.stdout + found.stderr
    found = containers.inf.exec("sentinel", "verify", "inf", "--wait", "30", "--json", check=False)
    assert found.returncode == 0 and json.loads(found.stdout)["is_good"], found.stdout + found.stderr


def test_an_ordered_bar_is_not_ordered_again_after_a_kill(containers):
    containers.wait_received(1)
    with containers.still():
        counted = containers.metrics()("signals_suppressed_total", reason="already_ordered")
        repeated = counted + ORDERS_A_BAR
        containers.wait("the bar again", lambda m: m("signals_suppressed_total", reason="already_ordered") >= repeated)
        sent = len(containers.received())
        containers.inf.kill()
        containers.inf.wait_exit()
        containers.inf.start()
        containers.wait(
            "the bar once more",
            lambda m: m("signals_suppressed_total", reason="already_ordered") >= 2 * ORDERS_A_BAR,
        )
        assert len(containers.received()) == sent
        assert containers.metrics().sum("orders_total") == 0
    flows_again(containers, "gateway")


def test_kills_neither_lose_nor_repeat_orders(containers):
    chance = random.Random(new_seed())
    sent, met = len(containers.received()), 0
    # Long enough that a kill may happen while an order is on its way.
    containers.pace(0.3)
    try:
        for kill in range(KILLS):
            if kill % 2:
                containers.wait_received(1)
            else:
                time.sleep(chance.uniform(0, 1.5))
            containers.inf.kill()
            assert containers.inf.wait_exit() == 137
            if kill == KILLS // 2:
                # As in an upgrade: a new container with the same volume.
                containers.start_inf()
            else:
                containers.inf.start()
                containers.wait_ready()
            met += containers.metrics()("orders_unresolved") > 0
    finally:
        containers.pace(0)
    assert met > 0, "no kill happened while an order was on its way"
    flows_again(containers, "gateway")
    assert len(containers.received()) > sent + KILLS


def test_gtw_found_no_violation_of_the_dialect(containers):
    """The last test, which ends GTW: all orders of these tests had valid identities, signatures and times."""
    found = containers.judge()
    keep("three-containers", f"cuts and {KILLS} kills in containers, 0 orders twice, 0 missing: {dict(found)}")
    assert containers.gtw.stop()[0] == 0
    assert containers.gtw.logs() == ""
