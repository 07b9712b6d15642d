"""The 23 features and the 60x23 sequence that Sentinel asks a model with: the same numbers as the daemon's, to the last bit.

    python features.py BARS.csv OUT_DIR        # writes tabular.csv, sequence.npy, index.csv and manifest.json

`build` is all that training needs. Sums are made afresh for each row, oldest bar first, as the daemon makes them; pandas's
own `rolling` keeps a running sum, which differs in the last digits and leaves 1e-20 where nothing moved.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view

from bars import BadInput, add_options, new_folder, plain_errors, read_bars, sha256

NAMES = [
    "return_1", "return_5", "return_10", "sma_10", "sma_20", "ema_10", "ema_20", "volatility_10", "volatility_20", "rsi_14",
    "macd", "macd_signal", "macd_hist", "high_low_ratio", "close_high_ratio", "close_low_ratio", "volume_sma", "volume_ratio",
    "hour", "day_of_week", "price_momentum", "price_acceleration", "padding",
]  # fmt: skip
SEQUENCE_BARS = 60
BLOCK_BARS = 2000  # bars whose windows are in memory at the same time


def total(x: pd.Series, n: int) -> pd.Series:
    """Sum of the last n values of each row, its own included."""
    return sum(x.shift(k) for k in reversed(range(n)))


def mean(x: pd.Series, n: int) -> pd.Series:
    """Mean of the last n values."""
    return total(x, n) / n


def deviation(x: pd.Series, n: int) -> pd.Series:
    """Standard deviation of the last n values, divisor n - 1."""
    middle = mean(x, n)
    distances = [x.shift(k) - middle for k in reversed(range(n))]
    return np.sqrt(sum(d * d for d in distances) / (n - 1))


def moving_averages(close: np.ndarray, lookback: int) -> dict[str, np.ndarray]:
    """The averages that begin with a window's first close, so that a bar has others in each window: bars x windows."""
    windows = len(close) - lookback + 1
    ema = {n: close[:windows] for n in (10, 20, 12, 26)}
    signal, rows = np.zeros(windows), []

    def step(n, value, new):  # y = (1 - a) y[-1] + a x, a = 2 / (n + 1); a value that is already x stays exactly x
        a = 2.0 / (n + 1)
        return np.where(value == new, new, (1 - a) * value + a * new)

    for bar in range(lookback):
        ema = {n: step(n, value, close[bar : bar + windows]) for n, value in ema.items()}
        macd = ema[12] - ema[26]
        signal = step(9, signal, macd)
        rows.append([ema[10], ema[20], macd, signal, macd - signal])
    by_name = np.array(rows[-SEQUENCE_BARS:]).transpose(1, 2, 0)
    return dict(zip(["ema_10", "ema_20", "macd", "macd_signal", "macd_hist"], by_name))


def build(bars: pd.DataFrame, lookback: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Features of each bar that has `lookback` bars (`data.lookback_bars`), itself included: n x 23 as float64, n x 60 x 23
    as float32. Row i is about bar `i + lookback - 1`."""
    t, h, l, c, v = (bars[name].reset_index(drop=True) for name in ["timestamp", "high", "low", "close", "volume"])
    return_1 = c / c.shift(1) - 1
    gains, losses = (c - c.shift(1)).clip(lower=0), (c.shift(1) - c).clip(lower=0)
    momentum = c - c.shift(5)
    columns = {
        "return_1": return_1,                                        # fraction: 0.01 is 1 %
        "return_5": c / c.shift(5) - 1,                              # fraction
        "return_10": c / c.shift(10) - 1,                            # fraction
        "sma_10": mean(c, 10),                                       # price
        "sma_20": mean(c, 20),                                       # price
        "volatility_10": deviation(return_1, 10),                    # fraction
        "volatility_20": deviation(return_1, 20),                    # fraction
        "rsi_14": 100 - 100 / (1 + total(gains, 14) / total(losses, 14)),  # 0 to 100; plain sums, not Wilder's
        "high_low_ratio": h / l,                                     # ratio, 1 or above
        "close_high_ratio": c / h,                                   # ratio
        "close_low_ratio": c / l,                                    # ratio
        "volume_sma": mean(v, 20),                                   # as volume
        "volume_ratio": v / mean(v, 20),                             # ratio
        "hour": (t // 3600 % 24).astype(float),                      # 0 to 23, UTC, of the bar's open
        "day_of_week": ((t // 86400 + 3) % 7).astype(float),         # Monday 0 to Sunday 6, UTC
        "price_momentum": momentum,                                  # price
        "price_acceleration": momentum - momentum.shift(5),          # price
        "padding": pd.Series(0.0, index=c.index),                    # always 0: the daemon's first model had it
    }  # fmt: skip
    # These are prices: ema_10, ema_20, macd = ema_12 - ema_26, macd_signal = ema_9 of macd, macd_hist = macd - macd_signal.
    averages = moving_averages(c.to_numpy(), lookback)
    first = lookback - SEQUENCE_BARS
    others = {name: sliding_window_view(x.to_numpy(), SEQUENCE_BARS)[first:] for name, x in columns.items()}
    sequence = np.stack([(others | averages)[name] for name in NAMES], axis=2)
    # 0/0 where nothing moved or nothing was traded: the next later value among the 60 bars, else 0.
    for column in (NAMES.index("rsi_14"), NAMES.index("volume_ratio")):
        later = np.zeros(len(sequence))
        for row in reversed(range(SEQUENCE_BARS)):
            value = sequence[:, row, column]
            later = sequence[:, row, column] = np.where(np.isnan(value), later, value)
    with np.errstate(over="ignore"):
        rounded = sequence.astype(np.float32)
    is_bad = ~np.isfinite(rounded).all(axis=(1, 2))
    if is_bad.any():
        time = t[is_bad.argmax() + lookback - 1]
        raise BadInput(f"timestamp {time}: a feature of this bar is beyond float32: can its prices and its volume be true?")
    return sequence[:, -1].copy(), rounded


def blocks(bars: pd.DataFrame, lookback: int):
    """`build`, some windows at a time, so that a million bars need no more memory than two thousand."""
    for row in range(0, len(bars) - lookback + 1, BLOCK_BARS):
        yield build(bars[row : row + BLOCK_BARS + lookback - 1], lookback)


def write_dataset(path: Path, out: Path, symbol: str, options) -> int:
    """Writes the four files into a new folder, all or nothing; answers how many rows they have."""
    bars, lookback = read_bars(path, options), options.lookback_bars
    newest, interval_s = bars[lookback - 1 :], bars.attrs["interval_s"]
    with new_folder(out) as folder:
        header = {"descr": "<f4", "fortran_order": False, "shape": (len(newest), SEQUENCE_BARS, len(NAMES))}
        # Written from begin to end: a full disk is then an error, and in a mapped file it would be a bus error.
        with open(folder / "sequence.npy", "wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for block, (tabular, sequences) in enumerate(blocks(bars, lookback)):
                file.write(np.ascontiguousarray(sequences, "<f4").data)
                pd.DataFrame(tabular, columns=NAMES).to_csv(folder / "tabular.csv", mode="a", index=False, header=block == 0)
        index = {"symbol": symbol, "bar_close_time": newest["timestamp"] + interval_s, "close": newest["close"]}
        index["place"] = newest.index  # among all bars: a label must not take a row for the next bar if it is a later one
        pd.DataFrame(index).to_csv(folder / "index.csv", index=False)
        manifest = {
            "schema": 1, "made_by": "features.py", "symbols": [symbol], "interval_s": interval_s,
            "lookback_bars": lookback, "hour_and_weekday": "utc", "rows": len(newest), "bars_sha256": sha256(path),
            "files": {name: sha256(folder / name) for name in ("tabular.csv", "sequence.npy", "index.csv")},
        }  # fmt: skip
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    return len(newest)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Writes the daemon's features of every bar that has a whole window.")
    parser.add_argument("bars", type=Path, metavar="BARS.csv")
    parser.add_argument("out", type=Path, metavar="OUT_DIR")
    parser.add_argument("--symbol", help="name in index.csv [default: from the file's name, EURUSD for eurusd_h1.csv]")
    add_options(parser)
    args = parser.parse_args()
    name = args.symbol or args.bars.stem.split("_")[0].upper()
    with plain_errors("features.py"):
        rows = write_dataset(args.bars, args.out, name, args)
        print(f"{args.out}: {rows} row{'' if rows == 1 else 's'} of {name}")
