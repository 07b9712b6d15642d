"""alerts.yml and alerts_test.yml: the tests pass, cover every rule, and notice every broken rule."""

import re
import shutil
import subprocess

import pytest
import yaml

from parts.promtool import HASTY, MONITORING, Rules, name_of, subjects, verdicts
from parts.random_failures import CALM, PATTERNS, trial
from parts.requirements import require
from parts.rule_mutants import mutants

RULES = Rules()
ALERTS = [rule for rule in RULES.rules.values() if "alert" in rule]
CATALOGUE = MONITORING.parents[1] / "actors/src/adapters/prometheus/catalogue.rs"
JOIN = "on (job, instance, node)"
BUILD = "version, revision, rustc"
# Why each critical alert is critical, by the two conditions at the top of alerts.yml.
NO_TRADING, OUTCOME_UNKNOWN = "no trading although there should be", "an order of unknown outcome"
CRITICAL = {
    "SentinelDown": NO_TRADING,
    "SentinelTargetMissing": NO_TRADING,
    "SentinelFamiliesMissing": NO_TRADING,
    "SentinelTwoUnderOneName": NO_TRADING,
    "SentinelCrashLoop": NO_TRADING,
    "SentinelActorDown": NO_TRADING,
    "SentinelCyclesStalled": NO_TRADING,
    "SentinelAccountNotHeld": NO_TRADING,
    "SentinelTwoOwners": OUTCOME_UNKNOWN,
    "SentinelShardsNotOwned": NO_TRADING,
    "SentinelClusterHalted": NO_TRADING,
    "SentinelShardOwnedTwice": OUTCOME_UNKNOWN,
    "SentinelClaimUnsettled": OUTCOME_UNKNOWN,
    "SentinelNotReady": NO_TRADING,
    "SentinelAllBarsStale": NO_TRADING,
    "SentinelCredentialsRefused": NO_TRADING,
    "SentinelMarketAway": NO_TRADING,
    "SentinelModelAway": NO_TRADING,
    "SentinelGatewayAway": NO_TRADING,
    "SentinelNoOrderArrives": NO_TRADING,
    "SentinelNoPredictions": NO_TRADING,
    "SentinelAllOrdersRejected": NO_TRADING,
    "SentinelJournalAway": NO_TRADING,
    "SentinelOrdersUnresolved": OUTCOME_UNKNOWN,
}
# Mutants that change nothing, and why.
EQUIVALENT = {
    ("SentinelDeadmanFailing", "outcome (1) dropped"): "what arrived is what the other side looks for",
    ("SentinelWatchdog", "keep_firing_for added"): "it never ends",
    ("SentinelAftermath", "max_over_time (1) as min_over_time"): "of ALERTS only whether there is a sample counts",
    ("SentinelAftermath", "max_over_time (1) as last_over_time"): "of ALERTS only whether there is a sample counts",
    ("SentinelBudgetAftermath", "max_over_time (1) as min_over_time"): "of ALERTS only whether there is a sample counts",
    ("SentinelBudgetAftermath", "max_over_time (1) as last_over_time"): "of ALERTS only whether there is a sample counts",
    ("SentinelHubRulesFailing", "rule_group (1) dropped"): "the other side has our groups only, and they have to match",
    ("SentinelHubRulesFailing", "rule_group (2) dropped"): "the other side has our groups only, and they have to match",
}


def run(*command: str) -> tuple[int, str]:
    """Exit code and output of a program."""
    require(command[0])
    done = subprocess.run(command, capture_output=True, text=True, env=HASTY)
    return done.returncode, done.stdout + done.stderr


def test_the_rules_pass_their_tests(tmp_path):
    """Runs every test with the rules that it names and the rules that these use; tests named `all` with all rules."""
    named = [{name for name in subjects(test) if name in RULES.rules} or set(RULES.rules) for test in RULES.tests]
    held = verdicts(tmp_path, RULES.interval, [(RULES.needed(own), [test]) for own, test in zip(named, RULES.tests, strict=True)])
    failed = [at for at, good in enumerate(held) if not good]
    said = [run("promtool", "test", "rules", str(tmp_path / f"{at}_test.yml"))[1] for at in failed[:3]]
    assert not failed, "\n".join([*(RULES.tests[at]["name"] for at in failed), *said])


@pytest.mark.full
def test_the_rules_pass_their_tests_as_one_file():
    """Every test with every rule, as a person runs it; this takes minutes."""
    code, said = run("promtool", "test", "rules", str(MONITORING / "alerts_test.yml"))
    assert code == 0, said


def test_promtool_accepts_the_rules():
    assert run("promtool", "check", "rules", "--lint-fatal", str(MONITORING / "alerts.yml"))[0] == 0


@pytest.mark.parametrize("rule", ALERTS, ids=name_of)
def test_an_alert_says_what_how_much_and_what_to_do(rule):
    assert rule["labels"]["severity"] in ("critical", "warning", "heartbeat", "none")
    summary, description, runbook = (rule["annotations"][key] for key in ("summary", "description", "runbook"))
    assert len(summary) < 100 and "$value" in description
    # Counts are whole numbers: `humanize` alone would show 6.388 cycles.
    assert not re.search(r"humanize *}}", description), description
    if re.search(r"increase\(", rule["expr"]) or ":increase" in rule["expr"].split(" and ")[0]:
        assert re.search(r'\$value \| (printf "%\.0f"|humanizePercentage)', description), description
    # The action names a command of Sentinel, or says what to look at.
    assert re.search(r"sentinel \w+|[Rr]ead|look|log|Compare|find out", runbook), runbook
    assert rule["annotations"]["runbook_url"].endswith(f"RUNBOOK.md#{name_of(rule).lower()}")


def test_critical_alerts_match_the_rule_of_severity():
    critical = {name_of(rule) for rule in ALERTS if rule["labels"]["severity"] == "critical"}
    assert critical == set(CRITICAL)
    assert set(CRITICAL.values()) == {NO_TRADING, OUTCOME_UNKNOWN}
    head = (MONITORING / "alerts.yml").read_text().split("groups:")[0]
    assert f"Critical is: {NO_TRADING}, or {OUTCOME_UNKNOWN}." in head


def test_few_are_critical():
    # Three are about the claim on the account and six about members that share it, which none of the others notices.
    assert len(ALERTS) <= 75 and len(CRITICAL) <= len(ALERTS) / 3, len(ALERTS)


def test_every_rule_looks_at_our_job_only():
    for name, rule in RULES.rules.items():
        raw = re.findall(r"\b(?:sentinel_|process_|up\b)\w*(\{[^}]*\})?", rule["expr"])
        assert all('job="sentinel-metrics"' in selector for selector in raw), name


def test_every_join_uses_unique_labels():
    """Two daemons may share an instance or a node, but not both, so no rule confuses two daemons."""
    # HUB's own series have other labels.
    hub = {"SentinelHubNotificationsFailing", "SentinelHubNotificationsDropped", "SentinelHubRulesFailing"}
    for name, rule in ((name, rule) for name, rule in RULES.rules.items() if name not in hub):
        joins = re.findall(r"\b(?:on|ignoring|by|without) *\([^)]*\)", rule["expr"])
        by = JOIN.replace("on", "by")
        more = [(JOIN, "endpoint"), (by, "endpoint"), (by, "symbol"), (JOIN, "stage"), (by, "stage"), (by, BUILD)]
        wanted = {JOIN, by, *(f"{one[:-1]}, {labels})" for one, labels in more)}
        if name in ("SentinelTwoOwners", "SentinelShardOwnedTwice", "SentinelShardsNotOwned"):
            # They compare daemons with each other.
            wanted |= {"on (account, shard)", "by (account, shard)", "by (account)", f"{by[:-1]}, account)"}
        assert set(joins) <= wanted, (name, joins)
    assert not any("inf-sentinel" in rule["expr"] for rule in RULES.rules.values())


def test_every_family_has_a_rule_or_a_reason():
    families = set(re.findall(r'= "((?:sentinel|process)_\w+)" in "', CATALOGUE.read_text()))
    reasons = yaml.safe_load((MONITORING / "without-alert.yml").read_text())
    needed = " ".join(rule["expr"] for rule in RULES.needed({name_of(rule) for rule in ALERTS}))
    found = set(re.findall(r"\b(?:sentinel|process)_\w+", needed))
    used = {name if name in families else re.sub(r"_(bucket|count|sum)$", "", name) for name in found}
    assert len(families) > 50 and all(reasons.values())
    assert used <= families, f"a rule needs what there is not: {used - families}"
    assert families - used == set(reasons), f"neither rule nor reason, or both: {(families - used) ^ set(reasons)}"


def test_every_alert_has_a_firing_and_a_silent_case():
    for name in map(name_of, ALERTS):
        own = [case for test in RULES.about(name) for case in test.get("alert_rule_test", [])]
        cases = [bool(case.get("exp_alerts")) for case in own if case["alertname"] == name]
        assert True in cases, name
        assert False in cases or name == "SentinelWatchdog", name


def test_every_test_names_existing_rules():
    named = {name for test in RULES.tests for name in subjects(test)}
    assert named - {"all"} == set(RULES.rules)


@pytest.mark.long
def test_random_failures_start_alerts_at_most_twice_a_day(tmp_path):
    """Cycles that fail at random (seeded) for days, at rates from 5 to 80 %."""
    rules = RULES.needed(set(CALM))
    held = verdicts(tmp_path, RULES.interval, [(rules, [trial(share)]) for share in PATTERNS])
    said = [run("promtool", "test", "rules", str(tmp_path / f"{at}_test.yml"))[1] for at, good in enumerate(held) if not good]
    assert not said, "\n".join(said)


@pytest.mark.long
def test_random_failures_detect_an_alert_without_hysteresis(tmp_path):
    rule = RULES.rules["SentinelFailureBudgetFast"]
    restless = rule | {"expr": "sentinel:trading_cycles_failed:ratio30m > 0.288"}
    rules = [restless if own is rule else own for own in RULES.needed(set(CALM))]
    assert verdicts(tmp_path, RULES.interval, [(rules, [trial(0.3)])]) == [False]


@pytest.mark.long
def test_every_mutant_of_every_rule_is_noticed(tmp_path):
    """The same tests pass with the original rule, so a failure means that the mutation was noticed. Tests run one after the
    other, shortest first, with all remaining mutants."""
    jobs = [(name, "nothing", rule) for name, rule in RULES.rules.items()]
    jobs += [(name, what, mutant) for name, rule in RULES.rules.items() for what, mutant in mutants(rule)]
    assert len({(name, what) for name, what, _ in jobs}) == len(jobs)
    for nth in range(max(len(RULES.about(name)) for name in RULES.rules)):
        tried = [job for job in jobs if nth < len(RULES.about(job[0]))]
        held = verdicts(tmp_path, RULES.interval, [with_mutant(job[0], job[2], nth) for job in tried])
        noticed = {job[:2] for job, good in zip(tried, held, strict=True) if not good}
        jobs = [job for job in jobs if job[:2] not in noticed]
        shutil.rmtree(tmp_path)
    survivors = {(name, what) for name, what, _ in jobs}
    untouched = {(name, "nothing") for name in RULES.rules}
    assert survivors >= untouched, f"fails without a mutation: {untouched - survivors}"
    assert survivors - untouched == set(EQUIVALENT)


def with_mutant(name: str, mutant: dict, nth: int) -> tuple[list[dict], list[dict]]:
    """The nth test of a rule, and the rules that it needs, with the mutant in place of the rule."""
    test = RULES.about(name)[nth]
    rules = RULES.needed({name} | {own for own in subjects(test) if own in RULES.rules})
    return [mutant if name_of(rule) == name else rule for rule in rules], [test]
