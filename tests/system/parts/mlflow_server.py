"""A real `mlflow models serve` as a child process."""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import mlflow.pyfunc

from parts.daemon import free_port, wait_until


class MlflowServer:
    """Saves the model, serves it, and ends all its workers."""

    def __init__(self, directory: Path, host: str = "127.0.0.1", port: int | None = None):
        code = Path(__file__).with_name("mlflow_model.py")
        model, self._capture, self._log = directory / "model", directory / "capture.json", directory / "log"
        mlflow.pyfunc.save_model(model, python_model=str(code), pip_requirements=[])
        self.port = port or free_port()
        command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(model), "--env-manager", "local"]
        command += ["--host", host, "--port", str(self.port), "--workers", "1"]
        # The server looks for its tools (uvicorn) on the search path, as in an activated environment.
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        env = os.environ | {"PATH": path, "SENTINEL_TEST_CAPTURE": str(self._capture)}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        wait_until("an answer of the MLflow server", self._answers, 60)

    def seen(self) -> dict:
        """The features of the last request, as the model stacked them."""
        return json.loads(self._capture.read_text())

    def close(self):
        """Ends the process group that only this server is in."""
        os.killpg(self._process.pid, 15)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, 9)

    def _answers(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()[-4000:]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ping", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False
