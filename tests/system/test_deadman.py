"""The dead-man ping: after good cycles, at a limited rate, to a receiver that answers, refuses or hangs."""

import json
import statistics
import subprocess
import time

import pytest

from parts.daemon import environment, free_port, wait_until
from parts.harness import EVERY_SECOND, variables
from parts.http import Handler, Request, ScriptedHttp, hang, status

SECRET = "canary-5d0c9a7e"


class Receiver(ScriptedHttp):
    """Answers like healthchecks.io: 200 and OK."""

    def serve(self, handler: Handler, request: Request):
        """The healthy answer."""
        handler.answer("OK")

    def settings(self, **more: object) -> dict[str, object]:
        """The settings with which a daemon pings this receiver."""
        named = {f"deadman.{name}": value for name, value in more.items()}
        return {"deadman.url": f"{self.url}/{SECRET}", "health.failed_share_max": 0.5} | named


@pytest.fixture
def receiver():
    """A receiver that listens."""
    receiver = Receiver()
    yield receiver
    receiver.close()


def pings(metrics) -> tuple[float, float]:
    """The number of successful and failed pings."""
    return metrics("deadman_pings_total", outcome="ok"), metrics("deadman_pings_total", outcome="failed")


@pytest.mark.parametrize("every_s", [3, pytest.param(60, marks=pytest.mark.full)])
def test_good_cycles_ping_at_a_limited_rate_failed_ones_never(harness, receiver, every_s):
    harness.market.always = status(500)
    daemon = harness.start(*EVERY_SECOND, settings=receiver.settings(every_s=every_s))
    failed = daemon.wait_metrics("failed cycles", lambda m: m("trading_cycles_failed_total") >= 4)
    assert receiver.requests == [] and pings(failed) == (0, 0)
    healed_at = time.monotonic()
    harness.market.always = lambda handler, request: harness.market.serve(handler, request)
    wait_until("three pings", lambda: len(receiver.requests) >= 3, 3 * every_s + 10)
    [first, *_] = moments = [request.at for request in receiver.requests]
    assert first < healed_at + 3, "with the first good cycle"
    gaps = [later - earlier for earlier, later in zip(moments, moments[1:])]
    assert all(every_s - 0.5 < gap < every_s + 1.5 for gap in gaps), gaps
    assert all(request.method == "GET" and request.path == f"/{SECRET}" for request in receiver.requests)
    assert all(request.headers["user-agent"].startswith("sentinel/") for request in receiver.requests)
    daemon.wait_metrics("their count", lambda m: pings(m) == (3, 0))
    cycles = daemon.metrics()("trading_cycles_total") - failed("trading_cycles_total")
    assert cycles >= 2 * every_s, "far more cycles than pings"
    assert daemon.stop()[0] == 0


def test_cycles_in_a_closed_market_ping(harness, receiver, tmp_path):
    around = [time.strftime("%Y-%m-%d", time.gmtime(time.time() + days * 86_400)) for days in (-3, 3)]
    holidays = tmp_path / "holidays.toml"
    holidays.write_text(f'closed = ["{around[0]}..{around[1]}"]\n')
    closed = {"market.calendar": "fx", "market.holidays": holidays}
    daemon = harness.start(*EVERY_SECOND, settings=receiver.settings() | closed)
    assert daemon.wait_metrics("a ping", lambda m: pings(m) == (1, 0))("market_open") == 0


def test_a_degraded_cycle_pings(harness, receiver):
    gone = status(404)
    serve = harness.market.serve
    harness.market.always = lambda handler, request: (gone if "GBPUSD" in request.path else serve)(handler, request)
    daemon = harness.start("--symbol", "EURUSD,GBPUSD", *EVERY_SECOND, settings=receiver.settings())
    metrics = daemon.wait_metrics("a ping", lambda m: pings(m) == (1, 0))
    assert metrics("symbol_failures_total", symbol="GBPUSD", stage="fetch") > 0
    assert metrics("trading_cycles_failed_total") == 0


def test_a_hanging_receiver_delays_neither_cycles_nor_shutdown(harness, receiver):
    receiver.always = hang
    settings = {"metrics.bind": "127.0.0.1"}
    quiet = harness.start(*EVERY_SECOND, settings=settings)
    daemon = harness.start(*EVERY_SECOND, settings=receiver.settings(every_s=1, deadline_ms=60_000) | settings)
    daemon.after_cycles(8)

    def durations_ms(one) -> dict[int, float]:
        """Durations by the second in which a cycle began."""
        cycles = [line for line in one.logs() if "duration_ms" in line]
        return {line["cycle_id"] // 1000: line["duration_ms"] for line in cycles}

    # Compared with a daemon without pings in the same seconds: a slow disk is slow for both.
    usual, pinging = durations_ms(quiet), durations_ms(daemon)
    longer = [pinging[second] - usual[second] for second in pinging if second in usual]
    assert len(longer) >= 5 and statistics.median(longer) < 50, longer
    assert len(receiver.requests) == 1, "one at a time"
    assert pings(daemon.metrics()) == (0, 0), "and that one has not ended"
    code, seconds = daemon.stop()
    assert code == 0 and seconds < 2, seconds
    decided = subprocess.run(
        [harness.binary, "explain", "--last", "1000", "--json", "--journal", daemon.out.parent / "journal.db"],
        env=environment(), capture_output=True, text=True, timeout=20, check=True,
    )  # fmt: skip
    assert len(json.loads(decided.stdout)) >= 8


def test_failing_pings_are_logged_at_begin_and_end_without_url(harness, receiver, tmp_path):
    echo = status(500, f"no check {SECRET}")
    receiver.script = [echo, echo, status(302, Location=f"/{SECRET}/2"), status(204, "")]
    file = tmp_path / "url"
    file.write_text(f"{receiver.url}/{SECRET}\n")
    settings = receiver.settings(every_s=1) | {"deadman.url": "", "deadman.url_file": file, "log.level": "trace"}
    daemon = harness.start(*EVERY_SECOND, settings=settings)
    daemon.wait_metrics("both outcomes", lambda m: pings(m)[0] >= 2 and pings(m)[1] == 3, 30)
    # In one step, because a ping may read the file at any time.
    (tmp_path / "new").write_text(f"http://127.0.0.1:{free_port()}/{SECRET}")
    (tmp_path / "new").replace(file)
    daemon.wait_metrics("a refusal", lambda m: pings(m)[1] >= 5, 30)
    lines = [line for line in daemon.logs() if "dead-man" in line.get("message", line.get("fields", {}).get("message", ""))]
    assert len(lines) == 3, lines
    assert "500" in json.dumps(lines[0]) and "again" in json.dumps(lines[1]) and "refused" in json.dumps(lines[2])
    assert '"deadman":"on"' in daemon.output()
    shown = daemon.output() + daemon.get("/health")[2] + daemon.get("/metrics")[2]
    assert SECRET not in shown and f":{receiver.port}" not in shown


def test_once_does_not_ping(harness, receiver):
    daemon = harness.start("--once", settings=receiver.settings())
    assert daemon.wait_exit()[0] == 0
    assert receiver.requests == [] and '"deadman":"off"' in daemon.output()


def check(harness, **settings: object) -> subprocess.CompletedProcess:
    """`sentinel check` with these settings of [deadman]."""
    env = environment(**variables({f"deadman.{name}": value for name, value in settings.items()}))
    return subprocess.run([harness.binary, "check"], env=env, capture_output=True, text=True, timeout=20)


def test_check_shows_whether_it_is_on_but_not_the_url(harness, tmp_path):
    off, on = check(harness), check(harness, url=f"https://hc-ping.com/{SECRET}")
    assert "# The dead-man ping is off" in off.stdout
    assert "# The dead-man ping is on, over TLS" in on.stdout and 'url = "<redacted>"' in on.stdout
    file = tmp_path / "url"
    file.write_text(f"http://10.0.0.1/{SECRET}")
    file.chmod(0o644)
    by_file = check(harness, url_file=file)
    assert "on, in plaintext" in by_file.stdout and "can read the file of deadman.url_file" in by_file.stdout
    for refused, words in [
        (check(harness, url=f"ftp://host/{SECRET}"), "http:// or https://"),
        (check(harness, url=f"https://a:{SECRET}@host/"), "no user and no password"),
        (check(harness, url=f"https://host/{SECRET}", url_file=file), "keep only one of them"),
        (check(harness, url_file=SECRET), "cannot be read"),
        (check(harness, every_s=0), "1 to 3600"),
        (check(harness, deadline_ms=60_001), "10 to 60000"),
    ]:
        assert refused.returncode == 64 and words in refused.stderr, refused.stderr
        assert SECRET not in refused.stderr
    assert all(SECRET not in done.stdout + done.stderr for done in (on, by_file))
