"""What would have been right: the class that a bar gets once it is known what came after it."""

import numpy as np

CLASSES = ["SELL", "HOLD", "BUY"]  # in the order that Sentinel reads odds in
SELL, HOLD, BUY = range(3)


def moves(close: np.ndarray, horizon: int) -> np.ndarray:
    """How far the close is, `horizon` bars later, as a fraction; NaN where that is not known yet."""
    known = np.full(len(close), np.nan)
    known[:-horizon] = close[horizon:] / close[:-horizon] - 1
    return known


def triple_barrier(close, high, low, horizon: int, stop_loss: float, take_profit: float) -> np.ndarray:
    """BUY where a BUY at this close reaches its take-profit within `horizon` bars and before its stop-loss, SELL the same for a
    SELL, HOLD where neither does. Both are distances in price, as the daemon's orders have them. A bar that touches both counts
    as the stop-loss: nothing says which came first."""
    count = len(close)
    label, is_open = np.full(count, HOLD), {BUY: np.ones(count, bool), SELL: np.ones(count, bool)}
    slack = close * 1e-9  # 1.1 + 0.1 is not exactly 1.2
    for bar in range(1, horizon + 1):
        later_high, later_low = np.full(count, -np.inf), np.full(count, np.inf)
        later_high[:-bar], later_low[:-bar] = high[bar:], low[bar:]
        won = {}
        for side in (BUY, SELL):
            above, below = (take_profit, stop_loss) if side == BUY else (stop_loss, take_profit)
            is_above, is_below = later_high >= close + above - slack, later_low <= close - below + slack
            is_stopped, is_won = (is_below, is_above) if side == BUY else (is_above, is_below)
            won[side] = is_open[side] & is_won & ~is_stopped
            is_open[side] &= ~is_stopped & ~is_won
        undecided = label == HOLD
        label[undecided & won[BUY] & ~won[SELL]] = BUY
        label[undecided & won[SELL] & ~won[BUY]] = SELL
    return label
