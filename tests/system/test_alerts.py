"""alerts.yml against alerts_test.yml: the tests hold, they are about every rule, and they notice every broken one."""

import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from parts.mutants import mutants
from parts.promtool import HASTY, MONITORING, Rules, holds, name_of, subjects

RULES = Rules()
ALERTS = [rule for rule in RULES.rules.values() if "alert" in rule]
# Mutants that are no change, and why.
MATCHED_BY_LABELS = "the other side has the labels of our job only, and they have to match"
PRESENCE = "only whether there is a sample counts, not which"
EQUIVALENT = {
    ("SentinelFamiliesMissing", "last_over_time (1) as min_over_time"): PRESENCE,
    ("SentinelFamiliesMissing", "last_over_time (1) as max_over_time"): PRESENCE,
    ("SentinelAftermath", "max_over_time (1) as min_over_time"): PRESENCE,
    ("SentinelAftermath", "max_over_time (1) as last_over_time"): PRESENCE,
    ("SentinelHubRulesFailing", "rule_group (1) dropped"): MATCHED_BY_LABELS,
    ("SentinelHubRulesFailing", "rule_group (2) dropped"): MATCHED_BY_LABELS,
    ("SentinelFilesRunningOut", "job (1) dropped"): MATCHED_BY_LABELS,
    ("SentinelFilesRunningOut", "job (2) dropped"): MATCHED_BY_LABELS,
    ("SentinelScrapesFailing", "job (1) dropped"): MATCHED_BY_LABELS,
    ("SentinelScrapesFailing", "job (2) dropped"): MATCHED_BY_LABELS,
    ("sentinel:trading_cycles_failed:ratio15m", "job (1) dropped"): MATCHED_BY_LABELS,
    ("sentinel:trading_cycles_failed:ratio15m", "job (2) dropped"): MATCHED_BY_LABELS,
    ("sentinel:trading_cycles_failed:ratio30m", "job (1) dropped"): MATCHED_BY_LABELS,
    ("sentinel:trading_cycles_failed:ratio30m", "job (2) dropped"): MATCHED_BY_LABELS,
    ("sentinel:trading_cycles_failed:ratio6h", "job (1) dropped"): MATCHED_BY_LABELS,
    ("sentinel:data_fetch_failed:ratio15m", "job (1) dropped"): MATCHED_BY_LABELS,
    ("sentinel:prediction_failures:ratio15m", "job (1) dropped"): MATCHED_BY_LABELS,
}


def run(*command: str) -> tuple[int, str]:
    """Exit code and all that a program said."""
    done = subprocess.run(command, capture_output=True, text=True, env=HASTY)
    return done.returncode, done.stdout + done.stderr


def test_the_rules_are_as_their_tests_say():
    code, said = run("promtool", "test", "rules", str(MONITORING / "alerts_test.yml"))
    assert code == 0, said


def test_promtool_finds_no_fault_with_the_rules():
    assert run("promtool", "check", "rules", "--lint-fatal", str(MONITORING / "alerts.yml"))[0] == 0


@pytest.mark.parametrize("rule", ALERTS, ids=name_of)
def test_an_alert_says_what_is_wrong_how_much_and_what_to_do(rule):
    assert rule["labels"]["severity"] in ("critical", "warning", "heartbeat", "none")
    summary, description, runbook = (rule["annotations"][key] for key in ("summary", "description", "runbook"))
    assert len(summary) < 100 and "$value" in description
    # An action: it names a command of Sentinel, or says what to look at.
    assert re.search(r"sentinel \w+|Read|look|Compare|free|dashboard", runbook), runbook


def test_few_are_critical():
    critical = [name_of(rule) for rule in ALERTS if rule["labels"]["severity"] == "critical"]
    assert 20 <= len(ALERTS) <= 30 and len(critical) <= len(ALERTS) / 3, critical


def test_every_rule_looks_at_our_job_only():
    for name, rule in RULES.rules.items():
        raw = re.findall(r"\b(?:sentinel_|process_|up\b)\w*(\{[^}]*\})?", rule["expr"])
        assert all('job="sentinel-metrics"' in selector for selector in raw), name


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not():
    for name in map(name_of, ALERTS):
        own = [case for test in RULES.about(name) for case in test.get("alert_rule_test", [])]
        cases = [bool(case.get("exp_alerts")) for case in own if case["alertname"] == name]
        assert True in cases, name
        assert False in cases or name == "SentinelWatchdog", name


def test_no_test_is_about_a_rule_that_there_is_not():
    named = {name for test in RULES.tests for name in subjects(test)}
    assert named - {"each", "all"} == set(RULES.rules)


def verdict(name: str, mutant: dict | None, directory: Path) -> bool:
    """Whether the tests about a rule hold, with the mutant in its place."""
    directory.mkdir(parents=True)
    for test in RULES.about(name):
        rules = [mutant if mutant and name_of(rule) == name else rule for rule in RULES.needed(name, test)]
        if not holds(directory, RULES.interval, rules, [test]):
            return False
    return True


def test_every_mutant_of_every_rule_is_noticed(tmp_path):
    """With the rule as it is the same tests hold, so it is the mutation that they notice."""
    jobs = [(name, "nothing", None) for name in RULES.rules]
    jobs += [(name, what, mutant) for name, rule in RULES.rules.items() for what, mutant in mutants(rule)]
    assert len({(name, what) for name, what, _ in jobs}) == len(jobs)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        numbered = enumerate(jobs)
        verdicts = list(threads.map(lambda job: verdict(job[1][0], job[1][2], tmp_path / str(job[0])), numbered))
    held = {(name, what) for (name, what, _), good in zip(jobs, verdicts, strict=True) if good}
    untouched = {(name, "nothing") for name in RULES.rules}
    assert held >= untouched, f"fails without a mutation: {untouched - held}"
    assert held - untouched == set(EQUIVALENT)
