"""The gateway's side of the four dialects: checks requests, and builds replies."""

import hashlib
import json
import re
import time
from datetime import datetime, timezone

from parts.gateway import PRICE, Gateway


class PlaceOrder(Gateway):
    """A bridge written for the original daemon."""

    name = "place_order"
    echoes_id = False
    QUESTIONS = ("check_connection",)
    # The dialect has no volume.
    VOLUME = 0.01

    def check(self, request: dict) -> list[str]:
        if request == {"action": "check_connection"}:
            return []
        problems = []
        if set(request) != {"action", "symbol", "signal", "confidence", "timestamp"}:
            problems.append(f"keys {sorted(request)}")
        if request.get("action") != "place_order" or request.get("signal") not in ("BUY", "SELL"):
            problems.append(f"action {request.get('action')!r} signal {request.get('signal')!r}")
        if not 0 <= request.get("confidence", -1) <= 1:
            problems.append(f"confidence {request.get('confidence')!r}")
        sent = datetime.fromisoformat(request.get("timestamp", ""))
        sent = sent if sent.tzinfo else sent.replace(tzinfo=timezone.utc)
        if abs(time.time() - sent.timestamp()) > 5:
            problems.append(f"timestamp {request['timestamp']}")
        return problems

    def filled(self, request: dict) -> dict:
        return {"status": "Filled", "order_id": self.opened(request["symbol"], request["signal"], self.VOLUME)}

    def rejected(self, request: dict) -> dict:
        return {"status": "rejected", "message": "not today"}

    def alive(self, request: dict, at: float) -> dict:
        return {"status": "ok"}


class V43(Gateway):
    """The gateway that requires a risk signature."""

    name = "v43"
    echoes_id = True
    SIGNED = ("symbol", "type", "volume", "price", "sl", "tp")
    QUESTIONS = ("PING", "GET_ACCOUNT", "GET_POSITIONS")

    def check(self, request: dict) -> list[str]:
        problems = [f"no {key}" for key in ("uuid", "action", "timestamp") if key not in request]
        if request.get("action") in self.QUESTIONS:
            return problems
        if request.get("action") == "CLOSE":
            return problems + [f"ticket {request.get('ticket')!r}"] * (not is_ticket(request.get("ticket")))
        if request.get("action") != "OPEN":
            return problems + [f"action {request.get('action')!r}"]
        problems += [f"no {key}" for key in (*self.SIGNED, "comment", "risk_signature") if key not in request]
        if request.get("type") not in ("BUY", "SELL") or not 0.01 <= request.get("volume", 0) <= 100:
            problems.append(f"type {request.get('type')!r} volume {request.get('volume')!r}")
        return problems + self.check_signature(request)

    def check_signature(self, request: dict) -> list[str]:
        """Checks the signature as the gateway does: over the parsed values, in Python's spelling, not older than 5 s."""
        match = re.fullmatch(r"RISK_PASS:([0-9a-f]{8}):(\d{8}T\d{6}Z)", request.get("risk_signature", ""))
        if not match:
            return [f"signature {request.get('risk_signature')!r}"]
        signed = {key: request[key] for key in self.SIGNED if request.get(key) is not None}
        digest = hashlib.sha256(json.dumps(signed, sort_keys=True).encode()).hexdigest()[:8]
        at = datetime.strptime(match[2], "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc).timestamp()
        problems = [] if match[1] == digest else [f"checksum {match[1]}, not {digest} of {signed}"]
        return problems if -1 <= time.time() - at <= 5 else problems + [f"signed at {match[2]}"]

    def filled(self, request: dict) -> dict:
        if request["action"] == "CLOSE":
            return self.closed(request)
        symbol, volume = request.get("symbol"), request.get("volume")
        # A test may also answer a question with a fill; nothing is opened then.
        ticket = self.opened(symbol, request["type"], volume) if request["action"] == "OPEN" else self.tickets
        return {
            "uuid": request.get("uuid"),
            "status": "FILLED",
            "ticket": ticket,
            "symbol": symbol,
            "volume": volume,
            "price": PRICE,
            "execution_time": datetime.now(timezone.utc).isoformat(),
            "latency_ms": 1,
        }

    def closed(self, request: dict) -> dict:
        """The reply to a close, which needs a position with that ticket."""
        position = self.shut(request.get("ticket"))
        if position is None:
            return self.error(request, "MT5_ORDER_FAILED", "Position not found") | {"status": "error"}
        told = {key: position[key] for key in ("ticket", "symbol", "volume", "profit")}
        return {"uuid": request.get("uuid"), "status": "CLOSED", "price": PRICE, "latency_ms": 1} | told

    def rejected(self, request: dict) -> dict:
        return self.error(request, "INVALID_VOLUME", "volume out of range")

    def alive(self, request: dict, at: float) -> dict:
        reply = {"uuid": request.get("uuid"), "status": "ok"}
        if request["action"] == "PING":
            return reply | {"server_time": datetime.fromtimestamp(at, timezone.utc).isoformat(), "latency_ms": 0.1}
        if request["action"] == "GET_ACCOUNT":
            return reply | self.account()
        wanted = request.get("symbol")
        held = [position for position in self.positions.values() if wanted in (None, position["symbol"])]
        return reply | {"positions": held}

    def error(self, request: dict, code: str, message: str) -> dict:
        """An error reply of this gateway."""
        now = datetime.now(timezone.utc).isoformat()
        body = {"uuid": request.get("uuid"), "status": "REJECTED", "error_code": code, "error_msg": message}
        return body | {"timestamp": now}


class Enveloped(Gateway):
    """The envelope that two dialects share."""

    def check(self, request: dict) -> list[str]:
        problems = [] if set(request) == {"action", "req_id", "timestamp", "payload"} else [f"keys {sorted(request)}"]
        if abs(time.time() - request.get("timestamp", 0)) > 5:
            problems.append(f"timestamp {request.get('timestamp')!r}")
        return problems + self.check_payload(request.get("action"), request.get("payload"))

    def check_payload(self, action: str, payload: dict) -> list[str]:
        """What in the payload breaks the dialect."""
        raise NotImplementedError

    def symbol(self, request: dict) -> str:
        return request["payload"]["symbol"]


class Envelope(Enveloped):
    """The reply to a failed order has status SUCCESS, with the failure inside. An order without `type` would open a BUY."""

    name = "envelope"
    echoes_id = True
    QUESTIONS = ("HEARTBEAT", "GET_ACCOUNT_INFO", "GET_POSITIONS")
    ORDER = {"symbol", "type", "side", "volume", "sl", "tp", "comment", "magic"}

    def check_payload(self, action: str, payload: dict) -> list[str]:
        if action in self.QUESTIONS:
            return []
        if action == "CLOSE_POSITION":
            return [] if is_ticket(payload.get("ticket")) else [f"ticket {payload.get('ticket')!r}"]
        if action != "OPEN_ORDER":
            return [f"action {action!r}"]
        problems = [] if set(payload) == self.ORDER else [f"payload {sorted(payload)}"]
        if payload.get("type") not in ("BUY", "SELL") or payload.get("side") != payload.get("type"):
            problems.append(f"type {payload.get('type')!r} side {payload.get('side')!r}")
        return problems

    def reply(self, request: dict, data: object, at: float | None = None) -> dict:
        """A reply with these data."""
        at = time.time() if at is None else at
        return {"req_id": request.get("req_id"), "status": "SUCCESS", "timestamp": at, "data": data, "error": None}

    def filled(self, request: dict) -> dict:
        payload = request["payload"]
        if request["action"] == "CLOSE_POSITION":
            if self.shut(payload.get("ticket")) is None:
                return self.reply(request, {"status": "ERROR", "error": "Position not found"})
            return self.reply(request, {"status": "SUCCESS", "ticket": payload["ticket"]})
        ticket = self.opened(payload["symbol"], payload["type"], payload["volume"])
        return self.reply(request, {"status": "SUCCESS", "ticket": ticket, "volume": payload["volume"], "price": PRICE})

    def rejected(self, request: dict) -> dict:
        return self.reply(request, {"status": "ERROR", "retcode": 10019, "error": "No money"})

    def alive(self, request: dict, at: float) -> dict:
        held = list(self.positions.values())
        data = {"HEARTBEAT": {"status": "alive"}, "GET_ACCOUNT_INFO": self.account(), "GET_POSITIONS": held}
        return self.reply(request, data[request["action"]], at)


class OrderSend(Enveloped):
    """JSON v1.0; its replies do not name a request."""

    name = "order_send"
    echoes_id = False
    ORDER = {"symbol", "type", "volume", "magic", "comment", "sl", "tp"}

    def check_payload(self, action: str, payload: dict) -> list[str]:
        if action != "ORDER_SEND":
            return [f"action {action!r}"]
        problems = [] if set(payload) == self.ORDER else [f"payload {sorted(payload)}"]
        if payload.get("type") not in ("OP_BUY", "OP_SELL") or len(payload.get("comment", "")) > 31:
            problems.append(f"type {payload.get('type')!r} comment {payload.get('comment')!r}")
        return problems

    def filled(self, request: dict) -> dict:
        payload = request["payload"]
        ticket = self.opened(payload["symbol"], payload["type"].removeprefix("OP_"), payload["volume"])
        return {"error": False, "ticket": ticket, "msg": "Done", "retcode": 10009}

    def rejected(self, request: dict) -> dict:
        return {"error": True, "ticket": 0, "msg": "Market closed", "retcode": 10018}


def is_ticket(value: object) -> bool:
    """Whether this can be a broker's ticket."""
    return type(value) is int and value > 0


DIALECTS = {gateway.name: gateway for gateway in (PlaceOrder, V43, Envelope, OrderSend)}
