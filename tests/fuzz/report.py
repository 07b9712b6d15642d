"""Reads the logs of a fuzzing run: writes a table and a JUnit file, and prints the failures with their inputs.

Usage: report.py RUN_FOLDER BINARIES RESULT.xml TARGET... Each target's folder has libFuzzer's `log` and `status`.
"""

import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

STAT = re.compile(r"^stat::(\w+):\s+(\d+)$", re.MULTILINE)
ARTIFACT = re.compile(r"Test unit written to (\S+)")
PROGRESS = re.compile(r"cov: (\d+) ft: \d+ corp: (\d+)/")


def read(folder: Path, binary: Path) -> tuple[dict[str, int], str | None]:
    """The figures of one target, and its failure."""
    log = (folder / "log").read_text(encoding="utf-8", errors="replace") if (folder / "log").exists() else ""
    status = (folder / "status").read_text().strip() if (folder / "status").exists() else "it did not start"
    figures = {name: int(value) for name, value in STAT.findall(log)}
    if progress := PROGRESS.findall(log):
        figures["coverage"], figures["corpus"] = map(int, progress[-1])
    if status == "0" and figures.get("number_of_executed_units"):
        return figures, None
    inputs = "".join(f"\nreplay: {binary} {path}" for path in ARTIFACT.findall(log))
    return figures, f"exit {status}{inputs}\n" + "\n".join(log.splitlines()[-60:])


def main(run: Path, binaries: Path, result: Path, targets: list[str]) -> int:
    suite = ElementTree.Element("testsuite", name="fuzz")
    row = "{:<14} {:>12} {:>9} {:>10} {:>7} {:>8} {:>9}".format
    table = [row("target", "inputs", "inputs/s", "slowest s", "kept", "edges", "peak MiB")]
    problems = []
    for target in targets:
        figures, failure = read(run / target, binaries / target)
        case = ElementTree.SubElement(suite, "testcase", classname="fuzz", name=target)
        names = ["number_of_executed_units", "average_exec_per_sec", "slowest_unit_time_sec", "corpus", "coverage"]
        table.append(row(target, *(figures.get(name, "-") for name in [*names, "peak_rss_mb"])))
        if failure is not None:
            ElementTree.SubElement(case, "failure", message="see the log").text = re.sub(r"[^\t\n -~]", "?", failure)
            problems.append(f"FAILED {target}: {failure}")
    ElementTree.ElementTree(suite).write(result)
    result.with_suffix(".table").write_text("\n".join(table) + "\n")
    print("\n".join(problems + table))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:4]), sys.argv[4:]))
