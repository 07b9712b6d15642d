"""RUNBOOK.md: exactly one entry for every alert, each with its parts, and working links."""

import re
import subprocess

import pytest
import yaml

from parts.promtool import MONITORING, Rules, name_of

TEXT = (MONITORING / "RUNBOOK.md").read_text()
ALERTS = {name_of(rule): rule for rule in Rules().rules.values() if "alert" in rule}
ENTRIES = dict(re.findall(r"^### (\S+)\n(.*?)(?=^##|\Z)", TEXT, flags=re.MULTILINE | re.DOTALL))
PARTS = ["Means", "Look at", "Do", "Ends"]
COMMAND = re.compile(
    r"sentinel (?:verify \w+|cluster \w+|orders (?:--unresolved|resolve|closed|show)|orders|explain|pnl|check|resume|halt|--version)"
)


def anchors() -> list[str]:
    """The anchors of Markdown headings: lower case, without punctuation, with hyphens."""
    headings = re.findall(r"^#+ (.+)$", TEXT, flags=re.MULTILINE)
    return [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]


def test_every_alert_has_an_entry_and_every_entry_an_alert():
    assert len(ENTRIES) == TEXT.count("\n### ")
    assert set(ENTRIES) == set(ALERTS)


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_an_entry_has_all_four_parts(name):
    entry = ENTRIES[name].strip()
    parts = re.findall(r"^- \*\*([\w ]+):\*\* (\S.{8,})", entry, flags=re.MULTILINE)
    assert [part for part, _ in parts] == PARTS
    assert entry.startswith("- **Means:**")


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_an_entry_has_the_commands_of_its_alert(name):
    annotations = ALERTS[name]["annotations"]
    # Relative to alerts.yml until HUB's owner has an address for it.
    assert annotations["runbook_url"] == f"RUNBOOK.md#{name.lower()}"
    wanted = set(COMMAND.findall(annotations["runbook"]))
    assert wanted - set(COMMAND.findall(ENTRIES[name])) == set()


def test_the_command_of_the_readme_creates_links():
    """Runs the command of the README."""
    readme = (MONITORING / "README.md").read_text()
    [program] = re.findall(r"^sed -i '(s\|runbook_url.*)' /etc/prometheus/sentinel-alerts.yml$", readme, flags=re.MULTILINE)
    done = subprocess.run(["sed", program, MONITORING / "alerts.yml"], capture_output=True, text=True, check=True)
    groups = yaml.safe_load(done.stdout)["groups"]
    urls = [rule["annotations"].pop("runbook_url") for group in groups for rule in group["rules"] if "alert" in rule]
    base = "https://git.example/sentinel/config/monitoring/RUNBOOK.md#"
    assert urls == [base + name.lower() for name in ALERTS]


def test_every_link_leads_somewhere():
    links = re.findall(r"\]\(([^)]+)\)", TEXT)
    assert len(links) > 5
    known = anchors()
    assert len(known) == len(set(known)), "an anchor that two headings have leads to the first"
    for link in links:
        path, _, anchor = link.partition("#")
        assert not path or (MONITORING / path).is_file(), link
        assert path or not anchor or anchor in known, link


def test_it_has_the_rule_of_severity_of_the_alerts():
    [rule] = re.findall(r"^# Critical is:? \"?(.+?unknown outcome)", (MONITORING / "alerts.yml").read_text(), flags=re.MULTILINE)
    assert f'**Critical** is "{rule}"' in " ".join(TEXT.split())
