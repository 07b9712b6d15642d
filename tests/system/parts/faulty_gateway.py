"""What a faulty gateway can do with an order. Each behaviour notes what it did, so that a test can compare the daemon's journal
with what really happened."""

import json
import random
from collections.abc import Callable

from parts.gateway import STRANGER, Behaviour, Gateway, Reply, truthful

# Notes of replies that are true, complete and in time.
REPORTED_FILLED, REPORTED_REJECTED = ("filled", "twice"), ("rejected",)


def reliable(chance: random.Random, delay_s_max: float, rejections: float) -> Behaviour:
    """Executes most orders and reports it soon."""

    def behave(gateway: Gateway, request: dict) -> Reply:
        delay_s = chance.uniform(0, delay_s_max)
        if chance.random() < rejections:
            return Reply(_bytes(gateway.rejected(request)), delay_s, note="rejected")
        # The gateway refuses to close a position that is no longer open, with an error that does not say whether the close was
        # sent.
        reply = gateway.filled(request)
        return Reply(_bytes(reply), delay_s, note="filled" if gateway.executed else "failed")

    return behave


class FaultyBehaviour:
    """Handles this share of orders correctly, the others with a fault. `deadline_s` is how long the daemon waits for a
    reply."""

    def __init__(self, chance: random.Random, share_reliable: float, deadline_s: float):
        self.chance, self.share_reliable, self.deadline_s = chance, share_reliable, deadline_s
        self.reliable = reliable(chance, 0.0, 0.15)
        self.faults: list[Callable[[Gateway, dict], Reply]] = [
            self.drops,
            self.delays,
            self.garbles,
            self.answers_for_an_unknown_order,
            self.answers_for_an_earlier_order,
            self.answers_twice,
            self.restarts,
        ]

    def __call__(self, gateway: Gateway, request: dict) -> Reply:
        behave = self.reliable if self.chance.random() < self.share_reliable else self.chance.choice(self.faults)
        return behave(gateway, request)

    def questions(self, gateway: Gateway, request: dict) -> Reply:
        """Sometimes drops a harmless query. Its answers are true."""
        return Reply(None, note="dropped") if self.chance.random() < 0.02 else truthful()(gateway, request)

    def drops(self, gateway: Gateway, request: dict) -> Reply:
        """Does not reply, whether the order was executed or not."""
        self._perhaps(gateway, request)
        return Reply(None, note="dropped")

    def delays(self, gateway: Gateway, request: dict) -> Reply:
        """A true reply, too late."""
        late_s = self.deadline_s * self.chance.uniform(1.2, 3)
        return Reply(_bytes(gateway.filled(request)), late_s, note="delayed")

    def garbles(self, gateway: Gateway, request: dict) -> Reply:
        """A damaged reply."""
        whole = _bytes(self._perhaps(gateway, request))
        kinds = [whole[: len(whole) // 2], whole.replace(b'"', b"'"), b"", b"\xff" + whole, whole + whole, b"[" * 5_000]
        return Reply(self.chance.choice(kinds), note="garbled")

    def answers_for_an_unknown_order(self, gateway: Gateway, request: dict) -> Reply:
        """A fill of an unknown order."""
        return Reply(_bytes(gateway.filled(request) | {"uuid": STRANGER, "req_id": STRANGER}), note="unknown order")

    def answers_for_an_earlier_order(self, gateway: Gateway, request: dict) -> Reply:
        """A fill of an earlier order of this daemon."""
        earlier = gateway.order_id(self.chance.choice(gateway.requests[-20:-1] or [{"uuid": STRANGER}]))
        return Reply(_bytes(self._perhaps(gateway, request) | {"uuid": earlier, "req_id": earlier}), note="earlier")

    def answers_twice(self, gateway: Gateway, request: dict) -> Reply:
        """A true reply, then its opposite, which may arrive while the next order waits."""
        reply, contrary = gateway.filled(request), gateway.rejected(request)
        if not gateway.executed:
            return Reply(_bytes(reply), note="failed")
        again_s = self.chance.choice([0.0, 0.003, 0.02])
        return Reply(_bytes(reply), again=_bytes(contrary), again_delay_s=again_s, note="twice")

    def restarts(self, gateway: Gateway, request: dict) -> Reply:
        """Disappears with the order, executed or not, and comes back."""
        self._perhaps(gateway, request)
        gateway.absent_s = self.chance.uniform(0.05, 3 * self.deadline_s)
        return Reply(None, note="restarted")

    def _perhaps(self, gateway: Gateway, request: dict) -> dict:
        """A true reply; half of the orders are executed."""
        return gateway.filled(request) if self.chance.random() < 0.5 else gateway.rejected(request)


def _bytes(reply: dict) -> bytes:
    return json.dumps(reply).encode()
