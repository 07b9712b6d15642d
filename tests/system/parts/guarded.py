"""Live daemons that claim one account in etcd, or share it, and what a gateway received from each."""

import base64
import hashlib
import json
import socket
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from parts.daemon import free_port
from parts.harness import ACCOUNT, EVERY_SECOND
from parts.machines import Machine
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


def journal(harness, number: int) -> Path:
    """Where the journal of the daemon with this number is, unless a test says otherwise."""
    return harness.directory / f"journal-{number}.db"


def begin(harness, etcd, number: int = 1):
    """Writes to etcd what the daemon with this number leaves when it gives the account back. In an empty etcd the first daemon waits
    for a minute, because an etcd that lost its data looks the same."""
    path, name = journal(harness, number), str(uuid.uuid4())
    path.touch()
    Path(f"{path}.id").write_text(name + "\n")
    host, now = socket.gethostname(), int(time.time())
    record = {"instance": "before", "member": f"inf-{number}", "host": host, "pid": 1, "version": "0", "journal": f"{host}/{name}"}
    record |= {"since": now, "at": now, "trust_ms": 10_000, "bars_after": None, "released": True}
    write(etcd, "last", record)


def write(etcd, name: str, value: dict):
    """Writes a key of the account."""
    key, text = (base64.b64encode(text.encode()).decode() for text in (f"/sentinel/{ACCOUNT}/{name}", json.dumps(value)))
    etcd.call("/v3/kv/put", key=key, value=text)


def begin_shared(etcd):
    """The same of a member that has left: who joins next need not wait."""
    now = int(time.time())
    record = {"instance": "before", "member": "before", "host": "before", "pid": 1, "version": "0", "journal": "cluster.mode = shared"}
    record |= {"since": now, "at": now, "trust_ms": 10_000, "bars_after": None, "released": True}
    write(etcd, "last", record)


def sharing(harness, gateway, number: int, url: str, *args: str, **settings):
    """A live daemon that shares the account with others."""
    return guarded(harness, gateway, number, url, *args, **{"cluster.mode": "shared", "cluster.trial": "accepted"} | settings)


@contextmanager
def placed(harness, gateway, machine: Machine, port: int | None = None) -> Iterator[dict[str, object]]:
    """What the harness starts within this context runs on that machine, with these settings. It reaches market, model and gateway
    also while the machine is cut off, and the test reaches its port."""
    for offered in (int(harness.market.url.rsplit(":", 1)[1]), harness.model.port, gateway.port):
        machine.offer(offered)
    machine.publish(port := port or free_port())
    harness.before = machine.before
    try:
        yield {"cluster.plaintext": "accepted", "metrics.port": port}
    finally:
        harness.before = []


def shards_of(daemon) -> set[str]:
    """The shards that it owns, as it says."""
    owned = daemon.metrics().all("cluster_shard_owner") if daemon.serves() else {}
    return {dict(labels)["shard"] for labels, value in owned.items() if value == 1}


def shard(symbol: str) -> str:
    """The one that a symbol is in."""
    return f"{hashlib.sha256(symbol.encode()).digest()[31] % 16:02}"


def in_etcd(etcd, folder: str) -> dict[str, dict]:
    """The values of the account's keys in a folder, by name."""
    start = f"/sentinel/{ACCOUNT}/{folder}"
    end = start[:-1] + chr(ord(start[-1]) + 1)
    key, range_end = (base64.b64encode(text.encode()).decode() for text in (start, end))
    found = etcd.call("/v3/kv/range", key=key, range_end=range_end).get("kvs", [])
    decoded = {base64.b64decode(kv["key"]).decode(): json.loads(base64.b64decode(kv["value"])) for kv in found}
    return {name.removeprefix(f"/sentinel/{ACCOUNT}/"): value for name, value in decoded.items()}


def guarded(harness, gateway, number: int, url: str, *args: str, **settings):
    """A live daemon that claims the account; its orders have its number as their magic, if the dialect has one."""
    usual = {"cluster.mode": "guard", "cluster.endpoints": url, "gateway.magic": number, "cluster.member": f"inf-{number}"}
    if "--journal" not in args:
        args += ("--journal", str(journal(harness, number)))
    return harness.start_live(gateway, *EVERY_SECOND, *args, settings=usual | OFTEN | FREE | settings)


def holds(daemon) -> bool:
    """Whether it says that it may send."""
    return daemon.serves() and daemon.metrics().sum("cluster_leader") == 1


def senders(gateway) -> list[int]:
    """Which daemon sent each order of a gateway with envelopes."""
    return [request["payload"]["magic"] for request in gateway.requests]


def ids(gateway) -> Counter:
    """How often each order arrived."""
    return Counter(gateway.order_id(request) for request in gateway.requests)
