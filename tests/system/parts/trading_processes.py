"""Market, model and gateway as separate processes. Daemons trade with them one after the other on one journal. Then the
gateway's record is compared with the journal, order by order."""

import json
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from parts.daemon import Daemon, environment, free_port, wait_until
from parts.faulty_gateway import REPORTED_FILLED, REPORTED_REJECTED
from parts.harness import ACCOUNT, STOP_LOSS, TAKE_PROFIT, variables
from parts.paths import SYSTEM_TESTS

CURRENCIES = "EUR GBP AUD NZD USD CAD CHF".split()
SYMBOLS = [first + second for n, first in enumerate(CURRENCIES) for second in CURRENCIES[n + 1 :]]
READY_S_MAX = 2.0


@dataclass
class Received:
    """An order as the gateway received it: `ticket` is the position that it opened or closed, `note` what the gateway did."""

    id: str
    action: str
    ticket: int | None
    note: str


class TradingProcesses:
    """The three processes, the gateway's record, and the journal."""

    def __init__(
        self,
        binary: Path,
        directory: Path,
        seed: int,
        dialect: str = "v43",
        symbols: int = len(SYMBOLS),
        bar_ms: int = 250,
        **gateway: float,
    ):
        self.binary, self.directory, self.dialect = binary, directory, dialect
        self.symbols = SYMBOLS[:symbols]
        self.journal, self.record = directory / "journal.db", directory / "received.jsonl"
        self.metrics_port, self.started = free_port(), 0
        self.received: list[Received] = []
        self._read_to = 0
        # Orders that this class settled, as a person would.
        self.settled: dict[str, Received | None] = {}
        done = [f"--{key.replace('_', '-')}={value}" for key, value in gateway.items()]
        self.parts: list[subprocess.Popen] = []
        market = self._serve("market", f"--bar-ms={bar_ms}")
        model = self._serve("model", f"--seed={seed}")
        port = self._serve("gateway", f"--seed={seed}", f"--dialect={dialect}", f"--record={self.record}", *done)
        self.settings = {
            "metrics.bind": "127.0.0.1",
            "metrics.port": self.metrics_port,
            "data.base_url": f"http://127.0.0.1:{market}",
            "data.poll": "cycle",
            # The market's bars have no weekends.
            "market.calendar": "always",
            "model.host": "127.0.0.1",
            "model.port": model,
            "gateway.host": "127.0.0.1",
            "gateway.port": port,
            "gateway.deadline_ms": 1000,
            "guards.positions_max": 0,
            "guards.opposite": "close_then_open",
        }

    def start(self, settings: dict[str, object] | None = None, binary: Path | None = None, **env: str) -> Daemon:
        """A live daemon on the journal, with cycles back to back."""
        args = ["run", "--live", "--back-to-back", "--clock", "bars", "--dialect", self.dialect, "--account", ACCOUNT]
        args += ["--stop-loss", str(STOP_LOSS), "--take-profit", str(TAKE_PROFIT), "--journal", str(self.journal)]
        args += ["--symbol", ",".join(self.symbols)]
        env = environment(**variables(self.settings | (settings or {})), **env)
        self.started += 1
        where = self.directory / f"daemon-{self.started}"
        return Daemon(binary or self.binary, args, env, where, self.metrics_port)

    def wait_ready(self, daemon: Daemon) -> float:
        """Seconds from its start to the first 200 of /readyz."""
        while True:
            try:
                if daemon.get("/readyz", 1)[0] == 200:
                    return time.monotonic() - daemon.started_at
            except OSError:
                pass
            assert daemon.process.poll() is None, daemon.output()[-3000:]
            waited = time.monotonic() - daemon.started_at
            assert waited < 5 * READY_S_MAX, f"not ready: {daemon.output()[-3000:]}"
            time.sleep(0.005)

    def read(self) -> dict[str, Received]:
        """Reads what the gateway has written since the last call. All orders by id; judge() checks for duplicates."""
        if self.record.exists():
            with self.record.open() as file:
                file.seek(self._read_to)
                for line in iter(file.readline, ""):
                    if not line.endswith("\n"):
                        break
                    self._read_to += len(line)
                    parsed = json.loads(line)
                    if parsed["kind"] == "order":
                        action = parsed["request"]["action"]
                        self.received.append(Received(parsed["id"], action, parsed["ticket"], parsed["note"]))
        return {order.id: order for order in self.received}

    def orders(self, *args: str) -> list[dict]:
        """`sentinel orders --json`."""
        return json.loads(self.cli("orders", "--json", "--journal", str(self.journal), *args))

    def settle(self) -> int:
        """Settles every unknown order according to the gateway's record; their number."""
        unresolved = self.orders("--unresolved")
        known = self.read()
        for order in unresolved:
            received = known.get(order["id"])
            outcome, note = ["rejected"], "the gateway never received it"
            if received and received.ticket:
                outcome, note = ["filled", "--ticket", str(received.ticket)], "the gateway's record"
            elif received:
                note = "the gateway did not execute it"
            done = self.run("orders", "resolve", order["id"], *outcome, "--note", note, "--journal", str(self.journal))
            if done.returncode == 0:
                self.settled[order["id"]] = received
            else:
                # The daemon has proven its outcome in the meantime.
                assert order["id"] not in [order["id"] for order in self.orders("--unresolved")], done.stderr
        return len(unresolved)

    def cli(self, *args: str) -> str:
        """The output of a command, which must succeed."""
        done = self.run(*args)
        assert done.returncode == 0, (args, done.stdout, done.stderr)
        return done.stdout

    def run(self, *args: str) -> subprocess.CompletedProcess:
        """Runs a command beside the daemon."""
        command = [self.binary, *args]
        env = environment()
        return subprocess.run(command, env=env, cwd=self.directory, capture_output=True, text=True, timeout=60)

    def judge(self) -> Counter:
        """Compares every order with the gateway's record. No daemon may run. The number of orders by state."""
        known = self.read()
        times = Counter(order.id for order in self.received)
        assert [order for order, count in times.items() if count > 1] == [], "sent again"
        journal = {order["id"]: order for order in self.orders()}
        assert sorted(set(known) - set(journal)) == [], "missing from the journal"
        wrong = [(row, known.get(row["id"])) for row in journal.values() if not self._is_true(row, known.get(row["id"]))]
        assert wrong == [], f"{len(wrong)} with a wrong outcome"
        states = Counter(row["state"] for row in journal.values())
        return states | Counter(received=len(known), settled=len(self.settled))

    def _is_true(self, row: dict, received: Received | None) -> bool:
        state, ticket = row["state"], row["ticket"]
        if row["id"] in self.settled:
            then = self.settled[row["id"]]
            # An order that was settled as never received must not have arrived later.
            return then == received and state == ("filled" if received and received.ticket else "rejected")
        if received is None:
            return state in ("not_sent", "expired")
        if state == "filled":
            # Positions may prove a fill that no reply reported.
            is_said = received.note in REPORTED_FILLED or self.dialect == "v43"
            return is_said and ticket == received.ticket and ticket is not None
        if state == "rejected":
            return received.note in REPORTED_REJECTED and received.ticket is None
        return state == "unknown"

    def close(self) -> list[str]:
        """Ends the three; the gateway's complaints."""
        said = []
        for part in self.parts:
            part.terminate()
            said.append(part.communicate(timeout=10)[0])
        return [line for line in "".join(said).splitlines() if line]

    def _serve(self, *args: str) -> int:
        command = [sys.executable, "-m", "parts.servers", *args]
        part = subprocess.Popen(command, cwd=SYSTEM_TESTS, stdout=subprocess.PIPE, text=True)
        self.parts.append(part)
        return int(wait_until(f"the port of {args[0]}", part.stdout.readline))
