"""The files for HUB: Prometheus accepts our file, and another one with our job pasted in; Alertmanager's routes are right; the
bridge and DingTalk accept the configuration and the messages."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from parts.promtool import MONITORING, Rules
from parts.requirements import require

ALERTMANAGER = MONITORING / "alertmanager.yml"
DINGTALK = MONITORING / "dingtalk"
RENDERED_WITH = {"DINGTALK_TOKEN": "0a1b2c", "DINGTALK_SECRET": "SEC4d5e6f"}
DINGTALK_BYTES_MAX = 20_000
# The most firing alerts, and the most resolved ones, in one message.
SHOWN_MAX = 20
DINGTALK_MESSAGES_PER_MINUTE_MAX = 20
# The configuration of an existing Prometheus.
FOREIGN = """
global: {scrape_interval: 1m}
rule_files:
  - others.yml
  - sentinel-alerts.yml
scrape_configs:
  - job_name: node
    static_configs: [{targets: ["localhost:9100"]}]
"""


def run(*command: str | Path, **more) -> subprocess.CompletedProcess:
    """Runs a program, which must succeed. Otherwise the failure shows its output."""
    require(command[0])
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def ours() -> dict:
    """prometheus.yml, parsed."""
    return yaml.safe_load((MONITORING / "prometheus.yml").read_text())


def without_comment_marks(text: str) -> str:
    """A file with the lines for TLS and password enabled, as its comment says."""
    return re.sub(r"^( *)#(?=\S)", r"\1", text, flags=re.MULTILINE)


def test_prometheus_accepts_our_file():
    run("promtool", "check", "config", MONITORING / "prometheus.yml")


def test_the_job_is_what_hub_and_its_dashboards_expect():
    job, *_ = ours()["scrape_configs"]
    labels = {"instance": "inf-sentinel", "component": "trading", "node": "inf", "region": "singapore"}
    assert job["static_configs"] == [{"targets": ["172.19.141.250:8000"], "labels": labels}]
    found = [job[key] for key in ("job_name", "scrape_interval", "scrape_timeout", "metrics_path")]
    assert found == ["sentinel-metrics", "15s", "10s", "/metrics"]
    # The comment says how to add a second INF, so that nobody adds one with the same labels.
    assert "Never add its address to the same targets" in (MONITORING / "prometheus.yml").read_text()
    assert ours()["rule_files"] == ["alerts.yml"]
    assert ours()["alerting"]["alertmanagers"] == [{"static_configs": [{"targets": ["localhost:9093"]}]}]


def test_hubs_own_jobs_keep_the_metrics_of_the_rules():
    _, *own = ours()["scrape_configs"]
    assert [job["job_name"] for job in own] == ["sentinel-prometheus", "sentinel-alertmanager"]
    [group] = [group for group in Rules().groups if group["name"] == "sentinel-hub"]
    wanted = set(re.findall(r"\b(?:prometheus|alertmanager)_\w+_total\b", str([rule["expr"] for rule in group["rules"]])))
    kept = [config for job in own for config in job["metric_relabel_configs"]]
    assert all((one["action"], one["source_labels"]) == ("keep", ["__name__"]) for one in kept)
    for program, one in zip(("prometheus", "alertmanager"), kept, strict=True):
        assert {name for name in wanted if re.fullmatch(one["regex"], name)} == {n for n in wanted if n.startswith(program)}
    # The rules do not depend on the names of these jobs.
    assert not re.search(r"job\s*=", str([rule["expr"] for rule in group["rules"] if "Hub" in rule["alert"]]))


def test_the_snippet_fits_into_another_prometheus(tmp_path):
    snippet = (MONITORING / "prometheus-snippet.yml").read_text()
    assert yaml.safe_load(snippet) == ours()["scrape_configs"]
    jobs = snippet[snippet.index("  - job_name") :]
    assert (MONITORING / "prometheus.yml").read_text().endswith(jobs)
    for name, text in {"given.yml": snippet, "secured.yml": without_comment_marks(snippet)}.items():
        (tmp_path / name).write_text(FOREIGN + text)
        (tmp_path / "others.yml").write_text("groups: []\n")
        (tmp_path / "sentinel-alerts.yml").write_text((MONITORING / "alerts.yml").read_text())
        run("promtool", "check", "config", tmp_path / name)


def test_the_lines_for_tls_and_password_can_be_enabled(tmp_path):
    text = without_comment_marks((MONITORING / "prometheus.yml").read_text())
    job, *_ = yaml.safe_load(text)["scrape_configs"]
    assert job["scheme"] == "https"
    assert set(job["tls_config"]) == {"ca_file"}
    assert set(job["basic_auth"]) == {"username", "password_file"}
    (tmp_path / "alerts.yml").write_text((MONITORING / "alerts.yml").read_text())
    for path in (job["tls_config"]["ca_file"], job["basic_auth"]["password_file"]):
        text = text.replace(path, str(tmp_path / Path(path).name))
        (tmp_path / Path(path).name).write_text("")
    (tmp_path / "prometheus.yml").write_text(text)
    run("promtool", "check", "config", tmp_path / "prometheus.yml")


def test_alertmanager_accepts_our_file():
    assert "4 receivers" in run("amtool", "check-config", ALERTMANAGER).stdout


@pytest.mark.parametrize(
    ("receiver", "labels"),
    [
        ("critical", ["alertname=SentinelDown", "severity=critical", "instance=inf-sentinel"]),
        ("warning", ["alertname=SentinelBarsStale", "severity=warning"]),
        ("heartbeat", ["alertname=SentinelWatchdog", "severity=heartbeat"]),
        ("warning", ["alertname=SomeoneElses"]),
        ("warning", ["alertname=SentinelHubRulesFailing", "severity=warning"]),
        ("nobody", ["alertname=SentinelAftermath", "severity=none"]),
    ],
)
def test_an_alert_is_routed_by_severity(receiver, labels):
    run("amtool", "config", "routes", "test", f"--config.file={ALERTMANAGER}", f"--verify.receivers={receiver}", *labels)


def test_every_severity_has_a_route_to_the_bridge():
    config, bridge = yaml.safe_load(ALERTMANAGER.read_text()), yaml.safe_load(rendered())
    severities = {rule["labels"]["severity"] for rule in Rules().rules.values() if "alert" in rule}
    assert {matcher for route in config["route"]["routes"] for matcher in route["matchers"]} == {
        f"severity = {severity}" for severity in severities
    }
    urls = [hook["url"] for receiver in config["receivers"] for hook in receiver.get("webhook_configs", [])]
    assert urls == [f"http://localhost:8060/dingtalk/{target}/send" for target in bridge["targets"]]


def test_five_failing_instances_stay_below_dingtalks_limit():
    """A group sends one message per interval, however many alerts it has."""
    route = yaml.safe_load(ALERTMANAGER.read_text())["route"]
    assert route["group_by"] == ["job", "instance", "node"]
    seconds = {"1m": 60, "5m": 300}
    per_minute = 0.0
    assert {"name": "nobody"} in yaml.safe_load(ALERTMANAGER.read_text())["receivers"]
    for one in [one for one in route["routes"] if one["receiver"] != "nobody"]:
        interval = seconds[one.get("group_interval", route["group_interval"])]
        # At most 5 minutes, because a refused message is only sent again at the next interval.
        assert interval <= 300
        per_minute += max(1.0, 60 / interval)
    assert 5 * per_minute <= DINGTALK_MESSAGES_PER_MINUTE_MAX


def rendered(**env: str) -> str:
    """The bridge's configuration, rendered with the command in the comment of its template."""
    template = (DINGTALK / "config.yml.in").read_text()
    [program] = re.findall(r"python3 -c '([^']*)'", template)
    environment = {"PATH": os.environ["PATH"]} | (env or RENDERED_WITH)
    return run("python3", "-c", program, input=template, env=environment).stdout


def test_the_rendered_configuration_has_only_known_keys():
    """The bridge refuses unknown keys."""
    text = rendered()
    assert "$" not in text
    config = yaml.safe_load(text)
    assert set(config) == {"timeout", "templates", "default_message", "targets"}
    assert config["timeout"] == "5s"
    assert set(config["default_message"]) == {"title", "text"}
    assert [Path(path).name for path in config["templates"]] == ["sentinel.tmpl"]
    for name, target in config["targets"].items():
        assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9\-_]*", name)
        assert set(target) <= {"url", "secret", "mention", "message"}
        assert target["url"] == "https://oapi.dingtalk.com/robot/send?access_token=0a1b2c"
        assert target["secret"] == "SEC4d5e6f"


def test_a_configuration_without_its_secret_is_not_rendered():
    with pytest.raises(AssertionError, match="DINGTALK_SECRET"):
        rendered(DINGTALK_TOKEN="0a1b2c")


def message(directory: Path, part: str, *alerts: dict) -> str:
    """The rendered message, with the same template engine and data as in the bridge."""
    data = directory / "data.json"
    data.write_text(json.dumps({"status": "firing", "receiver": "critical", "alerts": alerts}))
    text = yaml.safe_load(rendered())["default_message"][part]
    template = f"--template.glob={DINGTALK / 'sentinel.tmpl'}"
    return run("amtool", "template", "render", template, f"--template.text={text}", f"--template.data={data}").stdout


def alert(rule: dict, status: str) -> dict:
    """An alert as Alertmanager sends it, with the rule's annotations."""
    labels = rule["labels"] | {"alertname": rule["alert"], "instance": "inf-sentinel", "job": "sentinel-metrics"}
    times = {"startsAt": "2026-11-20T21:00:00Z", "endsAt": "2026-11-20T21:07:30Z"}
    return {"status": status, "labels": labels, "annotations": rule["annotations"], **times}


def test_a_message_has_summary_description_time_and_action(tmp_path):
    rules = Rules().rules
    down, stale = alert(rules["SentinelDown"], "firing"), alert(rules["SentinelBarsStale"], "resolved")
    text = message(tmp_path, "text", down, stale)
    assert f"#### CRITICAL: {down['annotations']['summary']}" in text
    assert down["annotations"]["description"] in text
    assert f"**Do:** {down['annotations']['runbook']}" in text
    assert "SentinelDown, inf-sentinel, since 2026-11-20 21:00:00 UTC" in text
    assert f"#### RESOLVED: {stale['annotations']['summary']}" in text
    assert "from 2026-11-20 21:00:00 to 21:07:30 UTC" in text
    assert "UTC; more in RUNBOOK.md#sentineldown\n" in text
    title = message(tmp_path, "title", down, stale).strip()
    assert title == f"FIRING 1: {down['annotations']['summary']}"
    assert text.lstrip().startswith(f"### {title}\n")
    assert message(tmp_path, "title", stale).strip() == f"RESOLVED 1: {stale['annotations']['summary']}"


def test_a_runbook_with_an_address_is_a_link(tmp_path):
    rule = Rules().rules["SentinelDown"]
    url = "https://hub.example/RUNBOOK.md#sentineldown"
    down = alert(rule | {"annotations": rule["annotations"] | {"runbook_url": url}}, "firing")
    assert f"UTC; more in [its runbook]({url})\n" in message(tmp_path, "text", down)


@pytest.mark.parametrize("status", ["firing", "resolved"])
def test_the_title_is_the_cause(tmp_path, status):
    rules = Rules().rules
    names = ["SentinelBreakerOpen", "SentinelModelAway", "SentinelNotReady"]
    alerts = [alert(rules[name], status) for name in names]
    title = message(tmp_path, "title", *alerts).strip()
    assert title == f"{status.upper()} 3: {rules['SentinelModelAway']['annotations']['summary']}"
    # An unresolved order comes first. Alerts that are not a cause keep their order.
    doubt = alert(rules["SentinelOrdersUnresolved"], status)
    assert rules["SentinelOrdersUnresolved"]["annotations"]["summary"] in message(tmp_path, "title", *alerts, doubt)
    assert rules["SentinelBreakerOpen"]["annotations"]["summary"] in message(tmp_path, "title", alerts[0], alerts[2])


def test_a_long_message_shows_some_alerts_and_their_number(tmp_path):
    """As many alerts as symbols."""
    rule = Rules().rules["SentinelBarsStale"]
    for status in ("firing", "resolved"):
        alerts = [alert(rule, status) for _ in range(1000)]
        text = message(tmp_path, "text", *alerts)
        assert f"{status.upper()} 1000: " in message(tmp_path, "title", *alerts)
        assert text.count(rule["annotations"]["summary"]) == SHOWN_MAX + 1
        assert f"These are {SHOWN_MAX} of 1000 {status} alerts." in text
        assert "These are" not in message(tmp_path, "text", *alerts[:SHOWN_MAX])


def test_the_largest_message_fits_into_dingtalk(tmp_path):
    """The template does not know how many alerts Alertmanager cut off, so the bridge must get all."""
    receivers = yaml.safe_load(ALERTMANAGER.read_text())["receivers"]
    assert all("max_alerts" not in hook for receiver in receivers for hook in receiver.get("webhook_configs", []))
    rules = [rule for rule in Rules().rules.values() if "alert" in rule]
    longest = sorted(rules, key=lambda rule: len(str(rule["annotations"])))[-SHOWN_MAX:]
    alerts = [alert(rule, status) for status in ("firing", "resolved") for rule in longest * 2]
    size = len(message(tmp_path, "text", *alerts).encode())
    assert 1 < size < DINGTALK_BYTES_MAX, size
