"""Reads a CSV of bars for features.py and train.py, and refuses by its line whatever the daemon could not have traded on.
Also what both need to write all of a folder or nothing.

The header is `timestamp,open,high,low,close,volume`, in any order; `timestamp` is the bar's open in unix seconds UTC.
"""

import csv
import fcntl
import hashlib
import os
import shutil
import signal
import sys
from collections import Counter
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pandas as pd

COLUMNS = ["timestamp", "open", "high", "low", "close", "volume"]
# Those that begin by the UTC clock. Bars of 4h and 1d begin by the calendar's trading day, which nothing here knows.
INTERVALS_S = {60: "1m", 300: "5m", 900: "15m", 1800: "30m", 3600: "1h"}
# An open or close may lie outside low..high by one step of float32: some providers round prices one by one.
SLACK = 2.0**-23
# All that the daemon has.
ALL_INTERVALS_S = {*INTERVALS_S, 4 * 3600, 24 * 3600}
# Distances in a row that are looked at for bars of another interval: if all of them are the same, longer one, they are, and if so many
# of them are the length of another bar. Four of five, because each fifth of daily bars comes after a weekend.
STRETCH, STRETCH_OF_ANOTHER = 20, 16


def add_options(parser):
    """The options of whatever reads bars: `data.lookback_bars`, and the limits of `read_bars`."""
    parser.add_argument("--lookback-bars", type=int, default=200, help="as data.lookback_bars [default %(default)s]")
    parser.add_argument("--jump-max", type=float, default=0.2, help="as data.jump_max [default %(default)s]")
    parser.add_argument("--gap-max-hours", type=float, default=120, help="longest gap between bars [default %(default)s]")


class BadInput(Exception):
    """What is wrong with a file, and on which line."""


@contextmanager
def new_folder(out: Path):
    """A folder to write into that gets its name when all is written; after an error nothing is left of it."""
    if out.exists():
        raise BadInput(f"{out} is already there: name another folder, or remove it")
    partial = out.absolute().with_name(out.absolute().name + ".partial")
    partial.parent.mkdir(parents=True, exist_ok=True)
    with _lock(partial.with_suffix(".lock"), out):
        # What a run that was killed has left.
        shutil.rmtree(partial, ignore_errors=True)
        try:
            partial.mkdir()
            yield partial
            if out.exists():
                raise BadInput(f"{out} is already there: name another folder, or remove it")
            # The name must not outlast a power cut without what is in the folder.
            for path in [*partial.rglob("*"), partial]:
                _sync(path)
            os.rename(partial, out)
            _sync(out.absolute().parent)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _sync(path: Path):
    """Has the disk write a file, or the names in a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _lock(path: Path, out: Path):
    """One run at a time writes `out`; `sentinel dataset` takes the same lock. The file is gone with the run."""
    while True:
        file = open(path, "a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise BadInput(f"{out} is being written by another run: let it end, or name another folder") from None
        # The run before may have removed the file after it was opened here: then nobody else would see this lock.
        if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
            break
        file.close()
    with file:
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


@contextmanager
def plain_errors(program: str):
    """Ends with one line instead of a traceback: bad input, a disk that is full, Ctrl-C, SIGTERM or SIGHUP, a closed pipe."""

    def interrupt(number, _frame):
        raise KeyboardInterrupt(signal.Signals(number).name)

    signal.signal(signal.SIGTERM, interrupt)
    # The terminal was closed. With `nohup` it is ignored, and the run goes on.
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signal.signal(signal.SIGHUP, interrupt)
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # `| head`: whoever reads has seen enough. Nothing is left for Python to flush at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (BadInput, OSError) as error:
        sys.exit(f"{program}: {error}")
    except KeyboardInterrupt as error:
        print(f"{program}: stopped by {error or 'SIGINT'}: nothing is left of what it wrote", file=sys.stderr)
        sys.exit(130)


def sha256(path: Path) -> str:
    """Of a file, as 64 hex digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_bars(path: Path, options) -> pd.DataFrame:
    """The bars of the file, oldest first, enough of them for one window. `attrs["interval_s"]` is the length of a bar.

    `options.jump_max` is the daemon's `data.jump_max`: the most that a price may differ from the close before, as a share.
    A gap of more than `options.gap_max_hours` is refused; shorter ones are weekends and holidays, as to the daemon.
    """
    if options.lookback_bars < 120:
        raise BadInput(f"--lookback-bars {options.lookback_bars}: at least 120, as data.lookback_bars")
    lines, rows = _read_rows(path)
    if len(rows) < options.lookback_bars:
        raise BadInput(f"{path}: {len(rows)} bars, and the first row of features takes {options.lookback_bars}")
    bars = pd.DataFrame(rows, columns=COLUMNS)

    def refuse(is_bad: np.ndarray, words):
        """Raises for the first bad row; `words(i)` says what is wrong with row i."""
        if is_bad.any():
            row = int(is_bad.argmax())
            raise BadInput(f"{path} line {lines[row]}: {words(row)}")

    _check_prices(bars, options.jump_max, refuse)
    bars.attrs["interval_s"] = _check_times(bars["timestamp"].to_numpy(), options.gap_max_hours, refuse)
    return bars


def _read_rows(path: Path) -> tuple[list[int], list[tuple]]:
    """The line number and the numbers of each row."""
    try:
        with open(path, "rb") as file:
            begin = file.read(2)
        if begin in (b"\xff\xfe", b"\xfe\xff") or 0 in begin:
            raise BadInput(f"{path}: the text is UTF-16: save it as UTF-8")
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            header = [name.strip().lower() for name in next(reader, [])]
            missing = [name for name in COLUMNS if name not in header]
            if missing:
                raise BadInput(
                    f"{path} line 1: no column {', '.join(missing)}. The header is to have {','.join(COLUMNS)}, "
                    "separated by commas"
                )
            for name in [*COLUMNS, "datetime", "gmtoffset"]:
                if header.count(name) > 1:
                    raise BadInput(f"{path} line 1: two columns are called {name}: keep one of them")
            lines, rows = [], []
            for row in reader:
                if row:
                    lines.append(reader.line_num)
                    rows.append(_numbers(f"{path} line {reader.line_num}", header, row))
            return lines, rows
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path}: {error}") from None


def _numbers(at: str, header: list[str], row: list[str]) -> tuple:
    if len(row) != len(header):
        raise BadInput(f"{at}: {len(row)} fields, and the header has {len(header)}")
    fields = dict(zip(header, map(str.strip, row)))
    try:
        open_time = int(_plain(fields["timestamp"]))
    except ValueError:
        raise BadInput(f"{at}: timestamp '{fields['timestamp']}' is not a whole number of unix seconds (UTC)") from None
    if not 0 <= open_time < 10**11:
        raise BadInput(f"{at}: timestamp {open_time} is not unix seconds; milliseconds?")
    if "datetime" in fields:
        _check_zone(at, open_time, fields["datetime"])
    offset = fields.get("gmtoffset") or "0"
    if offset.strip("-+0.") != "":
        raise BadInput(f"{at}: gmtoffset '{offset}' is not 0: are the times another zone's?")
    numbers = [open_time]
    for name in COLUMNS[1:]:
        # FX has no traded volume, and some providers leave it empty.
        text = fields[name] or ("0" if name == "volume" else "")
        try:
            numbers.append(float(_plain(text)))
        except ValueError:
            raise BadInput(f"{at}: {name} '{text}' is not a number") from None
    return tuple(numbers)


def _plain(text: str) -> str:
    """Python would take 1_000 for a number."""
    if "_" in text:
        raise ValueError
    return text


def _check_zone(at: str, open_time: int, text: str):
    """A column `datetime` beside the timestamp is the same instant in UTC."""
    try:
        said = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{at}: datetime '{text}' is not YYYY-MM-DD HH:MM:SS") from None
    said = said if said.tzinfo else said.replace(tzinfo=timezone.utc)
    if said.timestamp() != open_time:
        utc = datetime.fromtimestamp(open_time, timezone.utc)
        raise BadInput(f"{at}: datetime {text} is not timestamp {open_time}, which is {utc:%F %T} UTC: another time zone?")


def _check_prices(bars: pd.DataFrame, jump_max: float, refuse):
    o, h, l, c, v = (bars[name].to_numpy() for name in COLUMNS[1:])
    for name in COLUMNS[1:]:
        x = bars[name].to_numpy()
        refuse(~np.isfinite(x), lambda row: f"{name} {x[row]} is not finite")
        refuse(x < 0 if name == "volume" else x <= 0, lambda row: f"{name} {x[row]} cannot be")
    refuse(h < l, lambda row: f"high {h[row]} is below low {l[row]}")
    for name, x in [("open", o), ("close", c)]:
        is_outside = (x < l * (1 - SLACK)) | (x > h * (1 + SLACK))
        refuse(is_outside, lambda row: f"{name} {x[row]} is outside low {l[row]} to high {h[row]}")
    before = np.concatenate([c[:1], c[:-1]])
    for name, x in [("open", o), ("high", h), ("low", l), ("close", c)]:
        refuse(
            (np.abs(x / before - 1) > jump_max) & (np.arange(len(x)) > 0),
            lambda row: f"{name} {x[row]} is more than {jump_max:.0%} from the close before, {before[row]}. If that is "
            "right (a split), raise --jump-max, and data.jump_max of the daemon",
        )


def _check_times(times: np.ndarray, gap_max_hours: float, refuse) -> int:
    """The interval in seconds."""
    apart = np.diff(times)
    after = lambda is_bad: np.concatenate([[False], is_bad])  # noqa: E731: the later bar of a pair is the bad one
    refuse(after(apart == 0), lambda row: f"timestamp {times[row]} is that of the bar before")
    refuse(after(apart < 0), lambda row: f"timestamp {times[row]} is before {times[row - 1]}: oldest first")
    interval = Counter(apart.tolist()).most_common(1)[0][0]
    if interval not in INTERVALS_S:
        refuse(
            after(apart == interval),
            lambda _: f"bars are {interval} s apart, and this takes {', '.join(INTERVALS_S.values())}. Of bars of 4h and 1d "
            "`sentinel dataset` makes a folder that train.py takes",
        )
    refuse(
        after(apart % interval != 0),
        lambda row: f"opens {apart[row - 1]} s after the bar before; bars of {interval} s are mixed with others",
    )
    mixed = np.zeros(len(apart), bool)
    for last in np.flatnonzero(apart > interval):
        stretch = apart[max(0, last + 1 - STRETCH) : last + 1]
        same = np.flatnonzero(stretch == apart[last])
        if len(same) >= (STRETCH_OF_ANOTHER if int(apart[last]) in ALL_INTERVALS_S else STRETCH):
            mixed[last + 1 - len(stretch) + same[0]] = True
            break
    refuse(
        after(mixed),
        lambda row: f"from here on bars are {apart[row - 1]} s apart, and most are {interval} s: mixed intervals",
    )
    hours = apart / 3600
    refuse(
        after(hours > gap_max_hours),
        lambda row: f"a gap of {hours[row - 1]:.0f} hours before this bar: fill it, cut the file, or raise --gap-max-hours",
    )
    return int(interval)
