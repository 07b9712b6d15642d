"""The Grafana dashboard: valid by Grafana's own schemas, readable, and every query has data in a real Prometheus."""

import copy
import json
import math
import re
import time

import pytest
import yaml

from conftest import ROOT
from parts import dashboard as rules
from parts.contract import EIGHTEEN
from parts.daemon import Daemon, free_port, wait_until
from parts.dashboard import Query, queries, rows
from parts.prometheus import Prometheus
from parts.rig import Rig

GRAFANA = ROOT / "config/monitoring/grafana"
DASHBOARD = json.loads((GRAFANA / "sentinel.json").read_text())
QUERIES = queries(DASHBOARD)
LABELS = {"instance": "inf-sentinel", "component": "trading", "node": "inf", "region": "singapore"}
JOB = "sentinel-metrics"
# Scraped for this long, every second: as many samples as a quarter of an hour has at 15 s.
SCRAPES = 60
VALUES = {"job": JOB, "instance": LABELS["instance"], "__rate_interval": "1m"}
# Families that are nowhere on the dashboard, and why.
LEFT_OUT = {"process_virtual_memory_bytes": "mostly reserved addresses; what runs out is resident memory"}
# Grid units of 38 pixels that a 1080p screen shows under Grafana's own bars.
FIRST_SCREEN = 22
CHECKS = [rules.schemas, rules.words, rules.matchers, rules.windows, rules.grid, rules.absences]


class Scraped:
    """A Prometheus that has scraped a demo for a minute, and what it exposed. Every query is about that minute."""

    def __init__(self, prometheus: Prometheus, daemon: Daemon):
        self.prometheus, self.daemon, self.at = prometheus, daemon, time.time()
        lines = daemon.metrics().text.splitlines()
        self.types = dict(line.split(" ")[2:4] for line in lines if line.startswith("# TYPE "))

    def series(self, query: Query) -> list[dict]:
        """What Grafana would get for a query."""
        return self.result(query.with_values(**VALUES), query.target.get("instant", False))

    def values(self, query: Query) -> list[float]:
        """The same as numbers, of all series and moments."""
        return [float(value) for series in self.series(query) for _, value in series["values"]]

    def result(self, expression: str, instant: bool, seconds: int = 30) -> list[dict]:
        """The series of an expression, each with its `values`: at the end, or over the last so many seconds."""
        if instant:
            found = self.prometheus.api("query", query=expression, time=str(self.at))["result"]
            return [{"metric": one["metric"], "values": [one["value"]]} for one in found]
        moments = {"start": str(self.at - seconds), "end": str(self.at), "step": "5"}
        return self.prometheus.api("query_range", query=expression, **moments)["result"]


@pytest.fixture(scope="module")
def scraped(binary, tmp_path_factory):
    """One for all tests of this file: the minute is the same for all of them."""
    directory = tmp_path_factory.mktemp("dashboard")
    port, rig = free_port(), Rig(binary, directory)
    config = directory / "prometheus.yml"
    target = {"targets": [f"127.0.0.1:{port}"], "labels": LABELS}
    config.write_text(
        yaml.safe_dump(
            {"global": {"scrape_interval": "1s"}, "scrape_configs": [{"job_name": JOB, "static_configs": [target]}]}
        )
    )
    prometheus = Prometheus(config, directory / "prometheus")
    try:
        daemon = rig.command("demo", "--cycle-seconds", "1", "--metrics-port", str(port))
        daemon.port = port
        daemon.wait_serving()

        def scrapes() -> bool:
            time.sleep(0.5)
            return prometheus.query(f'sum_over_time(up{{job="{JOB}"}}[10m]) >= {SCRAPES}')

        wait_until(f"{SCRAPES} scrapes", scrapes, 3 * SCRAPES)
        yield Scraped(prometheus, daemon)
    finally:
        prometheus.close()
        rig.close()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_dashboard_keeps_the_rules(check):
    assert check(DASHBOARD) == []


def test_it_asks_for_a_datasource_a_job_and_an_instance():
    variables = {one["name"]: one for one in DASHBOARD["templating"]["list"]}
    assert list(variables) == ["datasource", "job", "instance"]
    assert (variables["datasource"]["type"], variables["datasource"]["query"]) == ("datasource", "prometheus")
    assert variables["job"]["current"]["value"] == JOB
    assert variables["instance"]["current"]["value"] == LABELS["instance"]
    assert all(not one["multi"] and not one["includeAll"] for one in variables.values()), "`=` takes one value"


def test_the_first_screen_holds_what_an_on_call_person_needs():
    by_row = rows(DASHBOARD)
    assert list(by_row) == ["Now", "Cycle", "Stages", "Dependencies", "Model", "Orders", "Process"]
    now = ["Up", "Ready", "Market", "Since last cycle", "Failed in 1 h", "Unresolved orders"]
    assert [panel["title"] for panel in by_row["Now"]][: len(now)] == now
    assert all(panel["type"] == "stat" for panel in by_row["Now"])
    assert max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in by_row["Cycle"]) <= FIRST_SCREEN


@pytest.mark.parametrize("title", ["Up", "Ready", "Market", "Actors"])
def test_a_state_is_a_word(title):
    (panel,) = [panel for panel in DASHBOARD["panels"] if panel["title"] == title]
    mappings = [one["options"] for one in panel["fieldConfig"]["defaults"]["mappings"] if one["type"] == "value"]
    assert {"0", "1"} <= set(mappings[0])
    assert all(shown["text"] and shown["color"] for shown in mappings[0].values())


def test_failed_cycles_turn_red_where_the_alert_fires():
    (panel,) = [panel for panel in DASHBOARD["panels"] if panel["title"] == "Failed in 1 h"]
    assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"][-1] == {"value": 5.5, "color": "red"}


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_a_query_has_data_unless_its_panel_says_why_not(scraped, query):
    values = scraped.values(query)
    # Of one that may be empty only its syntax is asked here, and its names below.
    assert query.may_be_empty or any(map(math.isfinite, values)), f"of {len(values)} values none is a number"


def test_the_demo_shows_nearly_everything(scraped):
    empty = [query.name for query in QUERIES if not scraped.values(query)]
    # Nothing outside the demo can fail, and no host is too slow for it; what is held back depends on the bars.
    assert set(empty) <= {"Failed requests per minute A", "Dropped events per minute A", "Held back per minute A"}


@pytest.mark.parametrize("panel", rules.panels(DASHBOARD), ids=lambda panel: panel["title"])
def test_legends_tell_the_series_of_a_panel_apart(scraped, panel):
    legends = []
    for query in [Query(panel, target) for target in panel["targets"]]:
        for series in scraped.series(query):
            wanted = re.findall(r"\{\{(\w+)\}\}", query.target["legendFormat"])
            assert set(wanted) <= set(series["metric"]), "the legend names a label that the series does not have"
            legends.append((query.target["legendFormat"], *(series["metric"][label] for label in wanted)))
    assert len(set(legends)) == len(legends)


def test_every_metric_exists(scraped):
    assert rules.names(DASHBOARD, scraped.types) == []


def test_every_family_is_shown_or_left_out_for_a_reason(scraped):
    shown = rules.families(DASHBOARD, scraped.types)
    assert set(scraped.types) - shown == set(LEFT_OUT)
    assert {family.name for family in EIGHTEEN} <= shown


@pytest.mark.parametrize("annotation", DASHBOARD["annotations"]["list"], ids=lambda annotation: annotation["name"])
def test_an_annotation_parses_and_asks_the_chosen_datasource(scraped, annotation):
    assert annotation["datasource"] == rules.DATASOURCE
    expression = annotation["expr"].replace("$job", JOB).replace("$instance", LABELS["instance"])
    found = scraped.result(expression, False, 600)
    # The demo started within these ten minutes; no rules are loaded, so nothing fires.
    assert bool(found) == (annotation["name"] == "Starts")


def test_a_stopped_daemon_leaves_no_old_values_in_the_first_row(scraped):
    scraped.daemon.stop()
    wait_until("up == 0", lambda: scraped.prometheus.query(f'up{{job="{JOB}"}} == 0'), 30)
    now = {panel["title"]: Query(panel, panel["targets"][0]).with_values(**VALUES) for panel in rows(DASHBOARD)["Now"]}
    values = {title: scraped.prometheus.value(expression) for title, expression in now.items()}
    # Of the others Grafana shows the word for an absent value. What failed in the last hour did so all the same.
    assert {title for title, value in values.items() if value is not None} == {"Up", "Failed in 1 h"}
    assert values["Up"] == 0


def mutant(change) -> dict:
    """A copy of the dashboard that is broken in one place; `change` gets its panels by title, and all of it."""
    broken = copy.deepcopy(DASHBOARD)
    change({panel["title"]: panel for panel in broken["panels"]}, broken)
    assert broken != DASHBOARD
    return broken


def expression(title: str, old: str, new: str):
    """Changes the first query of a panel."""

    def change(panels: dict, _):
        target = panels[title]["targets"][0]
        target["expr"] = target["expr"].replace(old, new)

    return change


def panel(title: str, **new):
    """Changes keys of a panel."""
    return lambda panels, _: panels[title].update(new)


def within(title: str, *path, **new):
    """Changes keys of what lies on this path inside a panel."""

    def change(panels: dict, _):
        inner = panels[title]
        for step in path:
            inner = inner[step]
        inner.update(new)

    return change


DEFAULTS = ("fieldConfig", "defaults")
# What is broken -> the checks that notice, and how to break it.
MUTANTS = {
    "unit removed": ("words schemas", lambda panels, _: panels["Memory"]["fieldConfig"]["defaults"].pop("unit")),
    "unit invented": ("words schemas", within("Memory", *DEFAULTS, unit="byte")),
    "unit no base unit": ("words", within("Cycle duration", *DEFAULTS, unit="ms")),
    "no title": ("words", lambda panels, _: panels["Up"].update(title="")),
    "no description": ("words", panel("Up", description="")),
    "id twice": ("words", panel("Up", id=3)),
    "too fine": ("words", panel("Up", interval="1s")),
    "editable": ("words", lambda _, broken: broken.update(editable=True)),
    "unknown key": ("schemas", panel("Up", colour="red")),
    "unknown panel": ("schemas", panel("CPU", type="graph")),
    "unknown option": ("schemas", within("Up", "options", graphMode="bars")),
    "unknown style": ("schemas", within("CPU", *DEFAULTS, "custom", drawStyle="dots")),
    "unknown query key": ("schemas", within("CPU", "targets", 0, query="up")),
    "job dropped": ("matchers", expression("Up", 'job="$job",', "")),
    "job fixed": ("matchers", expression("Up", "$job", "sentinel")),
    "no matchers": ("matchers", expression("Up", '{job="$job",instance="$instance"}', "")),
    "datasource fixed": ("matchers", within("Up", "targets", 0, datasource={"uid": "mine"})),
    "recording rule": ("matchers", expression("Up", "up{", "job:up{")),
    "rate fixed": ("windows", expression("Cycles per minute", "$__rate_interval", "5m")),
    "window not in the title": ("windows", expression("Failed in 1 h", "1h", "6h")),
    "overlap": ("grid", within("Ready", "gridPos", x=2)),
    "hole": ("grid", within("Build", "gridPos", w=2)),
    "too wide": ("grid", within("Build", "gridPos", w=4)),
    "shows what was": ("absences", within("Ready", "targets", 0, instant=False)),
    "No data": ("absences", within("Ready", *DEFAULTS, mappings=[])),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_dashboard_is_refused(name):
    noticed, change = MUTANTS[name]
    broken = mutant(change)
    assert {check.__name__ for check in CHECKS if check(broken)} == set(noticed.split())


def test_a_wrong_metric_name_is_refused(scraped):
    broken = mutant(expression("Memory", "process_resident", "process_residential"))
    assert "Memory A: there is no process_residential_memory_bytes" in rules.names(broken, scraped.types)
    assert "process_resident_memory_bytes" not in rules.families(broken, scraped.types)
    (query,) = [query for query in queries(broken) if query.name == "Memory A"]
    assert not scraped.values(query)


def test_grafana_finds_the_dashboard_and_its_prometheus():
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/sentinel.yml").read_text())["datasources"]
    (variable,) = [one for one in DASHBOARD["templating"]["list"] if one["type"] == "datasource"]
    assert variable["current"]["value"] == source["uid"]
    assert variable["current"]["text"] == source["name"]
    assert (source["type"], source["url"], source["isDefault"]) == ("prometheus", "http://localhost:9090", False)
    assert source["jsonData"]["timeInterval"] == "15s", "the scrape interval of prometheus.yml"
    file = GRAFANA / "provisioning/dashboards/sentinel.yml"
    (provider,) = yaml.safe_load(file.read_text())["providers"]
    assert (provider["type"], provider["allowUiUpdates"]) == ("file", False)
    path = provider["options"]["path"]
    assert path == "/var/lib/grafana/dashboards/sentinel"
    mounts = re.findall(r"-v \./(\S+):(/\S+):ro", file.read_text())
    assert all((GRAFANA / here).is_file() for here, _ in mounts)
    assert dict(mounts) == {
        "provisioning/datasources/sentinel.yml": "/etc/grafana/provisioning/datasources/sentinel.yml",
        "provisioning/dashboards/sentinel.yml": "/etc/grafana/provisioning/dashboards/sentinel.yml",
        "sentinel.json": f"{path}/sentinel.json",
    }
