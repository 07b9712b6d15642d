"""The token is a canary here: whatever is provoked, it must not appear in anything the daemon says or serves."""

import pytest

from parts import http
from parts.rig import variables

CANARY = "CANARY-8f3b1c77"


def by_environment(tmp_path) -> dict[str, str]:
    """The token itself in the environment."""
    return {"EODHD_API_TOKEN": CANARY}


def by_file(tmp_path) -> dict[str, str]:
    """The token in a file, with a newline at its end as an editor leaves it."""
    secret = tmp_path / "token"
    secret.write_text(CANARY + "\n")
    return {"EODHD_API_TOKEN_FILE": str(secret)}


BOTH_WAYS = pytest.mark.parametrize("token", [by_environment, by_file])


def echo(handler, request):
    """A server that quotes the request's secret in its error, as some do."""
    handler.answer(f'{{"message": "bad key {CANARY}"}}', 401)


FAULTS = {
    "well": None,
    "401": http.status(401),
    "echoed": echo,
    "redirect": http.status(302, Location=f"http://127.0.0.1:9/?api_token={CANARY}"),
    "malformed": http.text("[{"),
    "quoted": http.text(f'"{CANARY}"'),
    "truncated": http.truncated,
    "hang": http.hang,
    "drip": http.drip,
}


@BOTH_WAYS
@pytest.mark.parametrize("fault", FAULTS)
def test_no_fault_makes_the_daemon_tell_its_token(rig, tmp_path, token, fault):
    if FAULTS[fault]:
        rig.market.always = FAULTS[fault]
    settings = {"data.deadline_ms": 300, "log.format": "json", "log.level": "trace"}
    daemon = rig.start("--cycles", "1", settings=settings, **({"EODHD_API_TOKEN": ""} | token(tmp_path)))
    daemon.after_cycles(1)
    used = rig.market.requests[0]
    assert CANARY in used.query.get("api_token", "") + used.headers.get("authorization", "")
    for path in ("/metrics", "/health", "/livez", "/readyz", "/startupz", f"/{CANARY[:3]}"):
        _, headers, body = daemon.get(path)
        assert CANARY not in str(headers) + body
    assert daemon.stop()[0] == 0
    assert CANARY not in daemon.output()


@BOTH_WAYS
@pytest.mark.parametrize("args", [["check"], ["--help"], ["run", "--help"], ["check", "--help"]], ids=" ".join)
def test_no_command_prints_the_token(rig, tmp_path, token, args):
    daemon = rig.command(*args, **({"EODHD_API_TOKEN": ""} | token(tmp_path)))
    assert daemon.wait_exit()[0] == 0
    assert len(daemon.output()) > 200
    assert CANARY not in daemon.output()


@pytest.mark.parametrize(
    "broken",
    [
        {"EODHD_API_TOKEN": CANARY + " " + CANARY},
        {"SENTINEL__DATA__TOKEN_TYPO": CANARY},
        {"SENTINEL__EODHD_API_TOKEN": CANARY},
        {"EODHD_API_TOKEN_FILE": "/nonexistent", "EODHD_API_TOKEN": CANARY},
        {"METRICS_PORT": "99999"},
    ],
    ids=lambda broken: next(iter(broken)),
)
def test_no_settings_error_prints_a_value_that_may_be_secret(rig, broken):
    daemon = rig.command("run", **({"EODHD_API_TOKEN": CANARY} | broken))
    assert daemon.wait_exit()[0] == 64
    assert CANARY not in daemon.output()


@pytest.mark.parametrize(
    "text",
    [f"['{CANARY}']", f"'{CANARY}", f"{{ a = '{CANARY}' }}", CANARY],
    ids=["a list", "no end", "a table", "no quotes"],
)
def test_no_config_file_error_prints_the_token(rig, tmp_path, text):
    path = tmp_path / "config.toml"
    path.write_text(f"[data]\napi_token = {text}\n")
    daemon = rig.command("run", "--config", str(path), EODHD_API_TOKEN="")
    assert daemon.wait_exit()[0] == 64
    assert CANARY not in daemon.output()


def test_a_token_with_leading_zeros_is_sent_as_it_is(rig):
    daemon = rig.start("--cycles", "1", EODHD_API_TOKEN="00123")
    daemon.after_cycles(1)
    used = rig.market.requests[0]
    assert used.query.get("api_token", used.headers.get("authorization", "").removeprefix("Bearer ")) == "00123"


def test_the_settings_that_check_prints_name_the_secret_but_hide_it(rig):
    daemon = rig.command("check", **variables({"gateway.account": "visible"}))
    assert daemon.wait_exit()[0] == 0
    assert "visible" in daemon.output()
    assert "test-token" not in daemon.output()
