"""Settings: bad ones are refused with exit 64 and the name of the key before anything starts; and which layer wins."""

import pytest

from parts.harness import variables
from parts.http import status

LIVE = ["--live", "--dialect", "v43", "--account", "a", "--stop-loss", "0.002", "--gtw-host", "127.0.0.1"]


def refused(harness, *args, token="t", **env) -> str:
    """Runs `sentinel run`, expects exit 64 and no request to the market; its output on stderr."""
    env |= {"EODHD_API_TOKEN": token} | variables({"data.base_url": harness.market.url, "metrics.enabled": "false"})
    daemon = harness.command("run", *args, **env)
    code, _ = daemon.wait_exit()
    said = daemon.err.read_text()
    assert code == 64, said
    assert harness.market.requests == []
    return said


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (["--threshold", "1.5"], "threshold"),
        (["--threshold", "-0.1"], "threshold"),
        (["--threshold", "nan"], "threshold"),
        (["--lookback-bars", "119"], "lookback"),
        (["--interval", "2h"], "interval"),
        (["--volume", "0"], "volume"),
        (["--volume", "-1"], "volume"),
        (["--stop-loss", "-0.1"], "stop"),
        (["--metrics-port", "70000"], "metrics.port"),
        (["--schedule", "every minute"], "schedule"),
        (["--symbol", "EUR USD"], "symbol"),
        (["--symbol", ""], "symbol"),
        (["--eodhd-base-url", "ftp://x"], "base"),
        (["--dialect", "ea"], "dialect"),
        (["--dialect", "telepathy"], "dialect"),
        (["--cycles", "x"], "cycles"),
        (["--no-such-flag"], "no-such-flag"),
        (["--clock", "sundial"], "clock"),
        (["--config", "nowhere.toml"], "nowhere.toml"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_flag_out_of_range_is_refused_by_name(harness, args, named):
    assert named in refused(harness, *args)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("data.deadline_ms", "0"),
        ("data.deadline_ms", "soon"),
        ("data.poll", "sometimes"),
        ("data.max_bar_age_s", "-1"),
        ("model.tabular", "round"),
        ("model.rows_per_request", "0"),
        ("model.deadline_ms", "0"),
        ("gateway.dialect", "ea"),
        ("schedule.cron", "61 * * * * *"),
        ("log.format", "xml"),
        ("features.hour_and_weekday", "martian"),
        ("data.no_such_key", "1"),
        ("no_such_section.key", "1"),
    ],
)
def test_a_bad_environment_variable_is_refused_by_name(harness, key, value):
    said = refused(harness, **variables({key: value})).lower()
    assert key.split(".")[-1] in said or key.split(".")[0] in said


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[data]\nno_such_key = 1\n", "no_such_key"),
        ("[no_such_section]\nkey = 1\n", "no_such_section"),
        ("[model]\ndeadline_ms = 'fast'\n", "deadline_ms"),
        ("[gateway]\ndialect = 'ea'\n", "dialect"),
        ("this is not toml", "config.toml"),
    ],
    ids=["key", "section", "type", "dialect", "syntax"],
)
def test_a_config_file_with_a_mistake_is_refused_by_name(harness, tmp_path, text, named):
    path = tmp_path / "config.toml"
    path.write_text(text)
    assert named in refused(harness, "--config", str(path))


def test_a_missing_token_is_refused(harness):
    assert "EODHD_API_TOKEN" in refused(harness, token="")


@pytest.mark.parametrize("missing", ["--dialect", "--account", "--stop-loss"])
def test_live_mode_requires_dialect_account_and_stop_loss(harness, missing):
    at = LIVE.index(missing)
    assert missing.strip("-").split("-")[0] in refused(harness, *LIVE[:at], *LIVE[at + 2 :])


def test_live_mode_accepts_an_explicit_stop_loss_of_none(harness):
    gateway = harness.gateway()
    args = [arg if arg != "0.002" else "none" for arg in LIVE]
    harness.start(*args, "--gtw-port", str(gateway.port), "--cycles", "1").after_cycles(1)
    assert gateway.requests[0]["sl"] == 0


@pytest.mark.parametrize("host", ["172.19.141.255", "gateway.invalid", "0.0.0.0"])
def test_live_mode_beyond_loopback_needs_curve_or_consent(harness, host):
    said = refused(harness, *LIVE[:-1], host)
    assert "gateway.plaintext" in said and "accepted" in said
    for role in ("server", "public", "secret"):
        assert f"gateway.curve_{role}_key_file" in said


def test_live_mode_beyond_loopback_is_accepted_with_consent(harness):
    args = [*LIVE[:-1], "172.19.141.255"]
    daemon = harness.command("check", *args, **variables({"gateway.plaintext": "accepted"}))
    assert daemon.wait_exit()[0] == 0, daemon.output()


@pytest.mark.parametrize("flag", [["--clock", "bars"], ["--back-to-back"]], ids=" ".join)
def test_live_replay_beyond_loopback_is_refused(harness, flag):
    accepted = variables({"gateway.plaintext": "accepted"})
    assert "schedule." in refused(harness, *LIVE[:-1], "172.19.141.255", *flag, **accepted)


def test_the_dialect_ea_is_refused_with_the_reason(harness):
    said = refused(harness, *[arg if arg != "v43" else "ea" for arg in LIVE])
    assert len(said.strip()) > len("dialect ea") and "ea" in said


def shown(harness, *args, **env) -> str:
    """The output of `sentinel check`."""
    daemon = harness.command("check", *args, **env)
    assert daemon.wait_exit()[0] == 0, daemon.output()
    return daemon.out.read_text()


def test_flags_override_environment_file_and_base(harness, tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("[model]\nname = 'from-file'\n[gateway]\naccount = 'from-file'\n")
    file, env = ["--config", str(path)], variables({"gateway.account": "from-environment"})
    assert "from-file" not in shown(harness)
    assert shown(harness, *file).count("from-file") == 2
    both = shown(harness, *file, **env)
    assert both.count("from-file") == 1 and "from-environment" in both
    all_three = shown(harness, *file, "--account", "from-flag", **env)
    assert "from-flag" in all_three and "from-environment" not in all_three


def test_the_variables_of_the_old_daemon_still_work(harness):
    env = {"METRICS_PORT": "18123", "HUB_HOST": "hub.test", "HUB_PORT": "15001"}
    env |= {"GTW_HOST": "gtw.test", "GTW_PORT": "15555"}
    text = shown(harness, **env)
    for value in env.values():
        assert value in text
    assert "18124" in shown(harness, "--metrics-port", "18124", **env)


def test_what_check_prints_is_accepted_as_a_config_file(harness, tmp_path):
    path = tmp_path / "config.toml"
    place = {"STATE_DIRECTORY": str(tmp_path)}
    path.write_text("\n".join(line for line in shown(harness, **place).splitlines() if "token" not in line.lower()))

    def settings(*args: str) -> str:
        """Everything except the line that says where the settings were read."""
        return "".join(line for line in shown(harness, *args, **place).splitlines(True) if "settings file" not in line)

    assert settings("--config", str(path)) == settings()
    assert f"# The settings file: {path}\n" in shown(harness, "--config", str(path), **place)


def test_a_symbols_table_overrides_the_common_settings(harness, tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(
        "[[symbols]]\nname = 'EURUSD'\ngateway_name = 'EURUSDm'\nvolume = 0.05\nstop_loss = 0.01\n"
        "[[symbols]]\nname = 'USDJPY'\nticker = 'JPY.FOREX'\nthreshold = 0.99\ndigits = 3\nstop_loss = 0.2\ntake_profit = 0.3\n"
    )
    gateway = harness.gateway()
    metrics = harness.start_live(gateway, "--config", str(path), "--cycles", "1").after_cycles(1)
    [order] = gateway.requests
    assert (order["symbol"], order["volume"]) == ("EURUSDm", 0.05)
    assert sorted(request.path.rsplit("/", 1)[1] for request in harness.market.requests) == ["EURUSD.FOREX", "JPY.FOREX"]
    assert metrics("symbol_signals_total", symbol="USDJPY", action="HOLD") == 1


def test_the_daemon_runs_without_arguments_and_without_files(harness):
    """`sentinel` alone is `sentinel run`: without a token it reports that."""
    daemon = harness.command(EODHD_API_TOKEN="")
    assert daemon.wait_exit()[0] == 64


@pytest.mark.parametrize(("fault", "code"), [(None, 0), ("market", 1), ("model", 1)])
def test_once_runs_one_cycle_and_exits(harness, fault, code):
    if fault:
        getattr(harness, fault).always = status(503)
    daemon = harness.start("--once")
    assert daemon.wait_exit()[0] == code
