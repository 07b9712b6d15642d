"""Rules broken on purpose, one change at a time. Tests of the rules must notice each."""

import copy
import re
from collections.abc import Iterator

COMPARISON = re.compile(r"(==|!=|>=|<=|>|<) (-?\d+(?:\.\d+)?)")
WINDOW = re.compile(r"(\[|offset )(\d+)([smhd])(\]?)")
# Other tests read from the rules that every selector has our job and every join the same labels. So these are not changed here.
MATCHER = re.compile(r'(?!job=)\b(\w+)(=~|!~|!=|=)("[^"]*")')
DURATION = re.compile(r"(\d+)([smhd])")
OPPOSITE = {"==": "!=", ">": "<=", "<": ">=", "<=": ">"}
# Each function, and its replacements.
FUNCTIONS = {
    "increase": ["delta"],
    "rate": ["delta"],
    "last_over_time": ["min_over_time", "max_over_time"],
    "max_over_time": ["min_over_time", "last_over_time"],
    "min_over_time": ["max_over_time", "last_over_time"],
    "avg_over_time": ["min_over_time", "max_over_time"],
    "changes": ["resets"],
    "min by": ["max by"],
    "absent_over_time": ["present_over_time"],
    "present_over_time": ["absent_over_time"],
    "sum by": ["max by"],
}
NUMBERS = {"histogram_quantile(0.99": "histogram_quantile(0.5", "vector(1)": "vector(0)"}
SEVERITY = {"critical": "warning", "warning": "critical", "heartbeat": "warning", "none": "warning"}


def mutants(rule: dict) -> Iterator[tuple[str, dict]]:
    """Each mutant of a rule as (description of the change, rule)."""
    for what, expression in expressions(rule["expr"]):
        if expression != rule["expr"]:
            yield what, rule | {"expr": expression}
    if "alert" not in rule:
        if "labels" in rule:
            yield "labels removed", without(rule, "labels")
        return
    for duration in ("for", "keep_firing_for"):
        if duration in rule:
            yield f"{duration} removed", without(rule, duration)
            number, unit = DURATION.fullmatch(rule[duration]).groups()
            yield f"{duration} tripled", rule | {duration: f"{int(number) * 3}{unit}"}
        else:
            yield f"{duration} added", rule | {duration: "5m"}
    other = copy.deepcopy(rule)
    other["labels"]["severity"] = SEVERITY[rule["labels"]["severity"]]
    yield "severity changed", other


def expressions(text: str) -> Iterator[tuple[str, str]]:
    """Each mutant of an expression as (description of the change with its number, expression)."""
    for nth, found in enumerate(COMPARISON.finditer(text), 1):
        operator, limit = found.groups()
        for other in (f"{OPPOSITE[operator]} {limit}", *(f"{operator} {number}" for number in limits(limit))):
            yield f"{found[0]} ({nth}) as {other}", put(text, found, other)
    for nth, found in enumerate(WINDOW.finditer(text), 1):
        seconds = int(found[2]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[found[3]]
        for other in (f"{found[1]}{number}s{found[4]}" for number in (seconds // 3, seconds * 3)):
            yield f"{found[0]} ({nth}) as {other}", put(text, found, other)
    for nth, found in enumerate(MATCHER.finditer(text), 1):
        name, operator, value = found.groups()
        yield f"{name} ({nth}) dropped", put(text, found, f'{name}=~".*"')
        yield f"{name} ({nth}) turned", put(text, found, name + {"=": "!=", "=~": "!~", "!=": "="}[operator] + value)
    for function, others in FUNCTIONS.items():
        for nth, found in enumerate(re.finditer(rf"(?<![\w:]){function}(?= ?\()", text), 1):
            for other in others:
                yield f"{function} ({nth}) as {other}", put(text, found, other)
    for nth, found in enumerate(re.finditer(r" [/-] (?!\d)", text), 1):
        yield f"{found[0].strip()} ({nth}) as another", put(text, found, {" / ": " * ", " - ": " + "}[found[0]])
    for number, other in NUMBERS.items():
        if number in text:
            yield f"{number} as {other}", text.replace(number, other)
    yield from clauses(text)


def clauses(text: str) -> Iterator[tuple[str, str]]:
    """Mutants of `and`, `unless` and `or`: each side dropped, and each operator replaced by another."""
    for nth, found in enumerate(re.finditer(r"\b(and|unless|or)( on \([\w, ]+\))? ", text), 1):
        left, operator, right = text[: found.start()], found[1], text[found.end() :]
        end = clause_end(right)
        yield f"{operator} ({nth}) dropped", left + right[end:]
        if left.count("(") == left.count(")"):
            yield f"left of {operator} ({nth}) dropped", right
        for other in {"and": ["or", "unless"], "unless": ["and", "or"], "or": ["and"]}[operator]:
            yield f"{operator} ({nth}) as {other}", left + other + text[len(left) + len(operator) :]


def clause_end(text: str) -> int:
    """The end of the operand at the beginning of the text."""
    level = 0
    for at, letter in enumerate(text):
        level += {"(": 1, ")": -1}.get(letter, 0)
        if level < 0 or (level == 0 and re.match(r" (and|unless|or) ", text[at:])):
            return at
    return len(text)


def limits(limit: str) -> list[str]:
    """Nearby limits: one more and one less for counts, 20 % more and less for measured values."""
    number = float(limit)
    counted = number % 1 == 0.5 or (number % 1 == 0 and number < 10)
    return [f"{number - 1:g}", f"{number + 1:g}"] if counted else [f"{number * 0.8:g}", f"{number * 1.2:g}"]


def without(rule: dict, key: str) -> dict:
    """The rule without one of its fields."""
    return {name: value for name, value in rule.items() if name != key}


def put(text: str, found: re.Match, other: str) -> str:
    """The text with another text in the place of the match."""
    return text[: found.start()] + other + text[found.end() :]
