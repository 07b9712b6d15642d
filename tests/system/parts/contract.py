"""The contract with HUB, as data/catalogue.md has it: every family, and among them the eighteen that dashboards, alerts and
years of stored history depend on. The shipped src/tools/probe/contract.rs is written independently, and tested against it."""

import itertools
from dataclasses import dataclass

from parts.paths import SYSTEM_TESTS

BOLD = "**"


@dataclass(frozen=True)
class Row:
    """One row of the catalogue, as agreed with HUB. `buckets` are all bounds except `+Inf`, as Prometheus stores them, and
    `original_buckets` those of the original. `labels` are the values that exist from the first scrape; those of symbols and builds
    are examples."""

    name: str
    type: str
    labels: dict[str, list[str]]
    buckets: list[str]
    original_buckets: list[str]
    help: str
    is_original: bool
    is_absent_until_told: bool

    def children(self, symbols: list[str]) -> set[frozenset]:
        """The label sets of every child of a daemon with these symbols."""
        values = [symbols if label == "symbol" else given for label, given in self.labels.items()]
        return {frozenset(zip(self.labels, chosen, strict=True)) for chosen in itertools.product(*values)}


def catalogue() -> list[Row]:
    """The rows of data/catalogue.md, in its order."""
    lines = (SYSTEM_TESTS / "data/catalogue.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("|")]
    assert rows[0] == ["name", "type", "labels (pre-initialised values)", "unit", "buckets", "help"]
    return [_row(*cells) for cells in rows[2:]]


def _row(name: str, kind: str, labels: str, unit: str, buckets: str, help_text: str) -> Row:
    given = dict(label.strip().split("=") for label in labels.split(";")) if labels else {}
    return Row(
        name=name.strip("*"),
        type=kind,
        labels={label: values.split("/") for label, values in given.items()},
        buckets=[_bound(bound) for bound in buckets.split()],
        original_buckets=[_bound(bound) for bound in buckets.split() if bound.startswith(BOLD)],
        help=help_text,
        is_original=name.startswith(BOLD),
        is_absent_until_told="absent until told" in unit,
    )


def _bound(text: str) -> str:
    return str(float(text.strip("*")))


EIGHTEEN = [row for row in catalogue() if row.is_original]

FAILURE_COUNTERS = {family.name for family in EIGHTEEN if "fail" in family.name or "error" in family.name}
