"""Rules and their tests for `promtool test rules`, whole or only the part that one rule needs."""

import os
import subprocess
from pathlib import Path

import yaml

MONITORING = Path(__file__).resolve().parents[3] / "config/monitoring"
# It lives for seconds, so it need not tidy up its memory: that saves a quarter of them.
HASTY = os.environ | {"GOGC": "800"}


class Rules:
    """alerts.yml and alerts_test.yml, parsed."""

    def __init__(self):
        self.groups = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"]
        self.rules = {name_of(rule): rule for group in self.groups for rule in group["rules"]}
        document = yaml.safe_load((MONITORING / "alerts_test.yml").read_text())
        self.interval, self.tests = document["evaluation_interval"], document["tests"]

    def about(self, name: str) -> list[dict]:
        """The tests that name a rule, the short ones first, then those of each."""
        own = [test for test in self.tests if name in subjects(test)]
        return sorted(own, key=minutes) + [test for test in self.tests if subjects(test) == ["each"]]

    def needed(self, name: str, test: dict) -> list[dict]:
        """The rules, in the order of the file, that a test of this rule needs: the alerts it asks for, or the rule, and
        what those are computed from."""
        wanted, found = {name} | {own for own in subjects(test) if own in self.rules}, set()
        while wanted:
            found.add(one := wanted.pop())
            wanted |= {other for other in self.rules if other in self.rules[one]["expr"] and other != one} - found
        return [rule for own, rule in self.rules.items() if own in found]


def name_of(rule: dict) -> str:
    """What an alert or a recorded series is called."""
    return rule.get("alert") or rule["record"]


def subjects(test: dict) -> list[str]:
    """What rules a test says that it is about; `each` is any one of them, `all` is all at once."""
    return test["name"].split(": ")[0].split(", ")


def minutes(test: dict) -> int:
    """How long a test lasts: until its last look, given in minutes or hours."""
    looks = [case["eval_time"] for key in ("alert_rule_test", "promql_expr_test") for case in test.get(key, [])]
    return max(int(look[:-1]) * {"m": 1, "h": 60}[look[-1]] for look in looks)


def holds(directory: Path, interval: str, rules: list[dict], tests: list[dict]) -> bool:
    """Whether promtool finds that these tests hold for these rules; the files are written into the directory."""
    (directory / "alerts.yml").write_text(as_yaml({"groups": [{"name": "one", "rules": rules}]}))
    document = {"rule_files": ["alerts.yml"], "evaluation_interval": interval, "tests": tests}
    (directory / "alerts_test.yml").write_text(as_yaml(document))
    command = ["promtool", "test", "rules", str(directory / "alerts_test.yml")]
    return subprocess.run(command, capture_output=True, env=HASTY | {"GOMAXPROCS": "1"}).returncode == 0


def as_yaml(document: dict) -> str:
    """YAML by the fast writer, if there is one."""
    return yaml.dump(document, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False, width=10_000)
