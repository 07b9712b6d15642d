"""`study.html` in a real browser, with advice, without one, and without costs: on a wide screen and on a phone."""

import csv
import json
import random
import re
import subprocess

import pytest

from parts.browser import browse, distinct_rows, look
from parts.daemon import environment
from parts.harness import variables
from parts.http import Handler, Request
from parts.model import Model
from parts.own_model import BARS

# The studies of its fixtures take a minute and more in a debug build.
pytestmark = pytest.mark.long

HOUR, COUNT, HORIZON = 3_600, 5_000, 4
LINES = BARS.read_text().splitlines()[: COUNT + 1]
# Two lines over time, both sides, a side each, a class each, and the price for wide and for narrow screens.
PLOTS = 10
TRAINED = ["--trained-until", "2017-05-01"]


def odds(path, edge: float):
    """Odds that know `edge` of what comes: 0 is nothing."""
    chance, rows = random.Random(14), list(csv.DictReader(LINES))
    lines = ["symbol,bar_close_time,p_sell,p_hold,p_buy"]
    for at, row in enumerate(rows[:-HORIZON]):
        move = float(rows[at + HORIZON]["close"]) / float(row["close"]) - 1
        lean = max(-0.3, min(0.3, edge * move * 100 + chance.gauss(0, 0.12)))
        sell, buy = 0.35 - lean, 0.35 + lean
        lines.append(f"EURUSD,{int(row['timestamp']) + HOUR},{sell!r},{1 - sell - buy!r},{buy!r}")
    path.write_text("\n".join(lines) + "\n")
    return path


class Knowing(Model):
    """Odds of a file, for the bar whose features are asked about: a model that knows some of what comes."""

    def __init__(self, dataset, file):
        by_close = {int(row["bar_close_time"]): row for row in csv.DictReader(file.read_text().splitlines())}
        tabular = csv.reader((dataset / "tabular.csv").read_text().splitlines()[1:])
        index = csv.DictReader((dataset / "index.csv").read_text().splitlines())
        odds = [[float(row[name]) for name in ("p_sell", "p_hold", "p_buy")] for row in by_close.values()]
        known = dict(zip(by_close, odds, strict=True))
        self.known = {
            tuple(map(float, features)): known.get(int(row["bar_close_time"]), [0.3, 0.4, 0.3])
            for features, row in zip(tabular, index, strict=True)
        }
        super().__init__()

    def serve(self, handler: Handler, request: Request):
        asked = request.json()["dataframe_split"]["data"]
        handler.answer(json.dumps({"predictions": [self.known[tuple(map(float, tabular))] for tabular, _ in asked]}))


@pytest.fixture(scope="module")
def studied(binary, tmp_path_factory):
    """The folders of four studies by their kind, each with study.json and study.html."""
    folder = tmp_path_factory.mktemp("study")
    bars = folder / "eurusd.csv"
    bars.write_text("\n".join(LINES) + "\n")
    env = environment(HOME=str(folder), **variables({"market.calendar": "fx"}))

    def run(*command):
        done = subprocess.run([binary, *command], env=env, cwd=folder, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr

    run("dataset", "--bars", bars, "--out", "dataset", "--no-sequence")
    # Only of a model that is asked are the features checked: without that there is no advice.
    model = Knowing(folder / "dataset", odds(folder / "edge.csv", 0.3))
    noise = odds(folder / "noise.csv", 0.0)
    kinds = {
        "advice": ["--model", model.url, "--spread-points", "8", *TRAINED],
        "unchecked": ["--odds", folder / "edge.csv", "--spread-points", "8", *TRAINED],
        "none": ["--odds", noise, "--spread-points", "8", *TRAINED],
        "frictionless": ["--odds", noise, "--frictionless"],
    }
    try:
        for kind, args in kinds.items():
            run("study", "--bars", bars, *args, "--out", kind, "--studies", f"{kind}.db")
    finally:
        model.close()
    return folder


@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "head"),
    [("advice", "✓ BUY and SELL above 0."), ("unchecked", "○ Not judged"), ("none", "○ No threshold is better than chance here"), ("frictionless", "Frictionless: nothing was charged")],
)
def test_the_page_says_the_answer_and_loads_nothing(studied, kind, head):
    page = studied / kind / "study.html"
    text, report = page.read_text(), json.loads((studied / kind / "study.json").read_text())
    assert report["answer"]["is_advice"] == (kind == "advice"), report["answer"]
    assert head in text and len(text.encode()) < 1_000_000
    assert ("✗ not checked" in text) == (kind != "advice"), "odds of a file say nothing of their features"
    assert text.count('class="watermark"') == (PLOTS if kind == "frictionless" else 0)
    assert not re.search(r"\b(src|href)=|url\(|@import|<script", text)
    shown, console = browse(page, "--dump-dom")
    assert head in shown and shown.count('role="img"') == PLOTS and console == []
    assert shown.count('class="line') > PLOTS and "NaN" not in shown


@pytest.mark.parametrize("width", [1280, 800, 360])
@pytest.mark.parametrize("kind", ["advice", "none", "frictionless"])
def test_the_page_fits_a_screen_and_a_phone(studied, kind, width):
    found = look(studied / kind / "study.html", width, least_px=9.5)
    assert found["plots"] == PLOTS
    assert found["width"] <= found["room"] <= width, "it scrolls sideways"
    assert (found["overlaps"], found["small"], found["outside"]) == ([], [], [])


def test_the_picture_of_the_page_is_not_empty(studied, tmp_path):
    picture = tmp_path / "page.png"
    browse(studied / "advice" / "study.html", f"--screenshot={picture}", "--window-size=1280,4200")
    assert distinct_rows(picture.read_bytes()) > 1_000
