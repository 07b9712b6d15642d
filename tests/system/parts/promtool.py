"""Rules and their tests for `promtool test rules`: all of them, or many runs with only the rules that a test needs."""

import json
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from parts.paths import MONITORING
from parts.requirements import require

# promtool runs for seconds, so it does not have to collect garbage: this saves a quarter of the time.
HASTY = os.environ | {"GOGC": "800"}
# Files per process: enough that the start costs little, few enough that all cores are busy until the end.
FILES_PER_RUN = 30


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """Refuses duplicate keys, like promtool."""

    def construct_mapping(self, node, deep=False):
        keys = [key.value for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        assert not twice, f"{twice} twice, line {node.start_mark.line + 1}"
        return super().construct_mapping(node, deep)


class Rules:
    """alerts.yml and alerts_test.yml, parsed."""

    def __init__(self):
        self.groups = yaml.load((MONITORING / "alerts.yml").read_text(), Loader)["groups"]
        self.rules = {name_of(rule): rule for group in self.groups for rule in group["rules"]}
        document = yaml.load((MONITORING / "alerts_test.yml").read_text(), Loader)
        self.interval, self.tests = document["evaluation_interval"], document["tests"]

    def about(self, name: str) -> list[dict]:
        """The tests that name a rule, shortest first."""
        return sorted((test for test in self.tests if name in subjects(test)), key=minutes)

    def needed(self, names: set[str]) -> list[dict]:
        """Rules and all rules that they use, in the order of the file."""
        wanted, found = set(names), set()
        while wanted:
            found.add(one := wanted.pop())
            wanted |= {other for other in self.rules if other in self.rules[one]["expr"] and other != one} - found
        return [rule for own, rule in self.rules.items() if own in found]


def name_of(rule: dict) -> str:
    """The name of an alert or a recorded series."""
    return rule.get("alert") or rule["record"]


def subjects(test: dict) -> list[str]:
    """The rules that a test names; `all` means all rules together."""
    return test["name"].split(": ")[0].split(", ")


def minutes(test: dict) -> int:
    """The duration of a test: until its last check, given in minutes or hours."""
    looks = [case["eval_time"] for key in ("alert_rule_test", "promql_expr_test") for case in test.get(key, [])]
    return max(int(look[:-1]) * {"m": 1, "h": 60}[look[-1]] for look in looks)


def verdicts(directory: Path, interval: str, trials: list[tuple[list[dict], list[dict]]]) -> list[bool]:
    """For each trial (rules and tests): whether the tests pass in promtool. The files stay in the directory."""
    directory.mkdir(parents=True, exist_ok=True)
    require("promtool")
    for at, (rules, tests) in enumerate(trials):
        # JSON is YAML, and faster to write.
        (directory / f"{at}.yml").write_text(json.dumps({"groups": [{"name": "one", "rules": rules}]}))
        document = {"rule_files": [f"{at}.yml"], "evaluation_interval": interval, "tests": tests}
        (directory / f"{at}_test.yml").write_text(json.dumps(document))
    size = min(FILES_PER_RUN, 1 + len(trials) // (2 * os.cpu_count()))
    runs = [range(start, min(start + size, len(trials))) for start in range(0, len(trials), size)]

    def run(numbers: range) -> list[bool]:
        command = ["promtool", "test", "rules", *(str(directory / f"{at}_test.yml") for at in numbers)]
        said = subprocess.run(command, capture_output=True, text=True, env=HASTY | {"GOMAXPROCS": "1"}).stdout
        good = {int(at) for at in re.findall(r"Unit Testing: .*/(\d+)_test\.yml\n\s*SUCCESS", said)}
        return [at in good for at in numbers]

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return [verdict for part in threads.map(run, runs) for verdict in part]
