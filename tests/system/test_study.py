"""`sentinel study`: odds of a journal, of a file and of a model that is asked; what it refuses; what it keeps for the next try."""

import contextlib
import csv
import json
import random
import re
import signal
import sqlite3
import subprocess
import time

import pytest

from parts.daemon import environment, wait_until
from parts.harness import variables
from parts.http import Handler, Request, hang
from parts.model import Model
from parts.own_model import BARS
from parts.paths import ROOT

HOUR = 3_600
LINES = BARS.read_text().splitlines()
HEADER = "symbol,bar_close_time,p_sell,p_hold,p_buy"
KEPT = "out.odds"
COSTS = ["--spread-points", "8"]


class Momentum(Model):
    """Odds by how the price has moved: nothing to earn, but other odds for other rows."""

    def serve(self, handler: Handler, request: Request):
        answers = []
        for tabular, sequence in request.json()["dataframe_split"]["data"]:
            assert len(tabular) == 23 and len(sequence) == 60
            rise = 0.5 + max(-0.45, min(0.45, tabular[1] * 100))
            answers.append([0.9 * (1 - rise), 0.1, 0.9 * rise])
        handler.answer(json.dumps({"predictions": answers}))


@pytest.fixture
def study(binary, tmp_path):
    """Runs it in the test's folder: exit code and what it said."""

    def run(*args, out: str = "out", settings: dict | None = None) -> tuple[int, str]:
        env = environment(HOME=str(tmp_path), **variables({"market.calendar": "fx"} | (settings or {})))
        del env["EODHD_API_TOKEN"]
        command = [binary, "study", *map(str, args), "--out", out]
        done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=300)
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.fixture
def momentum():
    """A model that is asked."""
    model = Momentum()
    yield model
    model.close()


def bars(folder, count: int):
    """The first of the recorded bars."""
    path = folder / "eurusd.csv"
    path.write_text("\n".join(LINES[: count + 1]) + "\n")
    return path


def odds(folder, count: int, seed: int = 1, change=None):
    """A file of odds that know nothing, for each of the first bars."""
    chance, rows = random.Random(seed), []
    for row in csv.DictReader(LINES[: count + 1]):
        sell, buy = chance.random() / 2, chance.random() / 2
        rows.append(f"EURUSD,{int(row['timestamp']) + HOUR},{sell!r},{1 - sell - buy!r},{buy!r}")
    path = folder / f"odds-{seed}.csv"
    path.write_text("\n".join([HEADER, *(change(rows) if change else rows)]) + "\n")
    return path


def found(folder) -> dict:
    """What study.json says; the page is there, too."""
    assert sorted(path.name for path in folder.iterdir()) == ["study.html", "study.json"]
    return json.loads((folder / "study.json").read_text())


@pytest.mark.long
def test_the_same_study_is_the_same_to_the_byte(study, tmp_path):
    path, file = bars(tmp_path, 2_000), odds(tmp_path, 2_000)
    args = ["--bars", path, "--odds", file, *COSTS, "--trained-until", "2017-03-31"]
    for out in ["one", "other"]:
        code, said = study(*args, out=out)
        assert code == 0 and "No threshold is better than chance here: " in said, said
        assert f"{out}/study.html" in said
    for name in ["study.json", "study.html"]:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()
    report = found(tmp_path / "one")
    assert report["schema"] == 1 and not report["answer"]["is_advice"]
    assert report["trials"]["total"] == report["trials"]["now"] == 62 and report["trials"]["studies"] == 1
    # Of 2,000 hours, 16 end with the week: the market is closed then, and the daemon sends nothing.
    assert report["counts"]["decisions"] == 1_984 and report["counts"]["decisions_in_sample"] > 0
    assert [left["count"] for left in report["counts"]["dropped"] if "market closed" in left["why"]] == [16]
    assert len(report["walk_forward"]["folds"]) == 5 and report["null"]["shifts"] == 2_000
    assert [side["side"] for side in report["sides"]] == ["BUY", "SELL"]
    for rows in [report["both"], *(side["thresholds"] for side in report["sides"])]:
        assert [row["threshold"] for row in rows] == [n / 100 for n in range(34, 96)]
    page = (tmp_path / "one/study.html").read_text()
    assert "No threshold is better than chance here" in page and len(page) < 1_000_000 and "<script" not in page


@pytest.mark.long
def test_every_other_model_counts_against_all(study, tmp_path):
    path, totals, ratios = bars(tmp_path, 2_000), [], []
    first = odds(tmp_path, 2_000, 1)
    for file in [first, odds(tmp_path, 2_000, 2), odds(tmp_path, 2_000, 3), first]:
        code, said = study("--bars", path, "--odds", file, *COSTS, "--trained-until", "2017-03-14")
        assert code == 0, said
        report = found(tmp_path / "out")
        totals.append(report["trials"]["total"])
        ratios.append(report["walk_forward"]["outside"]["dsr"])
    assert totals == [62, 124, 186, 186]
    assert ratios[3] < ratios[0], "the first model again, after two others"


@pytest.mark.long
def test_another_name_interval_or_sample_of_the_same_bars_counts(study, tmp_path):
    path, file = bars(tmp_path, 2_000), odds(tmp_path, 2_000)
    totals = []

    def one(*args):
        code, said = study(*args, *COSTS)
        assert code == 0, said
        totals.append(found(tmp_path / "out")["trials"]["total"])

    for until in ["2017-03-14", "2017-03-20", "2017-03-14"]:
        one("--bars", path, "--odds", file, "--trained-until", until)
    one("--bars", path, "--odds", file, "--trained-until", "2017-03-14", "--to", "2017-06-01")
    assert totals == [62, 124, 124, 186], "another end of training, and another range"
    renamed = tmp_path / "mine.csv"
    renamed.write_text(path.read_text())
    other = tmp_path / "odds-mine.csv"
    other.write_text(file.read_text().replace("EURUSD", "MINE"))
    one("--bars", renamed, "--odds", other)
    assert totals[-1] == 248, "the same closes under another name"
    closes = [int(line.split(",")[0]) for line in LINES[1:2_001]]
    four = [f"EURUSD,{at + HOUR},0.3,0.3,0.4" for at in closes if (at + HOUR) % (4 * HOUR) == 2 * HOUR]
    (tmp_path / "four.csv").write_text("\n".join([HEADER, *four]) + "\n")
    code, said = study("--bars", path, "--odds", tmp_path / "four.csv", *COSTS, "--interval", "4h")
    if code == 0:
        totals.append(found(tmp_path / "out")["trials"]["total"])
        assert totals[-1] == 310, "bars of 4 hours of the same history"
    else:
        # Bars of 4 hours close by New York's clock, whose summer begins within the file.
        assert "no bar closed at" in said, said


def yen(folder, places: int = 3):
    """Bars with the prices of USD/JPY, rounded to so many places."""
    lines = ["timestamp,open,high,low,close,volume"]
    for row in csv.DictReader(LINES[:801]):
        prices = [round(float(row[name]) * 140, places) for name in ("open", "high", "low", "close")]
        lines.append(",".join([row["timestamp"], *map(repr, prices), "0"]))
    (folder / "usdjpy.csv").write_text("\n".join(lines) + "\n")
    file = folder / "odds-yen.csv"
    file.write_text(odds(folder, 800).read_text().replace("EURUSD", "USDJPY"))
    return ["--bars", folder / "usdjpy.csv", "--odds", file]


@pytest.mark.long
def test_points_are_of_the_places_that_prices_have(study, tmp_path):
    args = [*yen(tmp_path), "--spread-points", "10"]
    code, said = study(*args)
    assert code == 0, said
    report = found(tmp_path / "out")
    assert (report["digits"], report["costs"]["spread"], report["costs"]["spread_from"]) == (3, 10, "settings")
    page = (tmp_path / "out/study.html").read_text()
    assert "A point is 0.001 of the price" in page and "as set; half of it at entry, half at exit" in page
    settings = {"study.commission_per_lot_side": 350}
    code, said = study(*args, settings=settings)
    assert code == 64 and "symbols.USDJPY.contract_size: is missing" in said, said
    code, said = study(*args, settings=settings | {"trading.contract_size": 100_000})
    assert code == 0 and abs(found(tmp_path / "out")["costs"]["commission_side"] - 3.5) < 1e-9, said
    code, said = study(*args, settings={"trading.digits": 5}, out="other")
    assert code == 1 and "symbols.USDJPY.digits: 5 are set" in said and "100 times too small" in said, said
    assert not (tmp_path / "other").exists()
    code, said = study(*args, settings={"trading.digits": 2}, out="other")
    assert code == 0, said
    assert any("prices have 3 decimal places, and 2 are set" in note for note in found(tmp_path / "other")["counts"]["notes"])


@pytest.mark.long
def test_odds_that_peek_get_no_plain_advice(study, tmp_path):
    rows = list(csv.DictReader(LINES))
    lines = [HEADER]
    for row, later in zip(rows, rows[4:]):
        buy = 0.9 if float(later["close"]) > float(row["close"]) else 0.05
        lines.append(f"EURUSD,{int(row['timestamp']) + HOUR},{0.95 - buy!r},0.05,{buy!r}")
    (tmp_path / "peek.csv").write_text("\n".join(lines) + "\n")
    code, said = study("--bars", bars(tmp_path, 5_000), "--odds", tmp_path / "peek.csv", *COSTS, "--trained-until", "2017-03-31")
    assert code == 0 and said.startswith("Not judged: features not checked for look-ahead (needed: "), said
    answer = found(tmp_path / "out")["answer"]
    assert (answer["is_advice"], answer["threshold"], answer["verdict"]) == (False, None, "not_judged")
    assert [gate["name"] for gate in answer["gates"] if not gate["is_met"]] == ["look_ahead"]
    assert "✗ not checked" in (tmp_path / "out/study.html").read_text()


def test_without_a_said_end_of_training_there_is_no_advice(study, tmp_path):
    code, said = study("--bars", bars(tmp_path, 800), "--odds", odds(tmp_path, 800), *COSTS)
    assert code == 0 and "model.trained_until (needed: set" in said, said


def test_costs_are_charged_unless_it_is_said_aloud(study, tmp_path):
    args = ["--bars", bars(tmp_path, 800), "--odds", odds(tmp_path, 800)]
    code, said = study(*args)
    assert code == 64 and said.startswith("sentinel: study.spread_points: is missing: your broker's usual spread"), said
    for none in ["0", "0.000001", "0.09"]:
        code, said = study(*args, "--spread-points", none)
        assert code == 64 and "trading is never free" in said, said
    assert not (tmp_path / "out").exists()
    code, said = study(*args, "--frictionless")
    assert code == 0 and "--frictionless" in said, said
    costs = found(tmp_path / "out")["costs"]
    assert costs["is_frictionless"] and (costs["spread"], costs["spread_from"]) == (0, "none")
    assert "frictionless" in (tmp_path / "out/study.html").read_text().lower()


def test_stops_end_positions_and_label_bars(study, tmp_path):
    settings = {"trading.stop_loss": 0.0010, "trading.take_profit": 0.0015, "study.label": "triple_barrier"}
    args = ["--bars", bars(tmp_path, 1_500), "--odds", odds(tmp_path, 1_500), *COSTS, "--horizon-bars", "24"]
    code, said = study(*args, settings=settings)
    assert code == 0, said
    report = found(tmp_path / "out")
    assert report["label"] == {
        "kind": "triple_barrier", "horizon_bars": 24, "hold_move": None, "stop_loss": 0.001, "take_profit": 0.0015,
    }  # fmt: skip
    assert {"stop_loss", "take_profit"} <= {mark["exit"] for mark in report["marks"]}
    assert 0 <= report["rules"]["bars_ambiguous_share"] < 0.5
    code, said = study(*args, settings={"study.label": "triple_barrier"})
    assert code == 64 and "takes trading.stop_loss and trading.take_profit" in said, said


def changed(number: int, text: str):
    """Another line in place of one."""
    return lambda rows: [*rows[:number], text, *rows[number + 1 :]]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (changed(3, "EURUSD,1489456800,0.5,0.6,0.2"), "line 5: the probabilities do not sum to 1: 0.5, 0.6, 0.2"),
        (changed(0, "EURUSD,noon,0.2,0.6,0.2"), "line 2: bar_close_time 'noon' is not a whole number of unix seconds"),
        (changed(0, "EURUSD,1489446001,0.2,0.6,0.2"), "line 2: no bar closed at 1489446001 (2017-03-13T23:00:01Z)"),
        (lambda rows: [*rows, rows[0]], "line 402: bar_close_time 1489446000 is that of line 2, too"),
        (lambda rows: [row.replace("EURUSD", "USDJPY") for row in rows], "no row of EURUSD, and 400 of other symbols"),
    ],
)
def test_odds_that_cannot_be_are_named_by_their_line(study, tmp_path, change, word):
    file = odds(tmp_path, 400, change=change)
    code, said = study("--bars", bars(tmp_path, 400), "--odds", file, *COSTS)
    assert code == 1 and f"{file}: {word}" in said, said
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda lines: ["timestamp,open,high,low,close", *lines[1:]], "line 1: no column volume"),
        (lambda lines: [*lines[:100], lines[100].replace("1.0", "3.0"), *lines[101:]], "line 101: "),
        (lambda lines: [lines[0], *lines[2:50], lines[1], *lines[51:]], "line 50: timestamp 1489442400 is before"),
        (lambda lines: [*lines[:200], *lines[200:420:2]], "mixed intervals"),
    ],
)
def test_bars_that_cannot_be_are_named_by_their_line(study, tmp_path, change, word):
    path, file = bars(tmp_path, 400), odds(tmp_path, 400)
    path.write_text("\n".join(change(LINES[:401])) + "\n")
    code, said = study("--bars", path, "--odds", file, *COSTS)
    assert code == 1 and f"{path}" in said and word in said, said
    assert not (tmp_path / "out").exists()


@pytest.mark.long
def test_a_model_that_dies_goes_on_where_it_was(study, momentum, tmp_path):
    path = bars(tmp_path, 520)
    args = ["--bars", path, "--model", momentum.url, *COSTS]
    code, said = study(*args, out="whole")
    assert code == 0, said
    assert len(momentum.requests) == 321, "one row of one symbol in a request, as the daemon asks"
    whole = found(tmp_path / "whole")
    ahead = whole["look_ahead"]
    assert (ahead["is_checked"], ahead["checked"], ahead["unequal"], ahead["first"]) == (True, 321, 0, None)
    assert [said.split(":")[0] for said in ahead["extent"]] == ["checked", "not checked"]
    assert {"why": "bars without a whole window: fewer than 200 bars up to them", "count": 199} in whole["counts"]["dropped"]

    serve, answered = momentum.serve, []

    def dies(handler, request):
        answered.append(request)
        if len(answered) > 100:
            handler.answer("out of memory", 500)
        else:
            serve(handler, request)

    momentum.always = dies
    code, said = study(*args)
    assert code == 1 and "the model answered 100 of 321 bars" in said and KEPT in said and "bar 2017-" in said, said
    assert not (tmp_path / "out").exists()
    momentum.always, momentum.requests[:] = serve, []
    code, said = study(*args)
    assert code == 0, said
    assert len(momentum.requests) == 221 + 8, "what is kept is not asked again, but for the first few"
    assert found(tmp_path / "out") == whole


def test_a_late_answer_is_still_said_by_the_next_run(study, momentum, tmp_path):
    args, serve = ["--bars", bars(tmp_path, 300), "--model", momentum.url, *COSTS], momentum.serve

    def answers(handler, request):
        if len(momentum.requests) in [20, 40]:
            time.sleep(1.5)
        serve(handler, request)

    momentum.always, written = answers, []
    for _ in range(2):
        code, said = study(*args, settings={"model.deadline_ms": 1_000})
        assert code == 0, said
        [late] = [note for note in found(tmp_path / "out")["counts"]["notes"] if "took longer than model.deadline_ms" in note]
        assert int(late.split()[0]) >= 2 and "live they would have been no decision" in late
        written.append((tmp_path / "out/study.json").read_bytes())
        momentum.always, momentum.requests[:] = serve, []
    assert written[0] == written[1]


def test_a_model_that_answers_otherwise_is_another_one(study, momentum, tmp_path):
    args = ["--bars", bars(tmp_path, 300), "--model", momentum.url, *COSTS]
    code, said = study(*args)
    assert code == 0, said
    momentum.always = lambda handler, request: handler.answer(json.dumps({"predictions": [[0.2, 0.2, 0.6]]}))
    code, said = study(*args)
    assert code == 1 and "give it another model.name" in said and KEPT in said, said
    code, said = study(*args, settings={"model.name": "other"})
    assert code == 0, said


def test_a_bad_count_file_is_found_before_the_model(study, momentum, tmp_path):
    (tmp_path / "mine.db").write_text("no database, but a text that is long enough to be looked at as one")
    args = ["--bars", bars(tmp_path, 300), "--model", momentum.url, *COSTS]
    code, said = study(*args, "--studies", tmp_path / "mine.db")
    assert code == 1 and "mine.db, which counts the studies of these bars: " in said, said
    assert momentum.requests == [] and not (tmp_path / "out").exists() and not (tmp_path / KEPT).exists()


def asking(binary, folder, momentum) -> subprocess.Popen:
    """A study that waits for its model's first answer."""
    momentum.always = hang
    command = [binary, "study", "--bars", str(bars(folder, 300)), "--model", momentum.url, *COSTS, "--out", "out"]
    env = environment(HOME=str(folder), **variables({"market.calendar": "fx", "model.deadline_ms": 30_000}))
    run = subprocess.Popen(command, env=env, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_until("the first question", lambda: momentum.requests)
    return run


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_study_and_says_what_is_left(binary, momentum, tmp_path, number):
    run = asking(binary, tmp_path, momentum)
    run.send_signal(number)
    assert run.wait(30) == 130
    assert f"stopped by {number.name}: out is as it was" in run.stdout.read() and not (tmp_path / "out").exists()


def test_two_studies_never_write_into_one_folder(binary, study, momentum, tmp_path):
    run = asking(binary, tmp_path, momentum)
    try:
        code, said = study("--bars", tmp_path / "eurusd.csv", "--odds", odds(tmp_path, 300), *COSTS)
        assert code == 1 and "out is being written by another run" in said, said
    finally:
        run.kill()
        run.wait()
    # The lock that the killed one has left holds nobody up.
    code, said = study("--bars", tmp_path / "eurusd.csv", "--odds", odds(tmp_path, 300), *COSTS)
    assert code == 0 and found(tmp_path / "out"), said


@pytest.mark.long
def test_a_full_disk_leaves_the_folder_as_it_was(binary, study, tmp_path):
    """`ulimit -f` stands in for the disk: study.html has room for itself, and study.json has not."""
    args = ["--bars", bars(tmp_path, 1_000), "--odds", odds(tmp_path, 1_000), *COSTS]
    code, said = study(*args, out="old")
    assert code == 0 and found(tmp_path / "old"), said
    old = {path.name: path.read_bytes() for path in (tmp_path / "old").iterdir()}
    page, numbers = (len(old[name]) for name in ["study.html", "study.json"])
    assert page + 8_192 < numbers, "the limit lies between them"
    limited = f"trap '' XFSZ; ulimit -f {(page + numbers) // 2 // 1_024}; exec"
    env = environment(HOME=str(tmp_path), **variables({"market.calendar": "fx"}))
    for out in ["new", "old"]:
        command = f"{limited} {binary} study {' '.join(map(str, args))} --horizon-bars 5 --out {out}"
        done = subprocess.run(["bash", "-c", command], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert done.returncode == 1 and f"cannot write {out}/study.json: File too large" in done.stderr, done.stderr
    assert not (tmp_path / "new").exists() and old == {path.name: path.read_bytes() for path in (tmp_path / "old").iterdir()}


def test_a_closed_output_is_no_fault(binary, tmp_path):
    command = f"{binary} study --bars {bars(tmp_path, 520)} --odds {odds(tmp_path, 520)} --spread-points 8 --out out"
    command = f"{{ {command}; echo $? >code; }} 2>err | head -0"
    env = environment(HOME=str(tmp_path), **variables({"market.calendar": "fx"}))
    subprocess.run(command, shell=True, env=env, cwd=tmp_path, check=True, timeout=120)
    wait_until("its end", lambda: (tmp_path / "code").exists() and (tmp_path / "code").read_text(), 60)
    assert (tmp_path / "code").read_text() == "0\n" and "panicked" not in (tmp_path / "err").read_text()


@pytest.mark.long
def test_a_journal_is_studied_with_its_bars_and_without(binary, study, sandbox, tmp_path):
    journal = tmp_path / "journal.db"
    daemon = sandbox.trade(400, "--journal", str(journal))
    daemon.after_cycles(400, 120)
    daemon.stop()
    args = ["--journal", journal, *COSTS, "--symbol", "EURUSD"]
    code, said = study(*args, "--bars", BARS)
    assert code == 0, said
    with_bars = found(tmp_path / "out")
    assert [file["kind"] for file in with_bars["inputs"]] == ["bars", "journal"]
    assert with_bars["odds_from"] == "recorded" and with_bars["counts"]["decisions"] > 300
    code, said = study(*args, out="closes")
    assert code == 0, said
    closes = found(tmp_path / "closes")
    assert closes["counts"]["decisions"] == with_bars["counts"]["decisions"]
    assert not closes["look_ahead"]["is_checked"] and "recorded" not in closes["look_ahead"]
    assert any("close to close as recorded, without stops" in note for note in closes["counts"]["notes"])
    for report, has_bars in [(with_bars, True), (closes, False)]:
        assert [gate["is_met"] for gate in report["answer"]["gates"] if gate["name"] == "bars"] == [has_bars]
    code, said = study(*args, "--archive", tmp_path / "bars.db", out="archived")
    assert code == 0, said
    archived = found(tmp_path / "archived")
    assert [file["kind"] for file in archived["inputs"]] == ["archive", "journal"]
    assert len(archived["prices"]) > 300 and archived["prices"] == with_bars["prices"], "the same bars, wherever they are from"
    for report in [with_bars, archived]:
        is_whole(report)
    replay = f"{{ {binary} replay --journal {journal} --archive {tmp_path / 'bars.db'}; echo $? >code; }} 2>err | head -0"
    env = environment(HOME=str(tmp_path), **variables({"market.calendar": "fx"}))
    subprocess.run(replay, shell=True, env=env, cwd=tmp_path, check=True, timeout=120)
    wait_until("its end", lambda: (tmp_path / "code").exists() and (tmp_path / "code").read_text(), 60)
    assert (tmp_path / "code").read_text() == "0\n" and "panicked" not in (tmp_path / "err").read_text()
    code, said = study(*args, "--interval", "5m", out="finer")
    assert code == 1 and "were decided on bars of 1h, and data.interval is 5m: --interval 1h studies them" in said, said
    code, said = study(*args, settings={"model.name": "other"})
    assert code == 1 and "has no odds of EURUSD by model other, but by baseline: set model.name" in said, said


def gate(report: dict) -> dict:
    """The condition of the look-ahead check."""
    (found,) = [gate for gate in report["answer"]["gates"] if gate["name"] == "look_ahead"]
    return found


def is_whole(report: dict, earlier: int = 0):
    """Every recorded decision has the features that these bars give, and none of them uses later ones."""
    ahead, count = report["look_ahead"], report["counts"]["decisions"]
    assert (ahead["is_checked"], ahead["checked"], ahead["unequal"]) == (True, count, 0)
    assert ahead["recorded"] == {"decisions": count, "equal": count, "earlier": earlier, "other": 0, "first": None, "without_features": 0, "short": 0}
    assert gate(report)["is_met"] and gate(report)["found"] == 0
    notes = [note for note in report["counts"]["notes"] if "recorded decisions" in note]
    said = f"{earlier} of {count} recorded decisions were made on bars that were repaired since"
    assert len(notes) == bool(earlier) and all(note.startswith(said) for note in notes), notes


@pytest.mark.long
def test_recorded_odds_are_checked_by_the_features_beside_them(study, sandbox, tmp_path):
    journal = tmp_path / "journal.db"
    daemon = sandbox.trade(300, "--journal", str(journal))
    daemon.after_cycles(300, 120)
    daemon.stop()
    args = ["--journal", journal, *COSTS, "--symbol", "EURUSD"]

    def of(*more, settings=None) -> dict:
        code, said = study(*args, *more, settings=settings)
        assert code == 0, said
        return found(tmp_path / "out")

    def unequal(report: dict, **wanted) -> str:
        ahead = report["look_ahead"]
        assert {name: ahead["recorded"][name] for name in wanted} == wanted
        count = sum(wanted.values())
        assert ahead["checked"] == ahead["recorded"]["equal"] == ahead["recorded"]["decisions"] - count
        assert not gate(report)["is_met"] and not gate(report)["is_checked"] and gate(report)["found"] == count
        assert "whether those use later bars cannot be checked" in (tmp_path / "out/study.html").read_text()
        return " ".join(note for note in report["counts"]["notes"] if "recorded decisions" in note)

    whole = of("--bars", BARS)
    is_whole(whole)
    count = whole["counts"]["decisions"]
    decided = "FROM decisions WHERE symbol = 'EURUSD' AND features IS NOT NULL ORDER BY cycle_id LIMIT 1 OFFSET"
    with contextlib.closing(sqlite3.connect(journal)) as rows, rows:
        ((row, features, digest),) = rows.execute(f"SELECT id, features, sequence_sha256 {decided} 9").fetchall()
        rows.execute("UPDATE decisions SET features = ? WHERE id = ?", (features[:8] + b"\x01" + features[9:], row))
        ((other,),) = rows.execute(f"SELECT id {decided} 20").fetchall()
        rows.execute("UPDATE decisions SET sequence_sha256 = ? WHERE id = ?", (digest, other))
        ((old,),) = rows.execute(f"SELECT id {decided} 30").fetchall()
        rows.execute("UPDATE decisions SET features = NULL, sequence_sha256 = NULL WHERE id = ?", (old,))
    said = unequal(of("--bars", BARS), other=2, without_features=1)
    assert f"2 of {count} recorded decisions have other features than these bars give" in said, said
    assert "; the first: bar 2017-" in said and ", return_5: " in said and " recorded, " in said
    assert f"1 of {count} recorded decisions have no features in the journal" in said
    with contextlib.closing(sqlite3.connect(journal)) as rows, rows:
        rows.execute("UPDATE decisions SET features = ? WHERE id = ?", (features, row))
        rows.execute("DELETE FROM decisions WHERE id IN (?, ?)", (other, old))
    is_whole(of("--bars", BARS))

    # Bars that begin later, a bar that was repaired, and another length of the windows.
    later, repaired = tmp_path / "later/eurusd.csv", tmp_path / "repaired/eurusd.csv"
    for path in [later, repaired]:
        path.parent.mkdir()
    with contextlib.closing(sqlite3.connect(journal)) as rows:
        ((first,),) = rows.execute("SELECT min(bar_close_time) FROM decisions WHERE symbol = 'EURUSD' AND features IS NOT NULL").fetchall()
    (place,) = [place for place, line in enumerate(LINES) if line.startswith(f"{first - HOUR},")]
    later.write_text("\n".join([LINES[0], *LINES[place - 189 :]]) + "\n")
    report = of("--bars", later)
    said = unequal(report, short=report["look_ahead"]["recorded"]["short"])
    assert 8 <= report["look_ahead"]["recorded"]["short"] <= 10 and "fewer than 200 bars up to them" in said, said
    place += 280
    *prices, volume = LINES[place].split(",")
    repaired.write_text("\n".join([*LINES[:place], ",".join([*prices, str(float(volume) + 7)]), *LINES[place + 1 :]]) + "\n")
    report = of("--bars", repaired)
    said = unequal(report, other=report["look_ahead"]["recorded"]["other"])
    assert 10 < report["look_ahead"]["recorded"]["other"] <= 20 and "volume_sma: " in said, said
    # The daemon's archive has a repaired bar as it was, too, and the digest in the journal says which bars those were.
    others = report["look_ahead"]["recorded"]["other"]
    is_whole(of("--archive", tmp_path / "bars.db"))
    with contextlib.closing(sqlite3.connect(tmp_path / "bars.db")) as archive, archive:
        opened = int(LINES[place].split(",")[0])
        columns = [name for _, name, *_ in archive.execute("PRAGMA table_info(bars)")]
        changed = {"revision": "revision + 1", "first_cycle_id": "first_cycle_id + 1000000000", "volume": "volume + 7"}
        values = ", ".join(changed.get(name, name) for name in columns)
        done = archive.execute(f"INSERT INTO bars ({', '.join(columns)}) SELECT {values} FROM bars WHERE open_time = ?", (opened,))
        assert done.rowcount >= 1 and sum(name in changed for name in columns) == 3
    is_whole(of("--archive", tmp_path / "bars.db"), others)
    with contextlib.closing(sqlite3.connect(journal)) as rows, rows:
        rows.execute("UPDATE decisions SET bars_sha256 = zeroblob(32)")
    assert unequal(of("--archive", tmp_path / "bars.db"), other=others)

    report = of("--bars", BARS, settings={"data.lookback_bars": 190})
    assert report["look_ahead"]["recorded"]["equal"] == 0 and unequal(report, other=count - 2)


def old_journal(path, version: int, rows: list[tuple]):
    """A journal as a daemon of this schema left it: closes and odds, no archive, no settings; from 2 on with the model's name."""
    schema = (ROOT / "actors/src/adapters/journal/schema.rs").read_text()
    tables = re.search(r'MIGRATIONS: \[&str; \d+\] = \["\n(.*?)"\];', schema, re.DOTALL)[1].replace('\\"', '"').split('\n", "\n')
    with contextlib.closing(sqlite3.connect(path)) as journal, journal:
        for table in tables[:version]:
            journal.executescript(table)
        for cycle, (closed, close, odds) in enumerate(rows, 1):
            journal.execute(
                "INSERT INTO decisions (cycle_id, symbol, bar_close_time, close, p_sell, p_hold, p_buy, threshold, action)"
                " VALUES (?, 'EURUSD', ?, ?, ?, ?, ?, 0.6, 'HOLD')",
                (cycle, closed, close, *odds),
            )
            if version >= 2:
                row = ("baseline", "EURUSD", closed, max(odds), cycle)
                journal.execute("INSERT INTO confidences VALUES (?, ?, ?, ?, ?)", row)
        journal.execute(f"PRAGMA application_id = {0x534E544C}")
        journal.execute(f"PRAGMA user_version = {version}")


@pytest.mark.long
@pytest.mark.parametrize("version", [1, 3])
def test_a_journal_without_an_archive_is_studied_by_closes(study, tmp_path, version):
    file = odds(tmp_path, 2_000)
    given = [[float(number) for number in line.split(",")[2:]] for line in file.read_text().splitlines()[1:]]
    recorded = [(int(row["timestamp"]) + HOUR, float(row["close"])) for row in csv.DictReader(LINES[:2_001])]
    old_journal(tmp_path / "old.db", version, [(*bar, its) for bar, its in zip(recorded, given, strict=True)])
    args, stops = [*COSTS, "--trained-until", "2017-03-31"], {"trading.stop_loss": 0.001, "trading.take_profit": 0.001}
    code, said = study("--journal", tmp_path / "old.db", "--symbol", "EURUSD", *args, settings=stops)
    assert code == 0 and "No threshold is better than chance here" in said, said
    old = found(tmp_path / "out")
    notes = " ".join(old["counts"]["notes"])
    assert "no bars were given: results are from close to close as recorded, without stops" in notes
    assert ("2000 decisions were recorded before journals named the model" in notes) == (version == 1), notes
    assert "filled at the close that was recorded with it" in " ".join(old["rules"]["sentences"])
    assert old["rules"]["stop_loss"] is None and old["label"]["kind"] == "horizon" and old["calibration"]["count"] > 1_000
    assert (old["counts"]["decisions"], old["odds_from"]) == (1_984, "recorded")
    assert not old["look_ahead"]["is_checked"] and "sentinel replay" in old["look_ahead"]["extent"][0]

    # The same from a file of bars that open where the one before closed.
    lines, before = ["timestamp,open,high,low,close,volume"], recorded[0][1]
    for closed, close in recorded:
        lines.append(f"{closed - HOUR},{before!r},{max(before, close)!r},{min(before, close)!r},{close!r},0")
        before = close
    (tmp_path / "eurusd.csv").write_text("\n".join(lines) + "\n")
    code, said = study("--bars", tmp_path / "eurusd.csv", "--odds", file, *args, "--studies", tmp_path / "other.db", out="bars")
    assert code == 0, said
    bars = found(tmp_path / "bars")
    for same in ["both", "sides", "trials", "null", "walk_forward", "calibration", "confusion", "months", "equity", "marks"]:
        assert old[same] == bars[same], same

    code, said = study("--journal", tmp_path / "old.db", "--symbol", "EURUSD", *args, "--interval", "4h", out="4h")
    assert code == 1 and "most of its odds are 60 minutes apart, and data.interval is 4h" in said, said
    code, said = study("--journal", tmp_path / "old.db", "--symbol", "EURUSD", *args, settings={"study.label": "triple_barrier"} | stops)
    assert code == 64 and "study.label" in said, said


@pytest.mark.long
def test_missing_bars_are_named_and_decisions_over_them_left_out(study, momentum, tmp_path):
    path, file = bars(tmp_path, 500), odds(tmp_path, 500)
    for gapped in [path, file]:
        lines = gapped.read_text().splitlines()
        gapped.write_text("\n".join(lines[:290] + lines[293:]) + "\n")
    begin, end = (int(LINES[line].split(",")[0]) for line in [290, 293])
    assert end - begin == 3 * HOUR, "within a week"
    reports, asked = {}, {}
    for on_gap in ["continue", "stop"]:
        settings = {"data.on_gap": on_gap}
        code, said = study("--bars", path, "--odds", file, *COSTS, settings=settings, out=on_gap)
        assert code == 0, said
        reports[on_gap] = found(tmp_path / on_gap)
        counts = reports[on_gap]["counts"]
        assert counts["gaps"] == 1 and counts["gaps_first"] == [{"from": begin, "to": end}]
        named = "bars are missing although calendar fx expects them, in 1 place: 2017-03-"
        assert any(note.startswith(named) and "(3 hours)" in note for note in counts["notes"]), counts["notes"]
        page = (tmp_path / on_gap / "study.html").read_text()
        assert named in page and "places where bars are missing although the market was open: 1" in page
        code, said = study("--bars", path, "--model", momentum.url, *COSTS, settings=settings, out=f"{on_gap}-asked")
        assert code == 0, said
        asked[on_gap] = found(tmp_path / f"{on_gap}-asked")["look_ahead"]["checked"]
    withheld = {left["why"]: left["count"] for left in reports["stop"]["counts"]["dropped"]}
    (count,) = [count for why, count in withheld.items() if why.startswith("decisions with missing bars among the newest 60")]
    # Of the 59 bars after the gap whose newest 60 have bars on both sides of it, those that close with the week count elsewhere.
    assert 57 <= count <= 59
    assert reports["continue"]["counts"]["decisions"] - reports["stop"]["counts"]["decisions"] == count
    assert asked == {"continue": 500 - 3 - 199, "stop": 500 - 3 - 199 - 59}


def test_a_study_needs_one_symbol_and_its_bars(study, tmp_path):
    path, file = bars(tmp_path, 400), odds(tmp_path, 400)
    code, said = study("--bars", path, "--odds", file, *COSTS, "--symbol", "EURUSD,USDJPY")
    assert code == 64 and "--symbol: one symbol a study, of EURUSD, USDJPY" in said, said
    code, said = study("--odds", file, *COSTS)
    assert code == 64 and "--bars: is missing, or --archive" in said, said
    code, said = study("--bars", path, "--model", "localhost", *COSTS)
    assert code == 64 and "--model: not a URL of a server" in said, said
    code, said = study("--bars", path, "--odds", file, *COSTS, "--trained-until", "soon")
    assert code == 64 and "model.trained_until" in said, said
