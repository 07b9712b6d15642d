"""Market, model and gateway as processes of their own, daemons that trade with them one after the other on one journal,
and what is true of every order: the gateway's record against the journal."""

import json
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from parts.daemon import Daemon, environment, free_port, wait_until
from parts.lies import TOLD_FILLED, TOLD_REJECTED
from parts.rig import ACCOUNT, STOP_LOSS, TAKE_PROFIT, variables

SYSTEM_TESTS = Path(__file__).resolve().parents[1]
CURRENCIES = "EUR GBP AUD NZD USD CAD CHF".split()
SYMBOLS = [first + second for n, first in enumerate(CURRENCIES) for second in CURRENCIES[n + 1 :]]
READY_S_MAX = 2.0


@dataclass
class Received:
    """An order as the gateway had it: `ticket` is what it opened or closed, `note` what it said of it."""

    id: str
    action: str
    ticket: int | None
    note: str


class Outside:
    """The three processes, the record of the gateway, and the journal."""

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
        # Orders that were settled here, by a person so to speak.
        self.settled: dict[str, Received | None] = {}
        told = [f"--{key.replace('_', '-')}={value}" for key, value in gateway.items()]
        self.parts: list[subprocess.Popen] = []
        market = self._serve("market", f"--bar-ms={bar_ms}")
        model = self._serve("model", f"--seed={seed}")
        port = self._serve("gateway", f"--seed={seed}", f"--dialect={dialect}", f"--record={self.record}", *told)
        self.settings = {
            "metrics.bind": "127.0.0.1",
            "metrics.port": self.metrics_port,
            "data.base_url": f"http://127.0.0.1:{market}",
            "data.poll": "cycle",
            # Its bars have no weekends.
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
        """A live daemon on the journal, back to back."""
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
        """Reads what the gateway has written since; all orders by id, which fails if one came twice."""
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
        """Settles every order of unknown fate as the gateway's record has it: how many there were."""
        unresolved = self.orders("--unresolved")
        known = self.read()
        for order in unresolved:
            truth = known.get(order["id"])
            fate, note = ["rejected"], "the gateway never had it"
            if truth and truth.ticket:
                fate, note = ["filled", "--ticket", str(truth.ticket)], "the gateway's record"
            elif truth:
                note = "the gateway did not execute it"
            told = self.run("orders", "resolve", order["id"], *fate, "--note", note, "--journal", str(self.journal))
            if told.returncode == 0:
                self.settled[order["id"]] = truth
            else:
                # The daemon has proven its fate in the meantime.
                assert order["id"] not in [order["id"] for order in self.orders("--unresolved")], told.stderr
        return len(unresolved)

    def cli(self, *args: str) -> str:
        """What a command printed; it must succeed."""
        done = self.run(*args)
        assert done.returncode == 0, (args, done.stdout, done.stderr)
        return done.stdout

    def run(self, *args: str) -> subprocess.CompletedProcess:
        """Runs a command beside the daemon."""
        command = [self.binary, *args]
        env = environment()
        return subprocess.run(command, env=env, cwd=self.directory, capture_output=True, text=True, timeout=60)

    def judge(self) -> Counter:
        """Compares every order with the truth; no daemon may run. Answers how many there were of what."""
        known = self.read()
        times = Counter(order.id for order in self.received)
        assert [order for order, count in times.items() if count > 1] == [], "sent again"
        journal = {order["id"]: order for order in self.orders()}
        assert sorted(set(known) - set(journal)) == [], "missing from the journal"
        wrong = [(row, known.get(row["id"])) for row in journal.values() if not self._is_true(row, known.get(row["id"]))]
        assert wrong == [], f"{len(wrong)} with a fate that is not theirs"
        states = Counter(row["state"] for row in journal.values())
        return states | Counter(received=len(known), settled=len(self.settled))

    def _is_true(self, row: dict, truth: Received | None) -> bool:
        state, ticket = row["state"], row["ticket"]
        if row["id"] in self.settled:
            then = self.settled[row["id"]]
            # What was said to have never arrived must not have arrived since.
            return then == truth and state == ("filled" if truth and truth.ticket else "rejected")
        if truth is None:
            return state in ("not_sent", "expired")
        if state == "filled":
            # Positions may prove what a reply did not tell.
            is_said = truth.note in TOLD_FILLED or self.dialect == "v43"
            return is_said and ticket == truth.ticket and ticket is not None
        if state == "rejected":
            return truth.note in TOLD_REJECTED and truth.ticket is None
        return state == "unknown"

    def close(self) -> list[str]:
        """Ends the three: what the gateway objected to."""
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
