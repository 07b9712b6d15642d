"""CURVE between Sentinel and its gateway: the right keys trade, any other deliver nothing, and no key is ever shown."""

import time

import pytest

from parts.curve import CurveFront, Keys
from parts.rig import Rig, variables

QUESTIONS = ["PING", "GET_ACCOUNT", "GET_POSITIONS"]


@pytest.fixture
def keys(tmp_path) -> Keys:
    """Three key pairs."""
    return Keys(tmp_path / "keys")


@pytest.fixture
def curve_rig(curve_binary, tmp_path):
    """A rig around the binary that has CURVE."""
    rig = Rig(curve_binary, tmp_path / "curve")
    yield rig
    rig.close()


@pytest.fixture
def guarded(curve_rig, keys):
    """A gateway, and the CURVE front that is the way to it."""
    gateway = curve_rig.gateway("v43")
    front = CurveFront(gateway, keys)
    yield gateway, front
    front.close()


def verify(rig, port: int, settings: dict[str, object]) -> tuple[int, str]:
    """Runs `verify gateway`: exit code and what it said."""
    args = ["--dialect", "v43", "--gtw-host", "127.0.0.1", "--gtw-port", str(port)]
    daemon = rig.command("verify", "gateway", *args, **variables({"gateway.deadline_ms": 700} | settings))
    return daemon.wait_exit()[0], daemon.output()


def live(rig, gateway, front, settings: dict[str, object]):
    """A live daemon that reaches the gateway by its front only."""
    port = {"gateway.port": front.port, "gateway.deadline_ms": 700}
    args = ["--live", "--dialect", "v43", "--account", "a", "--stop-loss", "0.002", "--gtw-host", "127.0.0.1"]
    return rig.start(*args, settings=port | settings)


def check(rig, *args: str, settings: dict[str, object] | None = None) -> str:
    """What `sentinel check` prints."""
    daemon = rig.command("check", *args, **variables(settings or {}))
    assert daemon.wait_exit()[0] == 0, daemon.output()
    return daemon.output()


def test_check_says_which_libzmq_it_is(rig, curve_rig, keys):
    assert "without CURVE" in check(rig) and "docker/curve.toml" in check(rig)
    said = check(curve_rig)
    assert ", with CURVE" in said and "gateway: open" in said
    said = check(curve_rig, settings=keys.settings())
    assert "gateway: CURVE" in said and "plaintext" in said


def test_the_bundled_libzmq_refuses_keys_and_names_the_way_out(rig, keys):
    daemon = rig.command("run", **variables(keys.settings()))
    assert daemon.wait_exit()[0] == 64
    said = daemon.err.read_text()
    assert "gateway.curve_server_key_file" in said and "docker/curve.toml" in said


def test_a_secret_key_that_everyone_may_read_is_told(curve_rig, keys):
    settings = keys.settings()
    secret = settings["gateway.curve_secret_key_file"]
    secret.chmod(0o644)
    exposed = "Everyone on this machine may read the file of gateway.curve_secret_key_file"
    assert exposed in check(curve_rig, settings=settings)
    secret.chmod(0o640)
    assert "Its group may read" in check(curve_rig, settings=settings)
    secret.chmod(0o600)
    assert "chmod" not in check(curve_rig, settings=settings)


@pytest.mark.parametrize("bare", [False, True], ids=["certificates", "bare"])
def test_the_right_keys_reach_the_gateway(curve_rig, guarded, keys, bare):
    gateway, front = guarded
    code, said = verify(curve_rig, front.port, keys.settings(bare=bare))
    assert code == 0 and "CURVE" in said, said
    assert [request["action"] for request in gateway.asked] == QUESTIONS
    assert gateway.requests == []


@pytest.mark.parametrize("wrong", [{"server": "stranger"}, {"client": "stranger"}], ids=["server", "client"])
def test_a_wrong_key_delivers_nothing_and_says_so(curve_rig, guarded, keys, wrong):
    gateway, front = guarded
    code, said = verify(curve_rig, front.port, keys.settings(**wrong))
    assert code == 1 and "the keys do not fit" in said, said
    assert gateway.requests == gateway.asked == []


def test_no_keys_deliver_nothing_to_a_gateway_with_curve(rig, curve_rig, guarded):
    gateway, front = guarded
    for each in (rig, curve_rig):
        code, said = verify(each, front.port, {})
        assert code == 1 and "curve_server_key_file" in said, said
    assert gateway.requests == gateway.asked == []


def test_keys_deliver_nothing_to_a_gateway_without_curve(curve_rig, keys):
    gateway = curve_rig.gateway("v43")
    code, _ = verify(curve_rig, gateway.port, keys.settings())
    assert code == 1
    assert gateway.requests == gateway.asked == gateway.problems == []


def test_a_live_daemon_trades_over_curve(curve_rig, guarded, keys):
    gateway, front = guarded
    daemon = live(curve_rig, gateway, front, keys.settings())
    daemon.wait_metrics("a fill", lambda metrics: metrics("orders_total", outcome="filled") == 1)
    assert [request["action"] for request in gateway.requests] == ["OPEN"]
    assert gateway.problems == []
    assert daemon.stop()[0] == 0


def test_a_live_daemon_with_a_wrong_server_key_delivers_nothing(curve_rig, guarded, keys):
    gateway, front = guarded
    daemon = live(curve_rig, gateway, front, keys.settings(server="stranger"))
    metrics = daemon.after_cycles(1)
    assert metrics("orders_total", outcome="filled") == metrics("orders_total", outcome="unknown") == 0
    time.sleep(1)
    assert gateway.requests == gateway.asked == []
    assert daemon.stop()[0] == 0


def test_no_key_is_ever_shown(curve_rig, guarded, keys):
    gateway, front = guarded
    daemon = live(curve_rig, gateway, front, keys.settings() | {"log.level": "trace"})
    daemon.after_cycles(1)
    said = daemon.get("/health")[2] + daemon.get("/metrics")[2]
    daemon.stop()
    said += daemon.output() + check(curve_rig, settings=keys.settings())
    said += verify(curve_rig, front.port, keys.settings(server="stranger"))[1]
    # A key in the place of a file's name, and a file that is cut off.
    secret = keys.secrets()[1]
    (keys.directory / "cut.key_secret").write_text(f'curve\n    secret-key = "{secret[:-1]}"\n')
    for mistake in (secret, keys.directory / "cut.key_secret"):
        code, refusal = verify(curve_rig, front.port, keys.settings() | {"gateway.curve_secret_key_file": mistake})
        assert code == 64 and "gateway.curve_secret_key_file" in refusal, refusal
        said += refusal
    assert not any(secret[:-1] in said for secret in keys.secrets())
