"""Runs `sentinel verify --json` and reads its checks by name; and a fake daemon with any metrics."""

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from parts.daemon import environment
from parts.http import Handler, Request, ScriptedHttp

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# The line that the operators of HUB know from the scripts that this command replaces.
EVIDENCE = rf"fetched in [\d.]+ ms, [\d,]+ bytes, [\d,]+ entries, {CONTENT_TYPE}, health pass"
UPTIME, CYCLES, CLOCK = "sentinel_daemon_uptime_seconds", "sentinel_trading_cycles_total", "sentinel_time_seconds"


@dataclass
class Verdict:
    """The result of one run."""

    code: int
    out: str
    err: str

    def __post_init__(self):
        report = json.loads(self.out)
        self.checks = {check["name"]: check for check in report["checks"]}
        assert len(self.checks) == len(report["checks"]), "every check has a name of its own"
        assert report["is_good"] == (not self.failed) == (self.code == 0), self.out
        bare = [name for name in self.failed if "advice" not in self.checks[name]]
        assert all(self.found(name).startswith("not checked: ") for name in bare), f"no advice for {bare}"

    @property
    def failed(self) -> set[str]:
        """The names of the checks that failed."""
        return {name for name, check in self.checks.items() if check["mark"] == "failed"}

    @property
    def noted(self) -> set[str]:
        """The names of the checks that neither passed nor failed."""
        return {name for name, check in self.checks.items() if check["mark"] == "note"}

    def found(self, name: str) -> str:
        """What a check found."""
        return self.checks[name]["found"]

    def advice(self, name: str) -> str:
        """What to do about a check that failed."""
        return self.checks[name]["advice"]


def run(binary: Path, *args: str, **env: str) -> subprocess.CompletedProcess:
    """Runs `sentinel verify` without a token. `env` is added to the clean environment."""
    env = environment(**env)
    del env["EODHD_API_TOKEN"]
    return subprocess.run([binary, "verify", *args], env=env, capture_output=True, text=True, timeout=60)


def verify(binary: Path, *args: str, **env: str) -> Verdict:
    """Runs `sentinel verify ... --json`."""
    done = run(binary, *args, "--json", **env)
    return Verdict(done.returncode, done.stdout, done.stderr)


class FakeDaemon(ScriptedHttp):
    """Serves an exposition in which uptime and cycles grow with each scrape and the clock is right. `change` may change
    anything in it."""

    def __init__(self, text: str, change: Callable[[str, int], str] = lambda text, scrape: text):
        self.text, self.change, self.scrapes = text, change, 0
        self.content_type = CONTENT_TYPE
        self.health = 200, {"status": "ok", "checks": []}
        super().__init__()

    def serve(self, handler: Handler, request: Request):
        """/metrics and /health."""
        if request.path == "/health":
            status, body = self.health
            return handler.answer(json.dumps(body), status)
        if request.path != "/metrics":
            return handler.answer("not here", 404)
        self.scrapes += 1
        lines = self.text.splitlines(keepends=True)
        moving = {UPTIME: 1000 + self.scrapes, CYCLES: 1000 + self.scrapes, CLOCK: time.time()}
        for name, value in moving.items():
            lines = [f"{name} {value}\n" if line.startswith(f"{name} ") else line for line in lines]
        handler.answer(self.change("".join(lines), self.scrapes), 200, {"Content-Type": self.content_type})
