"""What a gateway can do to an order besides telling the truth in time. Each behaviour notes what it did, so that a test
can compare what the daemon believes with what was so."""

import json
import random
from collections.abc import Callable

from parts.gateway import STRANGER, Behaviour, Gateway, Reply, truthful

# Notes of a reply that is true, complete and in time.
TOLD_FILLED, TOLD_REJECTED = ("filled", "twice"), ("rejected",)


def honest(chance: random.Random, delay_s_max: float, rejections: float) -> Behaviour:
    """Executes most orders and says so, soon."""

    def behave(gateway: Gateway, request: dict) -> Reply:
        delay_s = chance.uniform(0, delay_s_max)
        if chance.random() < rejections:
            return Reply(_bytes(gateway.rejected(request)), delay_s, note="rejected")
        # A close of what is not open any more is refused here, in words that leave it open whether it was sent.
        reply = gateway.filled(request)
        return Reply(_bytes(reply), delay_s, note="filled" if gateway.executed else "failed")

    return behave


class Liar:
    """Tells the truth to this share of orders; `deadline_s` is how long the daemon waits for it."""

    def __init__(self, chance: random.Random, truth: float, deadline_s: float):
        self.chance, self.truth, self.deadline_s = chance, truth, deadline_s
        self.honest = honest(chance, 0.0, 0.15)
        self.lies: list[Callable[[Gateway, dict], Reply]] = [
            self.drops,
            self.delays,
            self.garbles,
            self.answers_for_a_stranger,
            self.answers_for_an_earlier_order,
            self.answers_twice,
            self.restarts,
        ]

    def __call__(self, gateway: Gateway, request: dict) -> Reply:
        lie = self.honest if self.chance.random() < self.truth else self.chance.choice(self.lies)
        return lie(gateway, request)

    def questions(self, gateway: Gateway, request: dict) -> Reply:
        """Harmless questions go astray at times, too; what is answered is true."""
        return Reply(None, note="dropped") if self.chance.random() < 0.02 else truthful()(gateway, request)

    def drops(self, gateway: Gateway, request: dict) -> Reply:
        """Says nothing, whether it executed it or not."""
        self._perhaps(gateway, request)
        return Reply(None, note="dropped")

    def delays(self, gateway: Gateway, request: dict) -> Reply:
        """The truth, too late."""
        late_s = self.deadline_s * self.chance.uniform(1.2, 3)
        return Reply(_bytes(gateway.filled(request)), late_s, note="delayed")

    def garbles(self, gateway: Gateway, request: dict) -> Reply:
        """What is left of a reply."""
        whole = _bytes(self._perhaps(gateway, request))
        kinds = [whole[: len(whole) // 2], whole.replace(b'"', b"'"), b"", b"\xff" + whole, whole + whole, b"[" * 5_000]
        return Reply(self.chance.choice(kinds), note="garbled")

    def answers_for_a_stranger(self, gateway: Gateway, request: dict) -> Reply:
        """A fill of nobody's order."""
        return Reply(_bytes(gateway.filled(request) | {"uuid": STRANGER, "req_id": STRANGER}), note="stranger")

    def answers_for_an_earlier_order(self, gateway: Gateway, request: dict) -> Reply:
        """A fill of an order that this daemon did send, but earlier."""
        earlier = gateway.order_id(self.chance.choice(gateway.requests[-20:-1] or [{"uuid": STRANGER}]))
        return Reply(_bytes(self._perhaps(gateway, request) | {"uuid": earlier, "req_id": earlier}), note="earlier")

    def answers_twice(self, gateway: Gateway, request: dict) -> Reply:
        """The truth, then the contrary, which may meet the next order's question."""
        reply, contrary = gateway.filled(request), gateway.rejected(request)
        if not gateway.executed:
            return Reply(_bytes(reply), note="failed")
        again_s = self.chance.choice([0.0, 0.003, 0.02])
        return Reply(_bytes(reply), again=_bytes(contrary), again_delay_s=again_s, note="twice")

    def restarts(self, gateway: Gateway, request: dict) -> Reply:
        """Goes away with the order, executed or not, and comes back."""
        self._perhaps(gateway, request)
        gateway.absent_s = self.chance.uniform(0.05, 3 * self.deadline_s)
        return Reply(None, note="restarted")

    def _perhaps(self, gateway: Gateway, request: dict) -> dict:
        """A truthful reply; half of the orders are executed before."""
        return gateway.filled(request) if self.chance.random() < 0.5 else gateway.rejected(request)


def _bytes(reply: dict) -> bytes:
    return json.dumps(reply).encode()
