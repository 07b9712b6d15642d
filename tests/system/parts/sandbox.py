"""The binary's own market, model and gateway as three processes, and daemons that trade with them."""

from pathlib import Path

from parts.daemon import Daemon, environment, free_port, wait_until
from parts.sockets import listening_ports


class Sandbox:
    """Starts the three. `daemons` collects everything that must be closed."""

    def __init__(self, binary: Path, directory: Path):
        self.binary, self.directory = binary, directory
        self.daemons: list[Daemon] = []
        self.ports = {part: free_port() for part in ("market", "model", "gateway")}
        for part, port in self.ports.items():
            process = self._start(part, ["sandbox", part, "--port", str(port)], None)
            wait_until(f"the {part} to listen", lambda process=process, port=port: port in listening_ports(process.pid))

    def trade(self, cycles: int, *args: str, **env: str) -> Daemon:
        """A live daemon that runs so many cycles back to back, then only serves metrics."""
        return self.live("--back-to-back", "--cycles", str(cycles), *args, **env)

    def live(self, *args: str, **env: str) -> Daemon:
        """A live daemon with these arguments and variables."""
        port = free_port()
        command = ["run", "--live", "--clock", "bars"]
        command += ["--dialect", "v43", "--account", "sandbox", "--stop-loss", "0.002", "--threshold", "0.4"]
        command += ["--eodhd-base-url", f"http://127.0.0.1:{self.ports['market']}", "--metrics-port", str(port)]
        command += ["--hub-host", "127.0.0.1", "--hub-port", str(self.ports["model"])]
        command += ["--gtw-host", "127.0.0.1", "--gtw-port", str(self.ports["gateway"])]
        return self._start(f"daemon-{len(self.daemons)}", command + list(args), port, **env)

    def close(self):
        """Ends the daemons first, the three parts last."""
        for daemon in reversed(self.daemons):
            daemon.close()

    def _start(self, name: str, args: list[str], port: int | None, **more: str) -> Daemon:
        # Every BUY and SELL becomes an order, and only a few positions stay open.
        guards = {"SENTINEL__GUARDS__POSITIONS_MAX": "0", "SENTINEL__GUARDS__OPPOSITE": "close_then_open"}
        # The recorded bars have the weekends of this calendar.
        guards["SENTINEL__MARKET__CALENDAR"] = "fx"
        env = environment(SENTINEL__METRICS__BIND="127.0.0.1", **guards | more)
        daemon = Daemon(self.binary, args, env, self.directory / name, port)
        self.daemons.append(daemon)
        return daemon
