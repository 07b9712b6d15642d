"""A scripted model server: the same probabilities for every row, or three per row."""

import json
import zlib

from parts.http import Behaviour, Handler, Request, ScriptedHttp, text

BUY, SELL, HOLD = [0.1, 0.2, 0.7], [0.75, 0.15, 0.1], [0.1, 0.8, 0.1]


class Model(ScriptedHttp):
    """Answers `probabilities[i]` for row i, and the last one for all further rows."""

    def __init__(self, *probabilities: list[float]):
        self.probabilities = list(probabilities) or [BUY]
        super().__init__()

    def serve(self, handler: Handler, request: Request):
        """MLflow's answer, or its 404 for unknown paths."""
        if request.path != "/invocations" or request.method != "POST":
            handler.answer("\n", 200 if request.path in ("/ping", "/health") else 404)
            return
        count = len(request.json()["dataframe_split"]["data"])
        answers = [self.probabilities[min(row, len(self.probabilities) - 1)] for row in range(count)]
        handler.answer(json.dumps({"predictions": answers}))


class ReadingModel(Model):
    """BUY at any hour, a little more or less by what is in the row: a model that reads its input, as `verify model` wants it."""

    def serve(self, handler: Handler, request: Request):
        """As the other, but for the probabilities."""
        if request.path == "/invocations" and request.method == "POST":
            rows = request.json()["dataframe_split"]["data"]
            part = [zlib.crc32(json.dumps(row).encode()) % 1_000 / 10_000 for row in rows]
            handler.answer(json.dumps({"predictions": [[0.1, 0.2 - more, 0.7 + more] for more in part]}))
        else:
            super().serve(handler, request)


def predictions(value) -> Behaviour:
    """`{"predictions": value}`; a NaN in the value is a bare NaN."""
    return text(json.dumps({"predictions": value}))
