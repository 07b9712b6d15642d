"""Every command of a runbook line works as written when root types it: on an installation with systemd, and on a host with the
container of compose.yaml and docker/sentinel.sh. Both daemons are configured by flags and variables."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager

import pytest

from parts.daemon import free_port, wait_until
from parts.gateway import silent
from parts.harness import ACCOUNT, variables
from parts.model import Model, ReadingModel
from parts.paths import ROOT, SYSTEM_TESTS
from parts.runbook import all_commands, commands, filled_in, runbooks
from parts.systemd import Systemd, Unit

Run = Callable[..., subprocess.CompletedProcess]
# Commands that need the daemon's process, and fail without it.
OF_THE_PROCESS = ("verify inf", "verify hub", "healthcheck", "soak")


def test_commands_are_found_in_a_sentence():
    for text, found in [
        ("Nothing to do.", []),
        ("Look at inf-sentinel, /usr/bin/sentinel run, sentinel-alerts.yml.", []),
        ("On INF: sentinel explain shows it.", ["explain"]),
        ("sentinel explain --last 10 names it; then sentinel verify market, sentinel verify model or sentinel "
         "verify gateway tries it.", ["explain --last 10", "verify market", "verify model", "verify gateway"]),
        ("sentinel orders --unresolved. Then sentinel orders resolve ID filled --ticket N --note TEXT, or not.",
         ["orders --unresolved", "orders resolve ID filled --ticket N --note TEXT"]),
        ("With `sentinel halt`.", ["halt"]),
        ("sentinel verify hub --inf http://INF:8000 --prometheus http://HUB:9090",
         ["verify hub --inf http://INF:8000 --prometheus http://HUB:9090"]),
        ("(sentinel verify inf shows the firewall rule)", ["verify inf"]),
    ]:  # fmt: skip
        assert [" ".join(command) for command in commands(text)] == found
    for wrong in ("sentinel verify hob", "sentinel frobnicate", "sentinel orders resolve ID."):
        with pytest.raises(AssertionError):
            commands(wrong)


def test_the_lines_name_the_important_commands():
    assert len(runbooks()) >= 29
    named = {" ".join(command[:2]) for command in all_commands()}
    assert {"verify inf", "verify market", "verify model", "verify gateway", "orders --unresolved"} <= named


def work_as_written(run: Run, inf: str, order: str, is_up: bool = True):
    """Runs each command. It must find settings, journal and dialect by itself, and everything that it checks is healthy."""
    table = {"ID": order, "N": "4711", "TEXT": "seen in the account", "INF:8000": inf}
    # There is no HUB here, so the command reports that HUB does not answer.
    table |= {"HUB:9090": f"http://127.0.0.1:{free_port()}", "HUB:9093": f"http://127.0.0.1:{free_port()}"}
    for command in all_commands():
        done = run("sentinel", *filled_in(command, table))
        name, said = " ".join(command[:2]), done.stdout + done.stderr
        print(f"$ sentinel {' '.join(command)}: exit {done.returncode}\n{said}")
        wanted = int(name == "verify hub" or (not is_up and name.startswith(OF_THE_PROCESS)))
        if name.startswith("cluster "):
            # The daemon claims nothing.
            wanted = 64
        assert done.returncode == wanted, f"sentinel {' '.join(command)}: {done.returncode}, not {wanted}: {said}"
        assert "no journal" not in said and "note:" not in said, said


def unresolved(run: Run) -> str:
    """The id of the only unresolved order."""
    [order] = json.loads(run("sentinel", "orders", "--unresolved", "--json").stdout)
    return order["id"]


class Install:
    """A live daemon under systemd with an unresolved order, configured by its unit."""

    def __init__(self, systemd: Systemd, harness, model: Model):
        self.systemd, self.unit, self.gateway = systemd, Unit(free_port()), harness.gateway("v43", silent)
        self.url = f"http://127.0.0.1:{self.unit.port}"
        today = time.strftime("%Y-%m-%d", time.gmtime())
        harness.market.usage = {"apiRequests": 10, "apiRequestsDate": today, "dailyRateLimit": 100_000}
        settings = {"metrics.bind": "127.0.0.1", "metrics.port": self.unit.port, "data.base_url": harness.market.url}
        # The sandbox model looks at the clock, and may say HOLD.
        settings |= {"model.host": "127.0.0.1", "model.port": model.port, "market.calendar": "always"}
        settings |= {"gateway.host": "127.0.0.1", "gateway.port": self.gateway.port, "gateway.deadline_ms": 700}
        settings |= {"journal.new": "trade", "trading.threshold": 0.34, "data.poll": "bar"}
        self.settings = variables(settings)
        self.start()
        self.unit.wait_metrics("an unresolved order", lambda metrics: metrics("orders_unresolved") == 1)

    def start(self, *more: str) -> int:
        """Restarts it with these additional arguments."""
        live = ["--live", "--dialect", "v43", "--account", ACCOUNT, "--stop-loss", "0.002", "--schedule", '"* * * * * *"']
        self.systemd.edit(self.settings, *live, *more)
        return self.systemd.systemctl("restart", check=False)

    def __call__(self, *command: str) -> subprocess.CompletedProcess:
        """A command as root types it, without the unit's environment."""
        shell = ["env", "-C", "/root", "-i", "PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/root", "USER=root"]
        return self.systemd.run(*shell, *command, check=False)


@pytest.fixture
def install(harness, binary, tmp_path):
    """The installation."""
    (tmp_path / "systemd").mkdir()
    systemd = Systemd(binary, tmp_path / "systemd")
    model = ReadingModel()
    yield Install(systemd, harness, model)
    systemd.close()
    model.close()


@pytest.mark.parametrize("is_up", [True, False], ids=["running", "down"])
def test_on_an_install_with_systemd(install, is_up):
    order = unresolved(install)
    if not is_up:
        install.systemd.systemctl("stop")
    work_as_written(install, install.url, order, is_up)
    assert install.systemd.systemctl("restart") == 0
    install.unit.wait_metrics("the next start", lambda metrics: metrics("trading_cycles_total") > 1)
    assert install.gateway.problems == [] and install.systemd.show("NRestarts") == "0"


def test_check_on_systemd_knows_a_refused_start(install):
    checked = install("sentinel", "check").stdout
    for said in ("# The settings file: /etc/sentinel/production.toml\n", "live = true", 'dialect = "v43"'):
        assert said in checked, checked
    assert 'path = "/var/lib/sentinel/journal.db"' in checked and "# Warning: the daemon has" not in checked
    # Another user cannot enter the journal's folder, and gets a message why less is known.
    nobody = install("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sentinel", "verify", "gateway")
    assert nobody.returncode == 64 and "run this command as root" in nobody.stderr

    assert install.start("--threshold", "2") != 0
    refused = install("sentinel", "check")
    assert refused.returncode == 64 and "trading.threshold" in refused.stderr, refused.stdout
    assert install("sentinel", "verify", "gateway").returncode == 0, "by the start before"
    assert install.start() == 0
    assert install("sentinel", "check").returncode == 0


def test_root_opens_no_file_named_by_the_daemons_user(install):
    """As if the daemon was compromised: its own file points root to another file."""
    install.systemd.run("touch", "/etc/precious")
    told = '[flags]\n"guards.halt_file" = "/etc/precious"\n"journal.path" = "/etc/precious"\n'
    own = "/var/lib/private/sentinel/daemon.toml"
    install.systemd.run("sh", "-c", f'cp {own} {own}.good && printf %s "$0" > {own}', f'config = "/etc/sentinel/production.toml"\n{told}')
    assert install("sentinel", "resume").returncode == 0
    assert install.systemd.run("ls", "/etc/precious").returncode == 0
    assert "# Warning: the daemon has guards.halt_file from" in install("sentinel", "check").stdout


# A model server for HUB, and a market on the daemon's loopback, because Sentinel requires TLS for other markets.
OUTSIDE = """
services:
  model:
    image: ${SENTINEL_IMAGE}
    profiles: [inf]
    command: ["sandbox", "model", "--bind", "0.0.0.0"]
  market:
    image: ${SENTINEL_IMAGE}
    profiles: [inf]
    command: ["sandbox", "market"]
    network_mode: "service:sentinel"
  sentinel:
    command: ["run", "--config", "/etc/sentinel/production.toml", "--live", "--dialect", "v43", "--account", "12345678",
              "--stop-loss", "0.02", "--threshold", "0.4", "--gtw-host", "127.0.0.1"]
"""


@contextmanager
def mute_gateway(pid: int):
    """A gateway on the loopback of a process's network namespace: it answers harmless queries, but no orders."""
    program = "from parts.dialects import DIALECTS; from parts.gateway import silent; import threading; "
    program += "DIALECTS['v43'](5555, silent).bind(); print('bound', flush=True); threading.Event().wait()"
    command = ["nsenter", "-t", str(pid), "-n", "--", sys.executable, "-c", program]
    process = subprocess.Popen(command, cwd=SYSTEM_TESTS, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "bound\n"
        yield
    finally:
        process.kill()
        process.wait()


@pytest.mark.engine
def test_on_a_host_with_the_container(compose, tmp_path):
    (compose.directory / "outside.yaml").write_text(OUTSIDE)
    # As many cycles as the daily quota allows.
    with (compose.directory / "docker/inf.env").open("a") as settings:
        settings.write("SENTINEL__SCHEDULE__CRON=*/5 * * * * *\n")
    files = ("docker/compose.yaml", "outside.yaml")
    programs = tmp_path / "programs"
    programs.mkdir()
    shutil.copy(ROOT / "docker/sentinel.sh", programs / "sentinel")
    (programs / "sentinel").chmod(0o755)
    env = os.environ | compose.env | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}

    def run(*command: str) -> subprocess.CompletedProcess:
        """A command as typed on the host."""
        return subprocess.run(
            command, env=env, cwd=programs, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
        )

    compose("up", "-d", "--no-build", "model", files=files)
    wait_until("the model", lambda: "model on" in compose.container("model").logs(), 60)
    compose("up", "-d", "--no-build", "sentinel", "market", files=files)
    sentinel = compose.container("sentinel")
    # With recorded bars, live mode also requires the gateway on loopback. It does not answer orders.
    with mute_gateway(sentinel.pid):
        sentinel.wait_metrics("an unresolved order", lambda metrics: metrics("orders_unresolved") > 0, 120)
        order = unresolved(run)
        work_as_written(run, "http://127.0.0.1:8000", order)
    shown = json.loads(run("sentinel", "orders", "show", order, "--json").stdout)
    assert "person:" in json.dumps(shown) and "person:unknown" not in json.dumps(shown)
    compose("stop", "sentinel", profile=None)
    # The gateway was on the daemon's loopback, and is gone with it.
    for command, code, words in [
        (["orders"], 0, "EURUSD"),
        (["explain"], 0, "EURUSD"),
        (["check"], 0, 'dialect = "v43"'),
        (["verify", "model"], 0, "The model answers correctly."),
        (["verify", "gateway"], 1, "dialect v43"),
    ]:
        done = run("sentinel", *command)
        assert done.returncode == code and words in done.stdout, done.stdout + done.stderr
        assert "is exited" in done.stderr
    assert run("sentinel").returncode == run("sentinel", "run", "--live").returncode == 64
