"""The complete delivery of an alert: real daemons, a real Prometheus with our prometheus.yml and alerts.yml, a real
Alertmanager with our alertmanager.yml, and a fake DingTalk bridge. Only addresses and durations differ."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from parts.alertmanager import Alertmanager
from parts.daemon import Daemon, free_port, wait_until
from parts.dingtalk_bridge import Bridge
from parts.fast_hub import MINUTE_S, Hub, alertmanager_config
from parts.harness import EVERY_SECOND
from parts.http import status
from parts.market import Market
from parts.model import BUY, HOLD, Model
from parts.promtool import Rules

DOWN = "SentinelDown"
SAID = {"summary": "a summary", "description": "a description", "runbook": "look"}
# The breaker tries again twice per (short) minute, as with normal durations.
PACE = {"breaker.pause_s": 1}


def test_an_alert_is_silent_then_fires_then_is_resolved(harness, tmp_path, request):
    port = free_port()
    start = {"metrics.port": port}
    daemon = harness.start(*EVERY_SECOND, settings=start).wait_serving()
    hub = Hub(tmp_path, **{"inf-sentinel": port})
    request.addfinalizer(hub.close)
    bridge, prometheus = hub.bridge, hub.prometheus

    # Silent: after several evaluations of a healthy daemon there was only the heartbeat.
    wait_until("cycles of the daemon", lambda: prometheus.query("sentinel_trading_cycles_total > 3"), 60)
    labels = {"job": "sentinel-metrics", "instance": "inf-sentinel"}
    labels |= {"component": "trading", "node": "inf-sentinel", "region": "singapore"}
    [up] = prometheus.query('up{job="sentinel-metrics"}')
    assert labels.items() <= up["metric"].items()
    assert [one["metric"]["alertname"] for one in prometheus.query('ALERTS{alertstate="firing"}')] == ["SentinelWatchdog"]
    assert {target for target, _ in bridge.deliveries} == {"heartbeat"}

    # Firing: one message to the critical route, with its text.
    assert daemon.stop()[0] == 0
    wait_until("SentinelDown at the bridge", lambda: bridge.delivered("critical"), 60)
    assert bridge.delivered("critical") == [(DOWN, "inf-sentinel", "firing")]
    alert = [message for to, message in bridge.deliveries if to == "critical"][-1]["alerts"][0]
    assert labels.items() <= alert["labels"].items()
    assert alert["annotations"]["summary"] == "inf-sentinel cannot be scraped"
    assert alert["annotations"]["description"].startswith("No answer from inf-sentinel for 2 minutes (up is 0)")
    assert "sentinel verify inf" in alert["annotations"]["runbook"]

    # Inhibited alerts are not delivered; the same alerts of another instance are.
    for instance in ("inf-sentinel", "inf-2"):
        stale = {"alertname": "SentinelBarsStale", "severity": "warning", "job": "sentinel-metrics", "node": instance}
        hub.alertmanager.add(SAID, **stale, instance=instance)
    wait_until("the other instance's warning", lambda: bridge.delivered("warning"), 60)
    wait_until("suppression", lambda: hub.state("SentinelBarsStale", "inf-sentinel") == ["suppressed"], 60)
    assert bridge.delivered("warning") == [("SentinelBarsStale", "inf-2", "firing")]
    assert bridge.delivered("critical") == [(DOWN, "inf-sentinel", "firing")]

    # Resolved: one message after it is back; then alerts that were held back are sent.
    harness.start(*EVERY_SECOND, settings=start).wait_serving()
    wait_until("the resolved SentinelDown", lambda: len(bridge.delivered("critical")) > 1, 60)
    assert bridge.delivered("critical") == [(DOWN, "inf-sentinel", s) for s in ("firing", "resolved")]
    held_back = ("SentinelBarsStale", "inf-sentinel", "firing")
    wait_until("the warning that was held back", lambda: held_back in bridge.delivered("warning"), 60)
    assert [name for name, *_ in bridge.delivered("heartbeat")] == ["SentinelWatchdog"]


@dataclass
class Fault:
    """One fault: the expected alert, and how the fault begins and ends."""

    cause: str
    daemon: Daemon
    breaks: Callable[[], None]
    mends: Callable[[], None]


def start_faults(harness, close_later) -> dict[str, Fault]:
    """Starts healthy daemons, each with its own parts. The fault of each daemon, by instance."""

    def served(model: Model, market: Market) -> dict[str, object]:
        close_later(model.close)
        close_later(market.close)
        return PACE | {"model.port": model.port, "data.base_url": market.url}

    def http(cause: str, broken: str, code: int) -> Fault:
        parts = {"model": Model(), "market": Market()}
        daemon = harness.start(*EVERY_SECOND, settings=served(**parts))

        def says(behaviour):
            parts[broken].always = behaviour

        usual = parts[broken].always
        return Fault(cause, daemon, lambda: says(status(code)), lambda: says(usual))

    def away() -> Fault:
        """A missing gateway is noticed by the next order."""
        gateway, model = harness.gateway(), Model(HOLD)
        daemon = harness.start_live(gateway, *EVERY_SECOND, settings=served(model, Market()))

        def breaks():
            gateway.close()
            model.probabilities = [BUY]

        return Fault("SentinelGatewayAway", daemon, breaks, gateway.bind)

    return {
        "inf-model-500": http("SentinelModelAway", "model", 500),
        "inf-market-401": http("SentinelCredentialsRefused", "market", 401),
        "inf-market-429": http("SentinelMarketAway", "market", 429),
        "inf-market-500": http("SentinelMarketAway", "market", 500),
        "inf-gateway": away(),
    }


@pytest.mark.long
def test_one_cause_sends_one_alert_and_one_resolved_message(harness, tmp_path, request):
    """Half an hour of each fault, and then as long as any alert still counts it."""
    faults = start_faults(harness, request.addfinalizer)
    for fault in faults.values():
        fault.daemon.after_cycles(3, 60)
    hub = Hub(tmp_path, **{name: fault.daemon.port for name, fault in faults.items()})
    request.addfinalizer(hub.close)
    time.sleep(15 * MINUTE_S)
    assert {name: hub.firing(name) for name in faults} == {name: set() for name in faults}

    for fault in faults.values():
        fault.breaks()
    time.sleep(30 * MINUTE_S)
    during = {name: hub.messages(name) for name in faults}
    firing = {name: hub.firing(name) for name in faults}
    for fault in faults.values():
        fault.mends()
    assert during == {name: [("critical", {fault.cause}, set())] for name, fault in faults.items()}, firing
    # Otherwise the test would prove nothing.
    assert all(len(names) > 2 for names in firing.values()), firing

    # Each is resolved once. Alerts that still count it stay silent; alerts_test.yml tests that until its end. Prometheus sends
    # resolved alerts for 15 minutes, which no setting shortens, so silenced alerts are in that message, too.
    wait_until("all to be resolved", lambda: all(len(hub.messages(name)) > 1 for name in faults), 60 * MINUTE_S)
    time.sleep(30 * MINUTE_S)
    assert all(hub.firing(name) for name in faults), "no alert counts it, so the test proves nothing"
    after = {name: hub.messages(name)[1:] for name in faults}
    assert {name: [(to, firing) for to, firing, _ in told] for name, told in after.items()} == {
        name: [("critical", set())] for name in faults
    }, after
    assert all(fault.cause in after[name][0][2] for name, fault in faults.items()), after


def test_a_refused_message_is_sent_again_at_the_next_interval(tmp_path):
    """The bridge answers 400 if DingTalk failed, and Alertmanager does not retry that by itself."""
    bridge = Bridge()
    alertmanager = Alertmanager(alertmanager_config(tmp_path, bridge.url), tmp_path / "alertmanager")
    try:
        bridge.refusals = 2
        alertmanager.add(SAID, alertname="SentinelOrdersUnresolved", severity="critical", instance="inf-2")
        wait_until("the delivery", lambda: bridge.deliveries, 60)
        assert bridge.refusals == 0
        assert bridge.delivered("critical") == [("SentinelOrdersUnresolved", "inf-2", "firing")]
    finally:
        alertmanager.close()
        bridge.close()


@pytest.mark.long
def test_hub_notices_that_its_messages_fail(tmp_path, request):
    """Nothing listens at the bridge's address."""
    hub = Hub(tmp_path, bridge=f"http://127.0.0.1:{free_port()}")
    request.addfinalizer(hub.close)
    failing = 'ALERTS{alertname="SentinelHubNotificationsFailing", integration="webhook", alertstate="firing"}'
    wait_until("the alert about messages", lambda: hub.prometheus.query(failing), 90)
    assert not hub.prometheus.query('ALERTS{alertname="SentinelHubNotificationsDropped"}')


@pytest.mark.long
def test_hub_reports_a_missing_alertmanager_once_it_is_back(tmp_path, request):
    hub = Hub(tmp_path)
    request.addfinalizer(hub.close)
    fires = 'ALERTS{{alertname="{}", alertstate="firing"}}'.format
    time.sleep(8 * MINUTE_S)
    assert not hub.prometheus.query('ALERTS{alertname=~"SentinelHub.+", alertstate="firing"}')
    hub.alertmanager.close()
    for alert in ("SentinelHubNotificationsDropped", "SentinelHubTargetMissing"):
        wait_until(alert, lambda alert=alert: hub.prometheus.query(fires(alert)), 60)
    hub.alertmanager.start()
    told = ("SentinelHubNotificationsDropped", hub.prometheus.url.removeprefix("http://"), "firing")
    wait_until("the alert about it", lambda: told in hub.bridge.delivered("warning"), 60)


@pytest.mark.long
def test_hub_notices_a_failing_rule(tmp_path, request):
    """Two series where a rule expects one, as with two daemons under one name."""
    rule = {"record": "broken", "expr": "vector(1) + on () group by (job) (up)"}
    hub = Hub(tmp_path, more_rules={"name": "sentinel-broken", "rules": [rule]})
    request.addfinalizer(hub.close)
    fires = 'ALERTS{alertname="SentinelHubRulesFailing", alertstate="firing"}'
    [alert] = wait_until("the alert about the rule", lambda: hub.prometheus.query(fires), 60)
    assert alert["metric"]["rule_group"].endswith("alerts.yml;sentinel-broken")


def test_the_daemon_exposes_every_series_of_the_rules(harness):
    metrics = harness.start("--cycles", "1").after_cycles(1)
    exposed = {name for name, _ in metrics.values}
    wanted = {name for rule in Rules().rules.values() for name in re.findall(r"\b(?:sentinel|process)_\w+", rule["expr"])}
    assert len(wanted) > 15
    # Shown once the gateway of a live daemon has told them, or where an account is claimed.
    later = {"account_balance", "account_unexplained", "cluster_leader", "cluster_dead_holder"}
    later |= {"cluster_shard_owner", "cluster_claims_unsent", "cluster_halted", "cluster_members"}
    assert wanted - exposed <= {f"sentinel_{name}" for name in later}
