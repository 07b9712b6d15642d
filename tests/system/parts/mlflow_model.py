"""The pyfunc model that the real MLflow server loads, written as `code` for MLflow. It requires the same shapes as a model
trained for Sentinel, keeps the last request, and answers BUY, SELL and HOLD in turn.

It answers one row as an array and several as a DataFrame, so both of MLflow's answer shapes occur.
"""

import json
import os
from pathlib import Path

import mlflow.models
import mlflow.pyfunc
import numpy
import pandas

ANSWERS = [[0.1, 0.2, 0.7], [0.75, 0.15, 0.1], [0.05, 0.9, 0.05]]


class ShapeModel(mlflow.pyfunc.PythonModel):
    """Stacks the rows exactly as training code does."""

    def predict(self, context, model_input, params=None):
        tabular = numpy.stack(model_input["X_tabular"].apply(lambda row: numpy.asarray(row, dtype=float)).to_list())
        sequences = [numpy.asarray(row, dtype=float) for row in model_input["X_sequential"]]
        sequential = numpy.stack(sequences)
        count = len(model_input)
        assert tabular.shape == (count, 23), f"X_tabular is {tabular.shape}"
        assert sequential.shape == (count, 60, 23), f"X_sequential is {sequential.shape}"
        seen = {"tabular": tabular.tolist(), "sequential": sequential.tolist()}
        Path(os.environ["SENTINEL_TEST_CAPTURE"]).write_text(json.dumps(seen))
        answers = numpy.array([ANSWERS[row % len(ANSWERS)] for row in range(count)])
        if count == 1:
            return answers
        return pandas.DataFrame(answers, columns=["class_0_prob", "class_1_prob", "class_2_prob"])


mlflow.models.set_model(ShapeModel())
