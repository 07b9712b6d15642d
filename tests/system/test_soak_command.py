"""`sentinel soak`: short soaks of healthy and failing daemons, and the page in a real browser."""

import json
import re
import signal
import time
from pathlib import Path

import pytest

from parts import http
from parts.browser import browse, distinct_rows
from parts.daemon import Daemon, free_port, wait_until

PLOTS = 12
# A busy machine may miss a tick of one second; these tests are about the report, not about the machine.
LENIENT = ["--missed-ticks-max", "5", "--cycles-done-min", "50", "--lag-p99-max", "5", "--cycle-p99-max", "9"]


class Soak:
    """A running `sentinel soak` with five scrapes per second. It must learn from the daemon when cycles are due."""

    def __init__(self, harness, port: int, out: Path, minutes: float, *args: str):
        self.out = out
        flags = ["--url", f"http://127.0.0.1:{port}", "--out", str(out), "--minutes", str(minutes)]
        self.process = harness.command("soak", *flags, "--period", "0.2", *args)

    def wait_begun(self):
        """Returns once it has written its first report."""
        wait_until("the first report", (self.out / "soak.html").exists, 15)

    def report(self) -> dict:
        """The JSON."""
        return json.loads((self.out / "soak.json").read_text())

    def end(self, timeout_s: float = 30) -> tuple[int, dict]:
        """Waits for its end: exit code and report."""
        code, _ = self.process.wait_exit(timeout_s)
        return code, self.report()["findings"]


def demo(harness, port: int, *args: str) -> Daemon:
    """A demo with a cycle per second, after its first 200 cycles."""
    daemon = harness.command("demo", "--cycle-seconds", "1", "--metrics-port", str(port), *args)
    daemon.port = port
    daemon.wait_metrics("the first 200 cycles", lambda metrics: metrics("trading_cycles_total") >= 200, 30)
    return daemon


def failed(findings: dict) -> set[str]:
    """The names of the thresholds that were exceeded."""
    return {check["name"] for check in findings["checks"] if check["outcome"] == "failed"}


def test_a_good_demo_is_healthy_and_its_page_shows_it(harness, tmp_path):
    daemon = demo(harness, free_port())
    before = daemon.metrics()("trading_cycles_total")
    soak = Soak(harness, daemon.port, tmp_path / "out", 0.1, *LENIENT)
    code, findings = soak.end()
    after = daemon.metrics()
    assert (code, findings["verdict"]) == (0, "HEALTHY"), soak.process.output()
    assert "HEALTHY, after 0.1 minutes" in soak.process.output()

    cycles = findings["cycles"]
    assert findings["cycle_seconds"] == 1, "as /health says"
    assert before <= cycles["count_first"] < cycles["count_last"] <= after("trading_cycles_total")
    assert cycles["done"] == cycles["count_last"] - cycles["count_first"]
    assert cycles["due"] == int(findings["minutes_watched"] * 60) and cycles["due"] >= 6
    assert findings["timings"][1]["name"] == "cycle" and findings["timings"][1]["count"] == cycles["done"]
    # A 0 is a value, not a missing one.
    assert cycles["failed"] == 0 and cycles["failed"] is not None
    assert findings["errors"]["orders_unresolved_max"] == findings["errors"]["journal_write_failures"] == 0
    assert set(findings["errors"]["api_errors"]) == {"eodhd", "hub"}
    codes = findings["errors"]["api_errors"]["hub"]
    assert codes["500"] == codes["timeout"] == 0 and len(codes) == 16
    assert findings["restarts_s"] == [] and findings["scrapes"]["failed"] == 0
    report = soak.report()
    assert report["thresholds"]["missed_ticks_max"] == 5
    assert len(report["scrapes"]["rows"]) == findings["scrapes"]["made"] >= 10
    assert report["scrapes"]["rows"][-1][1] == cycles["done"]

    page = soak.out / "soak.html"
    text = page.read_text()
    assert not re.search(r"\b(src|href)=|url\(|@import|<script", text)
    picture = tmp_path / "page.png"
    shown, console = browse(page, "--dump-dom")
    assert "✓ HEALTHY" in shown and shown.count("<svg") == PLOTS and shown.count('class="line') >= PLOTS / 2
    assert console == []
    browse(page, f"--screenshot={picture}", "--window-size=1240,2600")
    assert distinct_rows(picture.read_bytes()) > 500
    # The page must not load anything; the browser would report that in the console.
    page.write_text(text.replace("<h1>", '<img src="http://127.0.0.1:9/x.png"><h1>', 1))
    assert "Content Security Policy" in "".join(browse(page, "--dump-dom")[1])


@pytest.mark.long
def test_a_killed_daemon_is_a_restart_and_a_gap(harness, tmp_path):
    port = free_port()
    daemon = demo(harness, port)
    soak = Soak(harness, port, tmp_path / "out", 10, *LENIENT)
    soak.wait_begun()
    time.sleep(0.5)
    daemon.close()
    time.sleep(1)
    demo(harness, port)
    time.sleep(0.7)
    soak.process.send(signal.SIGINT)
    code, findings = soak.end()
    assert (code, findings["verdict"], findings["ended"]) == (1, "NOT HEALTHY", "early")
    assert {"restarts", "failed_scrapes"} <= failed(findings)
    assert len(findings["restarts_s"]) == 1
    assert len(findings["scrapes"]["gaps"]) == 1 and findings["scrapes"]["failures"]["connect"] >= 2
    gap = findings["scrapes"]["gaps"][0]
    rows = [row for row in soak.report()["scrapes"]["rows"] if gap["from_s"] < row[0] - 0.001 < gap["to_s"] - 0.01]
    assert rows and all(value is None for row in rows for value in row[1:]), rows
    # Everything that the new process counted is growth; otherwise the count would be far lower.
    assert findings["cycles"]["done"] >= 200
    html = (soak.out / "soak.html").read_text()
    assert 'class="restart"' in html and 'class="gap"' in html and "ended early" in html


def test_a_failing_model_is_not_healthy(harness, tmp_path):
    harness.model.always = http.status(500)
    # Without the breaker, because with it cycles would fail without a request.
    daemon = harness.start("--schedule", "* * * * * *", settings={"breaker.failures": 0}).wait_serving()
    code, findings = Soak(harness, daemon.port, tmp_path, 0.07, *LENIENT).end()
    assert (code, findings["verdict"]) == (1, "NOT HEALTHY")
    assert "failed_cycles" in failed(findings)
    errors, cycles = findings["errors"], findings["cycles"]
    assert cycles["failed"] == cycles["done"] >= 1
    # The last scrape may be between a request and the end of its cycle.
    assert 0 <= errors["failures"]["predictions"] - cycles["done"] <= 1
    assert errors["api_errors"]["hub"]["500"] >= cycles["failed"]
    assert errors["api_errors"]["hub"]["404"] == 0 and errors["failures"]["fetches"] == 0
    page = (tmp_path / "soak.html").read_text()
    assert "✗ NOT HEALTHY" in page and f"500: {errors['api_errors']['hub']['500']:.0f}" in page


@pytest.mark.long
def test_an_interrupted_soak_ends_with_the_daemons_own_final_count(harness, tmp_path):
    daemon = demo(harness, free_port(), "--cycles", "203")
    soak = Soak(harness, daemon.port, tmp_path / "out", 10, *LENIENT)
    # A killed soak leaves its files; the next one does not overwrite them without a flag.
    soak.wait_begun()
    soak.process.close()
    assert soak.report()["findings"]["ended"] == "running"
    code, _ = Soak(harness, daemon.port, soak.out, 10).process.wait_exit()
    assert code == 64 and soak.report()["findings"]["ended"] == "running"

    soak = Soak(harness, daemon.port, soak.out, 10, "--force", *LENIENT)
    final = daemon.after_cycles(203, 20)
    time.sleep(1)
    soak.process.send(signal.SIGINT)
    code, findings = soak.end()
    assert findings["ended"] == "early" and findings["cycles"]["count_last"] == final("trading_cycles_total") == 203
    assert code == (0 if findings["is_healthy"] else 1)
    assert "ended early, after" in soak.process.output()
    assert sorted(path.name for path in soak.out.iterdir()) == ["soak.html", "soak.json"]


def test_a_daemon_behind_a_password_can_be_watched(harness, tmp_path):
    exposition = harness.start("--cycles", "1").after_cycles(1).text
    expected = "Basic aHViOnMzY3JldA=="

    def guarded(handler, request):
        allowed = request.headers.get("authorization") == expected
        handler.answer(exposition, 200 if allowed else 401, {"Content-Type": "text/plain"})

    harness.market.always = guarded
    (tmp_path / "password").write_text("s3cret\n")
    soak = Soak(harness, harness.market.port, tmp_path / "a", 0.02)
    assert soak.process.wait_exit()[0] == 1 and "--user NAME --password-file FILE" in soak.process.output()
    login = ["--user", "hub", "--password-file", str(tmp_path / "password")]
    # This server has the same page at every path, so its /health is useless.
    told = Soak(harness, harness.market.port, tmp_path / "c", 0.02, *login).process
    assert told.wait_exit(20)[0] == 1 and "/health does not report how often" in told.output()
    assert "--cycle-seconds N" in told.output() and not (tmp_path / "c/soak.json").exists()
    code, findings = Soak(harness, harness.market.port, tmp_path / "b", 0.02, "--cycle-seconds", "1", *login).end()
    # No cycle ever ends there.
    assert code == 1 and findings["scrapes"]["failed"] == 0 and "cycles_done" in failed(findings)
    assert "s3cret" not in (tmp_path / "b/soak.json").read_text()


def test_problems_are_reported_with_advice(harness, tmp_path):
    absent = harness.command("soak", "--minutes", "1", "--url", f"http://127.0.0.1:{free_port()}", "--out", str(tmp_path))
    (tmp_path / "file").write_text("")
    for args, wanted in [
        (["--minutes", "1", "--out", str(tmp_path / "file/out")], "name another folder with --out"),
        (["--minutes", "0"], "must be a number from 0.01"),
        (["--minutes", "1", "--url", "127.0.0.1:8000"], "http://HOST:PORT"),
        (["--minutes", "44640", "--period", "1"], "use --period"),
        (["--minutes", "1", "--user", "hub"], "--password-file"),
    ]:
        said = harness.command("soak", "--out", str(tmp_path), *args) if "--out" not in args else harness.command("soak", *args)
        assert said.wait_exit()[0] == 64 and wanted in said.output(), (args, said.output())
    other = harness.command("soak", "--minutes", "1", "--url", harness.model.url, "--out", str(tmp_path))
    assert other.wait_exit()[0] == 1 and "does another program use this port?" in other.output()
    assert absent.wait_exit(20)[0] == 1
    assert "cannot connect" in absent.output() and "sentinel demo" in absent.output()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(("soak", "."))] == []


@pytest.mark.long
@pytest.mark.parametrize(("schedule", "period_s"), [("* * * * * *", 1), ("*/3 * * * * *", 3)])
def test_the_schedule_is_the_daemons_unless_a_flag_sets_it(harness, tmp_path, schedule, period_s):
    daemon = harness.start("--schedule", schedule)
    daemon.after_cycles(1)
    port = daemon.port
    assert json.loads(daemon.get("/health")[2])["period_seconds"] == period_s
    # The few cycles of the daemon's own schedule are enough.
    code, findings = Soak(harness, port, tmp_path / "a", 0.12, *LENIENT).end()
    assert (findings["cycle_seconds"], findings["cycles"]["due"]) == (period_s, 7 // period_s)
    assert code == 0, findings["checks"]
    code, findings = Soak(harness, port, tmp_path / "b", 0.05, "--cycle-seconds", "0.1", *LENIENT).end()
    assert findings["cycle_seconds"] == 0.1 and (code, failed(findings)) == (1, {"cycles_done"})


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_the_first_scrape_ends_it(harness, tmp_path, number):
    harness.model.always = http.hang
    soak = harness.command("soak", "--minutes", "1", "--url", harness.model.url, "--out", str(tmp_path / "out"))
    wait_until("a running scrape", lambda: harness.model.requests, 10)
    code, _ = soak.stop(number)
    assert code == 1 and "nothing to report" in soak.output()
