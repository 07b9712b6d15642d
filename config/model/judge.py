"""What a model is worth on bars that it never saw, before any cost."""

import numpy as np
from sklearn.metrics import confusion_matrix, log_loss

from labels import BUY, CLASSES, HOLD, SELL

THRESHOLDS = [0.4, 0.5, 0.6]
# Parts of the hold-out between which a gain is compared: neighbouring rows share most of their bars, so they prove little.
PARTS = 20
# Bins of the confidence reference.
BINS = 10


def shares(labels: np.ndarray) -> np.ndarray:
    """How often each class occurs."""
    return np.bincount(labels, minlength=3) / len(labels)


def brier(labels: np.ndarray, odds: np.ndarray) -> float:
    """Mean squared distance of the three odds from what came: 0 is perfect, 0.667 is not knowing, 2 is the worst."""
    return float(((odds - np.eye(3)[labels]) ** 2).sum(axis=1).mean())


def gain(labels: np.ndarray, odds: np.ndarray, frequencies: np.ndarray) -> dict:
    """By how much the log loss is better than that of the class frequencies, per row, and how certain that is."""
    row = np.arange(len(labels))
    each = np.log(odds[row, labels] / frequencies[labels])
    count = max(2, min(PARTS, len(each) // 5))
    parts = [part.mean() for part in np.array_split(each, count)]
    return {"gain": float(each.mean()), "standard_error": float(np.std(parts, ddof=1) / np.sqrt(count))}


def is_beyond_chance(found: dict) -> bool:
    """Two standard errors: about one chance in forty if there is nothing to know."""
    return found["gain"] > 2 * found["standard_error"]


def judge(train_labels: np.ndarray, labels: np.ndarray, odds: np.ndarray) -> dict:
    """The model beside some that look at nothing: one that answers how often each class occurred in training, and those that
    always say HOLD or the class that was the most frequent one."""
    before = shares(train_labels)
    frequencies = np.tile(before, (len(labels), 1))
    likeliest, confidence = odds.argmax(axis=1), odds.max(axis=1)

    def sided(odds: np.ndarray) -> np.ndarray:
        return odds * [1, 0, 1] / (odds[..., [SELL]] + odds[..., [BUY]])

    def signals(threshold: float) -> dict:
        taken = {side: (likeliest == side) & (confidence > threshold) for side in (SELL, BUY)}
        counts = {side: (int(it.sum()), int((labels[it] == side).sum())) for side, it in taken.items()}
        return {CLASSES[side]: {"signals": signals, "right": right} for side, (signals, right) in counts.items()}

    moved = labels != HOLD
    losses = {"model": log_loss(labels, odds), "class_frequencies": log_loss(labels, frequencies)}
    return {
        "log_loss": losses | gain(labels, odds, before),
        "direction": gain(labels[moved], sided(odds[moved]), sided(before)),
        "brier": {"model": brier(labels, odds), "class_frequencies": brier(labels, frequencies)},
        "accuracy": {
            "model": float((likeliest == labels).mean()),
            "always_hold": float((labels == HOLD).mean()),
            "always_most_frequent": float((labels == before.argmax()).mean()),
        },
        "class_shares": {"train": before.tolist(), "test": shares(labels).tolist()},
        "confusion": {"rows_are": "truth", "columns_are": "likeliest", "counts": confusion_matrix(labels, likeliest).tolist()},
        "signals_above_threshold": {str(threshold): signals(threshold) for threshold in THRESHOLDS},
    }


def confidence_reference(odds: np.ndarray) -> dict:
    """How the confidences are spread on bars that were not trained on, in the form of `model.confidence_reference`."""
    confidence = odds.max(axis=1)
    bounds = np.unique(np.quantile(confidence, np.arange(1, BINS) / BINS).round(6))
    bounds = np.append(bounds[bounds < 1], 1.0)
    counts = np.bincount(np.searchsorted(bounds, confidence), minlength=len(bounds))
    return {"bounds": bounds.tolist(), "shares": (counts / len(confidence)).tolist()}


def report(metrics: dict) -> str:
    """metrics.json in a few lines."""
    loss, side, brier, accuracy = (metrics[name] for name in ("log_loss", "direction", "brier", "accuracy"))
    counts = {at: sum(side["signals"] for side in sides.values()) for at, sides in metrics["signals_above_threshold"].items()}
    if not is_beyond_chance(loss):
        verdict = "That it knows more than the class frequencies is not beyond chance: do not trade it."
    elif not is_beyond_chance(side):
        verdict = "It knows how far the price moves, but not beyond chance in which direction: do not trade it."
    else:
        verdict = "It knows more than chance would. Costs are not counted yet."
    trained, judged = metrics["train"]["rows"], metrics["test"]["rows"]
    left_out = metrics["rows_across_gaps"]
    gaps = [f"left out   {left_out} rows whose label looks over a gap of more than --gap-max-hours"] if left_out else []
    return "\n".join([
        f"trained until {metrics['trained_until']} on {trained} rows, judged by {judged} later ones",
        *gaps,
        f"log loss   {loss['model']:.4f}, of the class frequencies {loss['class_frequencies']:.4f}: "
        f"gain {loss['gain']:.4f}, standard error {loss['standard_error']:.4f}",
        f"direction  gain {side['gain']:.4f}, standard error {side['standard_error']:.4f}, where the price moved",
        f"Brier      {brier['model']:.4f}, of the class frequencies {brier['class_frequencies']:.4f}",
        f"accuracy   {accuracy['model']:.1%}, of always HOLD {accuracy['always_hold']:.1%}, "
        f"of the most frequent class {accuracy['always_most_frequent']:.1%}",
        "signals    " + ", ".join(f"{count} above {at}" for at, count in counts.items()),
        verdict,
    ])  # fmt: skip
