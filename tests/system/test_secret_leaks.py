"""A canary in every place where a secret may be by mistake: it must not be printed, logged or served."""

import stat

import pytest

from parts.harness import variables

CANARY = "CANARY-8f3b1c77"
PLACES = {
    "SENTINEL__DATA__CONCURRENCY": CANARY,
    "SENTINEL__SCHEDULE__CLOCK": CANARY,
    "SENTINEL__SCHEDULE__CRON": f"{CANARY} * * * * *",
    "SENTINEL__TRADING__STOP_LOSS": CANARY,
    "SENTINEL__DATA__INTERVAL": CANARY,
    "SENTINEL__JOURNAL__PATH": f"/nonexistent/{CANARY}/journal.db",
    "SENTINEL__MARKET__CALENDAR": f"/nonexistent/{CANARY}",
    "SENTINEL__MODEL__CONFIDENCE_REFERENCE": CANARY,
    "SENTINEL__METRICS__WEB_CONFIG_FILE": f"/{CANARY}",
    "SENTINEL__METRICS__BIND": CANARY,
    "SENTINEL__SYMBOLS": f"EURUSD,{CANARY} x",
    "SENTINEL__SYMBOLS__X": CANARY,
    "SENTINEL__LOG__LEVEL": CANARY,
    "SENTINEL__DATA__BASE_URL": f"https://alice:{CANARY}@eodhd.com",
    "EODHD_API_TOKEN_FILE": f"/run/{CANARY}",
    "HUB_PORT": f"tcp://{CANARY}:5001",
    "HUB_HOST": f"{CANARY} x",
    "GTW_PORT": CANARY,
    "METRICS_PORT": CANARY,
}


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize("name", PLACES)
def test_a_refused_variable_is_named_but_not_quoted(harness, command, name):
    token = {} if name == "EODHD_API_TOKEN_FILE" else {"EODHD_API_TOKEN": "t"}
    daemon = harness.command(command, **({"EODHD_API_TOKEN": ""} | token | {name: PLACES[name]}))
    assert daemon.wait_exit()[0] == 64, daemon.output()
    assert CANARY not in daemon.output() and name in daemon.output()


URL = f"http://alice:{CANARY}@127.0.0.1:9"


@pytest.mark.parametrize(
    "args",
    [
        ["run", "--eodhd-base-url", URL],
        ["check", "--eodhd-base-url", URL],
        ["check", "--eodhd-base-url", f"https://eodhd.com?api_token={CANARY}"],
        ["verify", "market", "--eodhd-base-url", URL],
        ["verify", "hub", "--inf", URL, "--prometheus", "http://127.0.0.1:9"],
        ["verify", "hub", "--inf", "http://127.0.0.1:9", "--prometheus", URL],
        ["verify", "hub", "--inf", "http://127.0.0.1:9", "--prometheus", "http://127.0.0.1:9", "--alertmanager", URL],
        ["verify", "inf", "--url", URL],
        ["soak", "--minutes", "1", "--url", URL],
        ["healthcheck", "--url", URL],
    ],
    ids=lambda args: " ".join(arg if CANARY not in arg else "URL" for arg in args),
)
def test_a_password_in_a_url_is_refused_but_not_shown(harness, args):
    daemon = harness.command(*args)
    assert daemon.wait_exit()[0] in (1, 64)
    said = daemon.output()
    flag = next(before for before, arg in zip(args, args[1:]) if CANARY in arg)
    assert CANARY not in said and flag.replace("--eodhd-base-url", "data.base_url") in said, said


@pytest.mark.parametrize("host", ["10.0.0.1", "market.example", "[fd00::1]"])
def test_the_key_is_never_sent_unencrypted(harness, host):
    daemon = harness.command("run", "--eodhd-base-url", f"http://{host}:8081")
    assert daemon.wait_exit()[0] == 64
    assert "data.base_url" in daemon.output() and "https://" in daemon.output()


BAD_TOKENS = {
    "in quotes": f'"{CANARY}"',
    "a line NAME=value": f"EODHD_API_TOKEN={CANARY}",
    "printable ASCII without spaces": f"{CANARY} {CANARY}",
}


@pytest.mark.parametrize("rule", BAD_TOKENS)
def test_the_token_is_checked_equally_at_start_and_later(harness, tmp_path, rule):
    path = tmp_path / "token"
    path.write_text(BAD_TOKENS[rule])
    said = []
    for env in ({"EODHD_API_TOKEN": BAD_TOKENS[rule]}, {"EODHD_API_TOKEN": "", "EODHD_API_TOKEN_FILE": str(path)}):
        daemon = harness.command("run", **env)
        assert daemon.wait_exit()[0] == 64
        said.append(daemon.output())
    path.write_text("\ufeff" + CANARY + "\r\n")
    settings = {"schedule.cron": "* * * * * *", "log.format": "json"}
    daemon = harness.start(settings=settings, EODHD_API_TOKEN="", EODHD_API_TOKEN_FILE=str(path))
    daemon.after_cycles(1)
    sent = harness.market.requests[0].headers["authorization"]
    assert sent == f"Bearer {CANARY}", "white space and mark are no part of it"
    path.write_text(BAD_TOKENS[rule])
    asked = len(harness.market.requests) + 1
    daemon.wait_metrics("a cycle without a key", lambda m: m("data_fetch_failed_total") > 0)
    assert len(harness.market.requests) <= asked
    said.append(daemon.output())
    for text in said:
        assert f"the API token {'must be ' if 'ASCII' in rule else 'is '}{rule}" in text and CANARY not in text, text


ALL = "Everyone on this machine"


def test_check_warns_about_secrets_readable_for_others(harness, tmp_path):
    token = tmp_path / "token"
    token.write_text("t")
    web = tmp_path / "web.yml"
    web.write_text("basic_auth_users: {hub: $2y$04$W2jKBHQ3ycvNAvwyGLT0b.TBR6u2/JvOUbPzZY1tXcqlU5dhCmjnC}\n")
    env = {"EODHD_API_TOKEN": "", "EODHD_API_TOKEN_FILE": str(token)} | variables({"metrics.web_config_file": web})
    for mode, who in ((0o644, ALL), (0o444, ALL), (0o640, "Its group"), (0o600, None), (0o400, None)):
        for path in (token, web):
            path.chmod(mode)
            assert stat.S_IMODE(path.stat().st_mode) == mode
        daemon = harness.command("check", **env)
        assert daemon.wait_exit()[0] == 0, daemon.output()
        for key in ("data.api_token_file", "metrics.web_config_file"):
            assert (f"# {who} can read the file of {key}: chmod go-r" in daemon.output()) == bool(who), daemon.output()
        assert ("can read" in daemon.output()) == bool(who)
    config = tmp_path / "config.toml"
    config.write_text(f"[data]\napi_token = '{CANARY}'\n")
    config.chmod(0o644)
    daemon = harness.command("check", "--config", str(config), EODHD_API_TOKEN="")
    assert daemon.wait_exit()[0] == 0
    assert "can read the file of --config, which contains data.api_token" in daemon.output()
    assert CANARY not in daemon.output()


def test_a_variable_with_one_underscore_is_reported(harness):
    others = {"SENTINEL_PORT": "tcp://10.0.0.1:8000", "SENTINEL_SERVICE_HOST": "10.0.0.1", "SENTINEL_IMAGE": "x"}
    others |= {"SENTINEL_PORT_8000_TCP": "tcp://10.0.0.1:8000", "SENTINEL_METRICS_PORT": "tcp://10.0.0.2:80"}
    meant = "SENTINEL_TRADING_THRESHOLD is not a setting and is ignored; did you mean SENTINEL__TRADING__THRESHOLD?"
    for wrong in ({}, {"SENTINEL_TRADING_THRESHOLD": CANARY}):
        checked = harness.command("check", **others, **wrong)
        assert checked.wait_exit()[0] == 0
        daemon = harness.start("--cycles", "1", settings={"log.format": "json"}, **others, **wrong)
        daemon.after_cycles(1)
        warned = [line for line in daemon.logs() if line["level"] == "WARN" and "not a setting" in str(line)]
        assert len(warned) == len(wrong), warned
        for said in (checked.output(), daemon.output()):
            assert (meant in said) == bool(wrong) and said.count("is not a setting") == len(wrong), said
            assert CANARY not in said


def test_a_configured_proxy_is_reported_as_unused(harness):
    proxies = {"https_proxy": f"http://alice:{CANARY}@127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    daemon = harness.start("--cycles", "1", **proxies)
    metrics = daemon.after_cycles(1)
    assert metrics("trading_cycles_failed_total") == 0 and harness.market.requests
    said = [line for line in daemon.output().splitlines() if "not used" in line]
    assert len(said) == 1 and "HTTP_PROXY, https_proxy" in said[0] and CANARY not in daemon.output()
