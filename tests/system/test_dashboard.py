"""The Grafana dashboard: valid by Grafana's own schemas, readable, and correct for two daemons in a real Prometheus."""

import copy
import json
import math
import os
import re
import shutil
import time
import tomllib
from pathlib import Path

import pytest
import yaml

from parts import dashboard as rules
from parts import grafana
from parts.contract import EIGHTEEN, catalogue
from parts.daemon import Daemon, wait_until
from parts.dashboard import Query, queries, rows
from parts.harness import Harness
from parts.http import status
from parts.paths import MONITORING, ROOT
from parts.prometheus import Prometheus
from parts.sandbox import Sandbox

GRAFANA = MONITORING / "grafana"
DASHBOARD = json.loads((GRAFANA / "sentinel.json").read_text())
QUERIES = queries(DASHBOARD)
VARIABLES = {one["name"]: one for one in DASHBOARD["templating"]["list"]}
GROUPS = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"]
ALERTS = [rule for group in GROUPS for rule in group["rules"] if "alert" in rule]
JOB = "sentinel-metrics"
# As a regular expression, the first would also match the second.
LIVE, DRY = "10.0.0.7:8000", "10-0-0-7:8000"
BOTH = [LIVE, DRY]
# A daemon of another job, which is not selected.
STRANGER = "staging"
DEAD = "XX0USD"
# The number of scrapes, one per second: as many samples as in 15 minutes at 15 s.
SCRAPES = 60
VALUES = {"job": JOB, "__rate_interval": "1m"}
RUNBOOK = "/public/sentinel/RUNBOOK.txt"
# Families that are not on the dashboard, and why.
LEFT_OUT = {
    "process_virtual_memory_bytes": "mostly reserved addresses; what runs out is resident memory",
    "sentinel_console_presses_total": "each halt and resume has an alert, which says how many were the console's",
}
# Panels without series in a dry run, which asks no gateway and sends nothing.
LIVE_ONLY = {"Order send latency", "Gateway round trip", "Equity", "Open positions"} | {
    "Profit today",
    "Balance and what is unexplained",
    "Drawdown",
    "Slippage of fills",
}
# Panels that may be empty for both, because nothing fails and the host is fast enough; held-back signals depend on the bars.
MAY_BE_EMPTY = {"Dropped events per minute", "Held back per minute"}
# The families of a claim are only in the catalogue here.
CLAIM = {family.name: "gauge" for family in catalogue() if family.name.startswith("sentinel_cluster_")}
# Panels with series only for a daemon that claims its account in etcd, which neither does here.
GUARDED_ONLY = {"Holder of the account", "Remaining trust in the claim", "etcd as the daemon sees it", "Dead holder before"} | {
    "Live members",
    "Shards of each member",
    "Owners of each shard",
    "Claims without an outcome, halt",
    "Duration of a claim",
}
# Panels with series only for the daemon with the dead symbol.
DRY_ONLY = {"Failed requests per minute", "Symbol failures per minute", "Symbols that fail"}
# The height of a 1080p screen in grid units of 38 pixels, without Grafana's own bars; and the number of panels that load with
# the page.
FIRST_SCREEN, OPENED = 27, 9
CHECKS = [
    rules.schemas,
    rules.words,
    rules.matchers,
    rules.instances,
    rules.windows,
    rules.tables,
    rules.grid,
    rules.absences,
]


# With these limits the gateway is asked for equity and positions, also for signals that do not become orders.
ASKS = {"SENTINEL__GUARDS__LOSS_PCT_PER_DAY_MAX": "90", "SENTINEL__GUARDS__POSITIONS_MAX": "1"}


class Scraped:
    """A Prometheus with our rules that has scraped two daemons for a minute. Every query is about that minute."""

    def __init__(self, prometheus: Prometheus, daemons: dict[str, Daemon]):
        self.prometheus, self.daemons, self.at = prometheus, daemons, 0.0
        self.types: dict[str, str] = {}

    def look(self):
        """Stores the current time, which all queries use, and the families that exist now; not all of them always exist."""
        self.at = time.time()
        lines = self.daemons[LIVE].metrics().text.splitlines()
        self.types |= dict(line.split(" ")[2:4] for line in lines if line.startswith("# TYPE "))

    def series(
        self, query: Query, instances: list[str] | None = None, symbols: list[str] | None = None
    ) -> list[dict]:
        """Grafana's answer to a query: for all instances and symbols, or for the selected ones."""
        chosen = {"instance": grafana.choice(instances), "symbol": grafana.choice(symbols)}
        return self.result(query.with_values(**VALUES, **chosen), query.target.get("instant", False))

    def table(self, title: str, **chosen) -> list[dict]:
        """The rows of a table by column title."""
        found = panel_of(title)
        answers = {target["refId"]: self.series(Query(found, target), **chosen) for target in found["targets"]}
        return grafana.table(found, answers)

    def stat(self, title: str, **chosen) -> tuple[str, str | None]:
        """The word and the colour of a panel with one value."""
        found = panel_of(title)
        series = self.series(Query(found, found["targets"][0]), **chosen)
        assert len(series) <= 1, f"{title} shows one value"
        return grafana.shown(grafana.configured(found), float(series[0]["values"][-1][1]) if series else None)

    def values(self, query: Query) -> list[float]:
        """The values of all series at all times."""
        return [float(value) for series in self.series(query) for _, value in series["values"]]

    def result(self, expression: str, instant: bool, seconds: int = 30) -> list[dict]:
        """The series of an expression, each with its `values`: at the end, or over the last `seconds`."""
        if instant:
            found = self.prometheus.api("query", query=expression, time=str(self.at))["result"]
            return [{"metric": one["metric"], "values": [one["value"]]} for one in found]
        moments = {"start": str(self.at - seconds), "end": str(self.at), "step": "5"}
        return self.prometheus.api("query_range", query=expression, **moments)["result"]


def panel_of(title: str) -> dict:
    """The panel with this title."""
    [found] = [panel for panel in rules.panels(DASHBOARD) if panel["title"] == title]
    return found


def configuration(targets: list[tuple[str, int, dict[str, str]]]) -> dict:
    """A Prometheus configuration for these targets (job, port, labels), with our rules and with alerts that fire at once."""
    jobs: dict[str, list[dict]] = {}
    for job, port, labels in targets:
        jobs.setdefault(job, []).append({"targets": [f"127.0.0.1:{port}"], "labels": labels})
    return {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["alerts.yml", "probe.yml"],
        "scrape_configs": [{"job_name": job, "static_configs": found} for job, found in jobs.items()],
    }


def probe(name: str, expression: str, severity: str) -> dict:
    """An alert that fires whenever its expression has a value."""
    return {"alert": name, "expr": expression, "labels": {"severity": severity}}


PROBES = [
    probe("SentinelProbe", f'sentinel_halted{{job="{JOB}"}} == 1', "warning"),
    probe("SentinelProbeLive", f'sentinel_live{{job="{JOB}"}} == 1', "critical"),
    probe("SentinelHubProbe", "vector(1)", "warning"),
    probe("SomebodyElses", f'up{{job="{JOB}"}}', "critical"),
]


def two_daemons(sandbox: Sandbox, harness: Harness, directory) -> dict[str, Daemon]:
    """A live daemon with the binary's own market, model and gateway; and a halted dry run with a symbol that its market does
    not know."""

    def serve(handler, request):
        if DEAD in request.path:
            status(404)(handler, request)
        else:
            harness.market.serve(handler, request)

    harness.market.always = serve
    (directory / "HALT").touch()
    every_second = ("--schedule", "* * * * * *")
    halted = ("--halt-file", str(directory / "HALT"))
    return {
        LIVE: sandbox.live(*every_second, **ASKS).wait_serving(),
        DRY: harness.start(*every_second, *halted, "--symbol", f"EURUSD,GBPUSD,{DEAD}").wait_serving(),
    }


@pytest.fixture(scope="module")
def scraped(binary, tmp_path_factory):
    """One for all tests of this file, because all use the same minute."""
    directory = tmp_path_factory.mktemp("dashboard")
    sandbox, harness = Sandbox(binary, directory / "sandbox"), Harness(binary, directory / "harness")
    prometheus = None
    try:
        daemons = two_daemons(sandbox, harness, directory)
        labels = {"component": "trading", "region": "singapore"}
        targets = [
            (JOB, daemon.port, labels | {"instance": instance, "node": f"node of {instance}"})
            for instance, daemon in daemons.items()
        ]
        targets.append(("sentinel-staging", daemons[LIVE].port, labels | {"instance": STRANGER, "node": STRANGER}))
        config = directory / "prometheus.yml"
        config.write_text(yaml.safe_dump(configuration(targets)))
        shutil.copy(MONITORING / "alerts.yml", directory)
        (directory / "probe.yml").write_text(yaml.safe_dump({"groups": [{"name": "probe", "rules": PROBES}]}))
        prometheus = Prometheus(config, directory / "prometheus")

        scraped = Scraped(prometheus, daemons)

        def scrapes() -> bool:
            time.sleep(0.5)
            scraped.look()
            enough = scraped.result(f'sum_over_time(up{{job="{JOB}"}}[10m]) >= {SCRAPES}', True)
            # After a fill, positions are unknown until the gateway lists them again.
            return len(enough) == len(BOTH) and scraped.result(f'sentinel_positions_open{{job="{JOB}"}}', True)

        wait_until(f"{SCRAPES} scrapes and listed positions", scrapes, 3 * SCRAPES)
        yield scraped
    finally:
        if prometheus:
            prometheus.close()
        harness.close()
        sandbox.close()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_dashboard_keeps_the_rules(check):
    assert check(DASHBOARD) == []


def test_its_variables_are_datasource_job_instances_and_symbols():
    shown = [name for name, one in VARIABLES.items() if one["hide"] == 0]
    assert shown == ["datasource", "job", "instance", "symbol", "hub"]
    assert (VARIABLES["datasource"]["type"], VARIABLES["datasource"]["query"]) == ("datasource", "prometheus")
    assert VARIABLES["job"]["current"]["value"] == JOB
    for name in ("instance", "symbol"):
        one = VARIABLES[name]
        assert one["multi"] and one["includeAll"], "one, several or all"
        assert one["current"]["value"] == ["$__all"], "nothing depends on a name"
        assert one["allValue"] == grafana.choice(None)
    assert not VARIABLES["job"]["multi"], "`=` takes one value"


@pytest.mark.long
def test_the_variables_find_both_daemons_and_their_symbols(scraped):
    def found(name: str, **chosen) -> set[str]:
        selector, label = grafana.label_values(VARIABLES[name])
        selector = rules.with_values(selector, **VALUES, instance=grafana.choice(chosen.get("instances")))
        return set(scraped.prometheus.api(f"label/{label}/values", **{"match[]": selector}))

    assert found("job") == {JOB, "sentinel-staging"}
    assert found("instance") == set(BOTH)
    assert found("symbol") == {"EURUSD", "GBPUSD", DEAD}
    assert found("symbol", instances=[LIVE]) == {"EURUSD"}


def test_links_lead_to_prometheus_alertmanager_and_runbook():
    links = {link["title"]: link for link in DASHBOARD["links"]}
    assert list(links) == ["Prometheus", "Alertmanager", "Runbook"]
    assert all(link["targetBlank"] and link["type"] == "link" for link in links.values())
    hub = VARIABLES["hub"]
    assert hub["type"] == "textbox" and hub["query"] == hub["current"]["value"]
    config = tomllib.loads((ROOT / "config/base.toml").read_text())
    assert hub["query"] == config["model"]["host"], "HUB is where the model is"
    assert links["Prometheus"]["url"] == "http://${hub}:9090/alerts"
    assert links["Alertmanager"]["url"] == "http://${hub}:9093"
    assert links["Runbook"]["url"] == RUNBOOK
    assert [way["url"] for way in grafana.configured(panel_of("Firing alerts"), "Alert")["links"]] == [
        "http://${hub}:9090/alerts?search=${__value.raw}",
        RUNBOOK + "#:~:text=${__value.raw}",
    ]


def test_the_first_screen_has_what_an_on_call_person_needs():
    by_row = rows(DASHBOARD)
    assert list(by_row) == [
        "Now",
        "Cycle",
        "Stages",
        "Dependencies",
        "Symbols",
        "Model",
        "Orders and account",
        "Profit and loss",
        "Claim on the account",
        "Members",
        "Process",
    ]
    stats = [panel for panel in by_row["Now"] if panel["type"] == "stat"]
    assert [panel["title"] for panel in stats] == [
        "Up",
        "Ready",
        "Mode",
        "Kill switch",
        "Failing symbols",
        "Unresolved orders",
    ]
    assert {panel["gridPos"]["y"] for panel in stats} == {1}
    tables = [panel["title"] for panel in by_row["Now"] if panel["type"] == "table"]
    assert tables == ["Firing alerts", "Each INF", "Symbols that fail"]
    assert len(by_row["Now"]) == len(stats) + len(tables)
    assert max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in by_row["Now"]) <= FIRST_SCREEN


def test_other_rows_are_collapsed_and_load_when_opened():
    assert rules.opened(DASHBOARD) == rows(DASHBOARD)["Now"]
    assert len(rules.opened(DASHBOARD)) <= OPENED
    closed = [row for row in DASHBOARD["panels"] if row["type"] == "row" and row["title"] != "Now"]
    assert all(row["collapsed"] and row["panels"] for row in closed)


@pytest.mark.parametrize("title", ["Up", "Ready", "Mode", "Kill switch"])
def test_a_state_is_a_word_also_when_daemons_differ(title):
    config = grafana.configured(panel_of(title))
    words = [grafana.shown(config, value) for value in (0, 0.01, 0.5, 0.99, 1)]
    assert all(re.fullmatch(r"[a-z: ]+", word) and color for word, color in words)
    assert words[1] == words[2] == words[3]
    assert len({word for word, _ in words}) == 3


def test_failed_cycles_turn_red_where_the_alert_fires():
    config = grafana.configured(panel_of("Each INF"), "Failed in 1 h")
    assert [grafana.shown(config, value)[1] for value in (5, 6)] == ["transparent", "red"]
    [alert] = [one for one in ALERTS if one["alert"] == "SentinelCyclesFailing"]
    assert alert["expr"].lstrip("(").startswith("sentinel:trading_cycles_failed:increase1h > 5.5 ")


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_a_query_has_data_unless_its_panel_explains(scraped, query):
    values = scraped.values(query)
    # If a query may be empty, this checks only its syntax; other tests check its names.
    assert query.may_be_empty or any(map(math.isfinite, values)), f"of {len(values)} values none is a number"


def test_two_daemons_fill_nearly_all_panels(scraped):
    empty = {query.panel["title"] for query in QUERIES if not scraped.values(query)}
    assert empty <= MAY_BE_EMPTY | GUARDED_ONLY


@pytest.mark.parametrize("chosen", [None, BOTH, [LIVE], [DRY]], ids=["All", "both", "the live one", "the dry run"])
@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_a_query_is_only_about_the_selected_daemons(scraped, query, chosen):
    found = scraped.series(query, instances=chosen)
    if query.panel["type"] == "stat":
        assert len(found) == 1 and not found[0]["metric"], "one value for all of them"
        return
    title, wanted = query.panel["title"], set(chosen or BOTH)
    if title == "Firing alerts":
        wanted |= {None}
    elif title in LIVE_ONLY or query.name in ("Each INF J", "Each INF K"):
        wanted -= {DRY}
    elif title in DRY_ONLY:
        wanted -= {LIVE}
    elif title in GUARDED_ONLY:
        wanted = set()
    # A quantile without samples is NaN.
    told = [one for one in found if any(math.isfinite(float(value)) for _, value in one["values"])]
    seen = {series["metric"].get("instance") for series in told}
    assert seen == wanted or (title in MAY_BE_EMPTY and seen <= wanted)


def test_panels_by_symbol_show_only_selected_symbols(scraped):
    for query in filter(rules.by_symbol, QUERIES):
        seen = {series["metric"]["symbol"] for series in scraped.series(query, symbols=["GBPUSD", DEAD])}
        assert seen <= {"GBPUSD", DEAD}, query.name
        assert seen or query.may_be_empty, query.name


def test_the_first_row_is_right_for_one_and_both(scraped):
    def first_row(chosen: list[str] | None) -> list[tuple[str, str | None]]:
        return [scraped.stat(panel["title"], instances=chosen) for panel in rows(DASHBOARD)["Now"][:6]]

    up, ready, none = ("up", "green"), ("ready", "green"), ("0", "green")
    both = [up, ready, ("live and dry run", "blue"), ("on for some", "orange"), ("1", "orange"), none]
    assert first_row(None) == first_row(BOTH) == both
    assert first_row([LIVE]) == [up, ready, ("live", "green"), ("off", "green"), none, none]
    assert first_row([DRY]) == [up, ready, ("dry run", "blue"), ("on: no orders", "orange"), ("1", "orange"), none]


def test_last_states_disappear_after_a_day_without_scrape(scraped, monkeypatch):
    """After the last scrape there are no samples."""
    now, last = scraped.at, ["Mode", "Kill switch", "Unresolved orders"]
    seen = [scraped.stat(title) for title in last]
    monkeypatch.setattr(scraped, "at", now + 82_800)
    assert (scraped.stat("Up"), scraped.stat("Ready")) == (("no target", "red"), ("down", "red"))
    assert [scraped.stat(title) for title in last] == seen
    monkeypatch.setattr(scraped, "at", now + 90_000)
    assert [scraped.stat(title) for title in last] == 3 * [("not seen", "red")]


def test_unresolved_orders_are_those_of_the_alert():
    [alert] = [one for one in ALERTS if one["alert"] == "SentinelOrdersUnresolved"]
    family, window = re.fullmatch(r"last_over_time\((\w+)\{.*\}\[(\w+)\]\) > 0", alert["expr"].strip()).groups()
    expression = panel_of("Unresolved orders")["targets"][0]["expr"]
    assert re.search(rf"last_over_time\({family}\{{[^}}]*\}}\[{window}\]\)", expression)


INF_COLUMNS = [
    *("Instance", "Node", "Up", "Ready", "Mode", "Kill switch", "Market", "Last cycle", "Failed in 1 h"),
    *("Failing symbols", "Unresolved", "Equity", "Positions", "Clock ahead", "Restarts in 1 h", "Version", "Revision"),
]


def inf_lines(scraped, **chosen) -> dict[str, dict[str, str]]:
    """The displayed lines of the table of all INFs, by instance."""
    found = panel_of("Each INF")
    lines = scraped.table("Each INF", **chosen)
    assert all(list(line) == INF_COLUMNS for line in lines)
    assert len({line["Instance"] for line in lines}) == len(lines), "one line each"
    return {
        line["Instance"]: {
            name: value if isinstance(value, str) else grafana.shown(grafana.configured(found, name), value)[0]
            for name, value in line.items()
        }
        for line in lines
    }


def test_there_is_a_line_for_each_inf(scraped):
    lines = inf_lines(scraped)
    assert set(lines) == set(BOTH)
    for instance, line in lines.items():
        assert line["Node"] == f"node of {instance}"
        assert (line["Up"], line["Ready"]) == ("up", "ready")
        health = json.loads(scraped.daemons[instance].get("/health")[2])
        assert (line["Version"], line["Revision"]) == (health["version"], health["revision"])
        assert 0 <= int(line["Last cycle"]) <= 3
        assert int(line["Clock ahead"]) in (-1, 0, 1)
        assert (line["Failed in 1 h"], line["Unresolved"], line["Restarts in 1 h"]) == ("0", "0", "0")
    live, dry = lines[LIVE], lines[DRY]
    assert (live["Mode"], live["Kill switch"], live["Failing symbols"]) == ("live", "off", "0")
    assert (dry["Mode"], dry["Kill switch"], dry["Failing symbols"], dry["Market"]) == ("dry run", "on", "1", "open")
    assert float(live["Equity"]) > 1_000 and int(live["Positions"]) >= 0
    assert (dry["Equity"], dry["Positions"]) == ("not reported", "not reported")
    assert inf_lines(scraped, instances=[DRY]) == {DRY: dry}


def test_a_firing_alert_is_listed_with_instance_and_age(scraped):
    def listed(**chosen) -> set[tuple]:
        lines = scraped.table("Firing alerts", **chosen)
        return {(line["Alert"], line["Severity"], line["Instance"]) for line in lines}

    def fires(about: set[str]) -> set[tuple]:
        labels = [one["labels"] for one in scraped.prometheus.api("alerts")["alerts"] if one["state"] == "firing"]
        named = {(one["alertname"], one["severity"], one.get("instance", "")) for one in labels}
        return {one for one in named if one[2] in about and one[1] != "heartbeat" and one[0] != "SomebodyElses"}

    halted, trades = ("SentinelProbe", "warning", DRY), ("SentinelProbeLive", "critical", LIVE)
    about_hub = ("SentinelHubProbe", "warning", "")
    assert {halted, trades, about_hub} <= listed() == listed(instances=BOTH) == fires({LIVE, DRY, ""})
    assert {trades, about_hub} <= listed(instances=[LIVE]) == fires({LIVE, ""}), "HUB's own are always there"
    for line in scraped.table("Firing alerts"):
        assert 0 <= line["Since"] <= 3 * SCRAPES
        assert line["Since"] >= SCRAPES - 15 or "Probe" not in line["Alert"]
        assert list(line)[:4] == ["Alert", "Severity", "Instance", "Since"]


def test_a_failing_symbol_is_named_with_its_stage(scraped):
    [line] = scraped.table("Symbols that fail")
    assert list(line) == ["Symbol", "Instance", "Stage", "Failures in 1 h", "Last success"]
    assert (line["Symbol"], line["Instance"], line["Stage"]) == (DEAD, DRY, "fetch")
    assert line["Failures in 1 h"] >= SCRAPES / 3 and line["Failures in 1 h"] == round(line["Failures in 1 h"])
    assert SCRAPES - 5 <= line["Last success"] <= 3 * SCRAPES, "since the start"
    assert scraped.table("Symbols that fail", symbols=["EURUSD"]) == []


def test_failing_symbols_are_those_of_the_alert():
    [alert] = [one for one in ALERTS if one["alert"] == "SentinelSymbolFailing"]
    [many] = [one for one in ALERTS if one["alert"] == "SentinelSymbolsFailing"]
    assert alert["expr"].startswith("sentinel:symbol_failing:failures1h ")
    assert many["expr"].startswith("sentinel:symbols_failing:by_stage ")
    for target in panel_of("Symbols that fail")["targets"]:
        assert "sentinel:symbol_failing:failures1h{" in target["expr"]
    assert "sentinel:symbols_failing:count{" in panel_of("Failing symbols")["targets"][0]["expr"]


@pytest.mark.parametrize("panel", rules.panels(DASHBOARD), ids=lambda panel: panel["title"])
def test_the_legends_of_a_panel_are_unique(scraped, panel):
    if panel["type"] == "table":
        return
    legends = []
    for query in [Query(panel, target) for target in panel["targets"]]:
        for series in scraped.series(query):
            wanted = re.findall(r"\{\{(\w+)\}\}", query.target["legendFormat"])
            assert set(wanted) <= set(series["metric"]), "the legend names a label that the series does not have"
            legends.append(re.sub(r"\{\{(\w+)\}\}", lambda one: series["metric"][one[1]], query.target["legendFormat"]))
    assert len(set(legends)) == len(legends)
    for override in panel["fieldConfig"]["overrides"]:
        assert override["matcher"]["id"] == "byRegexp"
        asked = override["matcher"]["options"].strip("/")
        assert any(re.search(asked, legend) for legend in legends) or panel["title"] in MAY_BE_EMPTY, asked


def test_every_metric_exists(scraped):
    assert rules.names(DASHBOARD, CLAIM | scraped.types) == []


def test_every_family_is_shown_or_omitted_for_a_reason(scraped):
    shown = rules.families(DASHBOARD, CLAIM | scraped.types)
    assert set(CLAIM | scraped.types) - shown == set(LEFT_OUT)
    assert {family.name for family in EIGHTEEN} <= shown


@pytest.mark.parametrize("annotation", DASHBOARD["annotations"]["list"], ids=lambda annotation: annotation["name"])
@pytest.mark.parametrize("chosen", [None, [LIVE]], ids=["All", "the live one"])
def test_an_annotation_is_about_the_selected_daemons(scraped, annotation, chosen):
    assert annotation["datasource"] == rules.DATASOURCE
    expression = rules.with_values(annotation["expr"], job=JOB, instance=grafana.choice(chosen))
    found = scraped.result(expression, False, 600)
    # Both daemons started within these ten minutes, and a probe alert fires for each.
    of_hub = {None} if annotation["name"] == "Alerts" else set()
    assert {series["metric"].get("instance") for series in found} == set(chosen or BOTH) | of_hub


def test_a_stopped_daemon_keeps_only_its_last_states(scraped):
    def is_down() -> bool:
        return bool(scraped.prometheus.query(f'up{{job="{JOB}",instance="{LIVE}"}} == 0'))

    scraped.daemons[LIVE].stop()
    wait_until("up == 0", is_down, 30)
    # Recorded series end with the next evaluation.
    time.sleep(2)
    scraped.at = time.time()
    first_row = [panel["title"] for panel in rows(DASHBOARD)["Now"][:6]]
    words = {title: scraped.stat(title, instances=[LIVE]) for title in first_row}
    assert words.pop("Up") == ("down", "red")
    # Its orders are still unsettled, and it would start in the same mode.
    last = {"Mode": ("live", "green"), "Kill switch": ("off", "green"), "Unresolved orders": ("0", "green")}
    assert {title: words.pop(title) for title in last} == last
    assert set(words.values()) == {("down", "red")}, "of the others Grafana shows the word for an absent value"
    assert scraped.stat("Up") == ("some down", "red")
    assert scraped.stat("Ready") == ("ready", "green"), "the one that answers"
    line = inf_lines(scraped)[LIVE]
    assert (line["Up"], line["Node"]) == ("down", f"node of {LIVE}")
    # Failures and restarts of the last hour are still counted.
    kept = {"Instance", "Node", "Up", "Failed in 1 h", "Restarts in 1 h", "Mode", "Kill switch", "Unresolved"}
    assert {name for name, value in line.items() if value not in ("no answer", "not reported", None)} == kept
    assert inf_lines(scraped)[DRY]["Up"] == "up"


def mutant(change) -> dict:
    """A copy of the dashboard that is broken in one place. `change` gets the panels by title, and the whole dashboard."""
    broken = copy.deepcopy(DASHBOARD)
    change({panel["title"]: panel for panel in rules.panels(broken)}, broken)
    assert broken != DASHBOARD
    return broken


def expression(title: str, old: str, new: str, number: int = 0):
    """Changes a query of a panel, by default the first one."""

    def change(panels: dict, _):
        target = panels[title]["targets"][number]
        assert old in target["expr"]
        target["expr"] = target["expr"].replace(old, new)

    return change


def panel(title: str, **new):
    """Changes keys of a panel."""
    return lambda panels, _: panels[title].update(new)


def within(title: str, *path, **new):
    """Changes keys at this path inside a panel."""

    def change(panels: dict, _):
        inner = panels[title]
        for step in path:
            inner = inner[step]
        inner.update(new)

    return change


DEFAULTS = ("fieldConfig", "defaults")
COLUMN = ("fieldConfig", "overrides", 0)
ORGANIZE = ("transformations", 1, "options")
# What is broken -> the checks that notice it, and how to break it.
MUTANTS = {
    "unit removed": ("words schemas", lambda panels, _: panels["Memory"]["fieldConfig"]["defaults"].pop("unit")),
    "unit invented": ("words schemas", within("Memory", *DEFAULTS, unit="byte")),
    "unit no base unit": ("words", within("Cycle duration", *DEFAULTS, unit="ms")),
    "no title": ("words", lambda panels, _: panels["Up"].update(title="")),
    "no description": ("words", panel("Up", description="")),
    "id twice": ("words", panel("Up", id=3)),
    "id twice in a closed row": ("words", panel("CPU", id=2)),
    "too fine": ("words", panel("Up", interval="1s")),
    "editable": ("words", lambda _, broken: broken.update(editable=True)),
    "unknown key": ("schemas", panel("Up", colour="red")),
    "unknown key in a closed row": ("schemas", panel("CPU", colour="red")),
    "unknown panel": ("schemas", panel("CPU", type="graph")),
    "unknown option": ("schemas", within("Up", "options", graphMode="bars")),
    "unknown table option": ("schemas", within("Each INF", "options", header=True)),
    "unknown style": ("schemas", within("CPU", *DEFAULTS, "custom", drawStyle="dots")),
    "unknown query key": ("schemas", within("CPU", "targets", 0, query="up")),
    "unknown override": ("schemas", within("Each INF", *COLUMN, "properties", 0, id="colour")),
    "override of a wrong type": ("schemas", within("Each INF", *COLUMN, "properties", 0, value="up")),
    "mapping of a wrong form": ("schemas", within("Each INF", *COLUMN, "properties", 0, value=[{"type": "value"}])),
    "column's unit invented": ("words schemas", within("Each INF", *COLUMN, "properties", 0, id="unit", value="byte")),
    "job dropped": ("matchers", expression("Up", 'job="$job",', "")),
    "job fixed": ("matchers", expression("Up", "$job", "sentinel")),
    "one instance only": ("matchers", expression("Up", "=~", "=")),
    "instance fixed": ("matchers", expression("CPU", "$instance", "inf-sentinel")),
    "symbol dropped": ("matchers", expression("Age of the newest bar", ',symbol=~"$symbol"', "")),
    "symbol in the first row": ("matchers", expression("Failing symbols", "}", ',symbol=~"$symbol"}')),
    "no matchers": ("matchers", expression("Up", '{job="$job",instance=~"$instance"}', "")),
    "datasource fixed": ("matchers", within("Up", "targets", 0, datasource={"uid": "mine"})),
    "recorded by nobody": ("matchers", expression("Up", "up{", "job:up{")),
    "alerts of all instances": ("matchers", expression("Firing alerts", ',instance=~"$instance|"', "")),
    "legend without instance": ("instances", within("CPU", "targets", 0, legendFormat="CPU")),
    "daemons added up": ("instances", expression("Cycle duration", "by (job, instance, node, le)", "by (le)")),
    "daemons not grouped": ("instances", expression("Each INF", "max by (job, instance, node)", "max")),
    "nodes added up": ("instances", expression("Cycle duration", "instance, node, le", "instance, le")),
    "joined by symbol alone": (
        "instances",
        expression("Symbols that fail", "on (job, instance, node, symbol)", "on (symbol)", 1),
    ),
    "one of several": ("instances", expression("Up", "avg(", "(")),
    "rate fixed": ("windows", expression("Cycles per minute", "$__rate_interval", "5m")),
    "more than the last state of a day": ("windows", expression("Mode", "last_over_time", "avg_over_time")),
    "window not in the column": (
        "tables windows",
        within("Symbols that fail", *ORGANIZE, "renameByName", **{"Value #A": "Failures"}),
    ),
    "not merged": ("tables", lambda panels, _: panels["Each INF"]["transformations"].pop(0)),
    "column without a name": (
        "tables",
        within("Each INF", *ORGANIZE, "renameByName", **{"Value #F": "Value"}),
    ),
    "column renamed": ("tables", within("Each INF", *ORGANIZE, "renameByName", **{"Value #A": "Is up"})),
    "sorted by nothing": ("tables", within("Each INF", "options", "sortBy", 0, displayName="Name")),
    "table over time": ("tables", within("Each INF", "targets", 0, format="time_series")),
    "overlap": ("grid", within("Ready", "gridPos", x=2)),
    "hole": ("grid", within("Unresolved orders", "gridPos", w=2)),
    "too wide": ("grid", within("Unresolved orders", "gridPos", w=5)),
    "overlap in a closed row": ("grid", within("Memory", "gridPos", x=2)),
    "panels of an open row inside it": (
        "grid",
        lambda _, broken: [row.update(collapsed=False) for row in broken["panels"] if row["title"] == "Cycle"],
    ),
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


def test_a_family_shown_by_its_recording_counts_as_shown(scraped):
    assert "sentinel_last_bar_timestamp_seconds" in rules.families(DASHBOARD, scraped.types)
    broken = mutant(expression("Age of the newest bar", "sentinel:last_bar:age_seconds", "sentinel:market_open:known"))
    assert "sentinel_last_bar_timestamp_seconds" not in rules.families(broken, scraped.types)


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
    mounts = re.findall(r"-v (?:\./)?(\S+):(/\S+):ro", file.read_text())
    assert all((GRAFANA / here).is_file() for here, _ in mounts)
    assert RUNBOOK.startswith("/public/"), "what Grafana itself serves from its public folder"
    assert dict(mounts) == {
        "provisioning/datasources/sentinel.yml": "/etc/grafana/provisioning/datasources/sentinel.yml",
        "provisioning/dashboards/sentinel.yml": "/etc/grafana/provisioning/dashboards/sentinel.yml",
        "sentinel.json": f"{path}/sentinel.json",
        "../RUNBOOK.md": f"/usr/share/grafana{RUNBOOK}",
    }
    compose = (ROOT / "docker/compose.yaml").read_text()
    for here, there in mounts:
        assert f"- {os.path.normpath(Path('../config/monitoring/grafana') / here)}:{there}:ro\n" in compose
