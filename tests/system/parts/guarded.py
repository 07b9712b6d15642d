"""Live daemons that claim one account in etcd, and what a gateway received from each."""

import time
from collections import Counter

from parts.harness import EVERY_SECOND
from parts.market import Market, bar

# A claim is then trusted for 10 s, and kept alive so often that a busy machine does not lose it.
OFTEN = {"cluster.lease_s": 15, "cluster.keepalive_s": 2}
# The shortest lease: trusted for 3 s.
SHORT = {"cluster.lease_s": 8, "cluster.keepalive_s": 1}
FREE = {"guards.positions_max": 0}
MINUTE = 60


class MinuteMarket(Market):
    """Bars of one minute, always up to now."""

    def __init__(self):
        super().__init__([])

    def serve(self, handler, request):
        forming = int(time.time()) // MINUTE * MINUTE
        self.bars = [bar(forming - n * MINUTE, length_s=MINUTE) for n in range(399, -1, -1)]
        super().serve(handler, request)


def guarded(harness, gateway, number: int, url: str, *args: str, **settings):
    """A live daemon that claims the account; its orders have its number as their magic, if the dialect has one."""
    usual = {"cluster.mode": "guard", "cluster.endpoints": url, "gateway.magic": number, "cluster.member": f"inf-{number}"}
    return harness.start_live(gateway, *EVERY_SECOND, *args, settings=usual | OFTEN | FREE | settings)


def holds(daemon) -> bool:
    """Whether it says that it may send."""
    return daemon.serves() and daemon.metrics()("cluster_leader", shard="account") == 1


def senders(gateway) -> list[int]:
    """Which daemon sent each order of a gateway with envelopes."""
    return [request["payload"]["magic"] for request in gateway.requests]


def ids(gateway) -> Counter:
    """How often each order arrived."""
    return Counter(gateway.order_id(request) for request in gateway.requests)
