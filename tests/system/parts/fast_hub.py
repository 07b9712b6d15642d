"""HUB's monitoring, 40 times faster: a real Prometheus and a real Alertmanager with our files, and a fake DingTalk bridge.
Every duration in the files is divided by 40, so a minute of HUB takes 1.5 s. Otherwise only addresses differ."""

import json
import re
from pathlib import Path

import yaml

from parts.alertmanager import Alertmanager
from parts.daemon import free_port, wait_until
from parts.dingtalk_bridge import Bridge
from parts.prometheus import Prometheus
from parts.promtool import MONITORING

# Prometheus needs 5 s to find its targets and its Alertmanager. This must be less than the 5 minutes of the alerts about them.
TIMES_FASTER = 40
MINUTE_S = 60 / TIMES_FASTER
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
DURATION = re.compile(r"(\d+)([smhd])")
WINDOW = re.compile(r"(?:(?<=\[)|(?<=offset ))(\d+)([smhd])\b")


def sped_up(given):
    """A parsed file of ours with all durations divided, including the windows in expressions."""

    def divided(found: re.Match) -> str:
        return f"{int(found[1]) * SECONDS[found[2]] * 1000 // TIMES_FASTER}ms"

    if isinstance(given, dict):
        return {key: sped_up(value) for key, value in given.items()}
    if isinstance(given, list):
        return [sped_up(one) for one in given]
    if not isinstance(given, str):
        return given
    return (DURATION if DURATION.fullmatch(given) else WINDOW).sub(divided, given)


def rules() -> dict:
    """alerts.yml with divided durations."""
    return sped_up(yaml.safe_load((MONITORING / "alerts.yml").read_text()))


def alertmanager_config(directory: Path, bridge: str) -> Path:
    """Our alertmanager.yml with divided durations, and the bridge at this URL."""
    text = (MONITORING / "alertmanager.yml").read_text()
    assert "http://localhost:8060" in text
    document = sped_up(yaml.safe_load(text.replace("http://localhost:8060", bridge)))
    path = directory / "alertmanager.yml"
    path.write_text(json.dumps(document))
    return path


class Hub:
    """The bridge, Alertmanager and Prometheus, which scrapes the daemons at these ports. Each keyword is the name of an
    instance and of its node. When the constructor returns, all targets are up, and our own bridge has received the
    heartbeat."""

    def __init__(self, directory: Path, bridge: str = "", more_rules: dict | None = None, **ports: int):
        self.directory, self.ports, self.parts = directory, ports, []
        self.groups = rules()["groups"] + ([more_rules] if more_rules else [])
        try:
            self._start(bridge)
        except BaseException:
            self.close()
            raise

    def _start(self, bridge: str):
        """Each part needs the one before."""
        self.bridge = Bridge()
        self.parts.append(self.bridge)
        config = alertmanager_config(self.directory, bridge or self.bridge.url)
        self.alertmanager = Alertmanager(config, self.directory / "alertmanager")
        self.parts.append(self.alertmanager)
        (self.directory / "alerts.yml").write_text(json.dumps({"groups": self.groups}))
        own = free_port()
        config = self.directory / "prometheus.yml"
        config.write_text(json.dumps(self._prometheus_config(own)))
        # Durations of Prometheus that are in no file: how often it sends firing alerts again, and for how long a sample is
        # valid.
        flags = [f"--rules.alert.resend-delay={60_000 // TIMES_FASTER}ms"]
        flags += [f"--query.lookback-delta={300_000 // TIMES_FASTER}ms"]
        self.prometheus = Prometheus(config, self.directory / "prometheus", *flags, port=own)
        self.parts.append(self.prometheus)
        wait_until("its targets", lambda: len(self.prometheus.query("up == 1")) == 2 + len(self.ports), 60)
        wait_until("the heartbeat", lambda: self.bridge.delivered("heartbeat") or bridge, 60)

    def _prometheus_config(self, own: int) -> dict:
        text = (MONITORING / "prometheus.yml").read_text()
        for there, here in (("localhost:9093", self.alertmanager.port), ("localhost:9090", own)):
            assert there in text
            text = text.replace(there, f"127.0.0.1:{here}")
        document = sped_up(yaml.safe_load(text))
        [job] = [job for job in document["scrape_configs"] if job["job_name"] == "sentinel-metrics"]
        [group] = job["static_configs"]
        job["static_configs"] = [
            {"targets": [f"127.0.0.1:{port}"], "labels": group["labels"] | {"instance": name, "node": name}}
            for name, port in self.ports.items()
        ]
        return document

    def state(self, alert: str, instance: str) -> list[str]:
        """The state of an alert in Alertmanager: active or suppressed; empty if it does not have the alert."""
        wanted = {"alertname": alert, "instance": instance}
        alerts = self.alertmanager.alerts()
        return [one["status"]["state"] for one in alerts if wanted.items() <= one["labels"].items()]

    def firing(self, instance: str) -> set[str]:
        """The firing alerts of an instance, from Prometheus."""
        found = self.prometheus.query(f'ALERTS{{alertstate="firing", instance="{instance}"}}')
        return {one["metric"]["alertname"] for one in found}

    def messages(self, instance: str) -> list[tuple[str, set[str], set[str]]]:
        """The messages to persons about an instance, in order: receiver, firing alerts, resolved alerts."""
        found = []
        for to, message in list(self.bridge.deliveries):
            if to != "heartbeat" and message["groupLabels"].get("instance") == instance:
                by = {"firing": set(), "resolved": set()}
                for alert in message["alerts"]:
                    by[alert["status"]].add(alert["labels"]["alertname"])
                found.append((to, by["firing"], by["resolved"]))
        return found

    def close(self):
        """Ends the parts, the sender first."""
        for part in reversed(self.parts):
            part.close()
