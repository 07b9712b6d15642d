"""What members of `cluster.mode = "shared"` leave in etcd, written by a test."""

import base64
import json
import time

from parts.etcd import Etcd
from parts.harness import ACCOUNT

FOLDER = f"/sentinel/{ACCOUNT}/"


def encoded(text: str) -> str:
    """As etcd's JSON gateway takes keys and values."""
    return base64.b64encode(text.encode()).decode()


def put(etcd: Etcd, key: str, value: dict, lease: str = "0"):
    """Writes a key of the account."""
    etcd.call("/v3/kv/put", key=encoded(FOLDER + key), value=encoded(json.dumps(value)), lease=lease)


def get(etcd: Etcd, key: str) -> dict | None:
    """Reads a key of the account."""
    found = etcd.call("/v3/kv/range", key=encoded(FOLDER + key)).get("kvs")
    return json.loads(base64.b64decode(found[0]["value"])) if found else None


def record(name: str, address: str, **more) -> dict:
    """A member's record."""
    now = int(time.time())
    own = {"instance": f"{name}-i", "member": name, "host": f"host-{name}", "pid": 7, "version": "0.1.0", "journal": "j"}
    own |= {"since": now - 60, "at": now, "trust_ms": 10_000, "bars_after": None, "weight": 1, "address": address, "region": "eu"}
    return own | more


def join(etcd: Etcd, member: dict, shards: range = range(0), lease_s: int = 60) -> str:
    """Registers a member with a lease, and gives it shards. Returns the lease."""
    lease = etcd.call("/v3/lease/grant", TTL=str(lease_s))["ID"]
    name = member["member"]
    put(etcd, f"seen/{name}", member)
    put(etcd, f"members/{name}", member, lease)
    for shard in shards:
        put(etcd, f"shards/{shard:02}", {"member": name, "instance": member["instance"]}, lease)
    return lease


def claim(symbol: str, member: str, outcome: dict | None = None) -> dict:
    """The claim of an order."""
    order = {"client_order_id": "0b0e7a4e-6d1c-5b7e-9a55-0d6c2b7d3f10", "symbol": symbol, "gateway_name": symbol, "closes": None}
    order |= {"side": "BUY", "volume": 0.1, "stop_loss": 1.0, "take_profit": 1.2, "confidence": 0.9, "bar_close_time": 1_800_000_000}
    own = {"member": member, "instance": f"{member}-i", "epoch": 7, "nonce": "1b0e7a4e-6d1c-4b7e-9a55-0d6c2b7d3f10", "order": order}
    own |= {"tickets_before": None, "dialect": None, "account_mode": None, "at_ms": int(time.time() * 1_000), "last_order_ms": None}
    return own | {"outcome": outcome}
