"""The text of /metrics in both formats: the contract with HUB, checked by three parsers and a real Prometheus."""

import itertools
import subprocess
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from parts import http
from parts.contract import EIGHTEEN, catalogue
from parts.daemon import free_port, wait_until
from parts.exposition import PREFIX, duplicate_series, strict_families
from parts.harness import variables
from parts.prometheus import Prometheus
from parts.requirements import require


# Then nothing is known of any account, whose families are absent until it is.
NO_MONEY = {"gateway.account_poll_s": "0", "paper.enabled": "false"}


@pytest.fixture
def first_scrape(harness):
    """The exposition before the end of any cycle: the market hangs."""
    harness.market.always = http.hang
    return harness.start(settings=NO_MONEY).wait_serving().metrics()


@pytest.fixture
def after_a_cycle(harness):
    """The exposition after one live cycle over two symbols."""
    daemon = harness.start_live(harness.gateway(), "--symbol", "EURUSD,GBPUSD", "--cycles", "1", settings=NO_MONEY)
    return daemon.after_cycles(1)


OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def in_openmetrics(daemon, method: str = "GET") -> tuple[str, str]:
    """Content type and body of /metrics if OpenMetrics is requested."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{daemon.port}/metrics", headers={"Accept": OPENMETRICS}, method=method
    )
    with urllib.request.urlopen(request, timeout=5) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


def types(text: str) -> dict[str, str]:
    """Family name -> type, as declared in the text."""
    return dict(line.split(" ")[2:4] for line in text.splitlines() if line.startswith("# TYPE "))


@pytest.mark.parametrize("family", EIGHTEEN, ids=lambda family: family.name)
def test_a_family_of_the_contract_is_exactly_as_agreed(after_a_cycle, family):
    assert types(after_a_cycle.text)[family.name] == family.type
    found = [dict(labels) for name, labels in after_a_cycle.values if name in (family.name, family.name + "_bucket")]
    assert found
    wanted_labels = set(family.labels) | ({"le"} if family.type == "histogram" else set())
    assert all(set(labels) == wanted_labels for labels in found)
    spelled = [labels["le"] for labels in found if "le" in labels]
    assert set(family.original_buckets) <= set(spelled)
    assert all(bound == "+Inf" or bound == str(float(bound)) for bound in spelled)
    for label, values in family.labels.items():
        assert {labels[label] for labels in found} == set(values)


def test_all_children_of_the_contract_exist_from_the_first_scrape(first_scrape):
    for family in EIGHTEEN:
        if family.type == "gauge":
            continue
        suffix = "_count" if family.type == "histogram" else ""
        for values in itertools.product(*family.labels.values()):
            labels = dict(zip(family.labels, values, strict=True))
            assert first_scrape(family.name.removeprefix(PREFIX) + suffix, **labels) == 0, (family.name, labels)


def differences(metrics, symbols: list[str], told: set[str] = frozenset()) -> list[str]:
    """The differences between an exposition and the catalogue. `told` are the families that are present although the catalogue
    has them as absent until reported."""
    rows, found = [row for row in catalogue() if not row.is_absent_until_told or row.name in told], []
    declared = [tuple(line.split(" ", 3)[2:]) for line in metrics.text.splitlines() if line.startswith("# TYPE ")]
    if declared != [(row.name, row.type) for row in rows]:
        found.append(f"names, types or their order: {declared}")
    helps = [tuple(line.split(" ", 3)[2:]) for line in metrics.text.splitlines() if line.startswith("# HELP ")]
    if helps != [(row.name, row.help) for row in rows]:
        found.append(f"help: {helps}")
    series, wanted = {(name, labels) for name, labels in metrics.values}, set()
    for row in rows:
        children = row.children(symbols)
        if row.name == "sentinel_build_info":
            # The catalogue's values are examples; only the daemon knows the real ones.
            children = {labels for name, labels in series if name == row.name}
            if [set(dict(labels)) for labels in children] != [set(row.labels)]:
                found.append(f"{row.name}: {children}")
        if row.type == "histogram":
            bounds = [*row.buckets, "+Inf"]
            wanted |= {(row.name + "_bucket", child | {("le", le)}) for child in children for le in bounds}
            # With observations below zero a sum could fall, which OpenMetrics forbids.
            suffixes = () if float(row.buckets[0]) < 0 else ("_sum", "_count")
            wanted |= {(row.name + suffix, child) for child in children for suffix in suffixes}
        else:
            wanted |= {(row.name, child) for child in children}
    found += [f"missing: {one}" for one in sorted(map(str, wanted - series))]
    return found + [f"not in the catalogue: {one}" for one in sorted(map(str, series - wanted))]


def test_the_first_scrape_is_exactly_the_catalogue(first_scrape):
    assert differences(first_scrape, ["EURUSD"]) == []


def test_a_scrape_after_a_cycle_is_exactly_the_catalogue(after_a_cycle):
    assert differences(after_a_cycle, ["EURUSD", "GBPUSD"]) == []
    assert len(catalogue()) == 85


def test_the_contract_has_eighteen_families_and_comes_first():
    assert [row.is_original for row in catalogue()] == [True] * 18 + [False] * (len(catalogue()) - 18)
    assert sum(len(family.original_buckets) for family in EIGHTEEN) == 25


def test_symbols_and_actors_never_label_the_contract(after_a_cycle):
    """They would change the identity of series of which HUB has years."""
    names = {family.name for family in EIGHTEEN}
    for (name, labels) in after_a_cycle.values:
        if name in names:
            assert not {"symbol", "actor", "component"} & set(dict(labels))


def test_the_configuration_hash_is_that_of_check(harness):
    settings = {"metrics.bind": "127.0.0.1", "metrics.port": free_port(), "data.base_url": harness.market.url}
    settings |= {"model.host": "127.0.0.1", "model.port": harness.model.port, "market.calendar": "always"}
    # The journal's path is part of the hash, and the two processes have different folders.
    settings |= {"journal.path": harness.directory / "journal.db"}
    shown = harness.start("--cycles", "1", settings=settings).wait_serving().metrics()("config_hash")
    check = harness.command("check", "--cycles", "1", **variables(settings) | {"EODHD_API_TOKEN": "another"})
    assert check.wait_exit()[0] == 0
    printed = [line.split()[-1] for line in check.output().splitlines() if line.startswith("# sentinel_config_hash ")]
    assert printed == [str(int(shown))], "a token has no part in it"


def test_promtool_accepts_the_text(after_a_cycle):
    require("promtool")
    check = subprocess.run(["promtool", "check", "metrics"], input=after_a_cycle.text, capture_output=True, text=True)
    assert (check.returncode, check.stdout + check.stderr) == (0, "")


def test_the_text_parses_as_strictly_as_openmetrics(after_a_cycle):
    assert len(strict_families(after_a_cycle.text)) == len(types(after_a_cycle.text))


def test_openmetrics_parses_strictly(harness):
    daemon = harness.start_live(harness.gateway(), "--symbol", "EURUSD,GBPUSD", "--cycles", "1", settings=NO_MONEY)
    daemon.after_cycles(1)
    content_type, text = in_openmetrics(daemon)
    assert content_type == OPENMETRICS and text.endswith("\n# EOF\n")
    families = {family.name: family for family in strict_families(text)}
    rows = [row for row in catalogue() if not row.is_absent_until_told]
    assert len(families) == len(rows) and duplicate_series(text) == []
    for row in rows:
        family = families[row.name.removesuffix("_total")]
        assert (family.type, family.documentation) == (row.type, row.help)
        unit = next((unit for unit in ("seconds", "bytes", "points", "ratio") if family.name.endswith("_" + unit)), "")
        assert family.unit == unit
    assert in_openmetrics(daemon, "HEAD") == (OPENMETRICS, "")


def test_no_series_occurs_twice(after_a_cycle):
    assert duplicate_series(after_a_cycle.text) == []


def test_the_content_type_is_that_of_the_text_format(harness):
    status, headers, _ = harness.start("--cycles", "1").wait_serving().get("/metrics")
    assert status == 200
    assert headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_a_real_prometheus_scrapes_all_eighteen(harness, tmp_path):
    daemon = harness.start_live(harness.gateway(), "--schedule", "* * * * * *").wait_serving()
    config = tmp_path / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s}\n"
        f"scrape_configs: [{{job_name: sentinel, static_configs: [{{targets: ['127.0.0.1:{daemon.port}']}}]}}]\n"
    )
    prometheus = Prometheus(config, tmp_path / "prometheus")
    try:
        wait_until("up == 1", lambda: prometheus.query("up == 1"), 30)
        wait_until("a cycle in Prometheus", lambda: prometheus.query("sentinel_trading_cycles_total > 0"), 10)
        for family in EIGHTEEN:
            suffix = "_bucket" if family.type == "histogram" else ""
            assert prometheus.query(family.name + suffix), family.name
        assert prometheus.query('sentinel_trading_cycle_duration_seconds_bucket{le="1.0"}')
    finally:
        prometheus.close()


@pytest.fixture
def without_accept():
    """`without_accept(port)` forwards /metrics of that port at another port, without an Accept header, so a Prometheus behind
    it gets the text format."""
    servers = []

    def start(port: int) -> int:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                    content_type, body = answer.headers["Content-Type"], answer.read()
                self.send_response(200)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return servers[-1].server_port

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_prometheus_stores_the_same_series_from_both_formats(harness, tmp_path, without_accept):
    daemon = harness.start_live(harness.gateway(), "--cycles", "1", settings=NO_MONEY)
    daemon.after_cycles(1)
    config = tmp_path / "prometheus.yml"
    ports = {"open": daemon.port, "plain": without_accept(daemon.port)}
    jobs = [f"{{job_name: {job}, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}" for job, port in ports.items()]
    config.write_text(f"global: {{scrape_interval: 1s}}\nscrape_configs: [{', '.join(jobs)}]\n")
    prometheus = Prometheus(config, tmp_path / "prometheus")
    try:
        wait_until("both are scraped", lambda: prometheus.value("count(up == 1)") == 2, 30)
        units = {job: prometheus.api("targets/metadata", match_target=f'{{job="{job}"}}', limit="500") for job in ports}
        told = {job: {entry["unit"] for entry in entries} for job, entries in units.items()}
        assert told == {"open": {"", "seconds", "bytes", "points"}, "plain": {""}}, "each came in its own format"

        def series(job: str) -> set[frozenset]:
            taken = {"job", "instance"}
            found = prometheus.query(f'{{job="{job}"}}')
            return {frozenset(item for item in one["metric"].items() if item[0] not in taken) for one in found}

        began = {one for one in series("open") if dict(one)["__name__"].endswith("_created")}
        assert series("open") - began == series("plain")
        counting = [row for row in catalogue() if row.type != "gauge"]
        assert len(began) == sum(len(row.children(["EURUSD"])) for row in counting)
        started = prometheus.value("process_start_time_seconds{job='open'}")
        born = [float(one["value"][1]) for one in prometheus.query('{job="open",__name__=~".+_created"}')]
        assert all(0 <= at - started < 30 for at in born), (started, born[:3])
        assert len(series("open")) > 200
        assert prometheus.query('sentinel_last_cycle_timestamp_unix{job="open"} > 0')
        assert prometheus.query('sentinel_trading_cycle_duration_seconds_bucket{job="open",le="1.0"}')
    finally:
        prometheus.close()
