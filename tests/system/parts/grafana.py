"""A small model of Grafana: it fills in a dashboard's variables, builds tables from several answers, and maps values to
words."""

import math
import re

# An answer: the series of one query, each with its labels (`metric`) and its `values`, pairs of a time and a text.
Answer = list[dict]


def choice(values: list[str] | None) -> str:
    """A variable with several values, as Grafana inserts it into a `=~` matcher. `None` is All, whose regular expression is in
    the dashboard."""
    if values is None:
        return ".+"
    escaped = [re.sub(r"([$^*{}\[\]'+?.()|])", r"\\\\\1", value.replace("\\", "\\\\\\\\")) for value in values]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


def label_values(variable: dict) -> tuple[str, str]:
    """The selector and the label that a query variable takes its values from."""
    [found] = re.findall(r"^label_values\((.+), (\w+)\)$", variable["query"])
    return found


def frames(panel: dict, answers: dict[str, Answer]) -> list[list[dict]]:
    """Each query's answer as rows: a column per label, the time, and the value in a column of its own."""
    found = []
    for target in panel["targets"]:
        name = f"Value #{target['refId']}" if len(panel["targets"]) > 1 else "Value"
        rows = []
        for series in answers[target["refId"]]:
            moment, value = series["values"][-1]
            rows.append({"Time": moment} | series["metric"] | {name: float(value)})
        # A label that only some series have is empty for the others.
        labels = set().union(*(series["metric"] for series in answers[target["refId"]]))
        found.append([dict.fromkeys(sorted(labels), "") | row for row in rows])
    return found


def merged(tables: list[list[dict]]) -> list[dict]:
    """Grafana's `merge`: rows become one if they agree in the columns that all tables have and contradict each other in no
    other column."""
    tables = [rows for rows in tables if rows]
    columns = [set().union(*rows) for rows in tables]
    shared = set.intersection(*columns) if columns else set()
    found: list[dict] = []
    for row in (row for rows in tables for row in rows):
        partners = [
            other
            for other in found
            if all(other.get(name) == row.get(name) for name in shared)
            and all(other[name] == row[name] for name in other.keys() & row.keys())
        ]
        for partner in partners:
            partner.update(row)
        if not partners:
            found.append(dict(row))
    return [dict.fromkeys(sorted(set().union(*columns))) | row for row in found]


def table(panel: dict, answers: dict[str, Answer]) -> list[dict]:
    """The rows of a table panel, by column title, in the order of the columns."""
    tables = frames(panel, answers)
    for transformation in panel["transformations"]:
        if transformation["id"] == "merge":
            tables = [merged(tables)]
        else:
            assert transformation["id"] == "organize", transformation["id"]
            tables = [[organized(row, transformation["options"]) for row in rows] for rows in tables]
    assert len(tables) == 1, f"{panel['title']}: a table shows one of its queries only"
    return tables[0]


def organized(row: dict, options: dict) -> dict:
    """Grafana's `organize`: columns removed, renamed and sorted; those without a place come last."""
    places = options["indexByName"]
    kept = [name for name in row if not options["excludeByName"].get(name)]
    kept.sort(key=lambda name: places.get(name, len(places)))
    return {options["renameByName"].get(name, name): row[name] for name in kept}


def configured(panel: dict, column: str | None = None) -> dict:
    """The field configuration of a panel, or of a column including its overrides."""
    found = dict(panel["fieldConfig"]["defaults"])
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"] == {"id": "byName", "options": column}:
            found |= {one["id"]: one["value"] for one in override["properties"]}
    return found


def shown(config: dict, value: float | None) -> tuple[str, str | None]:
    """The displayed word or number of a value, and its colour by mapping or thresholds."""
    value = None if value is None or math.isnan(value) else value
    for mapping in config.get("mappings", []):
        options = mapping["options"]
        if mapping["type"] == "special" and value is None:
            return options["result"]["text"], options["result"].get("color")
        if mapping["type"] == "range" and value is not None and options["from"] <= value <= options["to"]:
            return options["result"]["text"], options["result"]["color"]
        if mapping["type"] == "value" and value is not None and f"{value:g}" in options:
            result = options[f"{value:g}"]
            return result["text"], result["color"]
    if value is None:
        return config["noValue"], None
    reached = [step for step in config["thresholds"]["steps"] if step["value"] is None or step["value"] <= value]
    return f"{value:.{config.get('decimals', 2)}f}", reached[-1]["color"]
