"""The daemon's log: one line per cycle, each failure once, and no line from outside text."""

import json

import pytest

from parts import http


def lines(daemon) -> list[dict]:
    """All lines of stdout; each must be JSON."""
    return [json.loads(line) for line in daemon.out.read_text().splitlines()]


def test_without_a_terminal_every_line_is_json(harness):
    daemon = harness.start("--back-to-back", "--cycles", "3")
    daemon.after_cycles(3)
    cycles = [line for line in lines(daemon) if line.get("message") == "cycle"]
    assert len({line["cycle_id"] for line in cycles}) == len(cycles) == 3
    for line in cycles:
        assert (line["level"], line["symbols"], line["failed"]) == ("INFO", 1, False)
        assert "BUY" in line["decision"] and line["duration_ms"] > 0
    assert daemon.err.read_text() == ""


@pytest.mark.parametrize(("part", "kind"), [("market", "503"), ("model", "503")])
def test_a_failure_is_logged_once_with_its_kind(harness, part, kind):
    getattr(harness, part).always = http.status(503)
    daemon = harness.start("--cycles", "1")
    daemon.after_cycles(1)
    failures = [line for line in lines(daemon) if line["level"] in ("WARN", "ERROR")]
    assert len(failures) == 1
    assert kind in str(failures[0]["error"])
    assert {"cycle_id", "stage"} <= set(failures[0])


@pytest.mark.parametrize("form", ["json", "text"])
def test_outside_text_cannot_add_a_line(harness, form):
    forged = 'x\r\n2026-01-01T00:00:00Z  INFO order filled\n{"level":"INFO","message":"forged"}\x1b[2J\u2028y'
    harness.market.always = http.status(404, forged)
    daemon = harness.start("--cycles", "1", settings={"log.format": form})
    daemon.after_cycles(1)
    said = daemon.out.read_text()
    assert "order filled" in said, "the server's words are shown"
    for line in said.splitlines():
        assert not line.startswith(("2026-01-01T00:00:00Z  INFO order", '{"level":"INFO","message":"forged"'))
    assert "\x1b[2J" not in said
