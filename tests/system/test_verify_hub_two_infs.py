"""`sentinel verify hub` with one Prometheus that scrapes two INFs: with different names, with the same name, with one that is
down, one whose market is closed, and one in place of the other."""

import json
import re
import time
from pathlib import Path

import pytest

from parts.daemon import Daemon, environment, free_port, wait_until
from parts.harness import Harness
from parts.http import ScriptedHttp
from parts.paths import MONITORING
from parts.prometheus import Prometheus
from parts.requirements import require
from parts.verify import Verdict, verify

# The checks that fail here: scraped every second, which HUB should not do, and without an Alertmanager.
KNOWN = {"interval", "delivery"}
JOB = "sentinel-metrics"


def labels(instance: str, node: str) -> dict[str, str]:
    """The labels of a target."""
    return {"instance": instance, "component": "trading", "node": node, "region": "singapore"}


FIRST, SECOND = labels("inf-sentinel", "inf"), labels("inf-2", "node-2")


class Infs:
    """Two daemons, and a Prometheus for each way to scrape them."""

    def __init__(self, binary: Path, directory: Path):
        self.binary, self.directory = binary, directory
        self.harness = Harness(binary, directory / "harness")
        port = free_port()
        env = environment(METRICS_PORT=str(port), SENTINEL__METRICS__BIND="127.0.0.1")
        self.open = Daemon(binary, ["demo", "--cycle-seconds", "1"], env, directory / "open", port)
        holidays = directory / "holidays.toml"
        days = [time.strftime("%Y-%m-%d", time.gmtime(time.time() + day * 86_400)) for day in (-1, 0, 1)]
        holidays.write_text(f"closed = {json.dumps(days)}\n")
        settings = {"market.calendar": "fx", "market.holidays": holidays, "schedule.cron": "* * * * * *"}
        self.closed = self.harness.start(settings=settings)
        self.prometheuses: list[Prometheus] = []

    def prometheus(self, *targets: tuple[int, dict[str, str]]) -> Prometheus:
        """A Prometheus that scrapes these ports with these labels, with Sentinel's rules."""
        directory = self.directory / f"prometheus-{len(self.prometheuses)}"
        directory.mkdir()
        groups = [{"targets": [f"127.0.0.1:{port}"], "labels": labels} for port, labels in targets]
        job = {"job_name": JOB, "scrape_interval": "1s", "scrape_timeout": "1s", "static_configs": groups}
        config = {"global": {"evaluation_interval": "1s"}, "rule_files": ["alerts.yml"], "scrape_configs": [job]}
        (directory / "alerts.yml").write_text((MONITORING / "alerts.yml").read_text())
        (directory / "prometheus.yml").write_text(json.dumps(config))
        found = Prometheus(directory / "prometheus.yml", directory / "data")
        self.prometheuses.append(found)
        wait_until("the targets", lambda: len(found.api("targets")["activeTargets"]) == len(targets), 30)
        return found

    def verify(self, prometheus: Prometheus, port: int, *args: str) -> Verdict:
        """Verifies that HUB sees the daemon at this port."""
        return verify(self.binary, "hub", "--inf", f"http://127.0.0.1:{port}", "--prometheus", prometheus.url, *args)

    def close(self):
        """Ends everything."""
        for part in (*self.prometheuses, self.open, self.harness):
            part.close()


@pytest.fixture(scope="module")
def infs(binary, tmp_path_factory):
    """Two daemons with completed cycles. The market of the second one is closed."""
    require("prometheus")
    infs = Infs(binary, tmp_path_factory.mktemp("infs"))
    infs.open.after_cycles(1, 60)
    infs.closed.wait_metrics("a closed market", lambda m: m("trading_cycles_total") > 0 and m("market_open") == 0, 60)
    yield infs
    infs.close()


@pytest.fixture(scope="module")
def apart(infs) -> Prometheus:
    """A Prometheus that scrapes both under different names."""
    return infs.prometheus((infs.open.port, FIRST), (infs.closed.port, SECOND))


@pytest.mark.long
def test_two_infs_are_verified_by_their_names(infs, apart):
    for daemon, own in ((infs.open, FIRST), (infs.closed, SECOND)):
        found = infs.verify(apart, daemon.port)
        assert found.failed == KNOWN, found.out
        assert f'instance="{own["instance"]}"' in found.found("labels") and f'node="{own["node"]}"' in found.found("labels")
        assert found.found("unique") == f"of 2 targets of job {JOB}, no other has its instance or its node"
        assert infs.verify(apart, daemon.port, "--instance", own["instance"]).failed == KNOWN


def test_an_instance_of_another_daemon_is_detected(infs, apart):
    found = infs.verify(apart, infs.open.port, "--instance", "inf-2", "--wait", "1")
    assert "target" in found.failed and "are not of the daemon at" in found.found("target"), found.out
    found = infs.verify(apart, infs.open.port, "--instance", "inf-3", "--wait", "1")
    assert "inf-3; it has inf-2, inf-sentinel" in found.found("target") and "--instance" in found.advice("target")
    found = infs.verify(apart, free_port(), "--wait", "1")
    assert "none of the job's targets is" in found.found("target") and "--instance NAME" in found.advice("target")


@pytest.mark.long
def test_one_inf_that_is_down_does_not_affect_the_other(infs):
    prometheus = infs.prometheus((infs.open.port, FIRST), (free_port(), SECOND))
    found = infs.verify(prometheus, infs.open.port)
    assert found.failed == KNOWN, found.out
    found = infs.verify(prometheus, infs.open.port, "--instance", "inf-2")
    assert {"target", "series"} <= found.failed and "nothing listens" in found.advice("target")


@pytest.mark.long
def test_two_daemons_under_one_name_never_pass(infs):
    prometheus = infs.prometheus((infs.open.port, FIRST), (infs.closed.port, FIRST))
    for daemon, other in ((infs.open, infs.closed), (infs.closed, infs.open)):
        found = infs.verify(prometheus, daemon.port, "--wait", "1")
        assert "unique" in found.failed, found.out
        assert found.found("unique") == f"http://127.0.0.1:{other.port}/metrics has the same labels, so the series of both are mixed"
        assert "its own entry" in found.advice("unique")


@pytest.mark.long
@pytest.mark.parametrize("instance, node", [("inf-sentinel", "node-2"), ("inf-2", "inf")])
def test_only_instance_or_only_node_is_not_enough(infs, instance, node):
    prometheus = infs.prometheus((infs.open.port, FIRST), (infs.closed.port, labels(instance, node)))
    found = infs.verify(prometheus, infs.open.port, "--wait", "1")
    shared = f'instance="{instance}"' if instance == "inf-sentinel" else f'node="{node}"'
    assert "unique" in found.failed and found.found("unique").endswith(f"also has {shared}"), found.out


@pytest.mark.long
def test_two_daemons_behind_one_address_are_detected(infs):
    """Both daemons answer alternately at one address, as behind a load balancer; labels do not show it."""
    texts = [daemon.get("/metrics")[2] for daemon in (infs.open, infs.closed)]

    def take_turns(handler, request):
        texts.reverse()
        handler.answer(texts[0], 200, {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    both = ScriptedHttp()
    both.always = take_turns
    try:
        prometheus = infs.prometheus((both.port, FIRST))
        # If started in the same moment, they may have the same start time; their settings differ.
        turns = f"changes(sentinel_config_hash{{job=\"{JOB}\"}}[5s]) > 1"
        wait_until("both were scraped", lambda: prometheus.query(turns), 30)
        found = infs.verify(prometheus, infs.open.port, "--wait", "1")
    finally:
        both.close()
    assert "unique" in found.failed, found.out
    assert re.match(r"(its start time|the hash of its settings) alternated \d times within 5 s", found.found("unique"))
