"""`sentinel verify hub` against a real Alertmanager and a real Prometheus with the project's files, jobs of the same
Prometheus that each lack one thing, and a Prometheus that knows nothing of Sentinel."""

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
from parts.http import ScriptedHttp, status, text as says
from parts.prometheus import Prometheus
from parts.verify import EVIDENCE, FakeDaemon, run, verify

MONITORING = Path(__file__).resolve().parents[2] / "config/monitoring"
LABELS = {"instance": "inf-sentinel", "component": "trading", "node": "inf", "region": "singapore"}
INF = {"health", "metrics", "format", "text", "families"}
JOB = {"job", "interval"}
TARGET = {"target", "labels", "series"}
ALERTS = {"rules", "delivery"}
DROP_ZMQ = {"source_labels": ["__name__"], "regex": "sentinel_zmq_.*", "action": "drop"}
# Of the project's job and those below, all but one.
TARGETS = 10


def job(name: str, target: str | None, **more) -> dict:
    """A scrape job that asks every second; JSON is YAML."""
    group = {"targets": [target], "labels": LABELS | more.pop("labels", {})}
    found = {"job_name": name, "scrape_interval": "1s", "scrape_timeout": "1s"}
    return found | {"static_configs": [group] if target else []} | more


class Hub:
    """INF, Prometheus with its file, Alertmanager, and what answers the jobs that lack something."""

    def __init__(self, binary, directory):
        self.binary = binary
        port = free_port()
        env = environment(METRICS_PORT=str(port), SENTINEL__METRICS__BIND="127.0.0.1")
        self.daemon = Daemon(binary, ["demo", "--cycle-seconds", "1"], env, directory / "daemon", port)
        self.inf = f"http://127.0.0.1:{port}"
        nobody = directory / "alertmanager.yml"
        nobody.write_text(json.dumps({"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}))
        self.alertmanager = Alertmanager(nobody, directory / "alertmanager")
        self.guarded, self.page = FakeDaemon(""), FakeDaemon("")
        self.guarded.always = status(401)
        self.page.always = says("<html>", Content_Type="text/html")
        address = f"127.0.0.1:{port}"
        jobs = [
            job("fast", address),
            job("other-labels", address, labels={"component": "web", "region": ""}),
            job("closed", f"127.0.0.1:{free_port()}"),
            job("guarded", f"127.0.0.1:{self.guarded.port}"),
            job("page", f"127.0.0.1:{self.page.port}"),
            job("no-target", None),
            job("by-name", f"localhost:{port}"),
            job("half", address, metric_relabel_configs=[DROP_ZMQ]),
        ]
        shutil.copy(MONITORING / "alerts.yml", directory)
        self.config = directory / "prometheus.yml"
        text = (MONITORING / "prometheus.yml").read_text()
        for there, here in (("172.19.141.250:8000", address), ("localhost:9093", self.alertmanager.url[7:])):
            assert there in text
            text = text.replace(there, here)
        # Its last section is the jobs.
        self.config.write_text(text + "".join(f"  - {json.dumps(one)}\n" for one in jobs))
        self.prometheus = Prometheus(self.config, directory / "prometheus")

    def verify(self, *args: str):
        """Verifies this HUB, whose flags the arguments may say otherwise."""
        usual = {"--inf": self.inf, "--prometheus": self.prometheus.url, "--alertmanager": self.alertmanager.url}
        flags = [part for flag, value in usual.items() if flag not in args for part in (flag, value)]
        return verify(self.binary, "hub", *flags, *args)

    def close(self):
        """Ends all of it."""
        for part in (self.daemon, self.prometheus, self.alertmanager, self.guarded, self.page):
            part.close()


@pytest.fixture(scope="module")
def hub(binary, tmp_path_factory):
    """A HUB that has all it needs. Prometheus finds its targets some seconds after its start."""
    hub = Hub(binary, tmp_path_factory.mktemp("hub"))
    hub.daemon.after_cycles(1, 60)
    wait_until("the targets", lambda: len(hub.prometheus.api("targets")["activeTargets"]) == TARGETS, 30)
    wait_until("Alertmanager", lambda: hub.prometheus.api("alertmanagers")["activeAlertmanagers"], 30)
    yield hub
    hub.close()


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A Prometheus that nobody told of Sentinel."""
    directory = tmp_path_factory.mktemp("bare")
    config = directory / "prometheus.yml"
    config.write_text(json.dumps({"scrape_configs": [job("node", "127.0.0.1:1")]}))
    prometheus = Prometheus(config, directory / "data")
    prometheus.config = config
    yield prometheus
    prometheus.close()


@pytest.fixture(scope="module")
def partial(tmp_path_factory):
    """A Prometheus with one of Sentinel's rules, and an Alertmanager that is not there."""
    directory = tmp_path_factory.mktemp("partial")
    rules = [{"alert": "SentinelWatchdog", "expr": "vector(1)"}]
    (directory / "alerts.yml").write_text(json.dumps({"groups": [{"name": "sentinel-scrape", "rules": rules}]}))
    nobody = {"static_configs": [{"targets": [f"127.0.0.1:{free_port()}"]}]}
    config = directory / "prometheus.yml"
    config.write_text(json.dumps({"rule_files": ["alerts.yml"], "alerting": {"alertmanagers": [nobody]}}))
    prometheus = Prometheus(config, directory / "data")
    wait_until("its Alertmanager", lambda: prometheus.api("alertmanagers")["activeAlertmanagers"], 30)
    yield prometheus
    prometheus.close()


def relay(url: str, change=lambda body: body) -> ScriptedHttp:
    """Another name of a server: passes on what it is asked, and `change`s what is answered."""

    def pass_on(handler, request):
        with urllib.request.urlopen(f"{url}{request.path}", timeout=10) as answer:
            headers = {"Content-Type": answer.headers["Content-Type"] or "text/plain"}
            handler.answer(change(answer.read().decode()), 200, headers)

    found = ScriptedHttp()
    found.always = pass_on
    return found


def test_a_hub_that_has_it_all_passes_every_check(hub):
    # Its job was found just now: this waits for the first scrape.
    found = hub.verify("--prometheus-config", str(hub.config), "--send-test-alert")
    assert (found.code, found.failed, found.noted) == (0, set(), set()), found.out
    reached = {"prometheus", "file", "reloaded", "alertmanager", "test alert"}
    assert set(found.checks) == INF | JOB | TARGET | ALERTS | reached
    assert re.fullmatch(EVIDENCE, found.found("metrics"))
    assert re.match(r"ready, version \d+\.\d+", found.found("prometheus"))
    assert found.found("interval") == "every 15 s, timeout 10 s"
    assert found.found("target").startswith(f"{hub.inf}/metrics is up")
    assert found.found("labels") == 'job="sentinel-metrics", ' + ", ".join(f'{k}="{v}"' for k, v in LABELS.items())
    stored = r"\d\d families of Sentinel's stored, \d+ cycles, newest sample [\d.]+ s old"
    assert re.fullmatch(stored, found.found("series"))
    assert re.match(r"\d+ alerts and \d+ recording rules in \d+ groups; firing: ", found.found("rules"))
    assert hub.alertmanager.url in found.found("delivery")
    assert "was taken for nobody" in found.found("test alert")
    sent = [alert for alert in hub.alertmanager.alerts() if alert["labels"]["alertname"] == "SentinelTestAlert"]
    assert len(sent) == 1 and LABELS.items() <= sent[0]["labels"].items()
    assert {"summary", "description", "runbook"} <= sent[0]["annotations"].keys()


def test_a_person_reads_the_same(hub):
    args = ["--inf", hub.inf, "--prometheus", hub.prometheus.url]
    done = run(hub.binary, "hub", *args)
    assert done.returncode == 0, done.stdout
    assert "\n  --      alertmanager  not asked; --alertmanager URL asks it\n" in done.stdout
    assert done.stdout.endswith("\nHUB sees INF.\n")


def test_an_inf_that_is_closed_is_told_from_a_prometheus_that_sees_it(hub):
    found = hub.verify("--inf", f"http://127.0.0.1:{free_port()}")
    assert (found.failed, found.noted) == (INF, {"target"}) and "metrics.bind" in found.way_out("metrics")
    assert "nobody listens" in found.way_out("health")


def test_a_prometheus_that_is_down_leaves_nothing_out(hub):
    found = hub.verify("--prometheus", f"http://127.0.0.1:{free_port()}", "--prometheus-config", str(hub.config))
    assert found.failed == {"prometheus", "reloaded"} | JOB | TARGET | ALERTS
    assert found.found("target") == "not reached: Prometheus does not answer"
    found = hub.verify("--prometheus", hub.alertmanager.url)
    assert "no Prometheus" in found.way_out("prometheus")


def test_a_prometheus_that_nobody_told_of_sentinel_is_told_what_to_add(hub, bare):
    found = hub.verify("--prometheus", bare.url, "--wait", "0.1")
    assert found.failed == JOB | TARGET | ALERTS
    assert "there is no job sentinel-metrics; there is node" in found.found("job")
    for reload in ("docker kill -s HUP", "systemctl reload prometheus", f"POST {bare.url}/-/reload"):
        assert reload in found.way_out("job") and reload in found.way_out("rules")
    assert "rule_files" in found.way_out("rules") and "localhost:9093" in found.way_out("delivery")
    # The file has it by now; Prometheus has not read it again.
    bare.config.write_text(hub.config.read_text())
    os.utime(bare.config, (time.time() + 5, time.time() + 5))
    found = hub.verify("--prometheus", bare.url, "--wait", "0.1", "--prometheus-config", str(bare.config))
    assert found.failed == {"reloaded"} | JOB | TARGET | ALERTS
    assert "newer than what runs" in found.found("reloaded") and "docker kill -s HUP" in found.way_out("reloaded")


def test_a_file_that_is_not_the_one_that_runs_is_found_out(hub, tmp_path):
    other = tmp_path / "prometheus.yml"
    other.write_text(hub.config.read_text().replace("region: singapore", "region: tokyo"))
    os.utime(other, (1e9, 1e9))
    found = hub.verify("--prometheus-config", str(other))
    assert found.failed == {"reloaded"} and "is not the one that runs" in found.found("reloaded")
    other.write_text(hub.config.read_text())
    os.utime(other, (1e9, 1e9))
    (tmp_path / "alerts.yml").write_text("groups: []")
    os.utime(tmp_path / "alerts.yml", (time.time() + 5, time.time() + 5))
    found = hub.verify("--prometheus-config", str(other))
    assert found.failed == {"reloaded"} and "alerts.yml is newer than what runs" in found.found("reloaded")
    other.write_text("scrape_configs: [")
    found = hub.verify("--prometheus-config", str(other))
    assert found.failed == {"file", "reloaded"} and "no YAML" in found.found("file")
    found = hub.verify("--prometheus-config", str(tmp_path / "nowhere.yml"))
    assert found.failed == {"file", "reloaded"} and "nowhere.yml" in found.found("file")


def test_a_configuration_that_was_refused_is_found_out(hub, bare):
    good = bare.config.read_text()
    try:
        bare.config.write_text('{"scrape_configs": [{"job_name": "sentinel-metrics", "no_such_key": 1}]}')
        bare.reload()
        wait_until("a refusal", lambda: not bare.api("status/runtimeinfo")["reloadConfigSuccess"])
        found = hub.verify("--prometheus", bare.url, "--wait", "0.1", "--prometheus-config", str(bare.config))
    finally:
        bare.config.write_text(good)
    assert "reloaded" in found.failed and "promtool check config" in found.way_out("reloaded")


def test_right_after_a_reload_nothing_is_missed(hub):
    """For some seconds a Prometheus knows no Alertmanager then, and targets of the configuration before."""
    before = hub.prometheus.api("status/runtimeinfo")["lastConfigTime"]
    hub.prometheus.reload()
    wait_until("it was read", lambda: hub.prometheus.api("status/runtimeinfo")["lastConfigTime"] != before)
    found = hub.verify("--prometheus-config", str(hub.config))
    assert (found.code, found.failed) == (0, set()), found.out


def test_the_wrong_interval_is_named(hub):
    found = hub.verify("--job", "fast")
    assert found.failed == {"interval"} and found.found("interval") == "every 1 s, timeout 1 s"
    assert "scrape_interval: 15s" in found.way_out("interval")


def test_wrong_labels_are_named(hub):
    found = hub.verify("--job", "other-labels")
    assert found.failed == {"interval", "labels"}
    wrong = ['component is "web", not "trading"', 'region is missing, it has to be "singapore"']
    assert found.found("labels").split("\n") == wrong


def test_a_target_is_known_by_other_names(hub):
    found = hub.verify("--job", "by-name")
    assert found.failed == {"interval"} and found.noted == set(), "localhost is 127.0.0.1"
    other = relay(hub.inf)
    try:
        found = hub.verify("--job", "fast", "--inf", other.url)
    finally:
        other.close()
    assert found.failed == {"interval"} and found.noted == {"target"}, found.out
    assert f"it is the daemon at {other.url} by another name" in found.found("target")


@pytest.mark.parametrize(
    "value, words",
    [("process_start_time_seconds 9", "started 1"), ("process_start_time_seconds 9e9", "s earlier")],
)
def test_another_daemon_that_is_scraped_is_found_out(hub, value, words):
    other = relay(hub.inf, lambda body: re.sub(r"(?m)^process_start_time_seconds .*$", value, body))
    try:
        found = hub.verify("--job", "fast", "--inf", other.url, "--wait", "1")
    finally:
        other.close()
    assert found.failed == {"interval", "target"}, found.out
    assert f"not the daemon at {other.url}: started" in found.found("target") and words in found.found("target")
    assert "correct the target of the job fast" in found.way_out("target")


@pytest.mark.parametrize(
    "name, words, way_out",
    [
        ("closed", "connection refused", "start the daemon"),
        ("guarded", "401", "basic_auth"),
        ("page", "is down: ", "another program has the port"),
    ],
)
def test_a_target_that_is_down_has_prometheus_words_and_a_way_out(hub, name, words, way_out):
    found = hub.verify("--job", name)
    assert found.failed == {"interval", "target", "series"}, found.out
    assert words in found.found("target") and way_out in found.way_out("target")
    assert found.found("series") == "not reached: the target is not up"


def test_a_job_without_a_target_is_found_out(hub):
    found = hub.verify("--job", "no-target", "--wait", "0.1")
    assert found.failed == {"interval"} | TARGET and "172.19.141.250:8000" in found.way_out("target")


def test_families_that_are_dropped_on_the_way_are_missed(hub):
    found = hub.verify("--job", "half")
    assert found.failed == {"interval", "series"}
    assert found.found("series") == "not stored: sentinel_zmq_send_latency_seconds, sentinel_zmq_send_failures_total"


def test_an_alertmanager_that_is_down_takes_no_test_alert(hub):
    found = hub.verify("--alertmanager", f"http://127.0.0.1:{free_port()}", "--send-test-alert")
    assert found.failed == {"alertmanager", "test alert", "delivery"}
    found = hub.verify("--alertmanager", hub.prometheus.url)
    assert found.failed == {"alertmanager", "delivery"} and "/api/v2/status" in found.found("alertmanager")


def test_rules_that_are_not_loaded_are_named(hub, partial):
    found = hub.verify("--prometheus", partial.url, "--wait", "0.1")
    assert "rules" in found.failed and "rule_files" in found.way_out("rules")
    wanted = re.findall(r"- (?:alert|record): (\S+)", (MONITORING / "alerts.yml").read_text())
    missing = set(re.findall(r"[\w:]+", found.found("rules")))
    assert set(wanted) - missing == {"SentinelWatchdog"}, found.found("rules")
    assert "not loaded of sentinel-market: sentinel:market_open:known" in found.found("rules")


def test_an_alertmanager_that_prometheus_sends_to_in_vain_is_found_out(hub, partial):
    for args in ([], ["--alertmanager", hub.alertmanager.url]):
        flags = ["--inf", hub.inf, "--prometheus", partial.url, "--wait", "0.1", *args]
        found = verify(hub.binary, "hub", *flags)
        assert "delivery" in found.failed and "cannot connect" in found.found("delivery"), found.out
        assert "start this Alertmanager" in found.way_out("delivery")


def test_another_alertmanager_than_the_one_prometheus_sends_to_is_found_out(hub):
    same = relay(hub.alertmanager.url)
    other = relay(hub.alertmanager.url, lambda body: re.sub(r'"uptime":"[^"]*"', '"uptime":"another"', body))
    try:
        assert hub.verify("--alertmanager", f"http://localhost:{hub.alertmanager.port}").code == 0
        found = hub.verify("--alertmanager", same.url)
        assert (found.failed, found.noted) == (set(), {"delivery"}), found.out
        assert "is this Alertmanager by another name" in found.found("delivery")
        found = hub.verify("--alertmanager", other.url)
    finally:
        same.close()
        other.close()
    assert found.failed == {"delivery"} and f"{other.url} is another" in found.found("delivery")


@pytest.mark.parametrize(
    "args",
    [
        ["--inf", "http://127.0.0.1:1"],
        ["--inf", "127.0.0.1:1", "--prometheus", "http://127.0.0.1:1"],
        ["--inf", "http://127.0.0.1:1", "--prometheus", "http://127.0.0.1:1", "--send-test-alert"],
        ["--inf", "http://127.0.0.1:1", "--prometheus", "http://127.0.0.1:1", "--wait", "-1"],
    ],
    ids=lambda args: " ".join(args[2:]) or "no prometheus",
)
def test_flags_that_cannot_stand_are_refused(binary, args):
    done = run(binary, "hub", *args)
    assert (done.returncode, done.stdout) == (64, ""), done.stdout
    assert done.stderr
