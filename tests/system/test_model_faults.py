"""Faults of the model server: they cost symbols their decision, are counted under their own code, and never cause an order."""

import pytest

from parts import http
from parts.model import BUY, predictions

NAN = float("nan")


def run(harness, *args):
    """A live daemon, so that an order could be sent; its metrics after one cycle, and its gateway."""
    gateway = harness.gateway("v43")
    daemon = harness.start_live(gateway, "--cycles", "1", *args)
    metrics = daemon.after_cycles(1)
    assert daemon.get("/livez")[0] == 200
    return metrics, gateway


FAULTS = [
    pytest.param(http.status(400, '{"error_code": "BAD_REQUEST", "message": "boom"}'), "exception", id="400"),
    pytest.param(http.status(500), "500", id="500"),
    pytest.param(http.status(504, "timed out", Content_Type="text/plain"), "504", id="504"),
    pytest.param(http.status(302, Location="/invocations"), "exception", id="redirect"),
    pytest.param(http.truncated, "exception", id="truncated"),
    pytest.param(http.text('{"predictions": [['), "bad_shape", id="malformed"),
    pytest.param(http.text("{}"), "bad_shape", id="no predictions"),
    pytest.param(predictions([]), "bad_shape", id="no rows"),
    pytest.param(predictions([BUY, BUY]), "bad_shape", id="too many rows"),
    pytest.param(predictions([[0.1, 0.2, 0.3, 0.4]]), "bad_shape", id="four classes"),
    pytest.param(predictions([[0.3, 0.7]]), "bad_shape", id="two classes"),
    pytest.param(predictions([[0.1, 0.1, 0.9]]), "bad_shape", id="sum off"),
    pytest.param(predictions([[-0.2, 0.2, 1.0]]), "bad_shape", id="outside 0..1"),
    pytest.param(predictions([[NAN, 0.2, 0.8]]), "bad_shape", id="NaN"),
    pytest.param(predictions([["a", "b", "c"]]), "bad_shape", id="words"),
    pytest.param(predictions(2), "bad_shape", id="a class"),
]


@pytest.mark.parametrize(("fault", "code"), FAULTS)
def test_a_fault_is_counted_and_nothing_is_ordered(harness, fault, code):
    harness.model.always = fault
    metrics, gateway = run(harness)
    assert set(metrics.errors("hub")) == {code}
    assert metrics("prediction_failures_total") == metrics("trading_cycles_failed_total") == 1
    assert metrics("prediction_latency_seconds_count") == 0
    assert metrics.sum("trading_signals_total") == 0
    assert gateway.requests == []


@pytest.mark.parametrize("fault", [http.hang, http.drip], ids=["hang", "drip"])
def test_the_model_has_one_second_for_the_whole_call(harness, fault):
    harness.model.always = fault
    metrics, gateway = run(harness)
    assert metrics.errors("hub") == {"timeout": 1}
    assert 0.95 < metrics("trading_cycle_duration_seconds_sum") < 3
    assert gateway.requests == []


def test_a_missing_model_is_a_connect_error(harness):
    harness.model.close()
    metrics, gateway = run(harness)
    assert set(metrics.errors("hub")) == {"connect"}
    assert metrics("prediction_failures_total") == 1
    assert gateway.requests == []


@pytest.mark.parametrize("bad", [[NAN, 0.2, 0.8], [0.5, 0.5], [0.9, 0.9, 0.9]], ids=["NaN", "two classes", "sum off"])
def test_a_bad_row_costs_only_its_symbol(harness, bad):
    harness.model.always = predictions([bad, BUY])
    metrics, gateway = run(harness, "--symbol", "EURUSD,GBPUSD")
    assert [request["symbol"] for request in gateway.requests] == ["GBPUSD"]
    assert metrics("prediction_failures_total") == 0
    assert metrics("trading_cycles_failed_total") == 0, "one of two is not more than half"
    assert metrics("symbol_failures_total", symbol="EURUSD", stage="predict") == 1


def test_a_wrong_row_count_costs_the_request(harness):
    harness.model.always = predictions([BUY])
    metrics, gateway = run(harness, "--symbol", "EURUSD,GBPUSD")
    assert set(metrics.errors("hub")) == {"bad_shape"}
    assert gateway.requests == []


RECORD = {"class_0_prob": 0.1, "class_1_prob": 0.2, "class_2_prob": 0.7}


@pytest.mark.parametrize(
    "answer",
    [predictions([BUY]), predictions([RECORD]), http.text("[[0.1, 0.2, 0.7]]")],
    ids=["lists", "records", "a bare list"],
)
def test_all_answer_shapes_of_servers_are_read(harness, answer):
    harness.model.always = answer
    metrics, gateway = run(harness)
    assert metrics("trading_signals_total", action="BUY") == len(gateway.requests) == 1
    assert metrics("last_prediction_confidence") == pytest.approx(0.7)
