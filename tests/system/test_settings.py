"""Settings: what is refused, with exit 64 and the key by name, before anything starts; and which layer wins."""

import pytest

from parts.http import status
from parts.rig import variables

LIVE = ["--live", "--dialect", "v43", "--account", "a", "--stop-loss", "0.002", "--gtw-host", "127.0.0.1"]


def refused(rig, *args, token="t", **env) -> str:
    """Runs `sentinel run`, expects exit 64 and an untouched market; returns what it said on stderr."""
    env |= {"EODHD_API_TOKEN": token} | variables({"data.base_url": rig.market.url, "metrics.enabled": "false"})
    daemon = rig.command("run", *args, **env)
    code, _ = daemon.wait_exit()
    said = daemon.err.read_text()
    assert code == 64, said
    assert rig.market.requests == []
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
def test_a_flag_out_of_range_is_refused_by_name(rig, args, named):
    assert named in refused(rig, *args)


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
def test_an_environment_variable_that_is_unknown_or_out_of_range_is_refused_by_name(rig, key, value):
    said = refused(rig, **variables({key: value})).lower()
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
def test_a_config_file_with_a_mistake_is_refused_by_name(rig, tmp_path, text, named):
    path = tmp_path / "config.toml"
    path.write_text(text)
    assert named in refused(rig, "--config", str(path))


def test_a_missing_token_is_refused(rig):
    assert "EODHD_API_TOKEN" in refused(rig, token="")


@pytest.mark.parametrize("missing", ["--dialect", "--account", "--stop-loss"])
def test_live_mode_without_one_of_its_three_is_refused(rig, missing):
    at = LIVE.index(missing)
    assert missing.strip("-").split("-")[0] in refused(rig, *LIVE[:at], *LIVE[at + 2 :])


def test_live_mode_with_a_stop_loss_of_none_has_to_say_so_and_may(rig):
    gateway = rig.gateway()
    args = [arg if arg != "0.002" else "none" for arg in LIVE]
    rig.start(*args, "--gtw-port", str(gateway.port), "--cycles", "1").after_cycles(1)
    assert gateway.requests[0]["sl"] == 0


@pytest.mark.parametrize("host", ["172.19.141.255", "gateway.invalid", "0.0.0.0"])
def test_live_mode_beyond_loopback_needs_curve_or_a_persons_word(rig, host):
    said = refused(rig, *LIVE[:-1], host)
    assert "gateway.plaintext" in said and "accepted" in said
    for role in ("server", "public", "secret"):
        assert f"gateway.curve_{role}_key_file" in said


def test_live_mode_beyond_loopback_is_accepted_on_a_persons_word(rig):
    args = [*LIVE[:-1], "172.19.141.255"]
    daemon = rig.command("check", *args, **variables({"gateway.plaintext": "accepted"}))
    assert daemon.wait_exit()[0] == 0, daemon.output()


@pytest.mark.parametrize("flag", [["--clock", "bars"], ["--back-to-back"]], ids=" ".join)
def test_replaying_live_beyond_loopback_is_refused(rig, flag):
    accepted = variables({"gateway.plaintext": "accepted"})
    assert "schedule." in refused(rig, *LIVE[:-1], "172.19.141.255", *flag, **accepted)


def test_the_dialect_ea_is_refused_with_the_reason(rig):
    said = refused(rig, *[arg if arg != "v43" else "ea" for arg in LIVE])
    assert len(said.strip()) > len("dialect ea") and "ea" in said


def shown(rig, *args, **env) -> str:
    """What `sentinel check` prints."""
    daemon = rig.command("check", *args, **env)
    assert daemon.wait_exit()[0] == 0, daemon.output()
    return daemon.out.read_text()


def test_flag_beats_environment_beats_file_beats_base(rig, tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("[model]\nname = 'from-file'\n[gateway]\naccount = 'from-file'\n")
    file, env = ["--config", str(path)], variables({"gateway.account": "from-environment"})
    assert "from-file" not in shown(rig)
    assert shown(rig, *file).count("from-file") == 2
    both = shown(rig, *file, **env)
    assert both.count("from-file") == 1 and "from-environment" in both
    all_three = shown(rig, *file, "--account", "from-flag", **env)
    assert "from-flag" in all_three and "from-environment" not in all_three


def test_the_names_of_the_daemon_this_replaces_still_work(rig):
    env = {"METRICS_PORT": "18123", "HUB_HOST": "hub.test", "HUB_PORT": "15001"}
    env |= {"GTW_HOST": "gtw.test", "GTW_PORT": "15555"}
    text = shown(rig, **env)
    for value in env.values():
        assert value in text
    assert "18124" in shown(rig, "--metrics-port", "18124", **env)


def test_what_check_prints_is_accepted_as_a_config_file(rig, tmp_path):
    path = tmp_path / "config.toml"
    place = {"STATE_DIRECTORY": str(tmp_path)}
    path.write_text("\n".join(line for line in shown(rig, **place).splitlines() if "token" not in line.lower()))

    def settings(*args: str) -> str:
        """All but the line that says where they were read."""
        return "".join(line for line in shown(rig, *args, **place).splitlines(True) if "settings file" not in line)

    assert settings("--config", str(path)) == settings()
    assert f"# The settings file: {path}\n" in shown(rig, "--config", str(path), **place)


def test_a_symbols_own_table_beats_the_common_settings(rig, tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(
        "[[symbols]]\nname = 'EURUSD'\ngateway_name = 'EURUSDm'\nvolume = 0.05\nstop_loss = 0.01\n"
        "[[symbols]]\nname = 'USDJPY'\nticker = 'JPY.FOREX'\nthreshold = 0.99\ndigits = 3\nstop_loss = 0.2\ntake_profit = 0.3\n"
    )
    gateway = rig.gateway()
    metrics = rig.start_live(gateway, "--config", str(path), "--cycles", "1").after_cycles(1)
    [order] = gateway.requests
    assert (order["symbol"], order["volume"]) == ("EURUSDm", 0.05)
    assert sorted(request.path.rsplit("/", 1)[1] for request in rig.market.requests) == ["EURUSD.FOREX", "JPY.FOREX"]
    assert metrics("symbol_signals_total", symbol="USDJPY", action="HOLD") == 1


def test_the_daemon_runs_without_arguments_and_without_files(rig):
    """`sentinel` alone is `sentinel run`: without a token it says so."""
    daemon = rig.command(EODHD_API_TOKEN="")
    assert daemon.wait_exit()[0] == 64


@pytest.mark.parametrize(("fault", "code"), [(None, 0), ("market", 1), ("model", 1)])
def test_once_is_one_cycle_with_an_exit_code(rig, fault, code):
    if fault:
        getattr(rig, fault).always = status(503)
    daemon = rig.start("--once")
    assert daemon.wait_exit()[0] == code
