"""`sentinel verify hub` with a real Alertmanager and a real Prometheus with the project's files, with jobs of the same
Prometheus that each lack one thing, and with a Prometheus without Sentinel."""

import json
import os
import re
import shutil
import time
import urllib.request
from pathlib import Path

import pytest

from parts.alertmanager import Alertmanager
from parts.daemon import Daemon, environment, free_port, wait_until
from parts.http import ScriptedHttp, status
from parts.http import text as says
from parts.paths import MONITORING
from parts.prometheus import Prometheus
from parts.requirements import require
from parts.verify import EVIDENCE, FakeDaemon, run, verify

LABELS = {"instance": "inf-sentinel", "component": "trading", "node": "inf", "region": "singapore"}
INF = {"health", "metrics", "format", "text", "families"}
JOB = {"job", "interval"}
TARGET = {"target", "labels", "unique", "watched", "series"}
RULES = {"rules", "evaluation"}
ALERTS = RULES | {"delivery"}
ALERTMANAGER = {"alertmanager", "inhibition", "routes"}
# The checks that fail for every job except the project's: it scrapes more often, and the rules are not about it.
OTHER_JOB = {"interval", "watched"}
DROP_ZMQ = {"source_labels": ["__name__"], "regex": "sentinel_zmq_.*", "action": "drop"}
# The number of other jobs: the project's job and those below, except the verified one.
TARGETS = 10
# Renames the label `outcome`, and drops one value of `reason`.
RENAME = [
    {"source_labels": ["outcome"], "target_label": "what"},
    {"regex": "outcome", "action": "labeldrop"},
    {"source_labels": ["reason"], "regex": "halted", "action": "drop"},
]


def job(name: str, target: str | None, **more) -> dict:
    """A scrape job with an interval of one second; JSON is YAML."""
    group = {"targets": [target], "labels": LABELS | more.pop("labels", {})}
    found = {"job_name": name, "scrape_interval": "1s", "scrape_timeout": "1s"}
    return found | {"static_configs": [group] if target else []} | more


class Hub:
    """INF, Prometheus with our file, Alertmanager, and the servers for the jobs that lack something."""

    def __init__(self, binary, directory):
        self.binary = binary
        port = free_port()
        env = environment(METRICS_PORT=str(port), SENTINEL__METRICS__BIND="127.0.0.1")
        self.daemon = Daemon(binary, ["demo", "--cycle-seconds", "1"], env, directory / "daemon", port)
        self.inf = f"http://127.0.0.1:{port}"
        self.bridge, self.guarded, self.page = ScriptedHttp(), FakeDaemon(""), FakeDaemon("")
        self.bridge.always = says("taken")
        self.routes = directory / "alertmanager.yml"
        bridge, text = "http://localhost:8060", (MONITORING / "alertmanager.yml").read_text()
        assert bridge in text
        self.routes.write_text(text.replace(bridge, self.bridge.url))
        self.alertmanager = Alertmanager(self.routes, directory / "alertmanager")
        self.guarded.always = status(401)
        self.page.always = says("<html>", Content_Type="text/html")
        address = f"127.0.0.1:{port}"
        jobs = [
            job("fast", address),
            job("other-labels", address, labels={"component": "web", "region": ""}),
            job("closed", f"127.0.0.1:{free_port()}"),
            job("guarded", f"127.0.0.1:{self.guarded.port}"),
            job("wrong-password", f"127.0.0.1:{self.guarded.port}", basic_auth={"username": "hub", "password": "x"}),
            job("page", f"127.0.0.1:{self.page.port}"),
            job("no-target", None),
            job("by-name", f"localhost:{port}"),
            job("half", address, metric_relabel_configs=[DROP_ZMQ]),
            job("renamed", address, metric_relabel_configs=RENAME),
            job("address", address, labels={"instance": ""}),
        ]
        shutil.copy(MONITORING / "alerts.yml", directory)
        self.config = directory / "prometheus.yml"
        text = (MONITORING / "prometheus.yml").read_text()
        own = free_port()
        here_are = {"172.19.141.250:8000": address, "localhost:9093": self.alertmanager.url[7:]}
        for there, here in (here_are | {"localhost:9090": f"127.0.0.1:{own}"}).items():
            assert there in text
            text = text.replace(there, here)
        # All except the job without a target.
        self.pools = {"sentinel-metrics"} | {one["job_name"] for one in jobs if one["static_configs"]}
        # The jobs are the last section of the file.
        self.config.write_text(text + "".join(f"  - {json.dumps(one)}\n" for one in jobs))
        self.prometheus = Prometheus(self.config, directory / "prometheus", "--rules.alert.resend-delay=1s", port=own)

    def verify(self, *args: str):
        """Verifies this HUB. The arguments may override its flags."""
        usual = {"--inf": self.inf, "--prometheus": self.prometheus.url, "--alertmanager": self.alertmanager.url}
        flags = [part for flag, value in usual.items() if flag not in args for part in (flag, value)]
        return verify(self.binary, "hub", *flags, *args)

    def close(self):
        """Ends everything."""
        for part in (self.daemon, self.prometheus, self.alertmanager, self.bridge, self.guarded, self.page):
            part.close()


@pytest.fixture(scope="module")
def hub(binary, tmp_path_factory):
    """A complete HUB. Prometheus finds its targets some seconds after its start."""
    require("prometheus", "alertmanager")
    hub = Hub(binary, tmp_path_factory.mktemp("hub"))
    hub.daemon.after_cycles(1, 60)
    pools = lambda: {target["scrapePool"] for target in hub.prometheus.api("targets")["activeTargets"]}
    wait_until("the targets", lambda: hub.pools <= pools(), 30)
    wait_until("Alertmanager", lambda: hub.prometheus.api("alertmanagers")["activeAlertmanagers"], 30)
    yield hub
    hub.close()


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A Prometheus without Sentinel's job."""
    directory = tmp_path_factory.mktemp("bare")
    config = directory / "prometheus.yml"
    config.write_text(json.dumps({"scrape_configs": [job("node", "127.0.0.1:1")]}))
    prometheus = Prometheus(config, directory / "data")
    prometheus.config = config
    yield prometheus
    prometheus.close()


@pytest.fixture(scope="module")
def partial(tmp_path_factory):
    """A Prometheus with one of Sentinel's rules and an unreachable Alertmanager."""
    directory = tmp_path_factory.mktemp("partial")
    rules = [{"alert": "SentinelWatchdog", "expr": "vector(1)", "labels": {"severity": "heartbeat"}}]
    (directory / "alerts.yml").write_text(json.dumps({"groups": [{"name": "sentinel-scrape", "rules": rules}]}))
    nobody = {"static_configs": [{"targets": [f"127.0.0.1:{free_port()}"]}]}
    config = directory / "prometheus.yml"
    often = {"evaluation_interval": "1s"}
    config.write_text(json.dumps({"global": often, "rule_files": ["alerts.yml"], "alerting": {"alertmanagers": [nobody]}}))
    prometheus = Prometheus(config, directory / "data")
    wait_until("its Alertmanager", lambda: prometheus.api("alertmanagers")["activeAlertmanagers"], 30)
    yield prometheus
    prometheus.close()


def relay(url: str, change=lambda body: body, date: str | None = None) -> ScriptedHttp:
    """A server that forwards requests to another one, and changes the body and the date of the answers."""

    def pass_on(handler, request):
        if date:
            handler.date_time_string = lambda *_: date
        with urllib.request.urlopen(f"{url}{request.path}", timeout=10) as answer:
            headers = {"Content-Type": answer.headers["Content-Type"] or "text/plain"}
            handler.answer(change(answer.read().decode()), 200, headers)

    found = ScriptedHttp()
    found.always = pass_on
    return found


def test_a_complete_hub_passes_every_check(hub):
    # The job is new: this waits for the first scrape.
    found = hub.verify("--prometheus-config", str(hub.config), "--send-test-alert")
    assert (found.code, found.failed, found.noted) == (0, set(), set()), found.out
    reached = {"clock", "prometheus", "file", "reloaded", "heartbeat", "test alert"}
    assert set(found.checks) - {"hub itself"} == INF | JOB | TARGET | ALERTS | ALERTMANAGER | reached
    assert re.fullmatch(EVIDENCE, found.found("metrics"))
    assert re.match(r"ready, version \d+\.\d+", found.found("prometheus"))
    assert found.found("interval") == "every 15 s, timeout 10 s"
    assert found.found("target").startswith(f"{hub.inf}/metrics is up")
    assert found.found("labels") == 'job="sentinel-metrics", ' + ", ".join(f'{k}="{v}"' for k, v in LABELS.items())
    stored = r"all \d+ series of its page are stored; \d+ cycles, newest sample [\d.]+ s old"
    assert re.fullmatch(stored, found.found("series"))
    assert re.match(r"\d+ alerts and \d+ recording rules in \d+ groups, all correct; firing: ", found.found("rules"))
    assert "with other annotations" not in found.found("rules"), "the file is Sentinel's own"
    assert re.fullmatch(r"every 15 s, last [\d.]+ s ago", found.found("evaluation"))
    assert re.fullmatch(r"INF's clock, seen from HUB's Prometheus: [01]\.\d s \w+, give or take 1\.\d s", found.found("clock"))
    assert hub.alertmanager.url in found.found("delivery")
    assert re.fullmatch(r"has all \d+ of Sentinel's inhibit_rules", found.found("inhibition"))
    severities = ["critical", "heartbeat", "none", "warning"]
    to = [f"{severity} goes to {'nobody' if severity == 'none' else severity}" for severity in severities]
    assert found.found("routes") == ", ".join(to)
    assert found.found("heartbeat") == "SentinelWatchdog has arrived from Prometheus, for heartbeat"
    assert "was accepted for warning" in found.found("test alert")
    sent = [alert for alert in hub.alertmanager.alerts() if alert["labels"]["alertname"] == "SentinelTestAlert"]
    assert len(sent) == 1 and LABELS.items() <= sent[0]["labels"].items()
    assert {"summary", "description", "runbook"} <= sent[0]["annotations"].keys()


def test_the_text_output_has_the_same_checks(hub):
    args = ["--inf", hub.inf, "--prometheus", hub.prometheus.url]
    wait_until("its own scrape", lambda: hub.prometheus.query("prometheus_notifications_dropped_total"), 40)
    done = run(hub.binary, "hub", *args)
    assert done.returncode == 0, done.stdout
    assert "\n  --      alertmanager  not checked; --alertmanager URL checks it\n" in done.stdout
    # On a busy machine a check may be a warning: then the last line has to say so.
    end = "HUB sees INF. Check what is marked WARN." if "\n  WARN " in done.stdout else "HUB sees INF."
    assert done.stdout.endswith(f"\n{end}\n"), done.stdout


def test_a_closed_inf_differs_from_a_missing_target(hub):
    found = hub.verify("--inf", f"http://127.0.0.1:{free_port()}")
    assert (found.failed, found.noted) == (INF | {"clock"}, {"target"}) and "metrics.bind" in found.advice("metrics")
    assert "nothing listens" in found.advice("health")


def test_a_prometheus_that_is_down_skips_no_check(hub):
    found = hub.verify("--prometheus", f"http://127.0.0.1:{free_port()}", "--prometheus-config", str(hub.config))
    assert found.failed == {"prometheus", "reloaded"} | JOB | TARGET | ALERTS
    assert found.found("target") == "not checked: Prometheus does not answer"
    found = hub.verify("--prometheus", hub.alertmanager.url)
    assert "not a Prometheus" in found.advice("prometheus")


@pytest.mark.long
def test_a_prometheus_without_the_job_gets_the_lines_to_add(hub, bare):
    found = hub.verify("--prometheus", bare.url, "--wait", "0.1")
    assert found.failed == JOB | TARGET | ALERTS
    assert "there is no job sentinel-metrics; there is node" in found.found("job")
    for reload in ("docker kill -s HUP", "systemctl reload prometheus", f"POST {bare.url}/-/reload"):
        assert reload in found.advice("job") and reload in found.advice("rules")
    assert "rule_files" in found.advice("rules") and "localhost:9093" in found.advice("delivery")
    # The file has the job now, but Prometheus has not read it again.
    bare.config.write_text(hub.config.read_text())
    os.utime(bare.config, (time.time() + 5, time.time() + 5))
    found = hub.verify("--prometheus", bare.url, "--wait", "0.1", "--prometheus-config", str(bare.config))
    assert found.failed == {"reloaded"} | JOB | TARGET | ALERTS
    assert "newer than the running configuration" in found.found("reloaded") and "docker kill -s HUP" in found.advice("reloaded")


def test_a_file_that_differs_from_the_running_one_is_detected(hub, tmp_path):
    other = tmp_path / "prometheus.yml"
    other.write_text(hub.config.read_text().replace("region: singapore", "region: tokyo"))
    os.utime(other, (1e9, 1e9))
    found = hub.verify("--prometheus-config", str(other))
    assert found.failed == {"reloaded"} and "differs from the running one" in found.found("reloaded")
    other.write_text(hub.config.read_text())
    os.utime(other, (1e9, 1e9))
    (tmp_path / "alerts.yml").write_text("groups: []")
    os.utime(tmp_path / "alerts.yml", (time.time() + 5, time.time() + 5))
    found = hub.verify("--prometheus-config", str(other))
    assert found.failed == {"reloaded"} and "alerts.yml is newer than the running configuration" in found.found("reloaded")
    other.write_text("scrape_configs: [")
    found = hub.verify("--prometheus-config", str(other))
    assert found.failed == {"file", "reloaded"} and "not YAML" in found.found("file")
    found = hub.verify("--prometheus-config", str(tmp_path / "nowhere.yml"))
    assert found.failed == {"file", "reloaded"} and "nowhere.yml" in found.found("file")


def test_a_refused_configuration_is_detected(hub, bare):
    good = bare.config.read_text()
    try:
        bare.config.write_text('{"scrape_configs": [{"job_name": "sentinel-metrics", "no_such_key": 1}]}')
        bare.reload()
        wait_until("a refusal", lambda: not bare.api("status/runtimeinfo")["reloadConfigSuccess"])
        found = hub.verify("--prometheus", bare.url, "--wait", "0.1", "--prometheus-config", str(bare.config))
    finally:
        bare.config.write_text(good)
    assert "reloaded" in found.failed and "promtool check config" in found.advice("reloaded")


@pytest.mark.long
def test_it_waits_after_a_reload(hub):
    """For some seconds after a reload, Prometheus has no Alertmanager, and the old targets."""
    before = hub.prometheus.api("status/runtimeinfo")["lastConfigTime"]
    hub.prometheus.reload()
    wait_until("it was read", lambda: hub.prometheus.api("status/runtimeinfo")["lastConfigTime"] != before)
    found = hub.verify("--prometheus-config", str(hub.config))
    assert (found.code, found.failed) == (0, set()), found.out


def test_the_wrong_interval_is_named(hub):
    found = hub.verify("--job", "fast")
    assert found.failed == OTHER_JOB and found.found("interval") == "every 1 s, timeout 1 s"
    assert "scrape_interval: 15s" in found.advice("interval")


def test_wrong_labels_are_named(hub):
    found = hub.verify("--job", "other-labels")
    assert found.failed == OTHER_JOB | {"labels"}
    assert found.found("labels").split("\n") == ["region is missing", 'component is "web", not "trading"']
    found = hub.verify("--job", "address")
    assert found.failed == OTHER_JOB | {"labels"} and "instance is the address" in found.found("labels")


def test_a_target_is_known_by_other_names(hub):
    found = hub.verify("--job", "by-name")
    assert found.failed == OTHER_JOB and found.noted == set(), "localhost is 127.0.0.1"
    other = relay(hub.inf)
    try:
        found = hub.verify("--job", "fast", "--inf", other.url)
    finally:
        other.close()
    assert found.failed == OTHER_JOB and found.noted == {"target"}, found.out
    assert f"it is the daemon at {other.url} by another address" in found.found("target")


@pytest.mark.parametrize(
    "value, words",
    [("process_start_time_seconds 9", "started 1"), ("process_start_time_seconds 9e9", "s earlier")],
)
def test_another_scraped_daemon_is_detected(hub, value, words):
    other = relay(hub.inf, lambda body: re.sub(r"(?m)^process_start_time_seconds .*$", value, body))
    try:
        found = hub.verify("--job", "fast", "--inf", other.url, "--wait", "1")
    finally:
        other.close()
    assert found.failed == OTHER_JOB | {"target"}, found.out
    assert f"are not of the daemon at {other.url}: it started" in found.found("target") and words in found.found("target")
    assert "correct the target of the job fast" in found.advice("target")


@pytest.mark.parametrize(
    "name, words, advice",
    [
        ("closed", "connection refused", "start the daemon"),
        ("guarded", "401", "needs basic_auth"),
        ("wrong-password", "401", "(user hub) is wrong"),
        ("page", "is down: ", "another program has the port"),
    ],
)
def test_a_target_that_is_down_has_the_error_and_advice(hub, name, words, advice):
    found = hub.verify("--job", name)
    assert found.failed == OTHER_JOB | {"target", "series"}, found.out
    assert words in found.found("target") and advice in found.advice("target")
    assert found.found("series") == "not checked: the target is not up"


def test_a_job_without_a_target_is_detected(hub):
    found = hub.verify("--job", "no-target", "--wait", "0.1")
    assert found.failed == OTHER_JOB | TARGET and "172.19.141.250:8000" in found.advice("target")


def test_dropped_families_are_detected(hub):
    found = hub.verify("--job", "half")
    assert found.failed == OTHER_JOB | {"series"}
    lines = found.found("series").split("\n")
    assert "sentinel_zmq_send_failures_total is not stored: these rules need it: SentinelGatewaySendFailures" in lines
    assert "sentinel_zmq_send_latency_seconds_count is not stored: part of HUB's history" in lines
    assert "metric_relabel_configs: drop __name__ sentinel_zmq_.*" in found.advice("series")


def test_changed_labels_and_dropped_series_are_detected(hub):
    found = hub.verify("--job", "renamed")
    assert found.failed == OTHER_JOB | {"series"}
    changed = "sentinel_orders_total is stored with other labels than on the page: these rules need them: .*SentinelOrdersRej"
    assert re.search(changed, found.found("series"))
    assert re.search(r"sentinel_signals_suppressed_total: \d+ of \d+ series are stored: these rules need it", found.found("series"))


def test_an_alertmanager_that_is_down_fails(hub):
    found = hub.verify("--alertmanager", f"http://127.0.0.1:{free_port()}", "--send-test-alert")
    assert found.failed == ALERTMANAGER | {"heartbeat", "test alert", "delivery"}
    found = hub.verify("--alertmanager", hub.prometheus.url)
    assert found.failed == ALERTMANAGER | {"heartbeat", "delivery"} and "/api/v2/status" in found.found("alertmanager")


NONE = r"    - matchers: \['severity = none'\]\n      receiver: nobody\n"
INHIBIT_RULES = r"(?s)inhibit_rules:\n.*?(?=receivers:\n)"


@pytest.mark.parametrize(
    "pattern, becomes, failed, words",
    [
        (INHIBIT_RULES, "", "inhibition", r"(\d+) of Sentinel's \1 inhibit_rules are missing"),
        (r"(?s)  - source_matchers: \['alertname = SentinelAftermath'\].*?(?=receivers:\n)", "", "inhibition",
         r'\nalertname="SentinelAftermath" inhibits .*SentinelCyclesFailing'),
        (NONE, "", "routes", "severity none goes to warning, .*: SentinelAftermath"),
        (r"(?s)(  - name: warning\n).*?(?=  - name)", r"\1", "routes", "severity warning goes to warning, which has no integ"),
    ],
    ids=["no inhibit rules", "those of a former version", "none to the default", "a receiver that hears nothing"],
)
def test_a_different_alertmanager_configuration_is_detected(hub, pattern, becomes, failed, words):
    good = hub.routes.read_text()
    changed, count = re.subn(pattern, becomes, good, count=1)
    assert count == 1
    try:
        hub.routes.write_text(changed)
        hub.alertmanager.reload()
        found = hub.verify()
    finally:
        hub.routes.write_text(good)
        hub.alertmanager.reload()
    assert found.failed == {failed}, found.out
    assert re.search(words, found.found(failed)), found.found(failed)
    assert "config/monitoring/alertmanager.yml" in found.advice(failed)
    assert f"POST {hub.alertmanager.url}/-/reload" in found.advice(failed)


def test_other_names_and_more_routes_are_allowed(hub):
    good = hub.routes.read_text()
    own = "inhibit_rules:\n  - source_match: {team: a}\n    target_match_re: {team: b|c}\n"
    changed = good.replace("inhibit_rules:\n", own).replace("receiver: critical", "receiver: my-phone")
    changed = changed.replace("name: critical", "name: my-phone")
    node = "  routes:\n    - match_re: {job: node.*}\n      receiver: nobody\n      continue: true\n"
    try:
        hub.routes.write_text(changed.replace("  routes:\n", node, 1))
        hub.alertmanager.reload()
        found = hub.verify()
    finally:
        hub.routes.write_text(good)
        hub.alertmanager.reload()
    assert (found.code, found.failed) == (0, set()), found.out
    # An alert that Prometheus sends while Alertmanager reads its file again is not delivered.
    assert found.noted <= {"delivery"}, found.out
    assert "critical goes to my-phone" in found.found("routes")


def test_a_silenced_heartbeat_is_detected(hub):
    """It has the same effect as an Alertmanager that gets no alerts."""
    suppressed = relay(hub.alertmanager.url, lambda body: body.replace('"state":"active"', '"state":"suppressed"'))
    try:
        found = hub.verify("--alertmanager", suppressed.url)
    finally:
        suppressed.close()
    assert found.failed == {"heartbeat"} and "SentinelWatchdog is silenced or inhibited" in found.found("heartbeat")
    assert "alert_relabel_configs" in found.advice("heartbeat")


@pytest.mark.long
def test_rules_that_are_not_loaded_are_named(hub, partial):
    found = hub.verify("--prometheus", partial.url, "--wait", "0.1")
    assert "rules" in found.failed and "rule_files" in found.advice("rules")
    wanted = re.findall(r"- (?:alert|record): (\S+)", (MONITORING / "alerts.yml").read_text())
    missing = set(re.findall(r"[\w:]+", found.found("rules")))
    assert set(wanted) - missing == {"SentinelWatchdog"}, found.found("rules")
    assert "not loaded of sentinel-market: sentinel:market_open:known" in found.found("rules")


def edited(hub, directory: Path, *changes: tuple[str, str], **of_group) -> Prometheus:
    """A Prometheus with Sentinel's rules after these changes: each a pattern with one match, and its replacement."""
    text = (MONITORING / "alerts.yml").read_text()
    for pattern, changed in changes:
        text, count = re.subn(pattern, changed, text, count=1)
        assert count == 1, pattern
    directory.mkdir()
    (directory / "alerts.yml").write_text(text)
    config = {"global": {"evaluation_interval": "1s"} | of_group, "rule_files": ["alerts.yml"]}
    target = job("sentinel-metrics", hub.inf.removeprefix("http://"))
    (directory / "prometheus.yml").write_text(json.dumps(config | {"scrape_configs": [target]}))
    return Prometheus(directory / "prometheus.yml", directory / "data")


@pytest.mark.long
def test_changed_rules_are_named_with_the_difference(hub, tmp_path):
    changes = [
        (r"(alert: SentinelDown\n(?:.*\n)*?\s+for:) \S+", r"\1 2h"),
        (r"(alert: SentinelOrdersUnresolved\n(?:.*\n)*?\s+labels:) .*", r"\1 {severity: warning}"),
        (r"(alert: SentinelGatewaySendFailures\n\s+expr: .*\[)1h", r"\g<1>9h"),
        (r"\n\s+and on \([^)]*\) sentinel:last_bar:changes6h > 3", ""),
    ]
    prometheus = edited(hub, tmp_path / "edited", *changes)
    try:
        flags = ["--inf", hub.inf, "--prometheus", prometheus.url]
        found = verify(hub.binary, "hub", *flags)
        own = verify(hub.binary, "hub", *flags, "--rules", str(tmp_path / "edited/alerts.yml"))
        older = tmp_path / "older.yml"
        older.write_text((MONITORING / "alerts.yml").read_text().replace("job=", "job!="))
        many = verify(hub.binary, "hub", *flags, "--rules", str(older))
    finally:
        prometheus.close()
    assert found.failed == {"interval", "rules", "delivery"}, found.out
    said = found.found("rules")
    assert "SentinelDown differs: for is 2h, not 2m" in said
    assert 'SentinelOrdersUnresolved differs: labels is {severity="warning"}, not {severity="critical"}' in said
    assert "SentinelGatewaySendFailures differs: expr is" in said and "[9h]" in said and "[1h]" in said
    assert "SentinelConfidenceFrozen differs: expr is" in said and said.count("differs") == len(changes)
    assert "--rules FILE" in found.advice("rules")
    assert own.failed == {"interval", "delivery"}, own.out
    assert "rules" in many.failed and re.search(r"also different: .*Sentinel\w+, Sentinel", many.found("rules")), many.out


@pytest.mark.long
def test_rules_evaluated_too_seldom_are_detected(hub, tmp_path):
    prometheus = edited(hub, tmp_path / "seldom", evaluation_interval="5m")
    try:
        found = verify(hub.binary, "hub", "--inf", hub.inf, "--prometheus", prometheus.url)
    finally:
        prometheus.close()
    assert found.failed == {"interval", "evaluation", "delivery"}, found.out
    assert "is evaluated only every 300 s" in found.found("evaluation")
    assert "evaluation_interval: 15s under global" in found.advice("evaluation")


def test_a_wrong_clock_is_reported(hub):
    """A daemon in the year 2000, by its page and its headers."""
    change = lambda body: re.sub(r"(?m)^(sentinel_time_seconds) .*$", r"\1 946684800", body)
    behind = relay(hub.inf, change, date="Sat, 01 Jan 2000 00:00:00 GMT")
    try:
        found = hub.verify("--job", "fast", "--inf", behind.url)
    finally:
        behind.close()
    assert found.failed == OTHER_JOB | {"clock"} and " s behind, " in found.found("clock"), found.out
    assert "NTP" in found.advice("clock")


@pytest.mark.parametrize(
    "args",
    [
        ["--inf", "127.0.0.1:1", "--prometheus", "http://127.0.0.1:1"],
        ["--inf", "http://127.0.0.1:1", "--prometheus", "http://127.0.0.1:1", "--send-test-alert"],
        ["--inf", "http://127.0.0.1:1", "--prometheus", "http://127.0.0.1:1", "--wait", "-1"],
        ["--inf", "http://127.0.0.1:1", "--prometheus", "http://127.0.0.1:1", "--rules", "/nowhere.yml"],
        ["--inf", "http://127.0.0.1:1", "--prometheus", "http://127.0.0.1:1", "--rules", "/dev/null"],
    ],
    ids=lambda args: " ".join(args[4:]) or "no URL",
)
def test_contradictory_flags_are_refused(binary, args):
    done = run(binary, "hub", *args)
    assert (done.returncode, done.stdout) == (64, ""), done.stdout
    assert done.stderr
