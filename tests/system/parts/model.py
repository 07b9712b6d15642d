"""A scripted model server: the same probabilities for every row, or three per row."""

import json

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


def predictions(value) -> Behaviour:
    """`{"predictions": value}`; a NaN in the value is a bare NaN."""
    return text(json.dumps({"predictions": value}))
