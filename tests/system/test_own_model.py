"""config/model: the page's walk from bars to a decision, typed as it stands; features that are the daemon's; what training refuses."""

import csv
import json
import re
import sqlite3
import subprocess
import sys
import urllib.request
from types import SimpleNamespace

import joblib
import numpy
import pandas
import pytest

from parts.paths import ROOT
from parts.daemon import environment
from parts.market import HOUR, bar
from parts.own_model import BARS, PAGE, Walk, blocks, section

sys.path.insert(0, str(ROOT / "config/model"))

import features  # noqa: E402
import judge  # noqa: E402
import pyfunc  # noqa: E402
import train  # noqa: E402
from bars import BadInput, read_bars, sha256  # noqa: E402
from labels import BUY, HOLD, SELL, moves, triple_barrier  # noqa: E402

GOLDEN = sorted((ROOT / "tests/golden").glob("*.json"))
OPTIONS = SimpleNamespace(lookback_bars=200, jump_max=0.2, gap_max_hours=120)
FIGURE = r"-?\d+(?:\.\d+)?"
SERVERS = ("mlflow models serve", "sentinel sandbox market")


def squeezed(text: str) -> str:
    """Without white space, which JSON may have or not."""
    return re.sub(r"\s", "", text)


# The page's walk.


@pytest.fixture(scope="module")
def walk(binary, tmp_path_factory):
    """Every command of the page in its order, but for the installation of the packages."""
    walk = Walk(binary, tmp_path_factory.mktemp("walk"))
    copy, install, *commands = blocks("sh", section("In one sitting"))
    assert "pip install" in install
    walk.type(copy, ROOT)
    [settings] = blocks("toml", section("In one sitting"))
    walk.write("model.toml", settings)
    try:
        for command in commands:
            walk.serve(command) if command.startswith(SERVERS) else walk.type(command)
        yield walk
    finally:
        walk.close()


def test_the_walk_ends_with_a_decision_of_the_model(walk):
    assert "4801 rows of EURUSD" in walk.said("sentinel dataset")
    assert "The model answers correctly." in walk.said("sentinel verify model")
    explained = walk.said("sentinel explain")
    assert re.search(r"odds +SELL 0\.\d{3}  HOLD 0\.\d{3}  BUY 0\.\d{3}, threshold 0\.4\n", explained), explained
    shown = next(block for block in blocks("", section("In one sitting")) if "  rule  " in block)
    for line in shown.splitlines()[1:]:
        assert line.removesuffix("  ...") in explained, f"{line} is not in {explained}"


def test_training_says_what_the_page_shows(walk):
    shown = next(block for block in blocks("", section("In one sitting")) if block.startswith("trained until"))
    assert walk.said("python train.py") == shown
    metrics = json.loads((walk.directory / "eurusd-1/metrics.json").read_text())
    assert metrics["classes"] == ["SELL", "HOLD", "BUY"] and metrics["trained_until"] == metrics["test"]["from"]
    assert metrics["log_loss"]["model"] < metrics["log_loss"]["class_frequencies"]
    assert numpy.sum(metrics["confusion"]["counts"]) == metrics["test"]["rows"] == 1437


def told(text):
    """A text's words without its figures, and its figures."""
    text = " ".join(text.split())
    return re.sub(FIGURE, "N", text), [float(figure) for figure in re.findall(FIGURE, text)]


@pytest.mark.long
def test_the_studies_of_both_models_say_what_the_page_shows(walk):
    """Of the model of the page, then of the demo's own, on the same bars: the second try counts the first."""
    command, serve, of_the_demo = blocks("sh", section("Is it worth anything?"))
    shown, shown_of_the_demo = blocks("", section("Is it worth anything?"))
    walk.serve(serve)
    for typed, shown in [(command, shown), (of_the_demo, shown_of_the_demo)]:
        said = walk.type(typed)
        # Another processor rounds the fit otherwise, and the last digits of what follows with it; the words are the same.
        words, figures = told(shown)
        answer = said[said.index(shown.split(":")[0]):]
        assert told(answer)[0] == words, said
        numpy.testing.assert_allclose(told(answer)[1], figures, rtol=0.02, atol=0.02)
    report = json.loads((walk.directory / "study/study.json").read_text())
    trained_until = json.loads((walk.directory / "eurusd-1/metrics.json").read_text())["trained_until"]
    # Decisions in a gap of the bars are none, as for the daemon.
    decisions = report["counts"]["decisions"]
    assert trained_until in command and 4700 < decisions < 4801
    assert report["look_ahead"]["checked"] == 4801 and report["look_ahead"]["unequal"] == 0
    demo = json.loads((walk.directory / "demo-study/study.json").read_text())
    # It was fitted on 3,000 bars, the first 199 of which have no window; with the last of a week the market closes.
    assert 2_700 < demo["counts"]["decisions_in_sample"] < 2_801
    assert demo["answer"]["verdict"] == report["answer"]["verdict"] == "not_judged"
    assert (report["trials"]["studies"], demo["trials"]["studies"]) == (1, 2)


def test_the_served_model_gives_the_recorded_odds_again(walk):
    [(decisions,)] = sqlite3.connect(walk.directory / "try.db").execute("SELECT count(*) FROM decisions").fetchall()
    said = walk.type("sentinel replay --config model.toml --journal try.db --ask-model")
    assert decisions == 1 and re.search(r" 1 rows? asked, 0 with other odds\n", said), said
    assert re.search(r"\nEQUAL: 1 decisions?, bit for bit\n$", said), said


def test_request_and_answer_are_those_of_the_page(walk, harness):
    """The page's decision once more, towards a server that keeps the request; then that request, to the served model."""
    shown, answer = blocks("json", section("The request and the answer"))
    [run] = [command for command in blocks("sh", section("In one sitting")) if " --once " in command]
    # A market of its own, which begins with its first bar again.
    market = Walk(harness.binary, harness.directory / "again")
    try:
        market.directory.mkdir()
        market.write("model.toml", f'[model]\nhost = "127.0.0.1"\nport = {harness.model.port}\n')
        market.serve("sentinel sandbox market --port 8081")
        market.type(run)
    finally:
        market.close()
    [request] = harness.model.requests
    assert (request.method, request.path) == ("POST", "/invocations")
    assert request.headers["content-type"] == "application/json"
    body, at = squeezed(request.body.decode()), 0
    for part in map(squeezed, shown.split("...")):
        at = body.find(part.strip(","), at)
        assert at >= 0, f"the request has no {part}: {body[:400]}"
    url = f"http://127.0.0.1:{walk.ports['5001']}/invocations"
    asked = urllib.request.Request(url, request.body, {"Content-Type": "application/json"})
    answered = json.loads(urllib.request.urlopen(asked, timeout=20).read())
    numpy.testing.assert_allclose(answered["predictions"], json.loads(answer)["predictions"], atol=1e-4)


def test_the_confidence_reference_is_one_that_the_daemon_takes(walk):
    reference = walk.directory / "eurusd-1/confidence_reference.json"
    assert "confidence_reference" in walk.type("EODHD_API_TOKEN=any sentinel check --config model.toml")
    content = json.loads(reference.read_text())
    assert content["bounds"][-1] == 1 and abs(sum(content["shares"]) - 1) < 1e-9 and len(content["bounds"]) == 10


def test_the_other_label_is_trained_as_the_page_says(walk):
    [command] = blocks("sh", section("How a position ends, and what the label must match"))
    said = walk.type(command)
    label = json.loads((walk.directory / "eurusd-2/metrics.json").read_text())["label"]
    assert label == {"kind": "triple_barrier", "horizon_bars": 24, "stop_loss": 0.002, "take_profit": 0.003}
    assert "do not trade it" in said


def test_the_page_names_the_versions_of_the_tests():
    pinned = (ROOT / "tests/requirements.txt").read_text().split()
    packages = re.findall(r"[\w-]+==[\d.]+", PAGE.read_text())
    assert len(packages) == 3 and set(packages) <= set(pinned)


def test_the_page_shows_the_pyfunc_as_it_is():
    [shown] = blocks("python", PAGE.read_text())
    assert shown.strip() in (ROOT / "config/model/pyfunc.py").read_text()


def test_the_page_has_the_features_in_their_order():
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", section("The features"), re.MULTILINE)
    names = json.loads(GOLDEN[0].read_text())["feature_names"]
    assert [name for _, name in rows] == features.NAMES == pyfunc.NAMES and [int(n) for n, _ in rows] == list(range(23))
    assert features.NAMES[:22] == names[:22]


# Features.


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_features_are_the_golden_ones(path):
    """All float32 are equal, and all float64 but those that pandas makes with a running sum: a step of the last digit in the
    means, less than 1e-17 in the volatilities."""
    golden = json.loads(path.read_text())
    rows = pandas.DataFrame(golden["bars"])
    tabular, sequence = features.build(rows, len(rows))
    wanted = dict(zip(features.NAMES, golden["tabular"]))
    for name, value in zip(features.NAMES, tabular[0]):
        if name in ("sma_10", "sma_20", "volume_sma"):
            assert abs(value - wanted[name]) <= numpy.spacing(wanted[name]), name
        elif name in ("volatility_10", "volatility_20"):
            assert abs(value - wanted[name]) < 1e-17, name
        else:
            assert value == wanted[name], name
    assert (sequence[0] == numpy.array(golden["sequence"], dtype=numpy.float32)).all()


def stood_still() -> list[dict]:
    """200 bars of which 30 do not move and 40 have no volume, in the middle of the newest 60: 0/0 with a later value."""
    rows = [bar(HOUR * (450_000 + n), 0 if 145 <= n < 185 else 100 + n) for n in range(200)]
    for row in rows[150:180]:
        row |= {name: rows[149]["close"] for name in ("open", "high", "low", "close")}
    return rows


WINDOWS = {path.stem: json.loads(path.read_text())["bars"] for path in GOLDEN} | {"stood_still": stood_still()}


@pytest.mark.parametrize("case", WINDOWS)
def test_features_are_the_daemons_to_the_last_bit(harness, case):
    harness.market.bars = WINDOWS[case]
    harness.start("--cycles", "1", "--clock", "bars").after_cycles(1)
    [(sent_tabular, sent_sequence)] = harness.model.requests[0].json()["dataframe_split"]["data"]
    rows = pandas.DataFrame(harness.market.bars)
    tabular, sequence = features.build(rows, len(rows))
    assert tabular[0].tolist() == sent_tabular
    assert (sequence[0] == numpy.array(sent_sequence, dtype=numpy.float32)).all()


def test_a_dataset_has_each_bars_own_window(tmp_path, monkeypatch):
    """Block by block as in one, and each row as if its 200 bars were all there is."""
    monkeypatch.setattr(features, "BLOCK_BARS", 64)
    source = tmp_path / "eurusd.csv"
    source.write_text("".join(BARS.read_text().splitlines(keepends=True)[:400]))
    assert features.write_dataset(source, tmp_path / "out", "EURUSD", OPTIONS) == 200
    tabular = pandas.read_csv(tmp_path / "out/tabular.csv")
    index = pandas.read_csv(tmp_path / "out/index.csv")
    sequence = numpy.load(tmp_path / "out/sequence.npy")
    assert list(tabular.columns) == features.NAMES and sequence.dtype == numpy.float32 and sequence.shape == (200, 60, 23)
    rows = read_bars(source, OPTIONS)
    for row in (0, 63, 64, 130, 199):
        alone, alone_sequence = features.build(rows[row : row + 200])
        assert tabular.to_numpy()[row].tolist() == alone[0].tolist() and (sequence[row] == alone_sequence[0]).all()
        newest = rows.iloc[row + 199]
        assert index.loc[row].tolist() == ["EURUSD", newest["timestamp"] + HOUR, newest["close"], row + 199]
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert (manifest["rows"], manifest["interval_s"], manifest["lookback_bars"]) == (200, 3600, 200)
    assert [path.name for path in tmp_path.glob("out*")] == ["out"]


# Labels and split.


def test_a_label_is_the_barrier_that_comes_first():
    """Closes at 1.0, stop-loss 0.002, take-profit 0.003: what the next bars do decides."""
    for after, label in [
        ([(1.0031, 0.999)], BUY),
        ([(1.001, 0.9969)], SELL),
        ([(1.001, 0.9985), (1.0030, 0.999)], BUY),
        ([(1.0031, 0.9979)], HOLD),  # both in one bar: stopped
        ([(1.001, 0.9979), (1.0031, 1.0)], HOLD),  # stopped before it rose
        ([(1.0021, 1.0), (1.0, 0.9969)], HOLD),  # a SELL is stopped above
        ([(1.001, 0.999)] * 3, HOLD),
        ([(1.001, 0.999)] * 3 + [(1.0031, 1.0)], HOLD),  # beyond the horizon
    ]:
        high, low = numpy.array([(1.0, 1.0), *after]).T
        found = triple_barrier(numpy.ones(len(high)), high, low, 3, 0.002, 0.003)
        assert found[0] == label, after


def test_a_move_is_not_known_before_its_horizon():
    assert numpy.allclose(moves(numpy.array([1.0, 1.1, 1.21]), 1)[:2], 0.1)
    assert numpy.isnan(moves(numpy.array([1.0, 1.1, 1.21]), 1)[2]) and numpy.isnan(moves(numpy.ones(3), 4)).all()


@pytest.fixture(scope="module")
def half_year(tmp_path_factory):
    """Enough bars for a quick training."""
    path = tmp_path_factory.mktemp("bars") / "eurusd.csv"
    path.write_text("".join(BARS.read_text().splitlines(keepends=True)[:1501]))
    return path


def arguments(source, out, *more: str):
    """As of the command line."""
    return train.arguments([str(source), str(out), *more])


@pytest.mark.parametrize("more", [(), ("--label", "triple_barrier", "--stop-loss", "0.002", "--take-profit", "0.002")])
def test_no_bar_after_the_split_changes_the_model(half_year, tmp_path, more):
    """Neither features, nor labels, nor what counts as a small move."""
    lines = half_year.read_text().splitlines()
    metrics = train.train(arguments(half_year, tmp_path / "as-it-was", *more))
    cut = pandas.Timestamp(metrics["trained_until"]).timestamp()
    other = []
    for fields in csv.reader(lines[1:]):
        if int(fields[0]) >= cut:
            # Upside down from here on: what fell rises.
            first, high, low, last = (f"{2.2 - float(price):.5f}" for price in fields[2:6])
            fields[2:6] = first, low, high, last
        other.append(",".join(fields))
    changed = tmp_path / "changed.csv"
    changed.write_text("\n".join([lines[0], *other]))
    train.train(arguments(changed, tmp_path / "changed", *more))
    one, two = ((tmp_path / name / "model/artifacts/classifier.joblib").read_bytes() for name in ("as-it-was", "changed"))
    assert one == two


def test_the_same_bars_make_the_same_model(half_year, tmp_path):
    for name in ("one", "two"):
        train.train(arguments(half_year, tmp_path / name))
    for file in ("metrics.json", "confidence_reference.json", "model/artifacts/classifier.joblib", "model/pyfunc.py"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes(), file


def test_bars_and_their_dataset_make_the_same_model(half_year, tmp_path):
    features.write_dataset(half_year, tmp_path / "dataset", "EURUSD", OPTIONS)
    train.train(arguments(half_year, tmp_path / "bars"))
    train.train(arguments(tmp_path / "dataset", tmp_path / "again"))
    one, two = ((tmp_path / name / "model/artifacts/classifier.joblib").read_bytes() for name in ("bars", "again"))
    assert one == two


def two_symbols(half_year, folder):
    """A dataset of two: EURUSD, and USDJPY: the same bars upside down, at a hundred times the price."""
    upside_down = folder / "usdjpy.csv"
    rows = pandas.read_csv(half_year)
    prices = 220 - 100 * rows[["open", "low", "high", "close"]]
    rows[["open", "high", "low", "close"]] = prices.to_numpy().round(3)
    rows.to_csv(upside_down, index=False)
    for source in (half_year, upside_down):
        features.write_dataset(source, folder / source.stem, source.stem.upper(), OPTIONS)
    both = folder / "both"
    both.mkdir()
    parts = [folder / "eurusd", folder / "usdjpy"]
    for name in ("tabular.csv", "index.csv"):
        pandas.concat([pandas.read_csv(part / name) for part in parts]).to_csv(both / name, index=False)
    numpy.save(both / "sequence.npy", numpy.concatenate([numpy.load(part / "sequence.npy") for part in parts]))
    (both / "manifest.json").write_text('{"files": {}}')
    return both


def test_each_of_two_symbols_has_labels_of_its_own(half_year, tmp_path):
    both = two_symbols(half_year, tmp_path)
    data, options = train.from_dataset(both), arguments(both, tmp_path / "out")
    rows, test, cut = train.split(data, options.horizon, options.test_share, options.gap_max_hours)
    labels, _ = train.label(data, rows, options)
    one, other = (labels[data.symbol == symbol] for symbol in ("EURUSD", "USDJPY"))
    # The yen's moves are smaller in the same measure as its price is farther from 110, so a few small ones differ.
    assert (one == 2 - other)[:-4].mean() > 0.95 and {BUY, SELL} <= set(one)
    assert data.time[rows].max() < cut <= data.time[test].min() and len(rows) + len(test) == len(data.time) - 4 * 2 - 3 * 2
    train.train(options)
    with pytest.raises(BadInput, match="several symbols"):
        train.train(arguments(both, tmp_path / "x", "--label", "triple_barrier", "--stop-loss", "1", "--take-profit", "1"))


def test_odds_without_knowledge_are_not_beyond_chance():
    """200 seeds of noise: at most a few find a gain, and an edge is found every time."""
    found, edges = 0, 0
    for seed in range(200):
        random = numpy.random.default_rng(seed)
        labels = random.integers(0, 3, 1500)
        odds = random.dirichlet((30_000, 30_000, 30_000), 1500)
        found += judge.is_beyond_chance(judge.gain(labels, odds, numpy.full(3, 1 / 3)))
        odds[numpy.arange(1500), labels] += 0.1
        odds /= odds.sum(axis=1, keepdims=True)
        edges += judge.is_beyond_chance(judge.gain(labels, odds, numpy.full(3, 1 / 3)))
    assert found <= 10 and edges == 200


# The pyfunc.


class Swapped:
    """A classifier whose classes came in the order of the alphabet."""

    classes_ = numpy.array(["BUY", "HOLD", "SELL"])


def test_swapped_classes_are_never_served(tmp_path):
    joblib.dump(Swapped(), tmp_path / "classifier.joblib")
    with pytest.raises(AssertionError, match="classes are"):
        pyfunc.Odds().load_context(SimpleNamespace(artifacts={"classifier": tmp_path / "classifier.joblib"}))


def test_a_plain_classifier_is_what_the_page_says(half_year, tmp_path):
    """It refuses the request, and its classes come in the order of the alphabet."""
    import mlflow.sklearn
    from sklearn.linear_model import LogisticRegression

    tabular, sequence = features.build(read_bars(half_year, OPTIONS))
    sides = numpy.array(["SELL", "HOLD", "BUY"])[numpy.arange(len(tabular)) % 3]
    plain = LogisticRegression(max_iter=5).fit(pandas.DataFrame(tabular, columns=features.NAMES), sides)
    assert plain.classes_.tolist() == ["BUY", "HOLD", "SELL"]
    with pytest.raises(ModuleNotFoundError, match="No module named 'skops'"):
        mlflow.sklearn.save_model(plain, tmp_path / "skops")
    kind = {"pyfunc_predict_fn": "predict_proba", "serialization_format": "cloudpickle", "pip_requirements": []}
    mlflow.sklearn.save_model(plain, tmp_path / "plain", **kind)
    asked = pandas.DataFrame({"X_tabular": tabular[:1].tolist(), "X_sequential": sequence[:1].tolist()})
    with pytest.raises(ValueError) as refused:
        mlflow.pyfunc.load_model(str(tmp_path / "plain")).predict(asked)
    assert "Feature names unseen at fit time:\n- X_sequential\n- X_tabular" in str(refused.value)


# Bad input.


def changed_line(number: int, **fields: str):
    """The file with other fields on this line."""

    def change(lines: list[str]) -> list[str]:
        names = lines[0].split(",")
        values = dict(zip(names, lines[number - 1].split(",")))
        return [*lines[: number - 1], ",".join((values | fields).values()), *lines[number:]]

    return change


def without(column: str):
    """The file without a column."""

    def change(lines: list[str]) -> list[str]:
        place = lines[0].split(",").index(column)
        return [",".join(field for n, field in enumerate(line.split(",")) if n != place) for line in lines]

    return change


def moved(begin: int, seconds: int):
    """From this line on all bars are later."""

    def change(lines: list[str]) -> list[str]:
        times = [line.split(",", 1) for line in without("datetime")(lines)]
        return [",".join([str(int(time) + seconds) if n >= begin - 1 else time, rest]) for n, (time, rest) in enumerate(times)]

    return change


def four_hours(lines: list[str]) -> list[str]:
    """From line 1000 on only every fourth bar; no weekends, so that nothing else is wrong."""
    rest = without("datetime")(lines)
    times = 1_600_000_000 // HOUR * HOUR
    stamped = [f"{times + HOUR * n},{line.split(',', 1)[1]}" for n, line in enumerate(rest[1:])]
    return [rest[0], *stamped[:998], *stamped[998::4]]


def daily(lines: list[str]) -> list[str]:
    """The last 150 lines are 30 weeks of daily bars, five a week from Sunday 22:00 UTC on."""
    rest = without("datetime")(lines)
    times, count = 1_599_429_600 + 50 * 7 * 86_400, 150  # a Sunday
    stamped = [f"{times + (n // 5 * 7 + n % 5) * 86_400},{line.split(',', 1)[1]}" for n, line in enumerate(rest[-count:])]
    hours = len(rest) - 1 - count
    begin = times - (hours // 120 + 1) * 7 * 86_400
    early = [f"{begin + (n // 120 * 7 * 24 + n % 120) * HOUR},{line.split(',', 1)[1]}" for n, line in enumerate(rest[1:-count])]
    return [rest[0], *early, *stamped]


REFUSED = [
    (without("volume"), "line 1: no column volume"),
    (lambda lines: [line.replace(",", ";") for line in lines], "line 1: no column timestamp, open"),
    (lambda lines: lines[:150], "149 bars, and the first row of features takes 200"),
    (lambda lines: [], "line 1: no column"),
    (lambda lines: [*lines[:50], lines[51], lines[50], *lines[52:]], "line 52: timestamp 1489618800 is before 1489622400: oldest first"),
    (lambda lines: [*lines[:50], lines[49], *lines[50:]], "line 51: timestamp 1489615200 is that of the bar before"),
    (lambda lines: [lines[0], *reversed(lines[1:])], "line 3: timestamp"),
    (moved(100, 1800), "line 100: opens 5400 s after the bar before; bars of 3600 s are mixed with others"),
    (moved(100, 200 * HOUR), "line 100: a gap of 201 hours before this bar"),
    (four_hours, "line 1001: from here on bars are 14400 s apart, and most are 3600 s: mixed intervals"),
    (daily, "from here on bars are 86400 s apart, and most are 3600 s: mixed intervals"),
    (lambda lines: [lines[0], *lines[1::2]], "bars are 7200 s apart"),
    (changed_line(9, datetime="2017-03-14 07:00:00"), "line 9: datetime 2017-03-14 07:00:00 is not timestamp 1489467600"),
    (changed_line(9, timestamp="2017-03-14 05:00:00+01:00"), "line 9: timestamp '2017-03-14 05:00:00+01:00' is not a whole"),
    (changed_line(9, timestamp="1489467600000"), "line 9: timestamp 1489467600000 is not unix seconds; milliseconds?"),
    (changed_line(9, close=""), "line 9: close '' is not a number"),
    (lambda lines: [f"{line},{line.split(',')[2]}" for line in lines], "line 1: two columns are called open"),
    (lambda lines: [f"{line},{n and 3600 or 'gmtoffset'}" for n, line in enumerate(lines)], "line 2: gmtoffset '3600' is not 0"),
    (changed_line(9, close="1_0.661"), "line 9: close '1_0.661' is not a number"),
    (changed_line(9, timestamp="1_489_467_600"), "line 9: timestamp '1_489_467_600' is not a whole"),
    (lambda lines: ["\0" + lines[0], *lines[1:]], "the text is UTF-16: save it as UTF-8"),
    (changed_line(9, close="1,0661"), "line 9: 8 fields, and the header has 7"),
    (changed_line(9, close="nan"), "line 9: close nan is not finite"),
    (changed_line(9, low="-1.06"), "line 9: low -1.06 cannot be"),
    (changed_line(9, low="0"), "line 9: low 0.0 cannot be"),
    (changed_line(9, volume="-1"), "line 9: volume -1.0 cannot be"),
    (changed_line(9, high="1.06"), "line 9: high 1.06 is below low"),
    (changed_line(9, high="1.07", low="1.0699"), "line 9: open 1.06"),
    (changed_line(9, high="106.6"), "line 9: high 106.6 is more than 20% from the close before"),
    (changed_line(1401, volume="1e41"), "timestamp 1496379600: a feature of this bar is beyond float32"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "word"), REFUSED, ids=[word for _, word in REFUSED])
def test_bad_bars_are_refused_by_their_line_and_leave_nothing(half_year, tmp_path, change, word):
    source = tmp_path / "bars.csv"
    source.write_text("\n".join(change(half_year.read_text().splitlines())))
    for write in (
        lambda out: features.write_dataset(source, out, "EURUSD", OPTIONS),
        lambda out: train.train(arguments(source, out)),
    ):
        with pytest.raises(BadInput) as refused:
            write(tmp_path / "out")
        assert word in str(refused.value) and ("bars.csv" in str(refused.value) or "timestamp" in word)
        assert [path.name for path in tmp_path.iterdir()] == ["bars.csv"]


def dataset(binary, *args, on_gap: str = "continue") -> subprocess.CompletedProcess:
    """Runs `sentinel dataset`."""
    env = environment(SENTINEL__DATA__ON_GAP=on_gap)
    return subprocess.run([binary, "dataset", *map(str, args)], env=env, capture_output=True, text=True, timeout=120)


# The daemon has no limit to a gap, and so has `sentinel dataset` none.
@pytest.mark.parametrize(("change", "word"), [row for row in REFUSED if "a gap of" not in row[1]])
def test_sentinel_dataset_refuses_the_same_by_the_same_words(binary, half_year, tmp_path, change, word):
    source = tmp_path / "bars.csv"
    source.write_text("\n".join(change(half_year.read_text().splitlines())))
    done = dataset(binary, "--bars", source, "--out", tmp_path / "out")
    assert done.returncode == 1 and word in done.stderr and "bars.csv" in done.stderr, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["bars.csv"]


def test_sentinel_dataset_is_that_of_features_py(binary, tmp_path):
    done = dataset(binary, "--bars", BARS, "--out", tmp_path / "daemon")
    assert done.returncode == 0, done.stderr
    features.write_dataset(BARS, tmp_path / "python", "EURUSD", OPTIONS)
    one, other = (pandas.read_csv(tmp_path / name / "tabular.csv") for name in ("daemon", "python"))
    assert list(one.columns) == features.NAMES and (one.to_numpy() == other.to_numpy()).all()
    for file in ("sequence.npy", "index.csv"):
        assert (tmp_path / "daemon" / file).read_bytes() == (tmp_path / "python" / file).read_bytes(), file
    manifest = json.loads((tmp_path / "daemon/manifest.json").read_text())
    assert manifest["files"] == {path.name: sha256(path) for path in (tmp_path / "daemon").iterdir() if path.name in manifest["files"]}
    assert len(manifest["files"]) == 3 and manifest["bars"][0]["sha256"] == sha256(BARS)


@pytest.mark.parametrize(("interval", "step"), [("15m", 3), ("30m", 6)])
def test_bars_made_of_finer_ones_have_the_same_features(binary, tmp_path, interval, step):
    """Of those of 5m, by the daemon's functions; and of the file of them, by features.py."""
    fine = [bar(1_704_672_000 + n * 300, n % 7, 300) for n in range(230 * step)]
    parts = [fine[n : n + step] for n in range(0, len(fine), step)]
    made = [
        (one[0]["timestamp"], one[0]["open"], max(b["high"] for b in one), min(b["low"] for b in one), one[-1]["close"],
         sum(b["volume"] for b in one))
        for one in parts
    ]  # fmt: skip
    columns = ["timestamp", "open", "high", "low", "close", "volume"]
    pandas.DataFrame(fine)[columns].to_csv(tmp_path / "eurusd.csv", index=False)
    pandas.DataFrame(made, columns=columns).to_csv(tmp_path / "made.csv", index=False)
    done = dataset(binary, "--bars", tmp_path / "eurusd.csv", "--out", tmp_path / "daemon", "--interval", interval)
    assert done.returncode == 0, done.stderr
    assert features.write_dataset(tmp_path / "made.csv", tmp_path / "python", "EURUSD", OPTIONS) == 31
    for file in ("sequence.npy", "index.csv"):
        assert (tmp_path / "daemon" / file).read_bytes() == (tmp_path / "python" / file).read_bytes(), file
    assert json.loads((tmp_path / "python/manifest.json").read_text())["interval_s"] == step * 300


def test_bars_of_a_trading_day_are_left_to_the_dataset(tmp_path):
    """Where they begin is the calendar's to say, and Python has none; train.py takes their dataset."""
    source = tmp_path / "eurusd.csv"
    lines = [f"{4 * HOUR * n},1.1,1.2,1.0,1.1,0" for n in range(1000, 1300)]
    source.write_text("\n".join(["timestamp,open,high,low,close,volume", *lines]))
    for write in (
        lambda: features.write_dataset(source, tmp_path / "out", "EURUSD", OPTIONS),
        lambda: train.train(arguments(source, tmp_path / "out")),
    ):
        with pytest.raises(BadInput) as refused:
            write()
        assert "bars are 14400 s apart, and this takes 1m, 5m, 15m, 30m, 1h. " in str(refused.value)
        assert "`sentinel dataset` makes a folder that train.py takes" in str(refused.value)


def test_a_label_never_looks_over_a_hole(half_year, tmp_path):
    lines = half_year.read_text().splitlines()
    later = [",".join([str(int(line.split(",")[0]) + 9000 * HOUR), *line.split(",")[2:]]) for line in lines[701:]]
    columns = lambda line: ",".join(line.split(",")[:1] + line.split(",")[2:])  # noqa: E731
    source = tmp_path / "hole.csv"
    source.write_text("\n".join([*map(columns, lines[:701]), *later]))
    with pytest.raises(BadInput, match="a gap of 900"):
        read_bars(source, OPTIONS)
    wide = SimpleNamespace(**vars(OPTIONS) | {"gap_max_hours": 1e6})
    features.write_dataset(source, tmp_path / "dataset", "EURUSD", wide)
    metrics = train.train(arguments(tmp_path / "dataset", tmp_path / "out"))
    assert metrics["rows_across_gaps"] == 4 and "left out   4 rows" in judge.report(metrics)
    data = train.from_dataset(tmp_path / "dataset")
    rows, test, _ = train.split(data, 4, 0.3, 120)
    kept = numpy.concatenate([rows, test])
    assert (data.time[kept + 4] - data.time[kept]).max() <= 120 * HOUR
    assert train.train(arguments(source, tmp_path / "wide", "--gap-max-hours", "1e6"))["rows_across_gaps"] == 0


@pytest.mark.parametrize("label", [[], ["--label", "triple_barrier", "--stop-loss", "0.001", "--take-profit", "0.001"]])
def test_a_label_never_takes_a_row_for_the_next_bar(binary, half_year, tmp_path, label):
    """With data.on_gap = "stop" the 59 bars after a missing one have no row."""
    lines = half_year.read_text().splitlines()
    # Noon of a Wednesday.
    source = tmp_path / "eurusd.csv"
    source.write_text("\n".join(line for line in lines if not line.startswith("1494417600,")))
    bars = pandas.read_csv(source)
    assert len(bars) == len(lines) - 2
    done = dataset(binary, "--bars", source, "--out", tmp_path / "dataset", on_gap="stop")
    assert done.returncode == 0, done.stderr
    data = train.from_dataset(tmp_path / "dataset")
    assert (data.close == bars["close"].to_numpy()[data.place]).all()
    metrics = train.train(arguments(tmp_path / "dataset", tmp_path / "out", *label))
    holes = (numpy.diff(data.place) > 1).sum()
    assert holes >= 1 and metrics["rows_across_gaps"] == 4 * holes
    for kept in train.split(data, 4, 0.3, 120)[:2]:
        assert (data.place[kept + 4] == data.place[kept] + 4).all()


@pytest.mark.long
@pytest.mark.parametrize("program", ["features.py", "train.py"])
def test_a_full_disk_is_one_line_and_leaves_nothing(half_year, tmp_path, program):
    """`ulimit -f` stands in for the disk: a file may have no more than 1 MB."""
    command = f"trap '' XFSZ; ulimit -f 1000; exec {sys.executable} {ROOT / 'config/model' / program} {half_year} out"
    if program == "train.py":
        command = command.replace("ulimit -f 1000", "ulimit -f 1")
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1 and "File too large" in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
@pytest.mark.parametrize("program", ["features.py", "train.py"])
def test_a_closed_output_is_no_traceback(half_year, tmp_path, program):
    command = f"{sys.executable} {ROOT / 'config/model' / program} {half_year} out 2>err | head -0; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, (tmp_path / "err").read_text()) == ("0\n", "") and (tmp_path / "out").is_dir()


@pytest.mark.parametrize("is_ignored", [False, True])
def test_a_closed_terminal_leaves_nothing_unless_it_is_ignored(tmp_path, is_ignored):
    """`nohup` ignores the signal."""
    script = f"""import os, signal, sys
sys.path.insert(0, {str(ROOT / "config/model")!r})
from pathlib import Path
from bars import new_folder, plain_errors
with plain_errors("x"), new_folder(Path("out")) as folder:
    (folder / "file").write_text("half")
    os.kill(os.getpid(), signal.SIGHUP)
    (folder / "file").write_text("whole")
"""
    trap = "trap '' HUP; " if is_ignored else ""
    command = ["bash", "-c", f'{trap}exec {sys.executable} -c "$0"', script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    if is_ignored:
        assert done.returncode == 0 and (tmp_path / "out/file").read_text() == "whole", done.stderr
    else:
        assert (done.returncode, done.stderr) == (130, "x: stopped by SIGHUP: nothing is left of what it wrote\n")
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("program", ["features.py", "train.py"])
def test_a_refusal_is_one_line_and_no_traceback(tmp_path, program):
    command = [sys.executable, ROOT / "config/model" / program, tmp_path / "none.csv", tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1 and "No such file" in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_odd_but_possible_bars_are_read(tmp_path):
    """A byte order mark, capitals, columns in another order, an empty volume, empty lines, and no line end at the end."""
    lines = ["Volume,Timestamp,Close,High,Low,Open,Gmtoffset"]
    lines += [f",{HOUR * n},1.1,1.2,1.0,1.1,0" for n in range(1000, 1200)]
    source = tmp_path / "bars.csv"
    source.write_text("\ufeff" + "\r\n\r\n".join(lines))
    rows = read_bars(source, OPTIONS)
    assert len(rows) == 200 and rows.attrs["interval_s"] == 3600 and rows["volume"].sum() == 0


@pytest.mark.parametrize(
    ("file", "change", "word"),
    [
        ("tabular.csv", lambda text: text.replace("return_1,", "return_2,", 1), "is not the file that manifest.json describes"),
        ("manifest.json", lambda text: "{}", "is not a dataset: 'files'"),
        ("manifest.json", lambda text: "", "is not a dataset"),
        ("sequence.npy", None, "is not a dataset"),
    ],
)  # fmt: skip
def test_a_damaged_dataset_is_refused(half_year, tmp_path, file, change, word):
    features.write_dataset(half_year, tmp_path / "dataset", "EURUSD", OPTIONS)
    path = tmp_path / "dataset" / file
    path.write_text(change(path.read_text())) if change else path.unlink()
    with pytest.raises(BadInput) as refused:
        train.train(arguments(tmp_path / "dataset", tmp_path / "out"))
    assert word in str(refused.value) and not list(tmp_path.glob("out*"))


def test_an_existing_folder_is_never_written_over(half_year, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine").write_text("kept")
    for write in (
        lambda: features.write_dataset(half_year, tmp_path / "out", "EURUSD", OPTIONS),
        lambda: train.train(arguments(half_year, tmp_path / "out")),
    ):
        with pytest.raises(BadInput, match="is already there"):
            write()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]


def test_a_part_without_a_class_is_refused(tmp_path):
    """Nothing moves, so nothing is there to learn."""
    source = tmp_path / "flat.csv"
    rows = [f"{HOUR * n},1.1,1.1,1.1,1.1,0" for n in range(1000, 2500)]
    source.write_text("\n".join(["timestamp,open,high,low,close,volume", *rows]))
    with pytest.raises(BadInput, match="no SELL, HOLD among the rows to train on"):
        train.train(arguments(source, tmp_path / "out"))
