"""The token is a canary: whatever happens, it must not appear in the daemon's output or answers."""

import pytest

from parts import http
from parts.harness import variables

CANARY = "CANARY-8f3b1c77"


def by_environment(tmp_path) -> dict[str, str]:
    """The token itself in the environment."""
    return {"EODHD_API_TOKEN": CANARY}


def by_file(tmp_path) -> dict[str, str]:
    """The token in a file, with a newline at the end as editors write it."""
    secret = tmp_path / "token"
    secret.write_text(CANARY + "\n")
    return {"EODHD_API_TOKEN_FILE": str(secret)}


BOTH_WAYS = pytest.mark.parametrize("token", [by_environment, by_file])


def echo(handler, request):
    """A server that quotes the request's secret in its error, as some servers do."""
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
def test_no_fault_reveals_the_token(harness, tmp_path, token, fault):
    if FAULTS[fault]:
        harness.market.always = FAULTS[fault]
    settings = {"data.deadline_ms": 300, "log.format": "json", "log.level": "trace"}
    daemon = harness.start("--cycles", "1", settings=settings, **({"EODHD_API_TOKEN": ""} | token(tmp_path)))
    daemon.after_cycles(1)
    used = harness.market.requests[0]
    assert CANARY in used.query.get("api_token", "") + used.headers.get("authorization", "")
    for path in ("/metrics", "/health", "/livez", "/readyz", "/startupz", f"/{CANARY[:3]}"):
        _, headers, body = daemon.get(path)
        assert CANARY not in str(headers) + body
    assert daemon.stop()[0] == 0
    assert CANARY not in daemon.output()


@BOTH_WAYS
@pytest.mark.parametrize("args", [["check"], ["--help"], ["run", "--help"], ["check", "--help"]], ids=" ".join)
def test_no_command_prints_the_token(harness, tmp_path, token, args):
    daemon = harness.command(*args, **({"EODHD_API_TOKEN": ""} | token(tmp_path)))
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
def test_settings_errors_print_no_possible_secret(harness, broken):
    daemon = harness.command("run", **({"EODHD_API_TOKEN": CANARY} | broken))
    assert daemon.wait_exit()[0] == 64
    assert CANARY not in daemon.output()


@pytest.mark.parametrize(
    "text",
    [f"['{CANARY}']", f"'{CANARY}", f"{{ a = '{CANARY}' }}", CANARY],
    ids=["a list", "no end", "a table", "no quotes"],
)
def test_no_config_file_error_prints_the_token(harness, tmp_path, text):
    path = tmp_path / "config.toml"
    path.write_text(f"[data]\napi_token = {text}\n")
    daemon = harness.command("run", "--config", str(path), EODHD_API_TOKEN="")
    assert daemon.wait_exit()[0] == 64
    assert CANARY not in daemon.output()


def test_a_token_with_leading_zeros_is_sent_unchanged(harness):
    daemon = harness.start("--cycles", "1", EODHD_API_TOKEN="00123")
    daemon.after_cycles(1)
    used = harness.market.requests[0]
    assert used.query.get("api_token", used.headers.get("authorization", "").removeprefix("Bearer ")) == "00123"


def test_check_names_the_secret_but_hides_its_value(harness):
    daemon = harness.command("check", **variables({"gateway.account": "visible"}))
    assert daemon.wait_exit()[0] == 0
    assert "visible" in daemon.output()
    assert "test-token" not in daemon.output()
