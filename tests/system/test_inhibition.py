"""One cause sends one message: what a real Alertmanager with our file silences, and what it must never silence."""

import re
from itertools import count, product

import pytest
import yaml

from parts.alertmanager import Alertmanager
from parts.daemon import wait_until
from parts.promtool import MONITORING, Rules, name_of

TEXT = (MONITORING / "alertmanager.yml").read_text()
CONFIG = yaml.safe_load(TEXT)
ALERTS = {name_of(rule): rule for rule in Rules().rules.values() if "alert" in rule}
SEVERITY = {name: rule["labels"]["severity"] for name, rule in ALERTS.items()}
CONSEQUENCES = ["NotReady", "CyclesFailing", "FailureBudgetFast", "FailureBudgetSlow", "SymbolsFailing"]
NO_DECISION = [*CONSEQUENCES, "NoPredictions"]
NO_BAR = [*NO_DECISION, "FetchesFailing", "AllBarsStale", "BarsStaleMany", "BarsStale", "SymbolFailing/stage=fetch"]
MANY = [f"SymbolsFailing/stage={stage}" for stage in ("fetch", "features", "predict", "send")]
AFTERMATHS = {"SentinelAftermath", "SentinelBudgetAftermath"}
NO_ORDER = ["JournalBacklog", "SymbolFailing/stage=send"]
# Alerts that fire at the same time, by name without `Sentinel`, and with their other labels: those that are sent, and those
# that are silenced.
CASES = {
    "nothing can be seen": (["Down"], ["ScrapesFailing", "MarketAway/endpoint=eodhd", "NotReady", "Halted", "Aftermath"]),
    "two under one name": (["TwoUnderOneName", "OrdersUnresolved"], ["Restarts", "AllOrdersRejected", "CyclesFailing", "NotReady"]),
    "the key of the market": (
        ["CredentialsRefused/endpoint=eodhd"],
        ["MarketAway/endpoint=eodhd", "RequestsRefused/endpoint=eodhd", "BreakerOpen/endpoint=eodhd", *NO_BAR],
    ),
    "the key of the model": (
        ["CredentialsRefused/endpoint=hub"],
        ["ModelAway/endpoint=hub", "BreakerOpen/endpoint=hub", "PredictionsFailing", *NO_DECISION],
    ),
    "the market": (["MarketAway/endpoint=eodhd"], ["BreakerOpen/endpoint=eodhd", *NO_BAR]),
    "the model": (
        ["ModelAway/endpoint=hub"],
        ["BreakerOpen/endpoint=hub", "PredictionsFailing", "SymbolFailing/stage=predict", *NO_DECISION],
    ),
    "the gateway": (
        ["GatewayAway/endpoint=gateway"],
        [
            *["BreakerOpen/endpoint=gateway", "NoOrderArrives", "GatewaySendFailures", "OrdersHeldBack/reason=handshake"],
            *[*NO_ORDER, *CONSEQUENCES],
        ],
    ),
    "a gateway that is asked nothing but orders": (
        ["NoOrderArrives", "OrdersHeldBack/reason=handshake", "AllOrdersRejected", "OrdersUnresolved"],
        ["GatewaySendFailures", "OrdersHeldBack/reason=breaker"],
    ),
    "the journal": (
        ["JournalAway"],
        ["JournalFailing", "OrdersHeldBack/reason=journal", "EventsDropped/actor=journal", *NO_ORDER, *CONSEQUENCES],
    ),
    "an actor": (["ActorDown"], ["CyclesStalled", "ActorRestarts", *NO_DECISION]),
    "a crash loop": (["CrashLoop"], ["CyclesStalled", "Restarts", "ScrapesFailing", "NotReady", "NoPredictions"]),
    "a daemon that hangs": (["CyclesStalled"], ["NotReady", "NoPredictions", "TicksMissed", "BarsStaleMany"]),
    "the kill switch": (["Halted", "OrdersHeldBack/reason=loss_limit"], ["OrdersHeldBack/reason=halted"]),
    "the account": (
        ["AccountNotHeld/shard=account", "OrdersHeldBack/reason=failures", "CyclesFailing"],
        ["NotReady", "OrdersHeldBack/reason=not_holder"],
    ),
    "all bars": (["AllBarsStale"], ["BarsStaleMany", "BarsStale"]),
    "a symbol": (
        ["SymbolFailing/symbol=EURUSD/stage=fetch", "BarsStale/symbol=GBPUSD"],
        ["BarsStale/symbol=EURUSD"],
    ),
    "a symbol that has bars": (["SymbolFailing/symbol=EURUSD/stage=predict", "BarsStale/symbol=EURUSD"], []),
    "many symbols": (["SymbolsFailing/stage=fetch", "SymbolFailing/stage=predict"], ["SymbolFailing/stage=fetch"]),
    "all orders": (["AllOrdersRejected"], ["OrdersRejected"]),
    "most fetches": (["FetchesFailing"], ["CyclesFailing", "FailureBudgetFast", "FailureBudgetSlow"]),
    "a budget": (["FailureBudgetFast"], ["FailureBudgetSlow", "CyclesFailing"]),
    # Two causes at the same time are both sent, and also alerts that neither explains.
    "market and model": (["MarketAway/endpoint=eodhd", "ModelAway/endpoint=hub"], NO_BAR),
    "market key and model": (["CredentialsRefused/endpoint=eodhd", "ModelAway/endpoint=hub"], NO_BAR),
    "market and gateway": (["MarketAway/endpoint=eodhd", "GatewayAway/endpoint=gateway"], [*NO_BAR, *NO_ORDER]),
    "journal and gateway": (["JournalAway", "GatewayAway/endpoint=gateway"], [*NO_ORDER, *CONSEQUENCES]),
    "the model and a symbol": (["ModelAway/endpoint=hub", "SymbolFailing/stage=fetch"], ["SymbolFailing/stage=predict"]),
    "the market and refused orders": (["MarketAway/endpoint=eodhd", "OrdersRejected", "BreakerOpen/endpoint=hub"], NO_BAR),
    "an order in doubt and all that can be": (
        ["OrdersUnresolved", "GatewayAway/endpoint=gateway", "JournalAway", "Halted"],
        ["GatewaySendFailures", "NotReady"],
    ),
    "an order in doubt and nothing to be seen": (["OrdersUnresolved", "Down"], ["GatewayAway/endpoint=gateway", "NotReady"]),
    # The cause is over, but still counted.
    "the market's aftermath": (
        [
            *["Aftermath/endpoint=eodhd", "NotReady", "NoPredictions", "OrdersHeldBack/reason=failures", "OrdersRejected"],
            # Faults that came after it.
            *["PredictionsFailing", "SymbolFailing/stage=predict", "RequestsRefused/endpoint=hub", "BreakerOpen/endpoint=eodhd"],
            *["GatewaySendFailures", "OrdersHeldBack/reason=handshake", "JournalFailing"],
        ],
        ["CyclesFailing", "FailureBudgetFast", "FetchesFailing", "SymbolFailing/stage=fetch", "RequestsRefused/endpoint=eodhd"],
    ),
    # A silenced alert does not silence alerts of another stage.
    "many symbols in the market's aftermath, and then the model": (
        ["Aftermath/endpoint=eodhd", MANY[2]],
        ["SymbolFailing/stage=fetch", MANY[0]],
    ),
    "many symbols in the market's aftermath, and then one of the model": (
        ["Aftermath/endpoint=eodhd", "SymbolFailing/stage=predict/symbol=EURUSD"],
        [MANY[0]],
    ),
    "the slow budget's aftermath": (
        ["BudgetAftermath", "CyclesFailing", "SymbolFailing/stage=fetch", "GatewaySendFailures"],
        ["FailureBudgetSlow"],
    ),
    "the model's aftermath": (
        ["Aftermath/endpoint=hub", "FetchesFailing", "SymbolFailing/stage=fetch"],
        ["PredictionsFailing", "SymbolFailing/stage=predict", "RequestsRefused/endpoint=hub"],
    ),
    "the gateway's aftermath": (
        ["Aftermath/endpoint=gateway", "PredictionsFailing", "OrdersHeldBack/reason=journal"],
        ["GatewaySendFailures", "SymbolFailing/stage=send", "OrdersHeldBack/reason=breaker", MANY[3]],
    ),
    "the aftermath of a journal or an actor": (
        ["Aftermath", "FetchesFailing", "OrdersHeldBack/reason=breaker"],
        ["JournalFailing", "SymbolFailing/stage=send", "OrdersHeldBack/reason=journal", "CyclesFailing", *MANY],
    ),
    "the aftermath and the next": (["Aftermath/endpoint=eodhd", "ModelAway/endpoint=hub"], ["NotReady", "CyclesFailing"]),
}
instances = count()


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory):
    """With our unmodified file, and without the bridge."""
    alertmanager = Alertmanager(MONITORING / "alertmanager.yml", tmp_path_factory.mktemp("alertmanager"))
    yield alertmanager
    alertmanager.close()


def labels(said: str, instance: str) -> dict[str, str]:
    """`Name/label=value` as labels, including those that every target has."""
    name, *more = said.split("/")
    found = {"alertname": f"Sentinel{name}", "severity": SEVERITY[f"Sentinel{name}"]}
    found |= {"job": "sentinel-metrics", "instance": instance, "node": instance}
    return found | dict(one.split("=") for one in more)


def add_all(alertmanager: Alertmanager, alerts: list[dict[str, str]]):
    """Adds alerts, and waits until Alertmanager has processed them. It does so in order, and the result of the last pair is
    known."""
    instance = f"marker-{next(instances)}"
    silenced = labels("NotReady", instance)
    alertmanager.add_all([silenced, *alerts, labels("Down", instance)])

    def is_silenced() -> bool:
        return ["suppressed"] == [one["status"]["state"] for one in alertmanager.alerts() if one["labels"] == silenced]

    wait_until("the last of the alerts silences another", is_silenced, 10)


def states(alertmanager: Alertmanager, alerts: list[str], instance: str) -> dict[str, str]:
    """The states of alerts that fire at the same time."""
    given = {said: labels(said, instance) for said in alerts}
    assert len(given) == len(alerts)
    add_all(alertmanager, list(given.values()))
    known = {frozenset(one["labels"].items()): one["status"]["state"] for one in alertmanager.alerts()}
    return {said: known[frozenset(own.items())] for said, own in given.items()}


@pytest.mark.parametrize("case", CASES)
def test_only_consequences_of_a_cause_are_silenced(alertmanager, case):
    sent, silenced = CASES[case]
    wanted = {said: "active" for said in sent} | {said: "suppressed" for said in silenced}
    assert states(alertmanager, sent + silenced, f"inf-{next(instances)}") == wanted


def test_another_instance_or_node_is_not_silenced(alertmanager):
    """Two nodes may have an instance with the same name."""
    for key in ("instance", "node"):
        cause = labels("Down", f"inf-{next(instances)}")
        other = labels("NotReady", cause["instance"]) | {key: "another"}
        add_all(alertmanager, [cause, other])
        [found] = [one for one in alertmanager.alerts() if one["labels"] == other]
        assert found["status"]["state"] == "active"


def test_unresolved_orders_and_hub_alerts_are_always_sent(alertmanager):
    instance = f"inf-{next(instances)}"
    every = [name.removeprefix("Sentinel") for name in ALERTS if not name.startswith("SentinelHub")]
    found = states(alertmanager, every, instance)
    sent = {said for said, state in found.items() if state == "active"}
    assert sent == {"Watchdog", "OrdersUnresolved", "Down", "TargetMissing", "FamiliesMissing", "TwoUnderOneName"}
    hub = [{"alertname": name, "severity": "warning"} for name in ALERTS if name.startswith("SentinelHub")]
    add_all(alertmanager, [{"alertname": "SentinelTargetMissing", "severity": "critical"}, *hub])
    assert len(hub) == 4
    state = {one["labels"]["alertname"]: one["status"]["state"] for one in alertmanager.alerts()}
    assert {state[one["alertname"]] for one in hub} == {"active"}


def on_side(rule: dict, side: str) -> set[str]:
    """The alerts on one side of a rule."""
    found = set(ALERTS)
    for matcher in rule[f"{side}_matchers"]:
        label, operator, value = re.fullmatch(r'(\w+) (=~|!~|=) "?([^"]*)"?', matcher).groups()
        if label == "alertname":
            found = {name for name in found if bool(re.fullmatch(value, name)) == (operator != "!~")}
            assert operator == "!~" or all(re.fullmatch(r"Sentinel\.\+|.*", name) for name in value.split("|"))
    return found


EDGES = {
    (cause, sent)
    for rule in CONFIG["inhibit_rules"]
    for cause, sent in product(on_side(rule, "source"), on_side(rule, "target"))
}


def test_every_name_in_the_file_is_an_alert():
    names = set(re.findall(r"Sentinel[A-Z]\w+", TEXT)) - {"SentinelHub"}
    assert names - set(ALERTS) == set()


def test_the_aftermath_silences_what_outlasts_its_cause():
    """alerts_test.yml tests that the list, with the orders that were held back, is long enough."""
    text = (MONITORING / "alerts_test.yml").read_text()
    [targets] = re.findall(r"Hub\.\+\|(SentinelOrdersHeldBack\|\S+?)\"", text)
    assert {sent for cause, sent in EDGES if cause == "SentinelAftermath"} == set(targets.split("|"))
    assert {sent for cause, sent in EDGES if cause == "SentinelBudgetAftermath"} == {"SentinelFailureBudgetSlow"}


def test_no_alerts_silence_each_other():
    """Neither directly nor through other alerts."""
    reached = {name: {sent for cause, sent in EDGES if cause == name} for name in ALERTS}
    for _ in ALERTS:
        reached = {name: own.union(*(reached[other] for other in own)) for name, own in reached.items()}
    assert [name for name in ALERTS if name in reached[name]] == []


def test_a_warning_never_silences_a_critical_alert():
    assert [edge for edge in EDGES if SEVERITY[edge[1]] == "critical" and SEVERITY[edge[0]] != "critical"] == []


def test_the_title_of_a_message_is_a_cause():
    """Alerts that silence others come before the others, and an unresolved order before all."""
    template = (MONITORING / "dingtalk/sentinel.tmpl").read_text()
    [first, causes] = re.findall(r"eq \.Labels\.alertname ((?:\"\w+\" ?)+)", template)
    assert first == '"SentinelOrdersUnresolved"'
    assert set(re.findall(r"\w+", causes)) == {cause for cause, _ in EDGES} - AFTERMATHS
