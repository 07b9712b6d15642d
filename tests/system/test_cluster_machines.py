"""Members of one account and three etcd nodes, each on a machine of its own (a network namespace): what becomes of the account when
a machine dies or is cut off. What was sent is what an independent gateway wrote down."""

import json
import signal
import time

import pytest

from parts.daemon import wait_until
from parts.etcd import Quorum
from parts.guarded import MinuteMarket, begin_shared, ids, in_etcd, placed, sharing, shards_of
from parts.machines import Network

SYMBOLS = "EURUSD,GBPUSD,AUDUSD,NZDUSD,EURGBP,EURAUD,EURNZD,GBPAUD"
MINUTELY = ("--interval", "1m", "--symbol", SYMBOLS)
ALL = {f"{number:02}" for number in range(16)}
# As production.toml has them: a claim is trusted for 10 s.
USUAL = {"cluster.lease_s": 15, "cluster.keepalive_s": 5}
TRUST_S = 10


@pytest.fixture
def network():
    """A switch."""
    network = Network()
    yield network
    network.close()


@pytest.fixture
def etcd(network, tmp_path):
    """Three nodes that run, and a member has left them."""
    etcd = Quorum(tmp_path / "etcd", network).start()
    begin_shared(etcd)
    yield etcd
    etcd.close()


class Pair:
    """Two members: `owner` has all shards, `other` none yet."""

    def __init__(self, harness, network, etcd):
        harness.market.close()
        harness.market = MinuteMarket()
        self.gateway = harness.gateway("v43")
        self.gateway.record = harness.directory / "received.jsonl"
        self.machines = [network.machine(), network.machine()]
        self.owner, self.other = [self._start(harness, etcd, number, machine) for number, machine in enumerate(self.machines, 1)]

    def _start(self, harness, etcd, number: int, machine):
        with placed(harness, self.gateway, machine) as place:
            daemon = sharing(harness, self.gateway, number, etcd.url, *MINUTELY, **USUAL, **place)
        # The first one joins as the only one; who joins later gets its part a minute later.
        what = (lambda: shards_of(daemon) == ALL) if number == 1 else (lambda: daemon.metrics()("cluster_members") == 2)
        wait_until("it is a member", lambda: daemon.serves() and what(), 60)
        return daemon

    def taken_over_after(self, began: float, timeout_s: float = 90) -> float:
        """How many seconds later the other one owns all shards."""
        wait_until("the other owns all", lambda: shards_of(self.other) == ALL, timeout_s)
        return time.monotonic() - began

    def sent(self) -> list[tuple[int, float]]:
        """Who sent each order, and when it arrived."""
        path = self.gateway.record
        lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [(line["request"]["magic"], line["at"]) for line in lines if line["kind"] == "order"]


@pytest.fixture
def pair(harness, network, etcd):
    """They run."""
    return Pair(harness, network, etcd)


def test_takeover_when_etcds_leader_dies_with_the_owner(pair, etcd):
    leader = etcd.leader()
    leader.stop()
    pair.owner.send(signal.SIGKILL)
    took = pair.taken_over_after(time.monotonic())
    # The new leader gives every lease its whole time again.
    assert took <= 35, f"{took:.1f} s"
    assert etcd.leader() is not leader
    print(f"takeover after the death of owner and leader: {took:.1f} s")


@pytest.mark.long
def test_an_owner_cut_off_from_etcd_only_sends_nothing_more(pair, etcd):
    gateway, owner, machine = pair.gateway, pair.owner, pair.machines[0]
    wait_until("its orders of a minute", lambda: len(gateway.requests) == 8, 150)
    machine.is_cut, cut, at = True, time.monotonic(), time.time()
    wait_until("its trust is over", lambda: not shards_of(owner), TRUST_S + 1)
    before = owner.metrics().suppressed().get("not_holder", 0)
    took = pair.taken_over_after(cut)
    assert took <= 20, f"{took:.1f} s"
    # Both decide on the next bar, for the same symbols, and both reach the gateway.
    wait_until("the other orders all", lambda: len([1 for who, _ in pair.sent() if who == 2]) >= 8, 150)
    owner.wait_metrics("its signals", lambda m: m.suppressed().get("not_holder", 0) >= before + 8, 150)
    late = [when - at for who, when in pair.sent() if who == 1 and when > at + TRUST_S]
    assert not late, f"sent without trust, so many seconds after the cut: {late}"
    assert owner.get("/readyz")[0] == 503 and "because etcd does not answer" in owner.get("/health")[2]
    # Back, it owns nothing, and what the other has it does not take.
    machine.is_cut = False
    wait_until("it is a member again", lambda: "members/inf-1" in in_etcd(etcd, "members/"), 60)
    wait_until("it is ready", lambda: owner.get("/readyz")[0] == 200, 60)
    assert not shards_of(owner) & shards_of(pair.other)
    assert max(ids(gateway).values()) == 1 and not gateway.problems
    print(f"takeover after the owner was cut off: {took:.1f} s")


def test_a_leader_cut_off_from_its_nodes_costs_no_shard(pair, etcd):
    leader = etcd.leader()
    leader.machine.is_cut = True
    # It still believes to lead, and answers nobody.
    wait_until("another one leads", lambda: [node for node in etcd.nodes if node is not leader and node.leads()], 30)
    sent = len(pair.gateway.requests)
    wait_until("an order", lambda: len(pair.gateway.requests) > sent, 150)
    assert max(ids(pair.gateway).values()) == 1
    assert shards_of(pair.owner) | shards_of(pair.other) == ALL
