"""The test harness that nearly every system test uses: a market, a model and gateways around daemons."""

import json
import subprocess
from pathlib import Path

from parts.daemon import ALONE, Daemon, environment, free_port
from parts.dialects import DIALECTS
from parts.gateway import Behaviour, Gateway, filled
from parts.market import Market
from parts.model import Model

ACCOUNT = "demo-7"
STOP_LOSS, TAKE_PROFIT = 0.002, 0.003
# A cycle every second, because tests cannot wait for a cycle every minute.
EVERY_SECOND = ("--schedule", "* * * * * *")


def variables(settings: dict[str, object]) -> dict[str, str]:
    """`{"model.deadline_ms": 500}` as environment variables."""
    return {"SENTINEL__" + key.upper().replace(".", "__"): str(value) for key, value in settings.items()}


class Harness:
    """Owns the parts and the daemons of one test. Everything listens on its own loopback port."""

    def __init__(self, binary: Path, directory: Path):
        self.binary, self.directory = binary, directory
        self.market, self.model = Market(), Model()
        self.gateways: list[Gateway] = []
        self.daemons: list[Daemon] = []
        # A program that runs the next daemons, on another machine for example.
        self.before: list[str] = []

    def command(self, *args: str, **env: str) -> Daemon:
        """Starts the binary with exactly these arguments. `env` is added to the clean environment."""
        return self._start(list(args), environment(**env), None)

    def run(self, *args: str, before: list[str] | None = None) -> subprocess.CompletedProcess:
        """Runs a command to its end, without variables and in the test's directory; `before` is a program that runs it."""
        command = [*(before or []), self.binary, *args]
        return subprocess.run(command, cwd=self.directory, env=ALONE, capture_output=True, text=True, timeout=30)

    def orders(self, journal: Path | str) -> list[dict]:
        """The orders of a journal, as `sentinel orders --json` prints them."""
        done = self.run("orders", "--json", "--journal", str(journal))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def start(self, *args: str, settings: dict[str, object] | None = None, **env: str) -> Daemon:
        """Starts `sentinel run` with the market and the model, in dry run unless the arguments change that."""
        port = free_port()
        usual = {"metrics.bind": "127.0.0.1", "metrics.port": port, "data.base_url": self.market.url}
        usual |= {"model.host": "127.0.0.1", "model.port": self.model.port}
        # The market of the tests is always open; "auto" would close it at weekends.
        usual |= {"market.calendar": "always"}
        settings = usual | (settings or {})
        return self._start(["run", *args], environment(**variables(settings), **env), int(settings["metrics.port"]))

    def start_live(self, gateway: Gateway, *args: str, settings: dict[str, object] | None = None, **env: str) -> Daemon:
        """Starts `sentinel run --live` with this gateway, and a short deadline for its answers."""
        live = ["--live", "--dialect", gateway.name, "--account", ACCOUNT]
        # place_order has neither volume nor stops.
        stops = ("none", "none") if gateway.name == "place_order" else (str(STOP_LOSS), str(TAKE_PROFIT))
        live += ["--stop-loss", stops[0], "--take-profit", stops[1]]
        live += ["--gtw-host", "127.0.0.1", "--gtw-port", str(gateway.port)]
        # Live, the places of a price that is of no usual pair have to be said, and tests have such symbols.
        usual = {"gateway.deadline_ms": 400, "trading.digits": 5}
        if gateway.name in ("order_send", "place_order"):
            # One has no handshake, the other no volume: live mode requires a person's confirmation.
            usual["gateway.i_checked_it_by_hand"] = "true"
        return self.start(*live, *args, settings=usual | (settings or {}), **env)

    def gateway(
        self,
        dialect: str = "v43",
        behaviour: Behaviour = filled,
        questions: Behaviour | None = None,
        bind: bool = True,
    ) -> Gateway:
        """A gateway on a free port: its behaviour for orders, and for harmless queries if not truthful."""
        gateway = DIALECTS[dialect](free_port(), behaviour, questions)
        self.gateways.append(gateway)
        return gateway.bind() if bind else gateway

    def close(self):
        """Ends the daemons first, so that none of them sees its parts end."""
        for part in [*self.daemons, *self.gateways, self.market, self.model]:
            part.close()

    def _start(self, args: list[str], env: dict[str, str], port: int | None) -> Daemon:
        program, *args = [*self.before, self.binary, *args]
        daemon = Daemon(program, args, env, self.directory / f"daemon-{len(self.daemons)}", port)
        self.daemons.append(daemon)
        return daemon
