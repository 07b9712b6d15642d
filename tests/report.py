"""Counts the tests in a log of `cargo test` or a JUnit file of pytest: prints `<passed> <failed>`.

Usage: report.py cargo LOG | report.py junit XML. Anything that was left out (ignored, skipped) counts as failed: a
test that does not run proves nothing.
"""

import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

CARGO_RESULT = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored", re.MULTILINE)


def cargo(log: str) -> tuple[int, int]:
    """Sums the `test result:` lines, one per test binary."""
    counts = [tuple(map(int, match)) for match in CARGO_RESULT.findall(log)]
    return sum(passed for passed, _, _ in counts), sum(failed + ignored for _, failed, ignored in counts)


def junit(xml: str) -> tuple[int, int]:
    """Counts test cases; one that failed and whose teardown failed as well counts once."""
    cases: dict[tuple[str | None, str | None], bool] = {}
    for case in ElementTree.fromstring(xml).iter("testcase"):
        key = (case.get("classname"), case.get("name"))
        bad = any(case.find(tag) is not None for tag in ("failure", "error", "skipped"))
        cases[key] = cases.get(key, False) or bad
    failed = sum(cases.values())
    return len(cases) - failed, failed


if __name__ == "__main__":
    kind, path = sys.argv[1:]
    text = Path(path).read_text(encoding="utf-8", errors="replace") if Path(path).exists() else ""
    try:
        passed, failed = {"cargo": cargo, "junit": junit}[kind](text)
    except ElementTree.ParseError:
        passed, failed = 0, 0
    print(passed, failed)
