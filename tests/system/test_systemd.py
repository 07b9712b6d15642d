"""docker/sentinel.service: systemd's own checks, and its behaviour under a real systemd."""

import re
import subprocess

import pytest

from parts.curve import CurveFront, Keys
from parts.daemon import TOKEN, free_port, wait_until
from parts.gateway import silent
from parts.harness import ACCOUNT, variables
from parts.requirements import require
from parts.systemd import BINARY, UNIT, Systemd, Unit

JOURNAL = "/var/lib/sentinel/journal.db"
LIVE = ["--live", "--dialect", "v43", "--account", ACCOUNT, "--stop-loss", "0.002", "--schedule", '"* * * * * *"']


def analyze(*args: str) -> tuple[int, str]:
    """Runs systemd-analyze: exit code and output."""
    require("systemd-analyze")
    done = subprocess.run(["systemd-analyze", "--no-pager", *args], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def boot(tmp_path):
    """Starts a systemd with this binary installed."""
    started = []

    def boot(binary) -> Systemd:
        directory = tmp_path / "systemd"
        directory.mkdir()
        started.append(Systemd(binary, directory))
        return started[0]

    yield boot
    for systemd in started:
        systemd.close()


def surroundings(harness, gateway_port: int, **more: object) -> tuple[Unit, dict[str, str]]:
    """The daemon that systemd will start, and its settings with the addresses of the parts."""
    unit = Unit(free_port())
    settings = {"metrics.bind": "127.0.0.1", "metrics.port": unit.port, "data.base_url": harness.market.url}
    settings |= {"model.host": "127.0.0.1", "model.port": harness.model.port, "market.calendar": "always"}
    # One order is enough, with the first bar.
    settings["journal.new"] = "trade"
    settings |= {"gateway.host": "127.0.0.1", "gateway.port": gateway_port, "gateway.deadline_ms": 700}
    # The tests' market has the same newest bar for an hour; it must be traded.
    settings |= {"journal.new": "trade"}
    return unit, variables(settings | more)


def is_filled(metrics) -> bool:
    """Whether its order is filled."""
    return metrics("orders_total", outcome="filled") == 1


def test_the_unit_is_valid_and_has_little_exposure(binary, tmp_path):
    installed = tmp_path / "sentinel.service"
    text = UNIT.read_text()
    assert f"\nExecStart={BINARY} run " in text
    installed.write_text(text.replace(f"\nExecStart={BINARY} ", f"\nExecStart={binary} "))
    assert analyze("verify", "--recursive-errors=no", str(installed)) == (0, "")
    code, said = analyze("security", "--offline=yes", "--threshold=20", str(installed))
    assert code == 0, said
    assert float(re.search(r"exposure level for sentinel.service: ([\d.]+)", said).group(1)) < 2


def test_it_trades_across_restarts_and_root_reads_its_journal(harness, boot):
    gateway = harness.gateway("v43")
    systemd = boot(harness.binary)
    unit, env = surroundings(harness, gateway.port)
    systemd.edit(env, *LIVE)
    systemd.systemctl("start")
    assert unit.serves(), "it has said that it is ready"
    unit.wait_metrics("a fill", is_filled)
    process = dict(re.findall(r"^(process_\w+) (\S+)$", unit.get("/metrics")[2], re.MULTILINE))
    # The metric that /proc/self does not have, and the one that is read last.
    assert float(process["process_start_time_seconds"]) > 0 and float(process["process_open_fds"]) > 0

    status = systemd.run("cat", f"/proc/{systemd.show('MainPID')}/status").stdout
    status = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert "0" not in status["Uid"].split() and status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    assert {int(status[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert TOKEN not in systemd.run("systemctl", "show", "sentinel").stdout + systemd.output()

    orders = ["sentinel", "orders", "--journal", JOURNAL]
    assert "filled" in systemd.run(*orders).stdout
    config = ["--config", "/etc/sentinel/production.toml"]
    systemd.run("sentinel", "halt", *config)
    unit.wait_metrics("the halt", lambda metrics: metrics("signals_suppressed_total", reason="halted") > 0)
    systemd.run("sentinel", "resume", *config)

    systemd.systemctl("stop")
    assert [systemd.show(name) for name in ("ActiveState", "Result", "ExecMainStatus")] == ["inactive", "success", "0"]
    assert "filled" in systemd.run(*orders).stdout
    systemd.systemctl("start")
    unit.after_cycles(2)
    assert systemd.show("NRestarts") == "0" and len(gateway.requests) == 1 and gateway.problems == []


def test_it_restarts_after_faults_but_not_after_bad_settings(harness, boot):
    systemd = boot(harness.binary)
    unit, env = surroundings(harness, free_port())
    systemd.edit(env, "--threshold", "2", more="RestartSec=200ms\n")
    assert systemd.systemctl("start", check=False) != 0
    assert [systemd.show(name) for name in ("ActiveState", "ExecMainStatus")] == ["failed", "64"]
    assert "trading.threshold" in systemd.output()

    systemd.edit(env, more="RestartSec=200ms\n")
    systemd.run("mv", "/etc/sentinel/eodhd_api_token", "/etc/sentinel/elsewhere")
    assert systemd.systemctl("start", check=False) != 0
    wait_until("more starts than systemd allows by default", lambda: int(systemd.show("NRestarts")) > 6, 20)
    systemd.run("mv", "/etc/sentinel/elsewhere", "/etc/sentinel/eodhd_api_token")
    unit.after_cycles(1)
    assert systemd.show("ActiveState") == "active"


def test_systemd_waits_for_a_sent_order(harness, boot):
    gateway = harness.gateway("v43", silent)
    systemd = boot(harness.binary)
    unit, env = surroundings(harness, gateway.port, **{"gateway.deadline_ms": 4000})
    systemd.edit(env, *LIVE, more="TimeoutStopSec=1\n")
    systemd.systemctl("start")
    wait_until("an order", lambda: gateway.requests)
    systemd.systemctl("stop")
    assert [systemd.show(name) for name in ("Result", "ExecMainStatus")] == ["success", "0"]
    assert "unknown" in systemd.run("sentinel", "orders", "--unresolved", "--journal", JOURNAL).stdout


def test_it_trades_with_curve_and_a_key_as_credential(harness, boot, curve_binary, tmp_path):
    gateway, keys = harness.gateway("v43"), Keys(tmp_path / "keys")
    front = CurveFront(gateway, keys)
    try:
        systemd = boot(curve_binary)
        credentials = {"server": "gateway.key", "public": "sentinel.key", "secret": "sentinel.key_secret"}
        lines, files = "", {}
        for name, file in credentials.items():
            text = (keys.directory / file).read_text()
            systemd.run("sh", "-c", f'umask 077; printf %s "$0" > /etc/sentinel/{file}', text)
            lines += f"LoadCredential={name}:/etc/sentinel/{file}\n"
            files[f"gateway.curve_{name}_key_file"] = f"%d/{name}"
        unit, env = surroundings(harness, front.port, **files)
        systemd.edit(env, *LIVE, more=lines)
        systemd.systemctl("start")
        unit.wait_metrics("a fill", is_filled)
        systemd.systemctl("stop")
        assert systemd.show("Result") == "success"
    finally:
        front.close()


def test_a_hanging_daemon_is_restarted_without_duplicate_orders(harness, boot, failpoints_binary):
    gateway = harness.gateway("v43")
    systemd = boot(failpoints_binary)
    unit, env = surroundings(harness, gateway.port)
    # The thread of all stages waits during an order; the port still answers.
    env["FAILPOINTS"] = "send.before=sleep(600000)"
    systemd.edit(env, *LIVE, more="WatchdogSec=2\nRestartSec=200ms\n")
    systemd.systemctl("start")
    wait_until("a new start", lambda: systemd.show("NRestarts") == "1", 30)
    unit.wait_metrics("what it left", lambda metrics: metrics("orders_unresolved") == 1)
    unit.after_cycles(3)
    assert systemd.show("NRestarts") == "1" and systemd.show("ActiveState") == "active"
    assert gateway.requests == []


def test_commands_read_the_daemons_file_before_its_first_start(boot, binary):
    systemd = boot(binary)
    systemd.run("mkdir", "-p", "/var/lib/sentinel")
    done = systemd.run(BINARY, "check", check=False)
    assert "/etc/sentinel/production.toml" in done.stdout + done.stderr, done.stdout + done.stderr
    assert 'calendar = "fx"' in done.stdout, done.stdout
