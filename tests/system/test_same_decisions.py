"""The same bars are the same decisions: by the machine's clock, by the clock of bars, from the archive, and in a dataset."""

import json
import sqlite3
import struct
import subprocess
import uuid

import pandas
import pytest

from parts.daemon import environment
from parts.harness import variables
from parts.http import Handler, Request
from parts.market import HOUR, Market, bar

MONDAY = 1_704_672_000
COLUMNS = ["timestamp", "open", "high", "low", "close", "volume"]
HOURS = {"1h": 1, "4h": 4, "1d": 24}
# Every cycle has to decide, on a busy machine too.
LOOKBACK = {"data.lookback_bars": 120, "model.deadline_ms": 10_000}


class Moving(Market):
    """Has more bars at each request: so many of its hours are over. Only for who has its key: a daemon of another test that runs
    beside this one may still ask the port that its own market had before."""

    def __init__(self, bars: list[dict], begin: int, step: int):
        super().__init__(bars)
        self.shown, self.step = begin, step
        self.key, self.answered = uuid.uuid4().hex, 0

    def serve(self, handler: Handler, request: Request):
        if self.key not in request.headers.get("authorization", ""):
            handler.answer("Unauthenticated", 401)
            return
        self.answered += 1
        # All of them, whatever time a daemon asks for: by the machine's clock these bars are old.
        handler.answer(json.dumps(self.bars[: self.shown]))
        self.shown = min(self.shown + self.step, len(self.bars))


@pytest.fixture
def moving(harness):
    """Puts a market in the place of the harness's: bars, those of the first request, and those of each later one."""

    def begin(bars: list[dict], first: int, step: int):
        harness.market.close()
        harness.market = Moving(bars, first, step)

    return begin


def rows(journal, sql: str) -> list[tuple]:
    """What SQLite answers."""
    with sqlite3.connect(journal) as connection:
        return connection.execute(sql).fetchall()


def command(binary, directory, *args, settings: dict) -> subprocess.CompletedProcess:
    """A command to its end."""
    env = environment(HOME=str(directory), **variables(settings))
    del env["EODHD_API_TOKEN"]
    return subprocess.run([binary, *map(str, args)], env=env, cwd=directory, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("interval", ["1h", "4h"])
def test_both_clocks_and_a_replay_agree_on_a_hundred_bars(harness, moving, binary, tmp_path, interval):
    """With a weekend among them. The demo's clock is that of the bars."""
    count, step = 100, HOURS[interval]
    # They begin on a Wednesday.
    bars = open_hours((124 + count) * step + 48, has_saturdays=False)[48:]
    settings = LOOKBACK | {"market.calendar": "fx", "data.interval": interval, "trading.threshold": 0.5}
    gateway = harness.gateway("v43")
    found = {}
    for clock in ("system", "bars"):
        moving(bars, 124 * step, step)
        journal = tmp_path / clock / "journal.db"
        journal.parent.mkdir()
        args = ("--back-to-back", "--cycles", str(count), "--clock", clock, "--journal", str(journal))
        daemon = harness.start_live(gateway, *args, settings=settings, EODHD_API_TOKEN=harness.market.key)
        daemon.after_cycles(count, 120)
        assert daemon.stop()[0] == 0
        columns = "bar_close_time, close, bars_sha256, features, sequence_sha256, p_sell, p_hold, p_buy, action"
        found[clock] = rows(journal, f"SELECT DISTINCT {columns} FROM decisions ORDER BY bar_close_time")
        done = command(binary, tmp_path, "replay", "--json", "--journal", journal, settings={})
        report = json.loads(done.stdout)
        assert (done.returncode, report["unequal"], report["not_replayable"]) == (0, 0, []), report
        assert report["equal"] == report["decisions"] >= count
        assert harness.market.answered == count, "one request in each cycle"
    assert len(found["bars"]) >= count - 1, "one bar more in each cycle"
    assert found["system"] == found["bars"]
    times = [row[0] for row in found["bars"]]
    between = sorted({after - before for before, after in zip(times, times[1:])})
    assert between[0] == step * HOUR and len(between) == 2 and between[1] > 48 * HOUR, "a weekend, and no other gap"
    assert gateway.problems == []


def open_hours(count: int, has_saturdays: bool = True) -> list[dict]:
    """Hours of the FX week in winter, and one of each Saturday, when a broker still sends a quote, if so."""
    found, moment = [], MONDAY
    while len(found) < count:
        day, hour = (moment - MONDAY) // 86_400 % 7, moment // HOUR % 24
        is_open = day < 4 or (day == 4 and hour < 22) or (day == 6 and hour >= 22)
        if is_open or (has_saturdays and day == 5 and hour == 12):
            found.append(bar(moment, volume=(moment // HOUR) % 7))
        moment += HOUR
    return found


@pytest.mark.parametrize(("interval", "count"), [("1h", 60), ("4h", 60), ("1d", 20)])
def test_a_dataset_has_the_features_that_the_daemon_recorded(harness, moving, binary, tmp_path, interval, count):
    step = HOURS[interval]
    bars = open_hours((125 + count) * step)
    assert sum((row["timestamp"] - MONDAY) // 86_400 % 7 == 5 for row in bars) >= 1
    moving(bars, 125 * step, step)
    settings = LOOKBACK | {"market.calendar": "fx", "data.interval": interval}
    journal = tmp_path / "journal.db"
    args = ("--back-to-back", "--cycles", str(count), "--clock", "bars", "--journal", str(journal))
    daemon = harness.start(*args, settings=settings, EODHD_API_TOKEN=harness.market.key)
    daemon.after_cycles(count, 120)
    assert daemon.stop()[0] == 0

    pandas.DataFrame(bars)[COLUMNS].to_csv(tmp_path / "eurusd.csv", index=False)
    done = command(binary, tmp_path, "dataset", "--bars", "eurusd.csv", "--out", "out", settings=settings)
    assert done.returncode == 0, done.stderr
    index = pandas.read_csv(tmp_path / "out/index.csv")
    tabular = pandas.read_csv(tmp_path / "out/tabular.csv").to_numpy()
    made = dict(zip(index["bar_close_time"], tabular, strict=True))
    recorded = dict(rows(journal, "SELECT bar_close_time, features FROM decisions WHERE features IS NOT NULL"))
    # Of the hours of a Saturday bar the daemon makes no bar, so that some cycles bring none.
    assert len(recorded) >= count * 2 / 3
    for closed, features in recorded.items():
        assert struct.unpack("<23d", features) == tuple(made[closed]), f"the bar that closed {closed}"
    left_out = json.loads((tmp_path / "out/manifest.json").read_text())["bars"][0]["left_out_while_closed"]
    saturdays = sum((row["timestamp"] - MONDAY) // 86_400 % 7 == 5 for row in bars)
    # In summer the week ends an hour earlier than it does here.
    assert left_out == 0 if interval == "1h" else left_out >= saturdays
    assert ("left out, as by the daemon" in done.stdout) == (interval != "1h")

    # The study of such a file has the daemon's bars, too.
    odds = ["symbol,bar_close_time,p_sell,p_hold,p_buy", *(f"EURUSD,{closed},0.2,0.5,0.3" for closed in recorded)]
    (tmp_path / "odds.csv").write_text("\n".join(odds) + "\n")
    args = ["--bars", "eurusd.csv", "--odds", "odds.csv", "--spread-points", "8", "--out", "study"]
    done = command(binary, tmp_path, "study", *args, settings=settings)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "study/study.json").read_text())
    notes = [note for note in report["counts"]["notes"] if "of hours in which the market is closed" in note]
    assert len(notes) == (interval != "1h")
    assert report["counts"]["bars"] == len(made) + 119


@pytest.mark.parametrize(("interval", "left_out"), [("1h", 59), ("4h", 60)])
def test_with_stop_a_dataset_has_rows_where_the_daemon_decides(harness, moving, binary, tmp_path, interval, left_out):
    """One hour is missing while the market is open; the weekends are no gaps. In a bar of 4h it is missing in its middle."""
    step, count = HOURS[interval], 100
    bars = open_hours((125 + count) * step, has_saturdays=False)
    hole = bars.pop(150 * step + step // 2)["timestamp"]
    pandas.DataFrame(bars)[COLUMNS].to_csv(tmp_path / "eurusd.csv", index=False)
    settings = LOOKBACK | {"market.calendar": "fx", "data.interval": interval, "data.on_gap": "stop"}
    moving(bars, 125 * step, step)
    journal = tmp_path / "journal.db"
    args = ("--back-to-back", "--cycles", str(count), "--clock", "bars", "--journal", str(journal))
    daemon = harness.start(*args, settings=settings, EODHD_API_TOKEN=harness.market.key)
    daemon.after_cycles(count, 120)
    assert daemon.stop()[0] == 0
    decided = {closed for (closed,) in rows(journal, "SELECT bar_close_time FROM decisions WHERE p_buy IS NOT NULL")}
    [(gaps,)] = rows(journal, "SELECT count(*) FROM decisions WHERE failure = 'gap'")
    assert gaps >= left_out - 1 and min(decided) < hole < max(decided)

    done = command(binary, tmp_path, "dataset", "--bars", "eurusd.csv", "--out", "out", settings=settings)
    assert done.returncode == 0, done.stderr
    [of_file] = json.loads((tmp_path / "out/manifest.json").read_text())["bars"]
    assert (of_file["gaps"], of_file["left_out_for_gaps"]) == (1, left_out), of_file
    assert of_file["longest_gaps"][0]["from"] == hole
    closed = pandas.read_csv(tmp_path / "out/index.csv")["bar_close_time"]
    assert set(closed[(closed >= min(decided)) & (closed <= max(decided))]) == decided
    assert len(closed) == of_file["rows"] == of_file["bars"] - 119 - left_out
