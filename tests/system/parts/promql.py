"""Just enough of PromQL to see what a dashboard's query selects. Prometheus itself checks the syntax."""

import re

SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\s*\{([^{}]*)\}")
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
TEXT = re.compile(r'"[^"]*"')
RANGE = re.compile(r"\[([^\]]+)\]")
GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
WORDS = {"and", "or", "unless", "offset", "bool", "by", "without", "on", "ignoring", "group_left", "group_right", "NaN"}
SUFFIXES = ("_bucket", "_sum", "_count")


def selectors(expression: str) -> list[tuple[str, dict[str, tuple[str, str]]]]:
    """Every `name{...}` with its matchers: label -> (operator, value)."""
    return [
        (name, {label: (operator, value) for label, operator, value in MATCHER.findall(inside)})
        for name, inside in SELECTOR.findall(expression)
    ]


def names(expression: str) -> set[str]:
    """Every metric in an expression, with or without matchers."""
    return {name for name, _ in selectors(expression)} | set(bare_names(expression))


def bare_names(expression: str) -> list[str]:
    """Metrics without any matcher."""
    rest = RANGE.sub("", GROUPING.sub("", TEXT.sub("", SELECTOR.sub("", expression))))
    # Skips a dashboard's `$variable` and the unit of `5m`.
    return [word for word in re.findall(r"(?<![\w:$])[a-zA-Z_:][\w:]*(?!\s*\(|[\w:])", rest) if word not in WORDS]


def ranges(expression: str) -> list[str]:
    """The texts in square brackets."""
    return RANGE.findall(expression)


def family(name: str, types: dict[str, str]) -> str | None:
    """The family of a series with this name, given the type of every family; `None` if there is no such family."""
    if name in types:
        return name if types[name] != "histogram" else None
    for suffix in SUFFIXES:
        if types.get(name.removesuffix(suffix)) == "histogram" and name.endswith(suffix):
            return name.removesuffix(suffix)
    return None
