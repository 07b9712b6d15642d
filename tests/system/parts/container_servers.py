"""The servers in the containers of the market, HUB and GTW: `python -m parts.container_servers market|hub|gateway DIRECTORY`. They
listen on all addresses and run until they get a signal. The directory is shared with the test."""

import json
import signal
import ssl
import subprocess
import sys
import threading
from pathlib import Path

from parts.dialects import V43
from parts.gateway import Behaviour, Gateway, Reply
from parts.http import Handler, Request
from parts.servers import PacedMarket

MARKET_PORT, MODEL_PORT, GATEWAY_PORT, PROMETHEUS_PORT, ALERTMANAGER_PORT = 8081, 5001, 5555, 9090, 9093
BAR_S = 2.0
# The folder of the project's files on HUB.
MONITORING = Path("/etc/prometheus")
# Files in the directory: what GTW received; how many seconds it takes for an order, if the file exists; and a file that stops
# the market from adding bars.
RECORD, PACE, STILL = "received.jsonl", "pace", "still"
# The market's certificate and key, in its directory.
CERTIFICATE = "tls"


class Market(PacedMarket):
    """A new bar every few seconds, unless the test stops it."""

    address = ("0.0.0.0", MARKET_PORT)

    def __init__(self, still: Path):
        self.still = still
        super().__init__(BAR_S)

    def serve(self, handler: Handler, request: Request):
        """The newest bars, or the last ones again."""
        if self.bodies and self.still.exists():
            return handler.answer(next(iter(self.bodies.values())))
        super().serve(handler, request)


class Gtw(V43):
    """Fills every order."""

    host = "0.0.0.0"


def fills(pace: Path) -> Behaviour:
    """Executes an order at once, and replies after a delay."""

    def behave(gateway: Gateway, request: dict) -> Reply:
        delay_s = float(pace.read_text()) if pace.exists() else 0.0
        return Reply(json.dumps(gateway.filled(request)).encode(), delay_s, note="filled")

    return behave


class Hub:
    """Prometheus and Alertmanager with the project's unmodified files, and a real MLflow server."""

    def __init__(self):
        # Slow to import, and only needed here.
        from parts.mlflow_server import MlflowServer

        prometheus = ["prometheus", f"--config.file={MONITORING / 'prometheus.yml'}"]
        prometheus += ["--storage.tsdb.path=/tmp/prometheus"]
        alertmanager = ["prometheus-alertmanager", f"--config.file={MONITORING / 'alertmanager.yml'}"]
        alertmanager += ["--storage.path=/tmp/alertmanager", "--cluster.listen-address="]
        self.processes = [subprocess.Popen(command) for command in (prometheus, alertmanager)]
        model = Path("/tmp/mlflow")
        model.mkdir()
        self.model = MlflowServer(model, "0.0.0.0", MODEL_PORT)

    def close(self):
        """Ends all three."""
        self.model.close()
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(10)


def main():
    """Runs one of the three."""
    part, directory = sys.argv[1], Path(sys.argv[2])
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if part == "market":
        server = Market(directory / STILL)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(directory / f"{CERTIFICATE}.pem", directory / f"{CERTIFICATE}.key")
        server.speak_tls(context)
    elif part == "gateway":
        server = Gtw(GATEWAY_PORT, fills(directory / PACE), record=directory / RECORD).bind()
    else:
        server = Hub()
    (directory / "ready").touch()
    stop.wait()
    server.close()
    if isinstance(server, Gateway) and server.problems:
        print("\n".join(server.problems[:20]), flush=True)


if __name__ == "__main__":
    main()
