"""`sentinel replay`: recorded decisions come out the same again, whichever clock they were made by, and what does not is named."""

import json
import random
import sqlite3
import subprocess
from pathlib import Path

import pytest

from parts.daemon import environment, wait_until
from parts.harness import EVERY_SECOND, variables
from parts.http import Handler, Request
from parts.market import HOUR
from parts.model import BUY, SELL, Model
from parts.tables import keep


def replay(binary: Path, directory: Path, *args: object) -> tuple[int, dict]:
    """Exit code and report."""
    command = [binary, "replay", "--json", *map(str, args)]
    env = environment(HOME=str(directory))
    done = subprocess.run(command, env=env, cwd=directory, capture_output=True, text=True, timeout=300)
    return done.returncode, json.loads(done.stdout) if done.stdout else {"stderr": done.stderr}


def rows(journal: Path, sql: str) -> list[tuple]:
    """What SQLite answers."""
    with sqlite3.connect(journal) as connection:
        return connection.execute(sql).fetchall()


def all_equal(sandbox, binary, tmp_path, cycles: int):
    """Runs the daemon on four symbols, back to back, and replays everything."""
    symbols = "EURUSD,GBPUSD,AUDUSD,NZDUSD"
    journal = tmp_path / "journal.db"
    guards = {"SENTINEL__GUARDS__ORDERS_PER_HOUR_MAX": str(cycles // 10), "SENTINEL__TRADING__STOP_LOSS": "0.002"}
    arguments = ("--back-to-back", "--cycles", str(cycles), "--symbol", symbols, "--journal", str(journal))
    daemon = sandbox.live(*arguments, **guards).wait_serving()
    daemon.after_cycles(cycles // 5, 280)
    # Beside the daemon: the newest bars may be on their way to the archive, but nothing is unequal or lost.
    code, report = replay(binary, tmp_path, "--journal", journal)
    reasons = {one["reason"] for one in report["not_replayable"]}
    assert code == 0 and report["equal"] >= 2 * cycles // 5, report
    assert reasons <= {"its bars are not archived yet by the running daemon"}, report
    wait_until("the cycles", lambda: daemon.metrics()("trading_cycles_total") >= cycles, 280)
    metrics = daemon.metrics()
    # Without a pause between cycles a slow disk may leave the queue no place; the bars then come with a later cycle.
    without_place = metrics("bars_archive_failures_total")
    assert daemon.stop()[0] == 0
    reasons = {reason for (reason,) in rows(journal, "SELECT DISTINCT suppressed FROM decisions")}
    assert {"below_threshold", "order_limit"} <= reasons, reasons
    code, report = replay(binary, tmp_path, "--journal", journal)
    assert (code, report["decisions"], report["equal"]) == (0, 4 * cycles, 4 * cycles), report
    assert report["not_replayable"] == [] and report["archived_late"] <= 4 * without_place
    keep("replay", f"{report['equal']} decisions of the sandbox replayed, all equal, bit for bit")
    return journal


def test_two_thousand_decisions_of_the_sandbox_are_equal(sandbox, binary, tmp_path):
    journal = all_equal(sandbox, binary, tmp_path, 500)
    days = rows(journal, "SELECT count(*) FROM outcomes")[0][0]
    assert days == 4 * (500 - 4), "each decision has its outcome four bars later"
    ((middle,),) = rows(journal, "SELECT cycle_id FROM decisions ORDER BY id LIMIT 1 OFFSET 1000")
    moment = rows(journal, f"SELECT strftime('%Y-%m-%dT%H:%M:%f', {middle} / 1000.0, 'unixepoch')")[0][0]
    code, report = replay(binary, tmp_path, "--journal", journal, "--from", moment)
    assert code == 0 and 990 <= report["equal"] <= 1000, report
    code, report = replay(binary, tmp_path, "--journal", journal, "--to", "2020-01-01")
    assert (code, report["decisions"]) == (1, 0), "nothing replayed proves nothing"


@pytest.mark.long
def test_ten_thousand_decisions_of_the_sandbox_are_equal(sandbox, binary, tmp_path):
    all_equal(sandbox, binary, tmp_path, 2_500)


def test_the_system_clock_the_bars_clock_and_replay_agree(harness, binary, tmp_path):
    """The same bars: by the machine's clock, as they close; by the clock of bars; and from the archive."""
    journals = {clock: tmp_path / clock / "journal.db" for clock in ("system", "bars")}
    gateway = harness.gateway("v43")
    closed = [one for one in harness.market.bars if one["timestamp"] < harness.market.newest_closed["timestamp"] + HOUR]
    harness.market.bars = closed
    for clock, journal in journals.items():
        journal.parent.mkdir()
        daemon = harness.start_live(gateway, *EVERY_SECOND, "--clock", clock, "--journal", str(journal))
        daemon.after_cycles(3)
        assert daemon.stop()[0] == 0
    columns = "bar_close_time, close, bars_sha256, features, sequence_sha256, p_sell, p_hold, p_buy, action"
    found = {clock: set(rows(journal, f"SELECT {columns} FROM decisions")) for clock, journal in journals.items()}
    assert len(found["system"]) == 1 and found["system"] == found["bars"]
    reasons = [reason for (reason,) in rows(journals["system"], "SELECT suppressed FROM decisions ORDER BY id")]
    assert reasons[0] is None and set(reasons[1:]) == {"already_ordered"}, "one order for a bar"
    for journal in journals.values():
        code, report = replay(binary, tmp_path, "--journal", journal)
        assert (code, report["unequal"], report["not_replayable"]) == (0, 0, []), report
        assert report["equal"] >= 3
    # The second daemon did not order again: the gateway has it from the first, and so it stands outside.
    assert len(gateway.requests) >= 1 and gateway.problems == []


def test_a_bar_repaired_later_is_replayed_as_it_was(harness, binary, tmp_path):
    journal = tmp_path / "journal.db"
    daemon = harness.start(*EVERY_SECOND, "--journal", str(journal))
    daemon.after_cycles(2)
    # A daemon that goes on does not ask for it again; one that starts does, and the archive knows it from before.
    repaired = harness.market.bars[-20]
    repaired["close"] = round(repaired["close"] + 0.0001, 5)
    metrics = daemon.after_cycles(int(daemon.metrics()("trading_cycles_total")) + 3)
    assert metrics("bar_revisions_total", symbol="EURUSD") == 0
    assert daemon.stop()[0] == 0
    daemon = harness.start(*EVERY_SECOND, "--journal", str(journal))
    daemon.wait_metrics("the revision", lambda m: m("bar_revisions_total", symbol="EURUSD") == 1, 20)
    daemon.after_cycles(2)
    assert daemon.stop()[0] == 0
    assert len(set(rows(journal, "SELECT bars_sha256 FROM decisions WHERE bars_sha256 IS NOT NULL"))) == 2
    code, report = replay(binary, tmp_path, "--journal", journal)
    assert (code, report["unequal"]) == (0, 0), report
    # Without the old revision the old decisions do not come out, and the first of them is named.
    with sqlite3.connect(tmp_path / "bars.db") as bars:
        changed = "UPDATE bars SET close = close + 0.0001 WHERE revision = 0 AND open_time = ?"
        assert bars.execute(changed, [repaired["timestamp"]]).rowcount == 1
    code, report = replay(binary, tmp_path, "--journal", journal)
    assert (code, report["first_difference"]["field"]) == (1, "bars_sha256"), report


class Noisy(Model):
    """Odds that are never twice the same."""

    def serve(self, handler: Handler, request: Request):
        share = random.uniform(0.6, 0.9)
        count = len(request.json()["dataframe_split"]["data"])
        handler.answer(json.dumps({"predictions": [[1 - share, 0.0, share]] * count}))


def test_the_model_is_asked_again_and_other_odds_are_listed(harness, binary, tmp_path):
    journal = tmp_path / "journal.db"
    daemon = harness.start(*EVERY_SECOND, "--journal", str(journal))
    daemon.after_cycles(2)
    assert daemon.stop()[0] == 0
    model = ("--ask-model", "--journal", journal, "--hub-host", "127.0.0.1", "--hub-port")
    code, report = replay(binary, tmp_path, *model, harness.model.port)
    assert (code, report["model"]["different"]) == (0, 0) and report["model"]["asked"] >= 2, report
    near = Model([odds + off for odds, off in zip(BUY, (9e-10, 0, -9e-10), strict=True)])
    noisy, other = Noisy(), Model(SELL)
    try:
        assert replay(binary, tmp_path, *model, near.port)[0] == 0
        for changed in (noisy, other):
            code, report = replay(binary, tmp_path, *model, changed.port)
            assert code == 1 and report["unequal"] == 0, report
            assert report["model"]["different"] == len(report["model"]["first"]) >= 2
            assert report["model"]["first"][0]["recorded"] == BUY
        assert replay(binary, tmp_path, *model, changed.port + 0)[1]["model"]["first"][0]["now"] == SELL
    finally:
        for one in (near, noisy, other):
            one.close()
    code, report = replay(binary, tmp_path, *model, near.port)
    assert (code, report["unequal"], report["model"]["asked"]) == (1, 0, 0) and report["equal"] >= 2, report
    assert str(near.port) in report["model"]["url"] and "cannot connect" in report["model"]["stopped"], report


class Changing(Model):
    """Refuses its second row. From its fourth on, if it is to die, it answers nothing any more."""

    def __init__(self, dies: bool):
        self.count, self.dies = 0, dies
        super().__init__()

    def serve(self, handler: Handler, request: Request):
        self.count += 1
        if self.count == 2:
            handler.answer(json.dumps({"error_code": "BAD_REQUEST", "message": "no such market"}), 400)
        elif self.count == 3:
            handler.answer('{"predictions": [[NaN, 0.5, 0.5]]}')
        elif self.dies and self.count >= 4:
            handler.answer("", 503)
        else:
            super().serve(handler, request)


@pytest.mark.parametrize("dies", [False, True])
def test_a_model_without_odds_costs_only_its_rows(harness, binary, tmp_path, dies):
    journal = tmp_path / "journal.db"
    daemon = harness.start(*EVERY_SECOND, "--journal", str(journal))
    daemon.after_cycles(5)
    assert daemon.stop()[0] == 0
    [(decisions,)] = rows(journal, "SELECT count(*) FROM decisions WHERE p_buy IS NOT NULL")
    assert decisions >= 5
    changing = Changing(dies)
    try:
        flags = ("--ask-model", "--journal", journal, "--hub-host", "127.0.0.1", "--hub-port", changing.port)
        code, report = replay(binary, tmp_path, *flags)
        model = report["model"]
        assert (code, report["equal"], report["unequal"]) == (1, report["decisions"], 0), report
        assert (model["asked"], model["different"], model["without_odds"]) == (3 if dies else decisions, 2, 2), report
        assert [one["now"] for one in model["first"]] == [None, None] and model["first"][0]["recorded"] == BUY
        assert "status 400: " in model["first"][0]["refusal"] and "no such market" in model["first"][0]["refusal"]
        assert ("status 503" in model["stopped"]) if dies else model["stopped"] is None, report
        changing.count = 3 if dies else 0
        command = [binary, "replay", *map(str, flags)]
        said = subprocess.run(command, env=environment(), cwd=tmp_path, capture_output=True, text=True, timeout=60).stdout
        if dies:
            assert "THE MODEL DOES NOT ANSWER: 0 rows were asked, then status 503" in said, said
        else:
            assert ", 2 with other odds, 2 of them with none\n" in said and "was, none is: status 400: " in said, said
            assert said.endswith("THE MODEL ANSWERS OTHERWISE: it was changed, or it is not deterministic\n")
    finally:
        changing.close()


def test_what_cannot_be_read_is_exit_2(harness, binary, tmp_path):
    journal, archive = tmp_path / "journal.db", tmp_path / "bars.db"
    code, said = replay(binary, tmp_path, "--journal", journal)
    assert code == 2 and str(journal) in said["stderr"]
    daemon = harness.start("--once", "--journal", str(journal))
    assert daemon.wait_exit()[0] == 0
    assert replay(binary, tmp_path, "--journal", journal)[0] == 0, "the one cycle's bars are on disk at the end"
    whole = archive.read_bytes()
    archive.write_bytes(b"no database, but some text" * 99)
    code, said = replay(binary, tmp_path, "--journal", journal)
    assert code == 2 and "is not a bar archive" in said["stderr"]
    archive.unlink()
    code, said = replay(binary, tmp_path, "--journal", journal)
    assert code == 2 and "--archive" in said["stderr"]
    elsewhere = tmp_path / "other" / "a name?.db"
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(whole)
    assert replay(binary, tmp_path, "--journal", journal, "--archive", elsewhere)[0] == 0
    code, _ = replay(binary, tmp_path, "--journal", journal, "--from", "yesterday")
    assert code == 64, "as every flag that is wrong"


def test_settings_of_today_do_not_count(harness, binary, tmp_path):
    journal = tmp_path / "journal.db"
    settings = {"features.hour_and_weekday": "legacy", "data.lookback_bars": 150, "trading.threshold": 0.69}
    daemon = harness.start(*EVERY_SECOND, "--journal", str(journal), settings=settings)
    daemon.after_cycles(2)
    assert daemon.stop()[0] == 0
    ((recorded,),) = rows(journal, "SELECT settings FROM versions")
    assert json.loads(recorded)["lookback_bars"] == 150
    for secret in ("EODHD_API_TOKEN", "token", "password"):
        assert secret not in recorded
    assert replay(binary, tmp_path, "--journal", journal, "--threshold", "0.9")[0] == 0
