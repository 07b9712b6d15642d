"""The text of /metrics: the contract with HUB, checked by three parsers and by a real Prometheus."""

import itertools
import subprocess

import pytest

from parts import http
from parts.contract import EIGHTEEN, FURTHER
from parts.daemon import wait_until
from parts.exposition import PREFIX, duplicate_series, strict_families
from parts.prometheus import Prometheus


@pytest.fixture
def first_scrape(rig):
    """The exposition before any cycle could end: the market hangs."""
    rig.market.always = http.hang
    return rig.start().wait_serving().metrics()


@pytest.fixture
def after_a_cycle(rig):
    """The exposition after one live cycle over two symbols."""
    daemon = rig.start_live(rig.gateway(), "--symbol", "EURUSD,GBPUSD", "--cycles", "1")
    return daemon.after_cycles(1)


def types(text: str) -> dict[str, str]:
    """Family name -> type, as the text declares them."""
    return dict(line.split(" ")[2:4] for line in text.splitlines() if line.startswith("# TYPE "))


@pytest.mark.parametrize("family", EIGHTEEN, ids=lambda family: family.name)
def test_a_family_of_the_contract_is_exactly_as_agreed(after_a_cycle, family):
    assert types(after_a_cycle.text)[family.name] == family.type
    found = [dict(labels) for name, labels in after_a_cycle.values if name in (family.name, family.name + "_bucket")]
    assert found
    wanted_labels = set(family.labels) | ({"le"} if family.type == "histogram" else set())
    assert all(set(labels) == wanted_labels for labels in found)
    spelled = [labels["le"] for labels in found if "le" in labels]
    assert set(family.bounds.split()) <= set(spelled)
    assert all("." in bound or bound == "+Inf" for bound in spelled)
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


def test_the_further_families_exist_with_their_labels(after_a_cycle):
    for name, labels in FURTHER.items():
        series = [dict(found) for sample, found in after_a_cycle.values if sample in (name, name + "_count")]
        assert series, name
        assert all(set(one) == labels for one in series), name


def test_symbols_and_actors_never_label_the_contract(after_a_cycle):
    """They would change the identity of series that HUB has years of."""
    names = {family.name for family in EIGHTEEN}
    for (name, labels) in after_a_cycle.values:
        if name in names:
            assert not {"symbol", "actor", "component"} & set(dict(labels))


def test_there_are_no_families_that_the_catalogue_does_not_have(after_a_cycle):
    assert set(types(after_a_cycle.text)) == {family.name for family in EIGHTEEN} | set(FURTHER)


def test_promtool_finds_nothing_to_object_to(after_a_cycle):
    check = subprocess.run(["promtool", "check", "metrics"], input=after_a_cycle.text, capture_output=True, text=True)
    assert (check.returncode, check.stdout + check.stderr) == (0, "")


def test_the_text_parses_as_strictly_as_openmetrics(after_a_cycle):
    assert len(strict_families(after_a_cycle.text)) == len(types(after_a_cycle.text))


def test_no_series_occurs_twice(after_a_cycle):
    assert duplicate_series(after_a_cycle.text) == []


def test_the_content_type_is_the_one_of_the_text_format(rig):
    status, headers, _ = rig.start("--cycles", "1").wait_serving().get("/metrics")
    assert status == 200
    assert headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_a_real_prometheus_scrapes_all_eighteen(rig, tmp_path):
    daemon = rig.start_live(rig.gateway(), "--schedule", "* * * * * *").wait_serving()
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
