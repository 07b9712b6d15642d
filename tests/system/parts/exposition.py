"""Reads the text of /metrics: values by name and labels, and a parser as strict as OpenMetrics requires."""

import re

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

PREFIX = "sentinel_"


class Metrics:
    """An exposition. `m("orders_total", outcome="filled")` is a value. A series that does not exist is an error."""

    def __init__(self, text: str):
        self.text = text
        self.values = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in parse_text(text)
            for sample in family.samples
        }

    def __call__(self, name: str, **labels: str) -> float:
        return self.values[(PREFIX + name, frozenset(labels.items()))]

    def all(self, name: str) -> dict[frozenset, float]:
        """Every child of a family."""
        return {labels: value for (found, labels), value in self.values.items() if found == PREFIX + name}

    def sum(self, name: str) -> float:
        """The sum over a family's children."""
        return sum(self.all(name).values())

    def errors(self, endpoint: str) -> dict[str, float]:
        """The counted error codes of an endpoint, without zeros."""
        found = {dict(labels)["error_code"]: value for labels, value in self._towards(endpoint, "api_errors_total")}
        return {code: value for code, value in found.items() if value}

    def nonzero(self, name: str, label: str) -> dict[str, float]:
        """The children of a family with one label, without zeros."""
        return {dict(labels)[label]: value for labels, value in self.all(name).items() if value}

    def suppressed(self) -> dict[str, float]:
        """The signals that were not sent, by reason."""
        return self.nonzero("signals_suppressed_total", "reason")

    def _towards(self, endpoint: str, name: str):
        return [item for item in self.all(name).items() if dict(item[0])["endpoint"] == endpoint]


def as_openmetrics(text: str) -> str:
    """The same exposition in OpenMetrics: a counter's metadata without `_total`, and an end mark."""
    text = re.sub(r"^# (TYPE|HELP) (\S+)_total ", r"# \1 \2 ", text, flags=re.MULTILINE)
    return text + "# EOF\n"


def strict_families(text: str) -> list:
    """Parses OpenMetrics, or any text as strictly as OpenMetrics: it refuses some errors that Prometheus accepts."""
    return list(parse_openmetrics(text if text.endswith("# EOF\n") else as_openmetrics(text)))


def duplicate_series(text: str) -> list[str]:
    """Series that occur more than once."""
    series = [line.rsplit(" ", 1)[0] for line in text.splitlines() if line and not line.startswith("#")]
    return sorted({one for one in series if series.count(one) > 1})
