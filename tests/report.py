"""Counts the tests in a log of `cargo test` or a JUnit file of pytest: prints `<passed> <failed> <skipped>`, then a line for each
skipped test with its reason. The cases of a parametrized test share one line.

Usage: report.py cargo LOG | report.py junit XML. If everything must run (SENTINEL_ALL_TESTS), a skipped test counts as failed. A
test that `cargo test` ignored always does, because it has no reason.
"""

import os
import re
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

CARGO_RESULT = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored", re.MULTILINE)


def cargo(log: str) -> tuple[int, int, dict[str, str]]:
    """Sums the `test result:` lines, one per test binary."""
    counts = [tuple(map(int, match)) for match in CARGO_RESULT.findall(log)]
    return sum(passed for passed, _, _ in counts), sum(failed + ignored for _, failed, ignored in counts), {}


def junit(xml: str) -> tuple[int, int, dict[str, str]]:
    """Counts test cases. A case that failed and whose teardown also failed counts once."""
    cases: dict[str, bool] = {}
    skipped: dict[str, str] = {}
    for case in ElementTree.fromstring(xml).iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        bad = any(case.find(tag) is not None for tag in ("failure", "error"))
        cases[name] = cases.get(name, False) or bad
        if (skip := case.find("skipped")) is not None:
            skipped[name] = skip.get("message", "no reason")
    if os.environ.get("SENTINEL_ALL_TESTS"):
        cases |= dict.fromkeys(skipped, True)
        skipped = {}
    failed = sum(cases.values())
    return len(cases) - failed - len(skipped), failed, skipped


def lines(skipped: dict[str, str]) -> list[str]:
    """A line for each skipped test, with the number of its cases if there are several."""
    counts = Counter((name.split("[")[0], reason) for name, reason in skipped.items())
    return [f"{name}{f' ({count} cases)' if count > 1 else ''}: {reason}" for (name, reason), count in counts.items()]


if __name__ == "__main__":
    kind, path = sys.argv[1:]
    text = Path(path).read_text(encoding="utf-8", errors="replace") if Path(path).exists() else ""
    try:
        passed, failed, skipped = {"cargo": cargo, "junit": junit}[kind](text)
    except ElementTree.ParseError:
        passed, failed, skipped = 0, 0, {}
    print(f"{passed} {failed} {len(skipped)}", *lines(skipped), sep="\n")
