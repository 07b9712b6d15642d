"""A Grafana dashboard as data, and rules for a good dashboard. Each check returns a list of what is wrong."""

import json
import re
from dataclasses import dataclass
from functools import cache

import yaml
from jsonschema import Draft7Validator

from parts import promql
from parts.paths import MONITORING, SYSTEM_TESTS

SCHEMAS = SYSTEM_TESTS / "data/grafana-schema"
RULES = MONITORING / "alerts.yml"
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH = 24
# Allowed units: base units, as in the metrics, rates per minute, and money.
UNITS = {"none", "short", "s", "dtdurations", "bytes", "percentunit", "cpm", "reqpm", "locale"}
# The minimum time between two points: the scrape interval, or two cycles for a rate.
INTERVALS = {"15s", "2m"}
# Series that Prometheus itself writes about a target.
OWN = {"up", "scrape_duration_seconds", "scrape_samples_scraped"}
# Series that Prometheus writes about alerts. Some have no instance, so an empty one may match, too.
ALERTS = {"ALERTS", "ALERTS_FOR_STATE"}
CLOCK = "sentinel_time_seconds"
# Allowed options of a table; Grafana's schemas here do not include it.
TABLE_OPTIONS = {"showHeader": bool, "cellHeight": str, "sortBy": list}
TABLE_CUSTOM = {"align": str, "cellOptions": dict, "inspect": bool}
# What an override may change, and the type of its value.
OVERRIDES = {
    "unit": str,
    "decimals": int,
    "noValue": str,
    "mappings": list,
    "thresholds": dict,
    "color": dict,
    "links": list,
    "custom.cellOptions": dict,
    "custom.width": int,
    "custom.minWidth": int,
}


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
        """Whether the description says when its queries have no result."""
        return any(word in self.panel["description"] for word in ("Empty while ", "Empty when "))

    def with_values(self, **values: str) -> str:
        """The expression as Grafana sends it, with these values for the variables."""
        return with_values(self.expression, **values)


def with_values(expression: str, **values: str) -> str:
    """An expression with these values for the variables. Every variable must have a value."""
    for name, value in values.items():
        expression = expression.replace(f"${name}", value)
    assert not re.search(r"\$[a-z_{]", expression), f"a variable has no value: {expression}"
    return expression


def everything(dashboard: dict) -> list[dict]:
    """Rows and panels from top to bottom, including those in collapsed rows."""
    return [one for panel in dashboard["panels"] for one in (panel, *panel.get("panels", []))]


def panels(dashboard: dict) -> list[dict]:
    """The panels that show something."""
    return [panel for panel in everything(dashboard) if panel["type"] != "row"]


def rows(dashboard: dict) -> dict[str, list[dict]]:
    """Row title -> its panels, from top to bottom."""
    found: dict[str, list[dict]] = {}
    for panel in everything(dashboard):
        if panel["type"] == "row":
            current = found.setdefault(panel["title"], [])
        else:
            current.append(panel)
    return found


def opened(dashboard: dict) -> list[dict]:
    """The panels that load with the page: those outside collapsed rows."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


@cache
def records() -> dict[str, str]:
    """The recording rules of alerts.yml: name -> expression."""
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    return {rule["record"]: rule["expr"] for rule in rules if "record" in rule}


def queries(dashboard: dict) -> list[Query]:
    """Every target of every panel."""
    return [Query(panel, target) for panel in panels(dashboard) for target in panel["targets"]]


@cache
def _validator(name: str, definition: str) -> Draft7Validator:
    schema = json.loads((SCHEMAS / f"{name}.jsonschema.json").read_text())
    if name == "dashboard":
        # The schema wants objects here, but Grafana itself writes strings, numbers and lists.
        schema["definitions"]["DynamicConfigValue"]["properties"]["value"] = {}
        schema["definitions"]["MatcherConfig"]["properties"]["options"] = {}
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
    """Checks the dashboard, each panel's options and field configuration, each query and each unit against Grafana's
    schemas."""
    wrong = _against("dashboard", "", "dashboard", dashboard)
    for panel in panels(dashboard):
        title, kind, defaults = panel.get("title"), panel["type"], panel["fieldConfig"]["defaults"]
        # A panel in a collapsed row is checked separately, because the error of the schema's `oneOf` does not say what is
        # wrong.
        wrong += _against("dashboard", "Panel", title, panel)
        if kind == "table":
            wrong += _typed(title, panel["options"], TABLE_OPTIONS) + _typed(title, defaults["custom"], TABLE_CUSTOM)
        elif kind in ("stat", "timeseries"):
            wrong += _against(kind, "Options", title, panel["options"])
        else:
            wrong.append(f"{title}: no schema for a {kind}")
        if kind == "timeseries":
            wrong += _against(kind, "FieldConfig", title, defaults["custom"])
        elif kind == "stat" and "custom" in defaults:
            wrong.append(f"{title}: a stat has no custom field configuration")
        wrong += [f"{title}: unit {one} is none of Grafana's" for one in _units(panel) if one not in _known_units()]
        for target in panel["targets"]:
            wrong += _against("prometheus", "", title, target)
        for override in panel["fieldConfig"]["overrides"]:
            changed = {one["id"]: one["value"] for one in override["properties"]}
            wrong += _typed(title, changed, OVERRIDES)
            for one, definition in (("mappings", "ValueMapping"), ("thresholds", "ThresholdsConfig")):
                values = changed.get(one, []) if one == "mappings" else [changed[one]] if one in changed else []
                for value in values:
                    wrong += _against("dashboard", definition, title, value)
    return wrong


def _typed(title: str, given: dict, allowed: dict[str, type]) -> list[str]:
    """Keys that are not allowed, and values of the wrong type."""
    wrong = [f"{title}: there is no {name}" for name in given.keys() - allowed.keys()]
    return wrong + [
        f"{title}: {name} is {value!r}"
        for name, value in given.items()
        if name in allowed and not isinstance(value, allowed[name])
    ]


def _units(panel: dict) -> list[str | None]:
    """The units of a panel and of its columns."""
    changed = [one for override in panel["fieldConfig"]["overrides"] for one in override["properties"]]
    return [panel["fieldConfig"]["defaults"].get("unit"), *(one["value"] for one in changed if one["id"] == "unit")]


def words(dashboard: dict) -> list[str]:
    """Every panel has a unique id and title, a description that says what is normal, a base unit, and legends."""
    wrong = [] if dashboard.get("editable") is False else ["dashboard: it is editable"]
    wrong += [] if dashboard.get("uid") else ["dashboard: no uid"]
    for key in ("id", "title"):
        seen = [panel.get(key) for panel in everything(dashboard)]
        wrong += [f"{one}: no {key}, or one that occurs twice" for one in seen if not one or seen.count(one) > 1]
    for panel in panels(dashboard):
        title, defaults = panel.get("title"), panel["fieldConfig"]["defaults"]
        if len(panel.get("description", "")) < 40:
            wrong.append(f"{title}: no description")
        wrong += [f"{title}: unit {one} is no base unit" for one in _units(panel) if one not in UNITS]
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
    """Every query uses the selected datasource, and every selector the selected job and instances; queries by symbol also the
    selected symbols. A recorded series must be one of alerts.yml."""
    wrong = [f"{panel['title']}: datasource" for panel in panels(dashboard) if panel.get("datasource") != DATASOURCE]
    for query in queries(dashboard):
        if query.target.get("datasource") != DATASOURCE:
            wrong.append(f"{query.name}: datasource")
        wrong += [f"{query.name}: {name} has no matchers" for name in promql.bare_names(query.expression)]
        wanted = {"job": ("=", "$job"), "instance": ("=~", "$instance")}
        chosen_symbols = {"symbol": ("=~", "$symbol")} if by_symbol(query) else {}
        for name, by in promql.selectors(query.expression):
            if ":" in name and name not in records():
                wrong.append(f"{query.name}: nobody records {name}")
            if name in ALERTS:
                if "SentinelHub" not in by["alertname"][1]:
                    about = (by.get("job"), by.get("instance"))
                    wrong += [f"{query.name}: {name}"] * (about != (("=~", "$job|"), ("=~", "$instance|")))
                continue
            chosen = {label: value for label, value in by.items() if label in ("job", "instance", "symbol")}
            # The daemon's clock is the same for all its symbols.
            if chosen != wanted | (chosen_symbols if name != CLOCK else {}):
                wrong.append(f"{query.name}: {name} is asked for {chosen}")
    return wrong


def by_symbol(query: Query) -> bool:
    """Whether the query shows individual symbols."""
    if query.panel["type"] == "table":
        return "symbol" in columns(query.panel) and not promql.names(query.expression) & ALERTS
    return "{{symbol}}" in query.target["legendFormat"]


def instances(dashboard: dict) -> list[str]:
    """Series of several daemons are distinguished: legends begin with the instance, tables have it as a column, and every
    aggregation except that of a stat keeps the instance."""
    wrong = []
    for query in queries(dashboard):
        kind = query.panel["type"]
        if kind == "timeseries" and not query.target["legendFormat"].startswith("{{instance}}"):
            wrong.append(f"{query.name}: its legend does not begin with the instance")
        if kind == "stat":
            # A stat shows one value for all daemons, not that of the first one.
            wrong += [] if re.match(r"(avg|sum)\(", query.expression) else [f"{query.name}: not one value"]
            continue
        groupings = re.findall(r"(?<![\w:])(?:sum|max|min|avg|count) *(by \([^)]*\))? *\(", query.expression)
        groupings += re.findall(r"\bon \([^)]*\)", query.expression)
        wrong += [f"{query.name}: {one or 'no grouping'}" for one in groupings if "(job, instance, node" not in one]
    return wrong


def windows(dashboard: dict) -> list[str]:
    """Every rate uses $__rate_interval. Another window, also a recorded one, must be named in the panel's title or a column.
    Exception: the time for which a last state is shown."""
    wrong = []
    for query in queries(dashboard):
        stateless = re.sub(r"last_over_time\([^()]*\)", "", query.expression)
        fixed = [one for one in promql.ranges(stateless) if one != "$__rate_interval"]
        if fixed and "rate(" in query.expression:
            wrong.append(f"{query.name}: a rate over {fixed}")
        fixed += re.findall(r"[a-z_](\d+[mhd])\b", query.expression)
        named = " ".join((query.panel["title"], *columns(query.panel).values()))
        wrong += [f"{query.name}: {one} is not named" for one in fixed if f"{one[:-1]} {one[-1]}" not in named]
    return wrong


def columns(panel: dict) -> dict[str, str]:
    """A table's columns with their titles; empty for other panels."""
    if panel["type"] != "table":
        return {}
    [options] = [one["options"] for one in panel["transformations"] if one["id"] == "organize"]
    return {name: options["renameByName"].get(name, name) for name in options["indexByName"]}


def tables(dashboard: dict) -> list[str]:
    """Each value of a table has a column with a title, and overrides and sorting refer to such columns."""
    wrong = []
    for panel in panels(dashboard):
        if panel["type"] != "table":
            continue
        title, kinds = panel["title"], [one["id"] for one in panel["transformations"]]
        if kinds != (["merge", "organize"] if len(panel["targets"]) > 1 else ["organize"]):
            wrong.append(f"{title}: transformations {kinds}")
        [left_out] = [one["options"]["excludeByName"] for one in panel["transformations"] if one["id"] == "organize"]
        named = columns(panel)
        wrong += [f"{title}: {name} has no name" for name, shown in named.items() if shown.startswith("Value")]
        for query in [Query(panel, target) for target in panel["targets"]]:
            value = f"Value #{query.target['refId']}" if len(panel["targets"]) > 1 else "Value"
            if value not in named and not left_out.get(value):
                wrong.append(f"{query.name}: it has no column")
            if query.target.get("format") != "table" or query.target.get("instant") is not True:
                wrong.append(f"{query.name}: no table of this moment")
        asked = [one["matcher"]["options"] for one in panel["fieldConfig"]["overrides"]]
        asked += [one["displayName"] for one in panel["options"]["sortBy"]]
        wrong += [f"{title}: no column {one}" for one in asked if one not in named.values()]
    return wrong


def grid(dashboard: dict) -> list[str]:
    """Panels are placed without overlaps or gaps; those of a collapsed row are checked on their own."""
    wrong = _grid(dashboard["panels"], 0)
    for row in dashboard["panels"]:
        if row["type"] == "row" and row["collapsed"]:
            wrong += _grid(row["panels"], row["gridPos"]["y"] + 1)
        elif row.get("panels"):
            wrong.append(f"{row['title']}: an open row has its panels below it")
    return wrong


def _grid(placed: list[dict], top: int) -> list[str]:
    taken: dict[tuple[int, int], str] = {}
    wrong = []
    for panel in placed:
        at, title = panel["gridPos"], panel["title"]
        if at["x"] + at["w"] > WIDTH:
            wrong.append(f"{title}: out of the grid")
        cells = [(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])]
        wrong += sorted({f"{title}: over {taken[cell]}" for cell in cells if cell in taken})
        taken |= dict.fromkeys(cells, title)
    if not taken:
        return ["a closed row without panels"]
    bottom = max(y for _, y in taken) + 1
    if holes := {y for y in range(top, bottom) for x in range(WIDTH) if (x, y) not in taken}:
        wrong.append(f"a hole at height {min(holes)}")
    order = [(panel["gridPos"]["y"], panel["gridPos"]["x"]) for panel in placed]
    return wrong + ([] if order == sorted(order) else ["panels are not listed from top to bottom"])


def absences(dashboard: dict) -> list[str]:
    """A stat shows the current value. If the series no longer exists, it shows a red word, not "No data"."""
    wrong = []
    for panel in panels(dashboard):
        if panel["type"] != "stat":
            continue
        # A range query would keep showing the last value of a daemon that is gone.
        wrong += [f"{panel['title']}: not instant" for target in panel["targets"] if target.get("instant") is not True]
        defaults = panel["fieldConfig"]["defaults"]
        special = [one["options"] for one in defaults.get("mappings", []) if one["type"] == "special"]
        absent = {"text": defaults.get("noValue"), "color": "red"}
        if not any(one["match"] == "null+nan" and absent.items() <= one["result"].items() for one in special):
            wrong.append(f"{panel['title']}: an absent series is not mapped to a red word")
    return wrong


def names(dashboard: dict, types: dict[str, str]) -> list[str]:
    """Every metric belongs to one of these families (name -> type), to alerts.yml, or to Prometheus itself."""
    known = OWN | ALERTS | records().keys()
    return [
        f"{query.name}: there is no {name}"
        for query in queries(dashboard)
        for name in sorted(promql.names(query.expression))
        if name not in known and promql.family(name, types) is None
    ]


def families(dashboard: dict, types: dict[str, str]) -> set[str]:
    """The families that the dashboard shows, directly or by a series recorded from them."""
    used, todo = set(), {name for query in queries(dashboard) for name in promql.names(query.expression)}
    while todo:
        name = todo.pop()
        used.add(name)
        todo |= promql.names(records().get(name, "")) - used
    return {promql.family(name, types) for name in used} - {None}
