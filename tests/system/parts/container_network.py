"""INF, HUB, GTW and the market as containers on a private network, each at its address in config/base.toml. INF runs the image,
hardened as in docker/compose.yaml. The others run this machine's programs (`parts.container_servers`)."""

import functools
import json
import os
import shutil
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from parts import container_servers
from parts.certificates import CertificateAuthority
from parts.daemon import TOKEN, wait_until
from parts.engine import HARDENED, Container, Engine
from parts.exposition import Metrics
from parts.harness import ACCOUNT, STOP_LOSS, TAKE_PROFIT, variables
from parts.market import HOUR
from parts.paths import ROOT, SYSTEM_TESTS
from parts.servers import FIRST_BAR

# The project's files, unmodified.
MONITORING = f"--volume={ROOT / 'config/monitoring'}:{container_servers.MONITORING}:ro"
# GTW's address ends in 255: a normal address in a network of this size, but the broadcast address in a /24.
SUBNET = "172.19.140.0/22"
INF, HUB, GTW, MARKET = "172.19.141.250", "172.19.141.254", "172.19.141.255", "172.19.141.253"
# The model answers BUY, SELL and HOLD for them in turn.
SYMBOLS = ["EURUSD", "GBPUSD", "EURGBP", "AUDUSD", "NZDUSD", "USDCHF"]
ORDERS_A_BAR = 4
PRODUCTION = "/etc/sentinel/production.toml"
# The root certificates by which INF checks the market's certificate.
ROOTS = "/run/secrets/roots.pem"
TOKEN_FILE = "/run/secrets/eodhd_api_token"
# The deadline of every call of a cycle; and the longest time from the journal to GTW, with a wide margin.
DEADLINE_S, LATE_S = 1.8, 5.0
SETTINGS = {
    "schedule.cron": "* * * * * *",
    "data.base_url": f"https://{MARKET}:{container_servers.MARKET_PORT}",
    "data.deadline_ms": int(DEADLINE_S * 1e3),
    # The market's bars are years old, and there is a new hourly bar every few seconds.
    "data.max_bar_age_s": 10**9,
    "data.poll": "cycle",
    # By the machine's clock all of them are older than the journal.
    "journal.new": "trade",
    "market.calendar": "always",
    "model.deadline_ms": int(DEADLINE_S * 1e3),
    "gateway.deadline_ms": int(DEADLINE_S * 1e3),
    "gateway.plaintext": "accepted",
    # In this mode the positions also prove that an order was not executed.
    "gateway.account_mode": "hedging",
    "guards.positions_max": 0,
    "guards.loss_pct_per_day_max": 0,
    "guards.orders_per_hour_max": 0,
    "guards.orders_per_day_max": 0,
    "guards.failures_in_a_row_max": 0,
    "breaker.failures": 3,
    "breaker.pause_s": 2,
}
LIVE = ["run", "--config", PRODUCTION, "--live", "--dialect", "v43", "--account", ACCOUNT]
LIVE += ["--symbol", ",".join(SYMBOLS), "--stop-loss", str(STOP_LOSS), "--take-profit", str(TAKE_PROFIT)]


def own_programs() -> list[str]:
    """Read-only mounts of this machine's programs at the same paths: Python, its packages, the tests, and Prometheus, which
    tests/run.sh may have unpacked anywhere."""
    found = {"/usr", sys.base_prefix, sys.prefix, str(SYSTEM_TESTS)}
    for name in ("prometheus", "promtool", "prometheus-alertmanager"):
        where = shutil.which(name)
        assert where, f"HUB needs {name}"
        found.add(str(Path(where).parent))
    inner = {path for path in found for other in found if path != other and Path(path).is_relative_to(other)}
    return [f"--volume={path}:{path}:ro" for path in sorted(found - inner)]


class ContainerNetwork:
    """All four containers. `directory` has the files that they share with the test."""

    def __init__(self, image: str, directory: Path):
        self.image, self.directory = image, directory
        self.engine = Engine()
        try:
            self.network = self.engine.network(SUBNET, "--internal")
            self.volume = self.engine.volume()
            self.token = directory / "eodhd_api_token"
            self.token.write_text(TOKEN)
            self.token.chmod(0o400)
            os.chown(self.token, 65532, 65532)
            # Sentinel sends its key to a market on another machine only over TLS.
            (directory / "market").mkdir(exist_ok=True)
            authority = CertificateAuthority(directory / "market", container_servers.CERTIFICATE)
            authority.issue(container_servers.CERTIFICATE, MARKET)
            self.roots = authority.ca_file
            # HUB takes longest to start.
            self.hub = self._start_part("hub", HUB, MONITORING)
            self.market = self._start_part("market", MARKET)
            self.gtw = self._start_part("gateway", GTW)
            self.record = directory / "gateway" / container_servers.RECORD
            for part, server in (("gateway", self.gtw), ("market", self.market), ("hub", self.hub)):
                ready = directory / part / "ready"
                wait_until(f"the {part}", lambda: ready.exists() or lives(server), 90)
            self.inf = self.start_inf()
        except BaseException:
            self.close()
            raise

    def _start_part(self, part: str, address: str, *options: str) -> Container:
        """Only the file system comes from the image; the programs are this machine's."""
        shared = self.directory / part
        shared.mkdir(exist_ok=True)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        options = [*options, f"--network={self.network}", f"--ip={address}", "--user=0:0", "--no-healthcheck"]
        options += ["--entrypoint=", f"--workdir={SYSTEM_TESTS}", f"--volume={shared}:{shared}", *own_programs()]
        options += [f"--env=PATH={path}", "--env=PYTHONDONTWRITEBYTECODE=1", "--env=HOME=/tmp"]
        command = [sys.executable, "-m", "parts.container_servers", part, str(shared)]
        return self.engine.run(self.image, *command, options=options, name=self.engine.name(part))

    def start_inf(self) -> Container:
        """Starts a new container with the journal's volume."""
        options = [f"--network={self.network}", f"--ip={INF}", f"--volume={self.volume}:/var/lib/sentinel", *HARDENED]
        options += [f"--volume={self.token}:{TOKEN_FILE}:ro", f"--env=EODHD_API_TOKEN_FILE={TOKEN_FILE}", "--no-healthcheck"]
        options += [f"--volume={self.roots}:{ROOTS}:ro", f"--env=SSL_CERT_FILE={ROOTS}"]
        options += [f"--env={name}={value}" for name, value in variables(SETTINGS).items()]
        inf = self.engine.run(self.image, *LIVE, options=options, name=self.engine.name("inf"))
        self.inf = inf
        self.wait_ready()
        return inf

    # Disconnect and reconnect

    @contextmanager
    def unplugged(self, peer: Container) -> Iterator[None]:
        """Disconnects the peer: nothing answers at its address."""
        address = peer.address(self.network)
        self.engine.disconnect(peer, self.network)
        try:
            yield
        finally:
            self.engine.connect(peer, self.network, f"--ip={address}")

    @contextmanager
    def vanishing(self, peer: Container) -> Iterator[None]:
        """Drops every packet between INF and the peer, also those of open connections."""
        rules = [["INPUT", "-s", peer.address(self.network)], ["OUTPUT", "-d", peer.address(self.network)]]
        self._iptables(*(["-I", *rule, "-j", "DROP"] for rule in rules))
        try:
            yield
        finally:
            self._iptables(*(["-D", *rule, "-j", "DROP"] for rule in rules))

    def _iptables(self, *rules: list[str]):
        """Changes INF's packet filter, with this machine's iptables in INF's network namespace."""
        options = [f"--network=container:{self.inf.name}", "--user=0:0", "--cap-add=NET_ADMIN", "--cap-add=NET_RAW"]
        options += ["--entrypoint=", "--volume=/usr:/usr:ro", "--volume=/etc/alternatives:/etc/alternatives:ro"]
        script = " && ".join(" ".join(["/usr/sbin/iptables -w", *rule]) for rule in rules)
        done = self.engine.once(self.image, "/bin/sh", "-c", script, options=options)
        assert done.returncode == 0, done.stderr

    # INF

    def metrics(self) -> Metrics:
        """INF's metrics now."""
        return self.inf.metrics()

    def wait(self, what: str, condition: Callable[[Metrics], object], timeout_s: float = 30.0) -> Metrics:
        """INF's first exposition for which the condition holds."""
        return self.inf.wait_metrics(what, condition, timeout_s)

    def wait_ready(self):
        """Returns once INF's /readyz is 200: a cycle has succeeded, and the gateway answers."""
        self.wait("readiness", lambda m: m("ready") == 1)

    def sentinel(self, *args: str) -> str:
        """The output of a command of the image on INF's journal, with or without a running daemon."""
        options = [f"--volume={self.volume}:/var/lib/sentinel", "--network=none", *HARDENED]
        done = self.engine.once(self.image, *args, "--config", PRODUCTION, options=options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def orders(self) -> list[dict]:
        """`sentinel orders --json`."""
        return json.loads(self.sentinel("orders", "--json"))

    # GTW

    def received(self) -> list[dict]:
        """Every order that arrived, unmodified and in order; `at` is the time."""
        if not self.record.exists():
            return []
        lines = self.record.read_text().splitlines(keepends=True)
        parsed = [json.loads(line) for line in lines if line.endswith("\n")]
        return [line for line in parsed if line["kind"] == "order"]

    def wait_received(self, more: int, timeout_s: float = 30.0):
        """Returns once this many further orders have arrived."""
        wanted = len(self.received()) + more
        wait_until(f"{more} orders at GTW", lambda: len(self.received()) >= wanted, timeout_s)

    def pace(self, delay_s: float):
        """Sets how long GTW takes for an order."""
        (self.directory / "gateway" / container_servers.PACE).write_text(str(delay_s))

    @contextmanager
    def still(self) -> Iterator[None]:
        """There is no new bar inside this context."""
        path = self.directory / "market" / container_servers.STILL
        path.touch()
        try:
            yield
        finally:
            path.unlink()

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """There is no new bar inside this context. It begins when every order for the last bar has its outcome, after cycles
        that all succeeded."""
        with self.still():
            before = self.metrics()
            wanted = before("trading_cycles_total") + 2
            metrics = self.wait("two quiet cycles", lambda m: m("trading_cycles_total") >= wanted)
            assert metrics("trading_cycles_failed_total") == before("trading_cycles_failed_total")
            yield

    # HUB

    def query(self, expression: str) -> list[dict]:
        """The samples of a query of HUB's Prometheus. The query runs on HUB, which may be disconnected."""
        url = f"http://127.0.0.1:{container_servers.PROMETHEUS_PORT}"
        done = self.hub.exec("promtool", "query", "instant", "--format=json", url, expression)
        return json.loads(done.stdout)

    def value(self, expression: str) -> float | None:
        """The value of a query with one sample; `None` if there is no sample."""
        samples = self.query(expression)
        assert len(samples) <= 1, f"{expression} gives {len(samples)} samples"
        return float(samples[0]["value"][1]) if samples else None

    def wait_value(self, what: str, expression: str, wanted: float, timeout_s: float = 60.0):
        """Returns once a query has this value."""
        wait_until(f"{what}: {expression}", lambda: self.value(expression) == wanted or time.sleep(0.2), timeout_s)

    # Compare

    def judge(self) -> Counter:
        """Compares the journal with GTW's record, order by order; the number of orders by state."""
        with self.quiet():
            return self._compare(self.received(), self.orders())

    def _compare(self, received: list[dict], orders: list[dict]) -> Counter:
        times = Counter(line["id"] for line in received)
        assert [order for order, count in times.items() if count > 1] == [], "sent again"
        journal = {order["id"]: order for order in orders}
        assert set(times) - set(journal) == set(), "missing from the journal"
        assert set(times) <= identities(), "not the order of any bar"
        tickets = {line["id"]: line["ticket"] for line in received}
        for order in journal.values():
            if order["state"] == "filled":
                assert order["ticket"] == tickets.get(order["id"], "never received"), order
            elif order["state"] != "unknown":
                assert order["id"] not in tickets, order
        late = [line for line in received if line["at"] - journal[line["id"]]["created_at_ms"] / 1e3 > LATE_S]
        assert late == [], "arrived late"
        return Counter(order["state"] for order in journal.values()) | Counter(received=len(received))

    def close(self):
        """Removes everything."""
        self.engine.close()


def lives(server: Container) -> bool:
    """Fails with its output if it has ended."""
    assert server.exit_code is None, server.logs()[-3000:]
    return False


@functools.cache
def identities() -> set[str]:
    """The ids of all possible orders for the market's bars so far, and for many later ones."""
    closes = [FIRST_BAR + n * HOUR for n in range(1, 5_000)]
    names = (f"sentinel:{ACCOUNT}|{symbol}|baseline|{close}" for symbol in SYMBOLS for close in closes)
    return {str(uuid.uuid5(uuid.NAMESPACE_URL, name)) for name in names}
