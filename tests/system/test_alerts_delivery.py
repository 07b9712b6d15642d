"""The whole way of an alert: the real daemon, a real Prometheus with our prometheus.yml and alerts.yml, a real Alertmanager
with our alertmanager.yml, and a server that speaks the bridge's side. Only addresses and waiting times are others."""

import re
from pathlib import Path

from parts.alertmanager import Alertmanager
from parts.bridge import Bridge
from parts.daemon import free_port, wait_until
from parts.prometheus import Prometheus
from parts.promtool import MONITORING, Rules

DOWN = "SentinelDown"
SAID = {"summary": "a summary", "description": "a description", "runbook": "look"}


def adapted(name: str, directory: Path, changes: dict[str, str]) -> Path:
    """A copy of one of our files in which exactly these things are different, each of which must be there."""
    text = (MONITORING / name).read_text()
    for old, new in changes.items():
        assert old in text, f"{name} has no {old}"
        text = text.replace(old, new)
    path = directory / name
    path.write_text(text)
    return path


def alertmanager_config(directory: Path, bridge: Bridge) -> Path:
    """Ours, which waits for nothing longer than a second and talks to this bridge."""
    waits = {"group_wait: 10s": "group_wait: 1s", "group_wait: 30s": "group_wait: 1s"}
    waits |= {"group_interval: 1m": "group_interval: 1s", "group_interval: 5m": "group_interval: 1s"}
    return adapted("alertmanager.yml", directory, {"http://localhost:8060": bridge.url} | waits)


class Hub:
    """HUB's side of the monitoring, in a hurry."""

    def __init__(self, directory: Path, target_port: int):
        self.parts = []
        try:
            self.start(directory, target_port)
        except BaseException:
            self.close()
            raise

    def start(self, directory: Path, target_port: int):
        """The bridge, Alertmanager, Prometheus: each needs the one before."""
        self.bridge = Bridge()
        self.parts.append(self.bridge)
        self.alertmanager = Alertmanager(alertmanager_config(directory, self.bridge), directory / "alertmanager")
        self.parts.append(self.alertmanager)
        rule = f'alert: {DOWN}\n        expr: up{{job="sentinel-metrics"}} == 0\n        for: '
        adapted("alerts.yml", directory, {f"{rule}2m": f"{rule}6s"})
        addresses = {"172.19.141.250:8000": f"127.0.0.1:{target_port}"}
        addresses |= {"localhost:9093": f"127.0.0.1:{self.alertmanager.port}"}
        intervals = {f"{key}: 15s": f"{key}: 2s" for key in ("scrape_interval", "evaluation_interval")}
        intervals |= {"scrape_timeout: 10s": "scrape_timeout: 2s"}
        config = adapted("prometheus.yml", directory, addresses | intervals)
        # It finds its Alertmanager after 5 s only, and would tell it again after a minute.
        self.prometheus = Prometheus(config, directory / "prometheus", "--rules.alert.resend-delay=1s")
        self.parts.append(self.prometheus)

    def state(self, alert: str, instance: str) -> list[str]:
        """What Alertmanager thinks of an alert: active or suppressed; nothing if it does not know it."""
        alerts = self.alertmanager.alerts()
        wanted = {"alertname": alert, "instance": instance}
        return [one["status"]["state"] for one in alerts if wanted.items() <= one["labels"].items()]

    def close(self):
        """Who talks first."""
        for part in reversed(self.parts):
            part.close()


def test_an_alert_is_silent_then_fires_then_is_resolved(rig, tmp_path, request):
    port = free_port()
    start = {"metrics.port": port}
    daemon = rig.start("--schedule", "* * * * * *", settings=start).wait_serving()
    hub = Hub(tmp_path, port)
    request.addfinalizer(hub.close)
    bridge, prometheus = hub.bridge, hub.prometheus

    # Silent: after several evaluations of a healthy daemon only the heartbeat came.
    wait_until("cycles of the daemon", lambda: prometheus.query("sentinel_trading_cycles_total > 3"), 60)
    wait_until("the heartbeat", lambda: bridge.delivered("heartbeat"), 60)
    labels = {"job": "sentinel-metrics", "instance": "inf-sentinel"}
    labels |= {"component": "trading", "node": "inf", "region": "singapore"}
    [up] = prometheus.query("up")
    assert labels.items() <= up["metric"].items()
    assert [one["metric"]["alertname"] for one in prometheus.query('ALERTS{alertstate="firing"}')] == ["SentinelWatchdog"]
    assert {target for target, _ in bridge.deliveries} == {"heartbeat"}

    # Firing: once to the critical route, with its words.
    assert daemon.stop()[0] == 0
    wait_until("SentinelDown at the bridge", lambda: bridge.delivered("critical"), 60)
    assert bridge.delivered("critical") == [(DOWN, "inf-sentinel", "firing")]
    alert = [message for to, message in bridge.deliveries if to == "critical"][-1]["alerts"][0]
    assert labels.items() <= alert["labels"].items()
    assert alert["annotations"]["summary"] == "inf-sentinel cannot be scraped"
    assert alert["annotations"]["description"].startswith("No answer of inf-sentinel for 2 minutes (up is 0)")
    assert "sentinel verify inf" in alert["annotations"]["runbook"]

    # What it inhibits is not delivered; the same of another instance is.
    for instance in ("inf-sentinel", "inf-2"):
        stale = {"alertname": "SentinelBarsStale", "severity": "warning", "job": "sentinel-metrics"}
        hub.alertmanager.add(SAID, **stale, instance=instance)
    wait_until("the other instance's warning", lambda: bridge.delivered("warning"), 60)
    wait_until("suppression", lambda: hub.state("SentinelBarsStale", "inf-sentinel") == ["suppressed"], 60)
    assert bridge.delivered("warning") == [("SentinelBarsStale", "inf-2", "firing")]
    assert bridge.delivered("critical") == [(DOWN, "inf-sentinel", "firing")]

    # Resolved: after it is back, once; and then what was held back is told.
    rig.start("--schedule", "* * * * * *", settings=start).wait_serving()
    wait_until("the resolved SentinelDown", lambda: len(bridge.delivered("critical")) > 1, 60)
    assert bridge.delivered("critical") == [(DOWN, "inf-sentinel", s) for s in ("firing", "resolved")]
    wait_until("the warning that was held back", lambda: len(bridge.delivered("warning")) > 1, 60)
    assert bridge.delivered("warning")[1] == ("SentinelBarsStale", "inf-sentinel", "firing")
    assert [name for name, *_ in bridge.delivered("heartbeat")] == ["SentinelWatchdog"]


def test_what_the_bridge_refuses_is_delivered_with_the_next_interval_of_its_group(tmp_path):
    """The bridge answers 400 whenever DingTalk failed, and Alertmanager does not try that again by itself."""
    bridge = Bridge()
    alertmanager = Alertmanager(alertmanager_config(tmp_path, bridge), tmp_path / "alertmanager")
    try:
        bridge.refusals = 2
        alertmanager.add(SAID, alertname="SentinelOrdersUnresolved", severity="critical", instance="inf-2")
        wait_until("the delivery", lambda: bridge.deliveries, 60)
        assert bridge.refusals == 0
        assert bridge.delivered("critical") == [("SentinelOrdersUnresolved", "inf-2", "firing")]
    finally:
        alertmanager.close()
        bridge.close()


def test_the_daemon_exposes_every_series_that_a_rule_looks_at(rig):
    metrics = rig.start("--cycles", "1").after_cycles(1)
    exposed = {name for name, _ in metrics.values}
    wanted = {name for rule in Rules().rules.values() for name in re.findall(r"\b(?:sentinel|process)_\w+", rule["expr"])}
    assert len(wanted) > 15
    assert wanted - exposed == set()
