"""Finds the commands in the runbook lines of alerts.yml by their grammar, so that it also finds those of new alerts."""

import re

import yaml

from parts.paths import MONITORING

ALERTS = MONITORING / "alerts.yml"
# The words after `sentinel` in a command, and the number of arguments after them.
GRAMMAR = {"--version": 0, "check": 0, "explain": 0, "pnl": 0, "halt": 0, "resume": 0, "healthcheck": 0, "soak": 0}
GRAMMAR |= {"orders": 0, "orders show": 1, "orders resolve": 2, "orders closed": 1}
GRAMMAR |= {f"cluster {name}": 0 for name in ("status", "verify", "acknowledge", "claims", "drain", "undrain", "halt", "resume")}
GRAMMAR |= {f"verify {target}": 0 for target in ("inf", "hub", "market", "model", "gateway")}
# A flag's value: a placeholder, a number, a URL.
VALUE = re.compile(r"[A-Z]+|\d[\d.]*|https?://\S+")
# `sentinel` as a separate word, not as a part of a path, a name or a job.
BEGIN = re.compile(r"(?<![\w./-])sentinel (?=\S)")


def runbooks() -> dict[str, str]:
    """The runbook line of each alert."""
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    return {rule["alert"]: rule["annotations"]["runbook"] for rule in rules}


def commands(text: str) -> list[list[str]]:
    """The commands in a sentence, each without `sentinel`. An unknown command fails, because a person would type it."""
    text = text.replace("`", "")
    return [_command(text[match.end() :]) for match in BEGIN.finditer(text)]


def _command(rest: str) -> list[str]:
    words = rest.split()

    def ends(word: str) -> bool:
        return word[-1] in ".,;:)"

    def bare(word: str) -> str:
        return word.rstrip(".,;:)")

    taken = [bare(words[0])]
    is_over = ends(words[0])
    if not is_over and len(words) > 1 and f"{taken[0]} {bare(words[1])}" in GRAMMAR:
        taken.append(bare(words[1]))
        is_over = ends(words[1])
    name = " ".join(taken)
    assert name in GRAMMAR, f"sentinel has no command {name!r}: {rest!r}"
    wanted = len(taken) + GRAMMAR[name]
    for word, after in zip(words[len(taken) :], [*words[len(taken) + 1 :], ""]):
        is_flag, is_value = word.startswith("--"), taken[-1].startswith("--") and VALUE.fullmatch(bare(word))
        if is_over or not (len(taken) < wanted or is_flag or is_value):
            break
        taken.append(bare(word))
        is_over = ends(word) and not after.startswith("--")
    assert len(taken) >= wanted, f"sentinel {name} lacks a word: {rest!r}"
    return taken


def all_commands() -> list[list[str]]:
    """Each command of all runbook lines once. Those that change something come last."""
    found = {tuple(command): command for line in runbooks().values() for command in commands(line)}
    # A position is closed after its order was settled; `resume` comes last.
    changes = ["orders resolve", "orders closed", "halt", "resume"]

    def turn(command: list[str]) -> int:
        return 1 + max((n for n, name in enumerate(changes) if " ".join(command).startswith(name)), default=-1)

    return sorted(found.values(), key=turn)


def filled_in(command: list[str], table: dict[str, str]) -> list[str]:
    """The command with its placeholders filled in. An unknown placeholder fails."""

    def fill(word: str) -> str:
        for name, value in table.items():
            word = value if word == name else word.replace(f"http://{name}", value)
        assert not re.fullmatch("[A-Z]+", word) and not re.search("//[A-Z]+", word), f"what is {word} in {command}?"
        return word

    return [fill(word) for word in command]
