"""`sentinel dataset`: what kinds of files it takes, what it makes of gaps and of several symbols, and what it never does."""

import json
import signal
import subprocess
import sys

import numpy
import pandas
import pytest

from parts.daemon import environment, wait_until
from parts.market import HOUR, bar
from parts.own_model import BARS
from parts.harness import variables
from parts.paths import ROOT

sys.path.insert(0, str(ROOT / "config/model"))

from bars import BadInput, new_folder  # noqa: E402

LINES = BARS.read_text().splitlines()
COLUMNS = ["timestamp", "open", "high", "low", "close", "volume"]
MONDAY = 1_704_672_000


@pytest.fixture
def dataset(binary, tmp_path):
    """Runs it in the test's folder: exit code and what it said."""

    def run(*args, settings: dict | None = None) -> tuple[int, str]:
        env = environment(**variables(settings or {}))
        del env["EODHD_API_TOKEN"]
        command = [binary, "dataset", *map(str, args)]
        done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout + done.stderr

    return run


def hours(count: int, step: int = 1, begin: int = MONDAY) -> list[dict]:
    """Bars of a market that never closes."""
    return [bar(begin + n * step * HOUR, volume=n % 7) for n in range(count)]


def write_csv(path, bars: list[dict]):
    """As a file of bars."""
    pandas.DataFrame(bars)[COLUMNS].to_csv(path, index=False)
    return path


def made(folder) -> tuple[numpy.ndarray, numpy.ndarray, pandas.DataFrame, dict]:
    """What is in a dataset."""
    manifest = json.loads((folder / "manifest.json").read_text())
    tabular, index = pandas.read_csv(folder / "tabular.csv"), pandas.read_csv(folder / "index.csv")
    return tabular.to_numpy(), numpy.load(folder / "sequence.npy"), index, manifest


def test_every_kind_of_file_makes_the_same_dataset(dataset, tmp_path):
    rows = hours(300)
    write_csv(tmp_path / "eurusd.csv", rows)
    (tmp_path / "EURUSD.FOREX.json").write_text(json.dumps(rows))
    head = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>"
    times = pandas.to_datetime([row["timestamp"] for row in rows], unit="s", utc=True).tz_convert("America/New_York")
    shown = (times.tz_localize(None) + pandas.Timedelta(hours=7)).strftime("%Y.%m.%d\t%H:%M:%S")
    broker = ["\t".join([time, *(str(row[name]) for name in COLUMNS[1:]), "0", "3"]) for time, row in zip(shown, rows)]
    (tmp_path / "EURUSD_H1_202401080000.csv").write_text("\n".join([head, *broker]))
    found = []
    for name, *more in [
        ("eurusd.csv",),
        ("EURUSD.FOREX.json",),
        ("EURUSD_H1_202401080000.csv", "--time-zone", "America/New_York+7"),
    ]:
        code, said = dataset("--bars", name, "--out", f"of-{name}", *more, settings={"market.calendar": "always"})
        assert code == 0 and "101 rows of EURUSD, 1h bars that closed 2024-01-16 08:00 UTC to" in said, said
        found.append(made(tmp_path / f"of-{name}"))
    formats = [manifest["bars"][0]["format"] for *_, manifest in found]
    assert formats == ["csv", "eodhd_json", "metatrader"]
    for tabular, sequence, index, _ in found[1:]:
        assert (tabular == found[0][0]).all() and (sequence == found[0][1]).all() and index.equals(found[0][2])


def test_several_symbols_have_rows_of_their_own(dataset, tmp_path):
    write_csv(tmp_path / "eurusd.csv", hours(230))
    write_csv(tmp_path / "usdjpy.csv", hours(220, begin=MONDAY + 40 * HOUR))
    code, said = dataset("--bars", "eurusd.csv", "usdjpy.csv", "--out", "both")
    assert code == 0 and "31 rows of EURUSD" in said and "21 rows of USDJPY" in said, said
    tabular, sequence, index, manifest = made(tmp_path / "both")
    assert index["symbol"].tolist() == ["EURUSD"] * 31 + ["USDJPY"] * 21 and manifest["rows"] == len(tabular) == len(sequence)
    assert dataset("--bars", "usdjpy.csv", "--out", "yen")[0] == 0
    assert (made(tmp_path / "yen")[0] == tabular[31:]).all() and (made(tmp_path / "yen")[1] == sequence[31:]).all()
    code, said = dataset("--bars", "eurusd.csv", "eurusd.csv", "--out", "x")
    assert code == 64 and "eurusd.csv is of EURUSD as well" in said, said
    assert dataset("--bars", "eurusd.csv", "eurusd.csv", "--symbol", "A,B", "--out", "named")[0] == 0
    code, said = dataset("--bars", "eurusd.csv", "--symbol", "A,B", "--out", "x")
    assert code == 64 and "--symbol names 2 symbols, and --bars 1 file" in said, said


def test_a_window_goes_over_gaps_as_the_daemons_does(dataset, tmp_path):
    rows = hours(400)
    del rows[250:255]
    write_csv(tmp_path / "eurusd.csv", rows)
    always = {"market.calendar": "always"}
    code, said = dataset("--bars", "eurusd.csv", "--out", "over", settings=always)
    assert code == 0 and "196 rows" in said and "bars are missing in 1 place that" in said, said
    assert "(5 hours); 145 windows of 200 bars with a row go over it; windows go over what is missing" in said, said
    code, said = dataset("--bars", "eurusd.csv", "--out", "stop", settings=always | {"data.on_gap": "stop"})
    assert code == 0 and "59 bars with such a place among the newest 60 bars: without a row" in said, said
    over, stop = made(tmp_path / "over"), made(tmp_path / "stop")
    gap = MONDAY + 250 * HOUR
    left_out = ~over[2]["bar_close_time"].isin(stop[2]["bar_close_time"])
    assert left_out.sum() == 59 == stop[3]["bars"][0]["left_out_for_gaps"] and len(stop[0]) == 137
    assert over[2]["bar_close_time"][left_out].min() == gap + 6 * HOUR
    assert (over[0][~left_out] == stop[0]).all()


def test_the_longest_gap_is_named_with_its_length(dataset, tmp_path):
    years = 3 * 8766
    rows = hours(300) + hours(400, begin=MONDAY + (300 + years) * HOUR)
    del rows[650:652]
    write_csv(tmp_path / "eurusd.csv", rows)
    code, said = dataset("--bars", "eurusd.csv", "--out", "out", settings={"market.calendar": "always"})
    assert code == 0 and "missing in 2 places" in said and "the longest from 2024-01-20 12:00 UTC to" in said, said
    assert "(1095 days); 199 windows of 200 bars with a row go over the longest" in said, said
    bars = made(tmp_path / "out")[3]["bars"][0]
    first, second = bars["longest_gaps"]
    assert bars["gaps"] == 2 and first["to"] - first["from"] == years * HOUR and first["windows_across"] == 199
    assert second["to"] - second["from"] == 2 * HOUR and bars["while_closed"] == 0


def test_bars_of_another_zone_lie_where_the_market_is_closed(dataset, tmp_path):
    times = pandas.date_range("2024-01-08", periods=400, freq="h")
    shown = [time for time in times if time.weekday() < 5]
    head = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>"
    (tmp_path / "eurusd.csv").write_text("\n".join([head, *(f"{time:%Y.%m.%d\t%H:%M:%S}\t1.1\t1.1\t1.1\t1.1\t7" for time in shown)]))
    code, said = dataset("--bars", "eurusd.csv", "--out", "right", "--time-zone", "America/New_York+7")
    assert code == 0 and "is closed" not in said, said
    code, said = dataset("--bars", "eurusd.csv", "--out", "wrong", "--time-zone", "UTC")
    assert code == 0 and "EURUSD: 4 bars lie where the market is closed by calendar fx: is it another --time-zone" in said, said
    assert made(tmp_path / "wrong")[3]["bars"][0]["while_closed"] == 4


def start(binary, tmp_path, count: int = 60_000):
    """Begins a dataset that takes a while, and waits until some of it is on the disk."""
    write_csv(tmp_path / "eurusd.csv", hours(count))
    command = [binary, "dataset", "--bars", "eurusd.csv", "--out", "big"]
    run = subprocess.Popen(command, env=environment(), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_until("a part of it", (tmp_path / "big.partial/sequence.npy").exists)
    return run


@pytest.mark.long
def test_two_runs_never_write_the_same_dataset(binary, dataset, tmp_path):
    first = start(binary, tmp_path)
    code, said = dataset("--bars", "eurusd.csv", "--out", "big")
    assert first.poll() is None, "the first was quicker: more bars"
    assert code == 1 and "big is being written by another run" in said, said
    with pytest.raises(BadInput, match="is being written by another run"):
        with new_folder(tmp_path / "big"):
            pass
    assert first.wait(120) == 0, first.stdout.read()
    assert len(made(tmp_path / "big")[0]) == 60_000 - 199
    assert sorted(path.name for path in tmp_path.iterdir()) == ["big", "eurusd.csv"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_nothing_and_says_so(binary, tmp_path, number):
    run = start(binary, tmp_path)
    run.send_signal(number)
    assert run.wait(30) == 130
    assert f"stopped by {number.name}: nothing is left of big" in run.stdout.read()
    assert [path.name for path in tmp_path.iterdir()] == ["eurusd.csv"]


def test_a_closed_output_is_no_fault(binary, tmp_path):
    write_csv(tmp_path / "eurusd.csv", hours(220))
    command = f"{{ {binary} dataset --bars eurusd.csv --out out; echo $? >code; }} 2>err | head -0"
    subprocess.run(command, shell=True, env=environment(), cwd=tmp_path, check=True, timeout=60)
    wait_until("its end", lambda: (tmp_path / "code").exists() and (tmp_path / "code").read_text())
    assert ((tmp_path / "code").read_text(), (tmp_path / "err").read_text()) == ("0\n", "")


@pytest.mark.parametrize(("interval", "step"), [("4h", 4), ("1d", 24)])
def test_longer_bars_are_made_of_finer_ones(dataset, tmp_path, interval, step):
    write_csv(tmp_path / "eurusd.csv", hours(130 * step))
    write_csv(tmp_path / "long.csv", [
        {
            "timestamp": parts[0]["timestamp"], "open": parts[0]["open"], "close": parts[-1]["close"],
            "high": max(part["high"] for part in parts), "low": min(part["low"] for part in parts),
            "volume": sum(part["volume"] for part in parts),
        }
        for parts in (hours(130 * step)[n * step : (n + 1) * step] for n in range(130))
    ])  # fmt: skip
    settings = {"market.calendar": "always", "data.lookback_bars": 120}
    for name in ("eurusd", "long"):
        code, said = dataset("--bars", f"{name}.csv", "--out", name, "--interval", interval, settings=settings)
        assert code == 0 and f"11 rows of {name.upper()}, {interval} bars" in said, said
    one, other = made(tmp_path / "eurusd"), made(tmp_path / "long")
    assert (one[0] == other[0]).all() and (one[1] == other[1]).all()
    code, said = dataset("--bars", "long.csv", "--out", "x", settings=settings)
    assert code == 1 and f"long.csv: bars of {interval}, and data.interval is 1h: --interval {interval}" in said, said


def test_settings_of_the_daemon_count(dataset, tmp_path):
    write_csv(tmp_path / "eurusd.csv", hours(220))
    settings = {"features.hour_and_weekday": "legacy", "data.lookback_bars": 150}
    code, said = dataset("--bars", "eurusd.csv", "--out", "old", settings=settings)
    tabular, _, _, manifest = made(tmp_path / "old")
    assert code == 0 and len(tabular) == 71 and set(tabular[:, 18]) == {0} and set(tabular[:, 19]) == {3}, said
    assert (manifest["hour_and_weekday"], manifest["lookback_bars"]) == ("legacy", 150)
    code, said = dataset("--bars", "eurusd.csv", "--out", "x", "--lookback-bars", "119")
    assert code == 64 and "data.lookback_bars" in said


def test_without_sequences_there_are_none(dataset, tmp_path):
    write_csv(tmp_path / "eurusd.csv", hours(220))
    assert dataset("--bars", "eurusd.csv", "--out", "small", "--no-sequence")[0] == 0
    assert sorted(path.name for path in (tmp_path / "small").iterdir()) == ["index.csv", "manifest.json", "tabular.csv"]


def test_a_folder_that_is_there_is_never_written_into(dataset, tmp_path):
    write_csv(tmp_path / "eurusd.csv", hours(220))
    (tmp_path / "out").mkdir()
    code, said = dataset("--bars", "eurusd.csv", "--out", "out")
    assert code == 1 and "out is already there: name another place, or remove it" in said
    assert list((tmp_path / "out").iterdir()) == []


def test_one_bad_file_of_several_leaves_nothing(dataset, tmp_path):
    write_csv(tmp_path / "eurusd.csv", hours(220))
    (tmp_path / "gbpusd.csv").write_text("\n".join(LINES[:300] + ["1,2,3"]))
    code, said = dataset("--bars", "eurusd.csv", "gbpusd.csv", "--out", "out")
    assert code == 1 and "gbpusd.csv line 301: 3 fields, and the header has 7" in said, said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["eurusd.csv", "gbpusd.csv"]


def test_times_of_a_broker_need_a_zone(dataset, tmp_path):
    (tmp_path / "eurusd.csv").write_text("<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n")
    code, said = dataset("--bars", "eurusd.csv", "--out", "out")
    assert code == 1 and "eurusd.csv line 1: MetaTrader writes the broker's time: --time-zone says which" in said, said
    code, said = dataset("--bars", "eurusd.csv", "--out", "out", "--time-zone", "EET")
    assert code == 64 and "America/New_York+7" in said, said
