"""`sentinel verify gateway`: its checks, its output, and that it never sends an order."""

import time

import pytest

from parts.daemon import free_port
from parts.gateway import filled, garbage, says, silent, truthful

QUESTIONS = {
    "place_order": ["check_connection"],
    "v43": ["PING", "GET_ACCOUNT", "GET_POSITIONS"],
    "envelope": ["HEARTBEAT", "GET_ACCOUNT_INFO", "GET_POSITIONS"],
}


LOSING = {"ticket": 5, "symbol": "EURUSD", "type": "BUY", "volume": 0.1, "open_price": 1.1, "profit": -9.5}


def verify(harness, port: int, *args: str, **env: str) -> tuple[int, str]:
    """Runs it without a token: exit code and output."""
    env = {"EODHD_API_TOKEN": "", "SENTINEL__GATEWAY__DEADLINE_MS": "700"} | env
    daemon = harness.command("verify", "gateway", "--gtw-host", "127.0.0.1", "--gtw-port", str(port), *args, **env)
    code, _ = daemon.wait_exit()
    return code, daemon.output()


def marks(said: str) -> dict[str, str]:
    """The report as `{"address": "ok"}`."""
    lines = [line.split() for line in said.splitlines()]
    return {line[1]: line[0] for line in lines if line and line[0] in ("ok", "--", "WARN", "FAILED")}


@pytest.mark.parametrize("dialect", QUESTIONS)
def test_a_good_gateway_passes_with_harmless_queries(harness, dialect):
    gateway = harness.gateway(dialect)
    if dialect == "v43":
        gateway.positions[5] = LOSING
    code, said = verify(harness, gateway.port, "--dialect", dialect)
    assert code == 0, said
    assert [request["action"] for request in gateway.asked] == QUESTIONS[dialect]
    assert gateway.requests == [] and gateway.problems == []
    found = marks(said)
    assert [found[name] for name in ("address", "answer", "dialect")] == ["ok"] * 3
    assert found["clock"] == ("--" if dialect == "place_order" else "ok")
    if dialect == "v43":
        assert "equity 9990.50 USD" in said and "1 open" in said
    if dialect == "envelope":
        assert found["positions"] == "--" and "proves nothing" in said


@pytest.mark.parametrize("dialect", ["v43", "envelope"])
@pytest.mark.parametrize("ahead_s", [-3, 3, 3600])
def test_a_clock_wrong_by_more_than_two_seconds_fails(harness, dialect, ahead_s):
    gateway = harness.gateway(dialect, questions=truthful(ahead_s))
    code, said = verify(harness, gateway.port, "--dialect", dialect)
    assert code == 1
    assert marks(said)["clock"] == "FAILED" and marks(said)["dialect"] == "ok"
    assert ("behind" if ahead_s < 0 else "ahead of") in said and "NTP" in said


def test_an_absent_gateway_is_reported(harness):
    code, said = verify(harness, free_port(), "--dialect", "v43")
    assert (code, marks(said)) == (1, {"address": "FAILED"})


def test_another_server_differs_from_a_silent_gateway(harness):
    code, said = verify(harness, harness.model.port, "--dialect", "v43")
    assert code == 1 and marks(said)["answer"] == "FAILED" and "does not use ZeroMQ" in said
    code, said = verify(harness, harness.gateway("v43", questions=silent).port, "--dialect", "v43")
    assert code == 1 and marks(said)["answer"] == "FAILED" and "did not answer" in said


@pytest.mark.parametrize(
    "behaviour",
    [
        garbage,
        filled,
        says(lambda gateway, request: {"req_id": "x", "status": "SUCCESS", "data": {"status": "alive"}}),
        says(lambda gateway, request: gateway.error(request, "UNKNOWN_ACTION", "a\n  ok      dialect  fine")),
    ],
    ids=["garbage", "filled", "envelope", "error"],
)
def test_an_unexpected_reply_means_the_wrong_dialect(harness, behaviour):
    code, said = verify(harness, harness.gateway("v43", questions=behaviour).port, "--dialect", "v43")
    assert code == 1 and marks(said)["dialect"] == "FAILED", said
    assert "gateway.dialect" in said


@pytest.mark.parametrize(
    ("dialect", "reply", "named"),
    [
        ("v43", {"status": "ok"}, "no uuid in it; a status and no id is what place_order replies with"),
        ("v43", {"req_id": "x", "status": "SUCCESS"}, "its req_id is what envelope replies with"),
        ("v43", {"uuid": "x", "status": "ok"}, "a reply to another request"),
        ("envelope", {"uuid": "x", "status": "ok"}, "its uuid is what v43 replies with"),
    ],
)
def test_a_reply_without_our_id_is_named(harness, dialect, reply, named):
    gateway = harness.gateway(dialect, questions=says(lambda gateway, request: reply))
    code, said = verify(harness, gateway.port, "--dialect", dialect)
    assert code == 1 and marks(said)["dialect"] == "FAILED" and named in " ".join(said.split()), said
    assert "null" not in said


def test_times_in_metatraders_form_are_read(harness):
    def at(form, ahead_s=0.0):
        told = time.strftime(form, time.gmtime(time.time() + ahead_s))
        return says(lambda gateway, request: gateway.alive(request, time.time()) | {"server_time": told})

    # The reply has whole seconds, so the clocks may seem to differ by up to one second.
    code, said = verify(harness, harness.gateway("v43", questions=at("%Y.%m.%d %H:%M:%S")).port, "--dialect", "v43")
    assert code == 0 and marks(said)["clock"] == "ok", said
    code, said = verify(harness, harness.gateway("v43", questions=at("%d/%m at noon")).port, "--dialect", "v43")
    assert code == 1 and marks(said)["clock"] == "FAILED" and marks(said)["dialect"] == "ok", said
    assert "gateway.dialect" not in said
    code, said = verify(harness, harness.gateway("v43", questions=at("%Y.%m.%d %H:%M:%S", 7200)).port, "--dialect", "v43")
    assert code == 1 and "time zone" in said, said


@pytest.mark.parametrize("dialect", ["v43", "envelope"])
def test_positions_are_read_in_all_known_spellings(harness, dialect):
    gateway = harness.gateway(dialect)
    gateway.positions[5] = LOSING | {"ticket": "10006293775", "type": 0, "volume": "0.1", "profit": 0}
    odd = {"ticket": 10006293776.0, "type": "POSITION_TYPE_SELL", "current_price": float("nan")}
    gateway.positions[6] = LOSING | odd
    gateway.positions[7] = {"ticket": 7, "symbol": "EURUSD", "type": "BUY LIMIT", "profit": 0}
    gateway.positions[8] = {"ticket": 8, "symbol": "EURUSD", "type": 5, "profit": 0}
    code, said = verify(harness, gateway.port, "--dialect", dialect)
    assert code == 0 and "2 open" in said, said
    gateway.positions[9] = LOSING | {"volume": float("nan")}
    code, said = verify(harness, gateway.port, "--dialect", dialect)
    assert code == 1 and marks(said)["positions"] == "FAILED", said


def test_a_gateway_without_a_terminal_is_not_ready(harness):
    no_terminal = says(lambda gateway, request: gateway.error(request, "MT5_NOT_CONNECTED", "no"))
    gateway = harness.gateway("v43", questions=no_terminal)
    gateway.question_script = [truthful()]
    code, said = verify(harness, gateway.port, "--dialect", "v43")
    assert code == 1 and marks(said)["account"] == "FAILED" and "MT5_NOT_CONNECTED" in said


def test_order_send_gets_nothing_and_needs_confirmation(harness):
    gateway = harness.gateway("order_send")
    code, said = verify(harness, gateway.port, "--dialect", "order_send")
    assert code == 1 and "gateway.i_checked_it_by_hand = true" in said
    code, said = verify(harness, gateway.port, "--dialect", "order_send", SENTINEL__GATEWAY__I_CHECKED_IT_BY_HAND="true")
    assert code == 0 and "confirms it" in said
    assert gateway.requests == [] and gateway.problems == []


def test_the_dialect_is_never_guessed(harness):
    code, said = verify(harness, harness.gateway("v43").port)
    assert code == 64 and "--dialect" in said
