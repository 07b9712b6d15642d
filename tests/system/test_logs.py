"""What the daemon says: one line per cycle, each failure once, and no line that an outsider wrote."""

import json

import pytest

from parts import http


def lines(daemon) -> list[dict]:
    """Every line of stdout, each of which has to be JSON."""
    return [json.loads(line) for line in daemon.out.read_text().splitlines()]


def test_away_from_a_terminal_every_line_is_json_and_each_cycle_has_one(rig):
    daemon = rig.start("--back-to-back", "--cycles", "3")
    daemon.after_cycles(3)
    cycles = [line for line in lines(daemon) if line.get("message") == "cycle"]
    assert len({line["cycle_id"] for line in cycles}) == len(cycles) == 3
    for line in cycles:
        assert (line["level"], line["symbols"], line["failed"]) == ("INFO", 1, False)
        assert "BUY" in line["decision"] and line["duration_ms"] > 0
    assert daemon.err.read_text() == ""


@pytest.mark.parametrize(("part", "kind"), [("market", "503"), ("model", "503")])
def test_a_failure_is_logged_once_with_its_kind(rig, part, kind):
    getattr(rig, part).always = http.status(503)
    daemon = rig.start("--cycles", "1")
    daemon.after_cycles(1)
    failures = [line for line in lines(daemon) if line["level"] in ("WARN", "ERROR")]
    assert len(failures) == 1
    assert kind in str(failures[0]["error"])
    assert {"cycle_id", "stage"} <= set(failures[0])


@pytest.mark.parametrize("form", ["json", "text"])
def test_outside_text_cannot_make_a_line_of_its_own(rig, form):
    forged = 'x\r\n2026-01-01T00:00:00Z  INFO order filled\n{"level":"INFO","message":"forged"}\x1b[2J\u2028y'
    rig.market.always = http.status(404, forged)
    daemon = rig.start("--cycles", "1", settings={"log.format": form})
    daemon.after_cycles(1)
    said = daemon.out.read_text()
    assert "order filled" in said, "the server's words are shown"
    for line in said.splitlines():
        assert not line.startswith(("2026-01-01T00:00:00Z  INFO order", '{"level":"INFO","message":"forged"'))
    assert "\x1b[2J" not in said
