"""A market, a model and gateways around daemons: what nearly every system test starts with."""

from pathlib import Path

from parts.daemon import Daemon, environment, free_port
from parts.dialects import DIALECTS
from parts.gateway import Behaviour, Gateway, filled
from parts.market import Market
from parts.model import Model

ACCOUNT = "demo-7"
STOP_LOSS, TAKE_PROFIT = 0.002, 0.003


def variables(settings: dict[str, object]) -> dict[str, str]:
    """`{"model.deadline_ms": 500}` as the environment has it."""
    return {"SENTINEL__" + key.upper().replace(".", "__"): str(value) for key, value in settings.items()}


class Rig:
    """Owns the parts and the daemons of one test. Everything listens on loopback ports of its own."""

    def __init__(self, binary: Path, directory: Path):
        self.binary, self.directory = binary, directory
        self.market, self.model = Market(), Model()
        self.gateways: list[Gateway] = []
        self.daemons: list[Daemon] = []

    def command(self, *args: str, **env: str) -> Daemon:
        """Starts the binary with exactly these arguments; `env` is added to the clean environment."""
        return self._start(list(args), environment(**env), None)

    def start(self, *args: str, settings: dict[str, object] | None = None, **env: str) -> Daemon:
        """Starts `sentinel run` against the market and the model, in dry run unless the arguments say otherwise."""
        port = free_port()
        usual = {"metrics.bind": "127.0.0.1", "metrics.port": port, "data.base_url": self.market.url}
        usual |= {"model.host": "127.0.0.1", "model.port": self.model.port}
        # The tests' market never closes, whatever day they run on; "auto" would close it at weekends.
        usual |= {"market.calendar": "always"}
        settings = usual | (settings or {})
        return self._start(["run", *args], environment(**variables(settings), **env), int(settings["metrics.port"]))

    def start_live(self, gateway: Gateway, *args: str, settings: dict[str, object] | None = None, **env: str) -> Daemon:
        """Starts `sentinel run --live` towards this gateway, with a short deadline for its answer."""
        live = ["--live", "--dialect", gateway.name, "--account", ACCOUNT]
        # place_order can say neither volume nor stops.
        stops = ("none", "none") if gateway.name == "place_order" else (str(STOP_LOSS), str(TAKE_PROFIT))
        live += ["--stop-loss", stops[0], "--take-profit", stops[1]]
        live += ["--gtw-host", "127.0.0.1", "--gtw-port", str(gateway.port)]
        usual = {"gateway.deadline_ms": 400}
        if gateway.name in ("order_send", "place_order"):
            # One has no handshake, the other says no volume: live mode asks for a person's word.
            usual["gateway.i_checked_it_by_hand"] = "true"
        return self.start(*live, *args, settings=usual | (settings or {}), **env)

    def gateway(
        self,
        dialect: str = "v43",
        behaviour: Behaviour = filled,
        questions: Behaviour | None = None,
        bind: bool = True,
    ) -> Gateway:
        """A gateway on a free port: what it does about orders, and about harmless questions if not the truth."""
        gateway = DIALECTS[dialect](free_port(), behaviour, questions)
        self.gateways.append(gateway)
        return gateway.bind() if bind else gateway

    def close(self):
        """Daemons first, so that none of them sees its parts die."""
        for part in [*self.daemons, *self.gateways, self.market, self.model]:
            part.close()

    def _start(self, args: list[str], env: dict[str, str], port: int | None) -> Daemon:
        daemon = Daemon(self.binary, args, env, self.directory / f"daemon-{len(self.daemons)}", port)
        self.daemons.append(daemon)
        return daemon
