"""Gateways on ZeroMQ, one per dialect, on a raw ROUTER that records all it receives and answers as scripted."""

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone

import zmq


@dataclass
class Reply:
    """What to answer: `body` after `delay_s`, or nothing."""

    body: bytes | None
    delay_s: float = 0.0


Behaviour = Callable[["Gateway", dict], Reply]


@dataclass
class Gateway:
    """A gateway; bind it at once or later. `problems` holds every way in which a request broke the dialect."""

    port: int
    behaviour: Behaviour
    requests: list[dict] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    script: list[Behaviour] = field(default_factory=list)

    def bind(self) -> "Gateway":
        """Starts to listen."""
        self._stop = threading.Event()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(5), "the gateway could not bind"
        return self

    def close(self):
        """Stops listening."""
        if hasattr(self, "_thread"):
            self._stop.set()
            self._thread.join(5)

    def _run(self, ready: threading.Event):
        context = zmq.Context()
        socket = context.socket(zmq.ROUTER)
        socket.linger = 0
        socket.bind(f"tcp://127.0.0.1:{self.port}")
        ready.set()
        due: list[tuple[float, list[bytes]]] = []
        while not self._stop.is_set():
            if socket.poll(2):
                *envelope, payload = socket.recv_multipart()
                reply = self._receive(payload)
                if reply.body is not None:
                    due.append((time.monotonic() + reply.delay_s, [*envelope, reply.body]))
            for entry in [entry for entry in due if entry[0] <= time.monotonic()]:
                due.remove(entry)
                socket.send_multipart(entry[1])
        socket.close()
        context.term()

    def _receive(self, payload: bytes) -> Reply:
        try:
            request = json.loads(payload)
        except ValueError:
            self.problems.append(f"not JSON: {payload[:200]!r}")
            return Reply(b"{}")
        self.requests.append(request)
        self.problems += self.check(request)
        return (self.script.pop(0) if self.script else self.behaviour)(self, request)

    def check(self, request: dict) -> list[str]:
        """How a request breaks the dialect."""
        raise NotImplementedError

    def filled(self, request: dict) -> dict:
        """The dialect's reply to an order that was filled."""
        raise NotImplementedError

    def rejected(self, request: dict) -> dict:
        """The dialect's reply to an order that was refused before it could be sent on."""
        raise NotImplementedError

    def symbol(self, request: dict) -> str:
        """What an order is for."""
        return request["symbol"]

    def alive(self, request: dict, at: float) -> dict:
        """The dialect's reply to its harmless question, and to what is asked next, by a clock that says `at`."""
        raise NotImplementedError


class PlaceOrder(Gateway):
    """A bridge written against the original daemon."""

    name = "place_order"
    echoes_id = False

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
        return {"status": "Filled", "order_id": 1001}

    def rejected(self, request: dict) -> dict:
        return {"status": "rejected", "message": "not today"}

    def alive(self, request: dict, at: float) -> dict:
        return {"status": "ok"}


class V43(Gateway):
    """The gateway that wants a risk signature."""

    name = "v43"
    echoes_id = True
    SIGNED = ("symbol", "type", "volume", "price", "sl", "tp")
    HARMLESS = ("PING", "GET_ACCOUNT", "GET_POSITIONS")

    def check(self, request: dict) -> list[str]:
        problems = [f"no {key}" for key in ("uuid", "action", "timestamp") if key not in request]
        if request.get("action") != "OPEN":
            return problems + [f"action {request.get('action')!r}"] * (request.get("action") not in self.HARMLESS)
        problems += [f"no {key}" for key in (*self.SIGNED, "comment", "risk_signature") if key not in request]
        if request.get("type") not in ("BUY", "SELL") or not 0.01 <= request.get("volume", 0) <= 100:
            problems.append(f"type {request.get('type')!r} volume {request.get('volume')!r}")
        return problems + self.check_signature(request)

    def check_signature(self, request: dict) -> list[str]:
        """As the gateway does it: over what it parsed, in Python's spelling, not older than 5 s."""
        match = re.fullmatch(r"RISK_PASS:([0-9a-f]{8}):(\d{8}T\d{6}Z)", request.get("risk_signature", ""))
        if not match:
            return [f"signature {request.get('risk_signature')!r}"]
        signed = {key: request[key] for key in self.SIGNED if request.get(key) is not None}
        digest = hashlib.sha256(json.dumps(signed, sort_keys=True).encode()).hexdigest()[:8]
        at = datetime.strptime(match[2], "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc).timestamp()
        problems = [] if match[1] == digest else [f"checksum {match[1]}, not {digest} of {signed}"]
        return problems if -1 <= time.time() - at <= 5 else problems + [f"signed at {match[2]}"]

    def filled(self, request: dict) -> dict:
        return {
            "uuid": request.get("uuid"),
            "status": "FILLED",
            "ticket": 5000 + len(self.requests),
            "symbol": request.get("symbol"),
            "volume": request.get("volume"),
            "price": 1.1,
            "execution_time": datetime.now(timezone.utc).isoformat(),
            "latency_ms": 1,
        }

    def rejected(self, request: dict) -> dict:
        return self.error(request, "INVALID_VOLUME", "volume out of range")

    def alive(self, request: dict, at: float) -> dict:
        reply = {"uuid": request.get("uuid"), "status": "ok"}
        if request["action"] == "PING":
            return reply | {"server_time": datetime.fromtimestamp(at, timezone.utc).isoformat(), "latency_ms": 0.1}
        if request["action"] == "GET_ACCOUNT":
            return reply | ACCOUNT
        return reply | {"positions": [POSITION]}

    def error(self, request: dict, code: str, message: str) -> dict:
        """An error reply of this gateway."""
        now = datetime.now(timezone.utc).isoformat()
        body = {"uuid": request.get("uuid"), "status": "REJECTED", "error_code": code, "error_msg": message}
        return body | {"timestamp": now}


class Enveloped(Gateway):
    """The frame that two dialects share."""

    def check(self, request: dict) -> list[str]:
        problems = [] if set(request) == {"action", "req_id", "timestamp", "payload"} else [f"keys {sorted(request)}"]
        if abs(time.time() - request.get("timestamp", 0)) > 5:
            problems.append(f"timestamp {request.get('timestamp')!r}")
        return problems + self.check_payload(request.get("action"), request.get("payload"))

    def check_payload(self, action: str, payload: dict) -> list[str]:
        """How what is in the frame breaks the dialect."""
        raise NotImplementedError

    def symbol(self, request: dict) -> str:
        return request["payload"]["symbol"]


class Envelope(Enveloped):
    """A failed order answers SUCCESS here, with the failure inside; without `type` it would open a BUY."""

    name = "envelope"
    echoes_id = True
    ORDER = {"symbol", "type", "side", "volume", "sl", "tp", "comment", "magic"}

    def check_payload(self, action: str, payload: dict) -> list[str]:
        if action in ("HEARTBEAT", "GET_ACCOUNT_INFO", "GET_POSITIONS"):
            return []
        if action != "OPEN_ORDER":
            return [f"action {action!r}"]
        problems = [] if set(payload) == self.ORDER else [f"payload {sorted(payload)}"]
        if payload.get("type") not in ("BUY", "SELL") or payload.get("side") != payload.get("type"):
            problems.append(f"type {payload.get('type')!r} side {payload.get('side')!r}")
        return problems

    def reply(self, request: dict, data: object, at: float | None = None) -> dict:
        """A reply with this in it."""
        at = time.time() if at is None else at
        return {"req_id": request.get("req_id"), "status": "SUCCESS", "timestamp": at, "data": data, "error": None}

    def filled(self, request: dict) -> dict:
        volume = request["payload"]["volume"]
        return self.reply(request, {"status": "SUCCESS", "ticket": 7001, "volume": volume, "price": 1.1})

    def rejected(self, request: dict) -> dict:
        return self.reply(request, {"status": "ERROR", "retcode": 10019, "error": "No money"})

    def alive(self, request: dict, at: float) -> dict:
        data = {"HEARTBEAT": {"status": "alive"}, "GET_ACCOUNT_INFO": ACCOUNT, "GET_POSITIONS": []}
        return self.reply(request, data[request["action"]], at)


class OrderSend(Enveloped):
    """JSON v1.0; its replies name no request."""

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
        return {"error": False, "ticket": 8001, "msg": "Done", "retcode": 10009}

    def rejected(self, request: dict) -> dict:
        return {"error": True, "ticket": 0, "msg": "Market closed", "retcode": 10018}


ACCOUNT = {"balance": 10_000.0, "equity": 9_990.5, "margin": 1.0, "free_margin": 9_989.5, "currency": "USD"}
POSITION = {"ticket": 5, "symbol": "EURUSD", "type": "BUY", "volume": 0.1, "open_price": 1.1, "profit": -9.5}
DIALECTS = {gateway.name: gateway for gateway in (PlaceOrder, V43, Envelope, OrderSend)}


def says(body: Callable[[Gateway, dict], dict], delay_s: float = 0.0) -> Behaviour:
    """Replies with what `body` makes of the request, after a while."""
    return lambda gateway, request: Reply(json.dumps(body(gateway, request)).encode(), delay_s)


def late(delay_s: float) -> Behaviour:
    """A fill, after a while."""
    return says(lambda gateway, request: gateway.filled(request), delay_s)


def alive(ahead_s: float = 0.0) -> Behaviour:
    """Answers harmless questions, by a clock that is this far ahead."""
    return says(lambda gateway, request: gateway.alive(request, time.time() + ahead_s))


def silent(gateway: Gateway, request: dict) -> Reply:
    """Nothing, ever."""
    return Reply(None)


def garbage(gateway: Gateway, request: dict) -> Reply:
    """No JSON."""
    return Reply(b"\x00\xffFILLED ticket=7 {")


STRANGER = "00000000-0000-4000-8000-000000000000"
filled = says(lambda gateway, request: gateway.filled(request))
rejected = says(lambda gateway, request: gateway.rejected(request))
# A fill in a reply of 1 MB.
huge = says(lambda gateway, request: gateway.filled(request) | {"comment": "x" * 1_000_000})
# A fill of somebody else's order.
wrong_id = says(lambda gateway, request: gateway.filled(request) | {"uuid": STRANGER, "req_id": STRANGER})
