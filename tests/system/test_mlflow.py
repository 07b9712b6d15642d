"""Requests to a real MLflow server whose model checks the shapes, and equality with the golden files."""

import json

import numpy
import pytest

from parts.paths import ROOT

GOLDEN = ROOT / "tests/golden"


def run(harness, server, *args, **settings):
    """A dry run with the real server; its metrics after one cycle."""
    return harness.start("--cycles", "1", *args, settings={"model.port": server.port} | settings).after_cycles(1)


def test_one_symbol_is_one_row_of_the_right_shapes(harness, mlflow_server):
    metrics = run(harness, mlflow_server)
    assert metrics.errors("hub") == {}
    assert metrics.nonzero("trading_signals_total", "action") == {"BUY": 1}
    assert numpy.shape(mlflow_server.seen()["tabular"]) == (1, 23)
    assert numpy.shape(mlflow_server.seen()["sequential"]) == (1, 60, 23)


def test_three_symbols_are_three_rows_of_one_request(harness, mlflow_server):
    metrics = run(harness, mlflow_server, "--symbol", "EURUSD,GBPUSD,USDJPY")
    assert metrics("prediction_requests_total") == metrics("api_calls_total", endpoint="hub") == 1
    assert numpy.shape(mlflow_server.seen()["sequential"]) == (3, 60, 23)
    for symbol, action in [("EURUSD", "BUY"), ("GBPUSD", "SELL"), ("USDJPY", "HOLD")]:
        assert metrics("symbol_signals_total", symbol=symbol, action=action) == 1


@pytest.mark.parametrize("case", sorted(path.stem for path in GOLDEN.glob("*.json")))
def test_the_features_that_arrive_are_the_golden_ones(harness, mlflow_server, case):
    golden = json.loads((GOLDEN / f"{case}.json").read_text())
    harness.market.bars = golden["bars"]
    metrics = run(harness, mlflow_server, "--clock", "bars")
    assert metrics("trading_cycles_failed_total") == 0
    seen = mlflow_server.seen()
    tabular, wanted = numpy.array(seen["tabular"][0]), numpy.array(golden["tabular"])
    assert (numpy.abs(tabular - wanted) <= 1e-12 + 1e-10 * numpy.abs(wanted)).all()
    sequence = numpy.array(seen["sequential"][0], dtype=numpy.float32)
    wanted = numpy.array(golden["sequence"], dtype=numpy.float32)
    neighbours = (numpy.nextafter(wanted, numpy.float32(s) * numpy.float32("inf")) for s in (1, -1))
    assert numpy.logical_or.reduce([sequence == wanted, *(sequence == n for n in neighbours)]).all()


def test_a_model_with_another_shape_is_a_counted_failure(harness, mlflow_server):
    """In the nested form of the old daemon the stacked rows are 1x23 each. This model refuses them with 400."""
    metrics = run(harness, mlflow_server, **{"model.tabular": "nested"})
    assert metrics.errors("hub") == {"exception": 1}
    assert metrics("trading_cycles_failed_total") == 1
