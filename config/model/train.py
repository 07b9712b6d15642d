"""From bars, or from a dataset, to a model that `mlflow models serve` serves and Sentinel asks.

    python train.py BARS.csv OUT_DIR
    python train.py DATASET_DIR OUT_DIR --label triple_barrier --horizon 24 --stop-loss 0.0020 --take-profit 0.0030

OUT_DIR gets `model` (MLflow), `metrics.json` (what it is worth on bars it never saw) and `confidence_reference.json` (for the
daemon's setting of that name). The same input, options and versions make the same model.
"""

import argparse
import json
import logging
from datetime import datetime, timezone
from pathlib import Path

import joblib
import mlflow.pyfunc
import numpy as np
import pandas as pd
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bars import BadInput, add_options, new_folder, plain_errors, read_bars, sha256
from features import BLOCK_BARS, NAMES, SEQUENCE_BARS, blocks
from judge import confidence_reference, judge, report
from labels import BUY, CLASSES, HOLD, SELL, moves, triple_barrier
from pyfunc import inputs

PYFUNC = Path(__file__).with_name("pyfunc.py")
# Rows that a part needs: fewer say nothing about a model.
ROWS_MIN = 200
# Penalties that are tried inside the training part: the noisier the data, the stronger the best one.
PENALTIES = {"logisticregression__C": [1e-4, 1e-3, 1e-2, 1e-1]}
FOLDS = 4
# Rows that the saved model is asked about before it gets its name.
SAMPLE_ROWS = 8


class Data:
    """One row for each bar with a window, in the order of time: features, what the classifier sees, and the bar's prices."""

    def __init__(self, tabular: np.ndarray, sequence: np.ndarray, x: np.ndarray, index: pd.DataFrame, source: dict):
        """`sequence` is that of the last rows only: with them the saved model is tried."""
        self.source, self.sample = source, (tabular[-len(sequence) :], sequence, x[-len(sequence) :])
        order = np.argsort(index["bar_close_time"].to_numpy(), kind="stable")
        self.x = x[order]
        self.symbol = index["symbol"].to_numpy()[order]
        self.time = index["bar_close_time"].to_numpy()[order]
        self.close = index["close"].to_numpy()[order]
        # Among all bars of the symbol: with data.on_gap = "stop" bars are left out, and the next row is not the next bar.
        self.place = index["place"].to_numpy()[order]
        # The bar's high and low are in its features.
        self.high = self.close / tabular[order, NAMES.index("close_high_ratio")]
        self.low = self.close / tabular[order, NAMES.index("close_low_ratio")]

    def each_symbol(self):
        """The rows of each symbol, oldest first."""
        return [np.flatnonzero(self.symbol == symbol) for symbol in np.unique(self.symbol)]


def from_bars(path: Path, options) -> Data:
    """The features of a CSV of bars."""
    bars, lookback = read_bars(path, options), options.lookback_bars
    newest = bars[lookback - 1 :]
    tabular, x = [], []
    for block, sequence in blocks(bars, lookback):
        tabular.append(block)
        x.append(inputs(block, sequence))
    close_time = newest["timestamp"] + bars.attrs["interval_s"]
    index = pd.DataFrame({"symbol": "", "bar_close_time": close_time, "close": newest["close"], "place": newest.index})
    source = {"bars": path.name, "sha256": sha256(path), "lookback_bars": lookback}
    return Data(np.concatenate(tabular), sequence[-SAMPLE_ROWS:], np.concatenate(x), index, source)


def from_dataset(folder: Path) -> Data:
    """The features of a folder with tabular.csv, sequence.npy, index.csv and manifest.json."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
        for name, digest in manifest["files"].items():
            if sha256(folder / name) != digest:
                raise BadInput(f"{folder / name} is not the file that manifest.json describes: make the dataset again")
        tabular = pd.read_csv(folder / "tabular.csv")
        index = pd.read_csv(folder / "index.csv", keep_default_na=False)
        sequence = np.load(folder / "sequence.npy", mmap_mode="r")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{folder} is not a dataset: {error}") from None
    if list(tabular.columns) != NAMES:
        raise BadInput(f"{folder}/tabular.csv line 1: the header is not the 23 features in their order")
    missing = [name for name in ("symbol", "bar_close_time", "close", "place") if name not in index.columns]
    if missing:
        raise BadInput(f"{folder}/index.csv line 1: no column {', '.join(missing)}: make the dataset again")
    if not len(tabular) == len(index) == len(sequence) or sequence.shape[1:] != (SEQUENCE_BARS, len(NAMES)):
        rows = f"tabular.csv {len(tabular)}, index.csv {len(index)}, sequence.npy {sequence.shape}"
        raise BadInput(f"{folder}: the files do not have the same rows: {rows}")
    if index.empty:
        raise BadInput(f"{folder} has no rows")
    is_bad = ~np.isfinite(tabular.to_numpy(dtype=float)).all(axis=1)
    if is_bad.any():
        raise BadInput(f"{folder}/tabular.csv line {is_bad.argmax() + 2}: a value is missing or infinite")
    is_twice = index.duplicated(["symbol", "bar_close_time"]).to_numpy()
    if is_twice.any():
        raise BadInput(f"{folder}/index.csv line {is_twice.argmax() + 2}: this bar is there twice")
    tabular = tabular.to_numpy()
    starts = range(0, len(tabular), BLOCK_BARS)
    x = [inputs(tabular[row : row + BLOCK_BARS], sequence[row : row + BLOCK_BARS]) for row in starts]
    source = {"dataset": folder.name, "sha256": sha256(folder / "manifest.json")}
    return Data(tabular, np.array(sequence[-SAMPLE_ROWS:]), np.concatenate(x), index, source)


def across_gaps(data: Data, horizon: int, gap_max_hours: float) -> np.ndarray:
    """For each row, whether its label looks over more missing time than `features.py` allows: over a hole, not a weekend. Or over bars
    that the dataset leaves out: then the row `horizon` rows later is not the bar `horizon` bars later."""
    is_across = np.zeros(len(data.time), bool)
    for rows in data.each_symbol():
        gaps = np.concatenate([[0], np.cumsum(np.diff(data.time[rows]) > gap_max_hours * 3600)])
        place = data.place[rows]
        is_across[rows[:-horizon]] = (gaps[horizon:] > gaps[:-horizon]) | (place[horizon:] - place[:-horizon] != horizon)
    return is_across


def split(data: Data, horizon: int, test_share: float, gap_max_hours: float) -> tuple[np.ndarray, np.ndarray, int]:
    """Rows to train on, rows to judge by, and the time in between. No label of the first part looks beyond that time: the bars
    that do are left out (purge). Rows whose label is not known yet, or looks over a hole, are in neither part."""
    end = np.full(len(data.time), np.iinfo(np.int64).max)  # when the label of a row is known
    for rows in data.each_symbol():
        end[rows[:-horizon]] = data.time[rows[horizon:]]
    end[across_gaps(data, horizon, gap_max_hours)] = np.iinfo(np.int64).max
    is_known = end < np.iinfo(np.int64).max
    cut = data.time[int(len(data.time) * (1 - test_share))]
    train, test = np.flatnonzero(end <= cut), np.flatnonzero(is_known & (data.time >= cut))
    if min(len(train), len(test)) < ROWS_MIN:
        raise BadInput(f"{len(train)} rows to train on and {len(test)} to judge by; it takes {ROWS_MIN} of each, so more bars")
    return train, test, int(cut)


def label(data: Data, train: np.ndarray, args) -> tuple[np.ndarray, dict]:
    """The class of each row, and how it was made."""
    labels = np.full(len(data.time), HOLD)
    if args.label == "triple_barrier":
        for rows in data.each_symbol():
            prices = data.close[rows], data.high[rows], data.low[rows]
            labels[rows] = triple_barrier(*prices, args.horizon, args.stop_loss, args.take_profit)
        how = {"stop_loss": args.stop_loss, "take_profit": args.take_profit}
    else:
        move = np.empty(len(data.time))
        for rows in data.each_symbol():
            move[rows] = moves(data.close[rows], args.horizon)
        # The smallest moves of the training part are HOLD; what is small there is small later, too.
        hold_move = float(np.quantile(np.abs(move[train]), args.hold_share))
        labels[move <= -hold_move], labels[move >= hold_move] = SELL, BUY
        how = {"hold_move": hold_move, "hold_share": args.hold_share}
    return labels, {"kind": args.label, "horizon_bars": args.horizon} | how


def fit(x: np.ndarray, labels: np.ndarray, gap: int, seed: int):
    """Logistic regression: quick, calibrated by what it minimises, and hard to overfit. Its penalty is chosen inside the
    training part, always on bars that come after those fitted."""
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, random_state=seed))
    search = GridSearchCV(pipeline, PENALTIES, scoring="neg_log_loss", cv=TimeSeriesSplit(FOLDS, gap=gap), error_score="raise")
    try:
        search.fit(x, labels)
    except ValueError as error:
        raise BadInput(f"the training part is too small for {FOLDS} folds with all three classes: {error}") from None
    return search.best_estimator_, search.best_params_["logisticregression__C"]


def save(classifier, folder: Path, sample: tuple):
    """Writes MLflow's folder, with everything that serving needs but the packages, and asks it as Sentinel does."""
    classifier_file = folder / "classifier.joblib"
    joblib.dump(classifier, classifier_file)
    # It warns that there is no signature. Lists of lists, as Sentinel sends them, need none.
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    packages = [f"{package.__name__}=={package.__version__}" for package in (mlflow, np, pd, joblib)]
    mlflow.pyfunc.save_model(
        folder / "model",
        python_model=str(PYFUNC),
        artifacts={"classifier": str(classifier_file)},
        pip_requirements=[*packages, f"scikit-learn=={sklearn.__version__}"],
    )
    classifier_file.unlink()
    tabular, sequence, x = sample
    asked = pd.DataFrame({"X_tabular": tabular.tolist(), "X_sequential": sequence.tolist()})
    answered = mlflow.pyfunc.load_model(str(folder / "model")).predict(asked)
    assert np.array_equal(answered, classifier.predict_proba(x)), "the saved model answers differently"


def stamp(time: int) -> str:
    """`2026-11-28T12:00:00Z`"""
    return datetime.fromtimestamp(int(time), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def train(args) -> dict:
    """All of it; answers what metrics.json says."""
    data = from_dataset(args.input) if args.input.is_dir() else from_bars(args.input, args)
    symbols = np.unique(data.symbol)
    if args.label == "triple_barrier" and len(symbols) > 1:
        raise BadInput("triple_barrier with one stop-loss for several symbols: train each alone, or take --label horizon")
    rows, test, cut = split(data, args.horizon, args.test_share, args.gap_max_hours)
    is_across = across_gaps(data, args.horizon, args.gap_max_hours)
    labels, how = label(data, rows, args)
    for name, part in [("train on", rows), ("judge by", test)]:
        missing = [CLASSES[side] for side in (SELL, HOLD, BUY) if side not in labels[part]]
        if missing:
            raise BadInput(f"no {', '.join(missing)} among the rows to {name}: another horizon, hold share or stop-loss")
    classifier, penalty = fit(data.x[rows], labels[rows], args.horizon * len(symbols), args.seed)
    assert list(classifier.classes_) == [SELL, HOLD, BUY], f"classes are {classifier.classes_}"
    odds = classifier.predict_proba(data.x[test])
    part = lambda rows: {"rows": len(rows), "from": stamp(data.time[rows[0]]), "to": stamp(data.time[rows[-1]])}  # noqa: E731
    metrics = {
        "schema": 1,
        "input": data.source,
        "label": how,
        "train": part(rows),
        "trained_until": stamp(cut),
        "test": part(test),
        "purged_rows": int((data.time < cut).sum() - len(rows) - is_across[data.time < cut].sum()),
        "rows_across_gaps": int(is_across.sum()),
        "classes": CLASSES,
        **judge(labels[rows], labels[test], odds),
        "classifier": {"kind": "logistic regression", "C": penalty, "seed": args.seed},
        "versions": {"scikit-learn": sklearn.__version__, "numpy": np.__version__, "mlflow": mlflow.__version__},
    }
    with new_folder(args.out) as folder:
        save(classifier, folder, data.sample)
        for name, content in [("metrics", metrics), ("confidence_reference", confidence_reference(odds))]:
            (folder / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n")
    return metrics


def arguments(args: list[str] | None = None):
    """Parsed and checked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", type=Path, metavar="BARS.csv|DATASET_DIR")
    parser.add_argument("out", type=Path, metavar="OUT_DIR")
    parser.add_argument("--label", choices=["horizon", "triple_barrier"], default="horizon", help="[default %(default)s]")
    parser.add_argument("--horizon", type=int, default=4, metavar="BARS", help="how far a label looks [default %(default)s]")
    parser.add_argument("--hold-share", type=float, default=0.4, help="horizon: share of HOLD [default %(default)s]")
    parser.add_argument("--stop-loss", type=float, metavar="PRICE", help="triple_barrier: as trading.stop_loss")
    parser.add_argument("--take-profit", type=float, metavar="PRICE", help="triple_barrier: as trading.take_profit")
    parser.add_argument("--test-share", type=float, default=0.3, help="share to judge by, the newest [default %(default)s]")
    parser.add_argument("--seed", type=int, default=1, help="[default %(default)s]")
    add_options(parser)
    parsed = parser.parse_args(args)
    if parsed.label == "triple_barrier" and not min(parsed.stop_loss or 0, parsed.take_profit or 0) > 0:
        parser.error("triple_barrier needs --stop-loss and --take-profit, both above 0")
    if parsed.horizon < 1 or not 0 < parsed.test_share < 1 or not 0 < parsed.hold_share < 1:
        parser.error("--horizon is at least 1, and shares are between 0 and 1")
    return parsed


if __name__ == "__main__":
    with plain_errors("train.py"):
        print(report(train(arguments())))
