"""The MLflow model: takes rows as Sentinel sends them and answers the odds of SELL, HOLD and BUY.

train.py saves a copy of this file in the model's folder, with the classifier beside it.
"""

import joblib
import mlflow.models
import mlflow.pyfunc
import numpy as np
import pandas as pd

NAMES = [
    "return_1", "return_5", "return_10", "sma_10", "sma_20", "ema_10", "ema_20", "volatility_10", "volatility_20", "rsi_14",
    "macd", "macd_signal", "macd_hist", "high_low_ratio", "close_high_ratio", "close_low_ratio", "volume_sma", "volume_ratio",
    "hour", "day_of_week", "price_momentum", "price_acceleration", "padding",
]  # fmt: skip
SELL, HOLD, BUY = 0, 1, 2


def inputs(tabular: np.ndarray, sequence: np.ndarray) -> np.ndarray:
    """What the classifier sees of the features (n x 23) and the sequence (n x 60 x 23): free of the price's scale, so that what
    was learnt at 1.07 holds at 1.17, and without the volume, which in FX is another one at each provider. Moves count in units
    of what is usual at the moment."""
    x = dict(zip(NAMES, tabular.T))
    returns = sequence[:, :, 0].astype(float)
    usual = np.sqrt((returns**2).mean(axis=1))  # root mean square of the last 60 returns
    yesterday = np.sqrt((returns[:, 36:40] ** 2).mean(axis=1))  # of hourly bars: the next four hours, a day ago
    unit = np.maximum(usual, 1e-7)  # a market that stands still has no moves to measure
    price = x["ema_20"] * unit
    hour, week = x["hour"] * np.pi / 12, (x["day_of_week"] * 24 + x["hour"]) * np.pi / 84
    columns = [x[name] / unit for name in ("return_1", "return_5", "return_10")]
    columns += [x[name] / price for name in ("macd", "macd_signal", "macd_hist", "price_momentum", "price_acceleration")]
    columns += [(x["sma_10"] - x["sma_20"]) / price, (x["ema_10"] - x["ema_20"]) / price]
    columns += [(x[name] - 1) / unit for name in ("high_low_ratio", "close_high_ratio", "close_low_ratio")]
    columns += [np.log(np.maximum(it, 1e-7)) for it in (x["volatility_10"], x["volatility_20"], usual, yesterday)]
    columns += [returns.mean(axis=1) / unit, x["rsi_14"]]
    columns += [np.sin(hour), np.cos(hour), np.sin(2 * hour), np.cos(2 * hour), np.sin(week), np.cos(week)]
    return np.column_stack(columns)


class Odds(mlflow.pyfunc.PythonModel):
    """A classifier of SELL, HOLD and BUY behind Sentinel's request."""

    def load_context(self, context):
        """Called once, when the server starts."""
        self.classifier = joblib.load(context.artifacts["classifier"])
        # Sentinel takes the columns as SELL, HOLD, BUY, and no later check could tell if they were not.
        assert list(self.classifier.classes_) == [SELL, HOLD, BUY], f"classes are {self.classifier.classes_}"

    def predict(self, context, model_input: pd.DataFrame, params=None):
        """One row of `model_input` for each symbol. Whatever is raised here reaches Sentinel as a 400."""
        tabular = np.stack([np.asarray(row, dtype=np.float64) for row in model_input["X_tabular"]])
        # float32, as it was in training: JSON has only one kind of number.
        sequence = np.stack([np.asarray(row, dtype=np.float32) for row in model_input["X_sequential"]])
        count = len(model_input)
        assert tabular.shape == (count, 23), f"X_tabular is {tabular.shape}"
        assert sequence.shape == (count, 60, 23), f"X_sequential is {sequence.shape}"
        return self.classifier.predict_proba(inputs(tabular, sequence))


mlflow.models.set_model(Odds())
