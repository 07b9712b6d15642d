"""`sentinel verify model`: real requests with recorded bars, the checks of the answers, and their latency."""

import json
import time

import pytest

from parts.daemon import free_port
from parts.harness import variables
from parts.http import hang, status, text, truncated
from parts.model import BUY, HOLD, SELL, predictions


def verify(harness, *args: str, port: int | None = None, settings: dict | None = None) -> tuple[int, str]:
    """Runs it without a token: exit code and output."""
    usual = {"model.host": "127.0.0.1", "model.port": port or harness.model.port, "model.deadline_ms": 3000}
    said = harness.command("verify", "model", *args, EODHD_API_TOKEN="", **variables(usual | (settings or {})))
    code, _ = said.wait_exit(30)
    return code, said.output()


def marks(said: str) -> dict[str, str]:
    """The report as `{"latency": "ok"}`; the worst of several lines with one name."""
    order = ["ok", "--", "FAILED"]
    found: dict[str, str] = {}
    for line in map(str.split, said.splitlines()):
        if line and line[0] in order:
            found[line[1]] = max(found.get(line[1], "ok"), line[0], key=order.index)
    return found


def by_content(handler, request):
    """Odds that depend only on the row, as for a real model."""
    rows = request.json()["dataframe_split"]["data"]
    return [[p, 0.1, 0.9 - p] for p in (abs(row[0][9]) % 80 / 100 for row in rows)]


def good(handler, request):
    """A good model at every path except /ping and the like."""
    if request.path != "/invocations":
        return handler.answer("2.9.1")
    return handler.answer(json.dumps({"predictions": by_content(handler, request)}))


def invocations(behaviour):
    """This behaviour at /invocations, the healthy answer elsewhere."""
    return lambda handler, request: (behaviour if request.path == "/invocations" else good)(handler, request)


def test_a_good_model_passes_with_the_daemons_requests(harness):
    harness.model.always = good
    code, said = verify(harness, "--symbol", "EURUSD,GBPUSD,USDJPY")
    assert code == 0, said
    passed = dict.fromkeys(("answer", "steady", "windows", "latency", "rows"), "ok")
    assert marks(said) == {"server": "--"} | passed
    assert "/version 2.9.1" in said and "3 rows of one request get the same answers as alone" in said
    asked = [request for request in harness.model.requests if request.path == "/invocations"]
    rows = [len(request.json()["dataframe_split"]["data"]) for request in asked]
    assert rows == [1, 1] + 5 * [1] + 5 * [3] + 3 * [1]
    assert len({request.body for request in asked[2:7]}) == 5
    tabular, sequence = asked[7].json()["dataframe_split"]["data"][1]
    assert (len(tabular), len(sequence), {len(row) for row in sequence}) == (23, 60, {23})
    assert harness.market.requests == [] and not list((harness.directory / "daemon-0").glob("*.db"))


def test_odds_and_decision_are_shown(harness):
    buys = [[0.1, 0.2, 0.7]]

    def first_buys(handler, request):
        if len([it for it in harness.model.requests if it.path == "/invocations"]) <= 2:
            return handler.answer(json.dumps(buys))
        return good(handler, request)

    harness.model.always = invocations(first_buys)
    code, said = verify(harness)
    assert code == 0 and "SELL 0.100, HOLD 0.200, BUY 0.700: BUY at threshold 0.6" in said
    harness.model.requests.clear()
    code, said = verify(harness, "--threshold", "0.8", "--json")
    report = json.loads(said)
    assert code == 0 and report["target"] == "model"
    assert "HOLD at threshold 0.8" in next(c["found"] for c in report["checks"] if c["name"] == "answer")


def test_a_model_that_ignores_its_input_is_a_failure(harness):
    harness.model.always = predictions([BUY])
    code, said = verify(harness)
    assert code == 1 and marks(said)["answer"] == marks(said)["steady"] == "ok", said
    assert marks(said)["windows"] == "FAILED" and "the model ignores them" in said and "->" in said


@pytest.mark.parametrize(
    "fault, words",
    [
        (status(400, '{"error_code": "BAD_REQUEST", "message": "wants 24\\n features"}'), "wants 24 features"),
        (status(404, "Not Found"), "tracking server"),
        (status(415), "application/json"),
        (status(401), "password"),
        (status(500, "boom"), "server's log"),
        (hang, "did not answer"),
        (truncated, "broke after 38 of 5000 bytes"),
        (text("[]"), "0 predictions for 1 rows"),
        (text("<html>"), "not a list of predictions"),
        (predictions([[0.5, 0.5]]), "three probabilities"),
        (predictions([[0.9, 0.9, 0.9]]), "do not sum to 1"),
        (predictions([[float("nan"), 0.5, 0.5]]), "p_sell, p_hold, p_buy"),
    ],
)
def test_every_fault_is_named_with_advice(harness, fault, words):
    harness.model.always = invocations(fault)
    code, said = verify(harness, settings={"model.deadline_ms": 100})
    assert code == 1 and marks(said) == {"server": "--", "answer": "FAILED"}, said
    assert words in said and "->" in said


def test_a_missing_model_is_reported(harness):
    code, said = verify(harness, port=free_port())
    assert code == 1 and marks(said) == {"address": "FAILED"} and "model.port" in said


def test_a_model_that_hangs_later_is_a_failure(harness):
    harness.model.script = [good, good, good, good, hang]
    code, said = verify(harness, settings={"model.deadline_ms": 100})
    assert code == 1 and marks(said)["answer"] == "ok" and marks(said)["steady"] == "FAILED"


def test_a_model_slower_than_the_deadline_is_a_failure(harness):
    def slow(handler, request):
        time.sleep(0.3)
        good(handler, request)

    harness.model.always = invocations(slow)
    code, said = verify(harness, settings={"model.deadline_ms": 250})
    assert code == 1 and marks(said)["latency"] == "FAILED" and "model.deadline_ms = 250" in said


def test_rows_in_another_order_are_a_failure(harness):
    def reverse(handler, request):
        handler.answer(json.dumps(by_content(handler, request)[::-1]))

    harness.model.always = invocations(reverse)
    code, said = verify(harness, "--symbol", "EURUSD,GBPUSD")
    assert code == 1 and marks(said)["rows"] == "FAILED" and "rows_per_request = 1" in said
    code, said = verify(harness, "--symbol", "EURUSD,GBPUSD", settings={"model.rows_per_request": 1})
    assert code == 0 and "2 symbols need 2 requests one after another" in said


def test_a_model_that_changes_its_answers_is_noted(harness):
    code, said = verify(harness, "--symbol", "EURUSD,GBPUSD")
    assert code == 1 and marks(said)["windows"] == "FAILED"
    assert marks(said)["rows"] == "--" and "their order cannot be checked" in said
    answers = [BUY, SELL, HOLD]

    def moody(handler, request):
        answers.append(answers.pop(0))
        count = len(request.json()["dataframe_split"]["data"])
        handler.answer(json.dumps(answers[:count]))

    harness.model.always = invocations(moody)
    code, said = verify(harness, "--symbol", "EURUSD,GBPUSD")
    assert code == 0 and marks(said)["steady"] == marks(said)["windows"] == "--" and "two answers" in said


def test_a_real_mlflow_server_passes(harness, mlflow_server):
    code, said = verify(harness, port=mlflow_server.port)
    assert marks(said)["answer"] == marks(said)["steady"] == "ok" and "/ping 200" in said, said
    # This model answers by position, so each single row gets the same answer.
    assert code == 1 and marks(said)["windows"] == "FAILED", said
    code, said = verify(harness, port=mlflow_server.port, settings={"model.tabular": "nested"})
    assert code == 1 and 'model.tabular = "flat": this model' in said, said
    assert "X_tabular is (1, 1, 23)" in said
    code, said = verify(harness, "--symbol", "EURUSD,GBPUSD,USDJPY", port=mlflow_server.port)
    assert code == 1 and marks(said)["rows"] == "FAILED" and marks(said)["latency"] != "FAILED"
