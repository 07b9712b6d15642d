"""CURVE between Sentinel and its gateway: the right keys trade, all others deliver nothing, and no key is ever shown."""

import time

import pytest

from parts.curve import CurveFront, Keys
from parts.harness import Harness, variables

QUESTIONS = ["PING", "GET_ACCOUNT", "GET_POSITIONS"]


@pytest.fixture
def keys(tmp_path) -> Keys:
    """Three key pairs."""
    return Keys(tmp_path / "keys")


@pytest.fixture
def curve_harness(curve_binary, tmp_path):
    """A harness with the binary that has CURVE."""
    harness = Harness(curve_binary, tmp_path / "curve")
    yield harness
    harness.close()


@pytest.fixture
def guarded(curve_harness, keys):
    """A gateway, and the CURVE front before it."""
    gateway = curve_harness.gateway("v43")
    front = CurveFront(gateway, keys)
    yield gateway, front
    front.close()


def verify(harness, port: int, settings: dict[str, object]) -> tuple[int, str]:
    """Runs `verify gateway`: exit code and output."""
    args = ["--dialect", "v43", "--gtw-host", "127.0.0.1", "--gtw-port", str(port)]
    daemon = harness.command("verify", "gateway", *args, **variables({"gateway.deadline_ms": 700} | settings))
    return daemon.wait_exit()[0], daemon.output()


def live(harness, gateway, front, settings: dict[str, object]):
    """A live daemon that reaches the gateway only through its front."""
    port = {"gateway.port": front.port, "gateway.deadline_ms": 700}
    args = ["--live", "--dialect", "v43", "--account", "a", "--stop-loss", "0.002", "--gtw-host", "127.0.0.1"]
    return harness.start(*args, settings=port | settings)


def check(harness, *args: str, settings: dict[str, object] | None = None) -> str:
    """The output of `sentinel check`."""
    daemon = harness.command("check", *args, **variables(settings or {}))
    assert daemon.wait_exit()[0] == 0, daemon.output()
    return daemon.output()


def test_check_shows_the_libzmq(harness, curve_harness, keys):
    assert "without CURVE" in check(harness) and "docker/curve.toml" in check(harness)
    said = check(curve_harness)
    assert ", with CURVE" in said and "gateway: plaintext" in said
    said = check(curve_harness, settings=keys.settings())
    assert "gateway: CURVE" in said and "plaintext" in said


def test_the_bundled_libzmq_refuses_keys_and_says_what_to_do(harness, keys):
    daemon = harness.command("run", **variables(keys.settings()))
    assert daemon.wait_exit()[0] == 64
    said = daemon.err.read_text()
    assert "gateway.curve_server_key_file" in said and "docker/curve.toml" in said


def test_a_secret_key_that_everyone_can_read_is_reported(curve_harness, keys):
    settings = keys.settings()
    secret = settings["gateway.curve_secret_key_file"]
    secret.chmod(0o644)
    exposed = "Everyone on this machine can read the file of gateway.curve_secret_key_file"
    assert exposed in check(curve_harness, settings=settings)
    secret.chmod(0o640)
    assert "Its group can read" in check(curve_harness, settings=settings)
    secret.chmod(0o600)
    assert "chmod" not in check(curve_harness, settings=settings)


@pytest.mark.parametrize("bare", [False, True], ids=["certificates", "bare"])
def test_the_right_keys_reach_the_gateway(curve_harness, guarded, keys, bare):
    gateway, front = guarded
    code, said = verify(curve_harness, front.port, keys.settings(bare=bare))
    assert code == 0 and "CURVE" in said, said
    assert [request["action"] for request in gateway.asked] == QUESTIONS
    assert gateway.requests == []


@pytest.mark.parametrize("wrong", [{"server": "stranger"}, {"client": "stranger"}], ids=["server", "client"])
def test_a_wrong_key_delivers_nothing_and_is_reported(curve_harness, guarded, keys, wrong):
    gateway, front = guarded
    code, said = verify(curve_harness, front.port, keys.settings(**wrong))
    assert code == 1 and "the keys do not match" in said, said
    assert gateway.requests == gateway.asked == []


def test_no_keys_deliver_nothing_to_a_gateway_with_curve(harness, curve_harness, guarded):
    gateway, front = guarded
    for each in (harness, curve_harness):
        code, said = verify(each, front.port, {})
        assert code == 1 and "curve_server_key_file" in said, said
    assert gateway.requests == gateway.asked == []


def test_keys_deliver_nothing_to_a_gateway_without_curve(curve_harness, keys):
    gateway = curve_harness.gateway("v43")
    code, _ = verify(curve_harness, gateway.port, keys.settings())
    assert code == 1
    assert gateway.requests == gateway.asked == gateway.problems == []


def test_a_live_daemon_trades_over_curve(curve_harness, guarded, keys):
    gateway, front = guarded
    daemon = live(curve_harness, gateway, front, keys.settings())
    daemon.wait_metrics("a fill", lambda metrics: metrics("orders_total", outcome="filled") == 1)
    assert [request["action"] for request in gateway.requests] == ["OPEN"]
    assert gateway.problems == []
    assert daemon.stop()[0] == 0


def test_a_live_daemon_with_a_wrong_server_key_delivers_nothing(curve_harness, guarded, keys):
    gateway, front = guarded
    daemon = live(curve_harness, gateway, front, keys.settings(server="stranger"))
    metrics = daemon.after_cycles(1)
    assert metrics("orders_total", outcome="filled") == metrics("orders_total", outcome="unknown") == 0
    time.sleep(1)
    assert gateway.requests == gateway.asked == []
    assert daemon.stop()[0] == 0


def test_no_key_is_ever_shown(curve_harness, guarded, keys):
    gateway, front = guarded
    daemon = live(curve_harness, gateway, front, keys.settings() | {"log.level": "trace"})
    daemon.after_cycles(1)
    said = daemon.get("/health")[2] + daemon.get("/metrics")[2]
    daemon.stop()
    said += daemon.output() + check(curve_harness, settings=keys.settings())
    said += verify(curve_harness, front.port, keys.settings(server="stranger"))[1]
    # A key instead of a file name, and a truncated file.
    secret = keys.secrets()[1]
    (keys.directory / "cut.key_secret").write_text(f'curve\n    secret-key = "{secret[:-1]}"\n')
    for mistake in (secret, keys.directory / "cut.key_secret"):
        code, refusal = verify(curve_harness, front.port, keys.settings() | {"gateway.curve_secret_key_file": mistake})
        assert code == 64 and "gateway.curve_secret_key_file" in refusal, refusal
        said += refusal
    assert not any(secret[:-1] in said for secret in keys.secrets())
