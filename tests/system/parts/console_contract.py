"""The console's contract, as config/console/README.md has it: an example of every answer, and which fields may be null."""

import copy
import functools
import json
import re

from parts.paths import ROOT

DOCUMENT = ROOT / "config/console/README.md"
API = "/console/api/"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'"
)
HEADERS = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


@functools.cache
def examples() -> dict[str, dict]:
    """The example of each answer by its name: `now`, ..., `orders/ID`, `halt` (both buttons), `error`. Not to be changed."""
    found = {}
    for title, section in re.findall(r"^### (.+?)\n(.*?)(?=^##|\Z)", DOCUMENT.read_text(), re.M | re.S):
        example = re.search(r"```json\n(.*?)```", section, re.S)
        get = re.match(r"`GET /console/api/([a-zA-Z/]+)", title)
        name = get[1] if get else "halt" if "halt" in title else "error"
        found[name] = json.loads(example[1])
    return found


def nullable() -> set[str]:
    """Names of fields that may be null."""
    names = {"next_before"}
    for fields, kinds in re.findall(r"^\| (`[^|]+`) \| ([a-zA-Z?, ]+) \|", DOCUMENT.read_text(), re.M):
        fields, kinds = re.findall(r"`([^`]+)`", fields), kinds.replace(" ", "").split(",")
        kinds = kinds * len(fields) if len(kinds) == 1 else kinds
        names |= {field.split(".")[-1] for field, kind in zip(fields, kinds) if kind.endswith("?")}
    return names


def differences(example, answer, may_be_null: set[str], path: str = "") -> list[str]:
    """Where an answer is not of the example's shape. More fields are allowed, and empty lists are."""
    name = path.rsplit(".", 1)[-1].rstrip("[]")
    if answer is None:
        return [] if example is None or name in may_be_null else [f"{path} is null"]
    if example is None:
        return []
    if isinstance(example, dict):
        if not isinstance(answer, dict):
            return [f"{path} is no object"]
        missing = [f"{path}.{key} is missing" for key in example if key not in answer]
        inner = [differences(example[key], answer[key], may_be_null, f"{path}.{key}") for key in example if key in answer]
        return missing + sum(inner, [])
    if isinstance(example, list):
        if not isinstance(answer, list):
            return [f"{path} is no list"]
        if not example:
            return []
        if not isinstance(example[0], (dict, list)):
            # A row of columns: each has its own type, and volume may be null.
            kinds = zip(example, answer) if len(example) == len(answer) else [(example[0], each) for each in answer]
            return [f"{path}[] is {each!r}" for like, each in kinds if each is not None and is_number(like) != is_number(each)]
        return sum((differences(example[0], each, may_be_null, f"{path}[]") for each in answer), [])
    kind = (bool, bool) if isinstance(example, bool) else (int, float) if is_number(example) else (str,)
    is_alike = isinstance(answer, kind) and (isinstance(answer, bool) == isinstance(example, bool))
    return [] if is_alike else [f"{path} is {answer!r}, like {example!r}"]


def is_number(value) -> bool:
    """JSON's numbers; Python's booleans are numbers, too."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def example(name: str) -> dict:
    """A copy of one example, to be changed."""
    return copy.deepcopy(examples()[name])
