"""A Grafana dashboard as data, and the rules that a good one keeps. Each check answers with what is wrong."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jsonschema import Draft7Validator

from parts import promql

SCHEMAS = Path(__file__).resolve().parents[1] / "data/grafana-schema"
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH = 24
# What a unit may be: base units, as the metrics have them, and their rates per minute.
UNITS = {"none", "short", "s", "dtdurations", "bytes", "percentunit", "cpm", "reqpm"}
# The least time between two points: the scrape interval, and two cycles where a rate is taken.
INTERVALS = {"15s", "2m"}
# What Prometheus itself writes about a target.
OWN = {"up", "scrape_duration_seconds", "scrape_samples_scraped"}


@dataclass(frozen=True)
class Query:
    """One target of a panel."""

    panel: dict
    target: dict

    @property
    def expression(self) -> str:
        return self.target["expr"]

    @property
    def name(self) -> str:
        """The panel's title and the query's letter."""
        return f"{self.panel['title']} {self.target['refId']}"

    @property
    def may_be_empty(self) -> bool:
        """Whether the panel says when its queries have no result."""
        return any(word in self.panel["description"] for word in ("Empty while ", "Empty when "))

    def with_values(self, **values: str) -> str:
        """The expression as Grafana sends it, with these values of the variables."""
        expression = self.expression
        for name, value in values.items():
            expression = expression.replace(f"${name}", value)
        assert "$" not in expression, f"{self.name}: a variable has no value: {expression}"
        return expression


def panels(dashboard: dict) -> list[dict]:
    """The panels that show something."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def rows(dashboard: dict) -> dict[str, list[dict]]:
    """Row title -> its panels, from top to bottom."""
    found: dict[str, list[dict]] = {}
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            current = found.setdefault(panel["title"], [])
        else:
            current.append(panel)
    return found


def queries(dashboard: dict) -> list[Query]:
    """Every target of every panel."""
    return [Query(panel, target) for panel in panels(dashboard) for target in panel["targets"]]


@cache
def _validator(name: str, definition: str) -> Draft7Validator:
    schema = json.loads((SCHEMAS / f"{name}.jsonschema.json").read_text())
    if definition:
        schema["$ref"] = f"#/definitions/{definition}"
    Draft7Validator.check_schema(schema)
    return Draft7Validator(schema)


@cache
def _known_units() -> set[str]:
    definitions = json.loads((SCHEMAS / "units.jsonschema.json").read_text())["definitions"]
    return {definition["const"] for definition in definitions.values()}


def _against(name: str, definition: str, where: str, value: object) -> list[str]:
    return [f"{where}: {error.json_path}: {error.message}" for error in _validator(name, definition).iter_errors(value)]


def schemas(dashboard: dict) -> list[str]:
    """The dashboard, each panel's options and field configuration, each query and each unit, by Grafana's schemas."""
    wrong = _against("dashboard", "", "dashboard", dashboard)
    for panel in panels(dashboard):
        title, kind, defaults = panel.get("title"), panel["type"], panel["fieldConfig"]["defaults"]
        if kind not in ("stat", "timeseries"):
            wrong.append(f"{title}: no schema for a {kind}")
            continue
        wrong += _against(kind, "Options", title, panel["options"])
        if kind == "timeseries":
            wrong += _against(kind, "FieldConfig", title, defaults["custom"])
        elif "custom" in defaults:
            wrong.append(f"{title}: a stat has no custom field configuration")
        if defaults.get("unit") not in _known_units():
            wrong.append(f"{title}: unit {defaults.get('unit')} is none of Grafana's")
        for target in panel["targets"]:
            wrong += _against("prometheus", "", title, target)
    return wrong


def words(dashboard: dict) -> list[str]:
    """Every panel has an id and a title of its own, a description that says what is normal, a base unit, legends."""
    wrong = [] if dashboard.get("editable") is False else ["dashboard: it is editable"]
    wrong += [] if dashboard.get("uid") else ["dashboard: no uid"]
    for key in ("id", "title"):
        seen = [panel.get(key) for panel in dashboard["panels"]]
        wrong += [f"{one}: no {key}, or one that occurs twice" for one in seen if not one or seen.count(one) > 1]
    for panel in panels(dashboard):
        title, defaults = panel.get("title"), panel["fieldConfig"]["defaults"]
        if len(panel.get("description", "")) < 40:
            wrong.append(f"{title}: no description")
        if defaults.get("unit") not in UNITS:
            wrong.append(f"{title}: unit {defaults.get('unit')} is no base unit")
        if panel.get("interval") not in INTERVALS:
            wrong.append(f"{title}: interval {panel.get('interval')}")
        if not defaults.get("noValue") or not defaults.get("thresholds"):
            wrong.append(f"{title}: no words for an absent value, or no thresholds")
        wrong += [f"{title}: a query without legend" for target in panel["targets"] if not target.get("legendFormat")]
        letters = [target.get("refId") for target in panel["targets"]]
        if len(set(letters)) != len(letters):
            wrong.append(f"{title}: two queries of one letter")
    return wrong


def matchers(dashboard: dict) -> list[str]:
    """Every query asks the chosen datasource, and every selector the chosen job and instance; no recording rules."""
    wrong = [f"{panel['title']}: datasource" for panel in panels(dashboard) if panel.get("datasource") != DATASOURCE]
    for query in queries(dashboard):
        if query.target.get("datasource") != DATASOURCE:
            wrong.append(f"{query.name}: datasource")
        found = promql.selectors(query.expression)
        wrong += [f"{query.name}: {name} has no matchers" for name in promql.bare_names(query.expression)]
        wrong += [f"{query.name}: {name} is a recording rule" for name, _ in found if ":" in name]
        for label in ("job", "instance"):
            wrong += [
                f"{query.name}: {name} without {label}" for name, by in found if by.get(label) != ("=", f"${label}")
            ]
    return wrong


def windows(dashboard: dict) -> list[str]:
    """Every rate is over $__rate_interval; an increase may have a window that the panel's title names."""
    wrong = []
    for query in queries(dashboard):
        fixed = [one for one in promql.ranges(query.expression) if one != "$__rate_interval"]
        if fixed and "rate(" in query.expression:
            wrong.append(f"{query.name}: a rate over {fixed}")
        unnamed = [one for one in fixed if f"{one[:-1]} {one[-1]}" not in query.panel["title"]]
        wrong += [f"{query.name}: its title does not name {one}" for one in unnamed]
    return wrong


def grid(dashboard: dict) -> list[str]:
    """Panels lie beside and below each other without overlap, and leave no hole."""
    taken: dict[tuple[int, int], str] = {}
    wrong = []
    for panel in dashboard["panels"]:
        at, title = panel["gridPos"], panel["title"]
        if at["x"] + at["w"] > WIDTH:
            wrong.append(f"{title}: out of the grid")
        cells = [(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])]
        wrong += sorted({f"{title}: over {taken[cell]}" for cell in cells if cell in taken})
        taken |= dict.fromkeys(cells, title)
    bottom = max(y for _, y in taken) + 1
    if holes := {y for y in range(bottom) for x in range(WIDTH) if (x, y) not in taken}:
        wrong.append(f"a hole at height {min(holes)}")
    order = [(panel["gridPos"]["y"], panel["gridPos"]["x"]) for panel in dashboard["panels"]]
    return wrong + ([] if order == sorted(order) else ["panels are not listed from top to bottom"])


def absences(dashboard: dict) -> list[str]:
    """A stat shows what is true now, and in red words, not "No data", that there is no such series any more."""
    wrong = []
    for panel in panels(dashboard):
        if panel["type"] != "stat":
            continue
        # A range query would go on showing the last value of a daemon that is gone.
        wrong += [f"{panel['title']}: not instant" for target in panel["targets"] if target.get("instant") is not True]
        defaults = panel["fieldConfig"]["defaults"]
        special = [one["options"] for one in defaults.get("mappings", []) if one["type"] == "special"]
        absent = {"text": defaults.get("noValue"), "color": "red"}
        if not any(one["match"] == "null+nan" and absent.items() <= one["result"].items() for one in special):
            wrong.append(f"{panel['title']}: an absent series is not mapped to a red word")
    return wrong


def names(dashboard: dict, types: dict[str, str]) -> list[str]:
    """Every metric is one of these families (name -> type), or one that Prometheus writes about a target."""
    return [
        f"{query.name}: there is no {name}"
        for query in queries(dashboard)
        for name, _ in promql.selectors(query.expression)
        if name not in OWN and promql.family(name, types) is None
    ]


def families(dashboard: dict, types: dict[str, str]) -> set[str]:
    """The families that the dashboard shows."""
    used = {name for query in queries(dashboard) for name, _ in promql.selectors(query.expression)}
    return {promql.family(name, types) for name in used} - {None}
