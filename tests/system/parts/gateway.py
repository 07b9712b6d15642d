"""A gateway on ZeroMQ: a ROUTER socket that records everything it receives, answers harmless queries truthfully by itself,
and orders as scripted. `dialects` has the messages. `servers` runs it as its own process."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import zmq

# The most open positions; the oldest is then closed by its stop. The list of all positions must fit into a reply.
POSITIONS_MAX = 200
BALANCE, PRICE = 10_000.0, 1.1


@dataclass
class Reply:
    """What to answer: `body` after `delay_s`, or nothing; then `again`. `note` is only for the record."""

    body: bytes | None
    delay_s: float = 0.0
    again: bytes | None = None
    again_delay_s: float = 0.0
    note: str = ""


Behaviour = Callable[["Gateway", dict], Reply]


@dataclass
class Gateway:
    """A gateway; bind it at once or later. `requests` are the orders that it received, `asked` the harmless queries,
    `problems` all violations of the dialect in both. `positions` are the open positions."""

    port: int
    behaviour: Behaviour
    # None means truthful answers.
    question_behaviour: Behaviour | None = None
    # The file to which every request is written before it is answered, one line of JSON each.
    record: Path | None = None
    requests: list[dict] = field(default_factory=list)
    asked: list[dict] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    script: list[Behaviour] = field(default_factory=list)
    question_script: list[Behaviour] = field(default_factory=list)
    positions: dict[int, dict] = field(default_factory=dict)
    tickets: int = 5000
    # Money without open positions. A test may add a deposit.
    balance: float = BALANCE
    # The ticket that the last order opened or closed, if it was executed.
    executed: int | None = None
    # A behaviour can set this: for so many seconds the gateway does not listen.
    absent_s: float = 0.0

    name = ""
    # The address that it listens on.
    host = "127.0.0.1"
    # Actions that trade nothing. Without annotation, because it is a class attribute of each dialect, not a field.
    QUESTIONS = ()

    def bind(self) -> "Gateway":
        """Starts listening."""
        self._stop = threading.Event()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(5), "the gateway could not bind"
        return self

    def close(self):
        """Stops listening. It can be bound again and keeps its state."""
        if hasattr(self, "_thread"):
            self._stop.set()
            self._thread.join(5)

    def _run(self, ready: threading.Event):
        while not self._stop.is_set():
            self._serve(ready)
            self._stop.wait(self.absent_s)
            self.absent_s = 0.0

    def _serve(self, ready: threading.Event):
        """Listens until it is stopped or a behaviour makes it absent."""
        context = zmq.Context()
        socket = context.socket(zmq.ROUTER)
        socket.linger = 0
        socket.ipv6 = ":" in self.host
        socket.bind(f"tcp://{self.host}:{self.port}")
        ready.set()
        due: list[tuple[float, list[bytes]]] = []
        while not self._stop.is_set() and not self.absent_s:
            if socket.poll(1 if due else 20):
                *envelope, payload = socket.recv_multipart()
                reply = self._receive(payload)
                for body, delay_s in ((reply.body, reply.delay_s), (reply.again, reply.again_delay_s)):
                    if body is not None:
                        due.append((time.monotonic() + delay_s, [*envelope, body]))
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
        self.problems += self.check(request)
        # Everything else may be an order, including unknown actions.
        if request.get("action") in self.QUESTIONS:
            self.asked.append(request)
            behaviour = self.question_script.pop(0) if self.question_script else self.question_behaviour or truthful()
            reply = behaviour(self, request)
            self._write_down(request, reply, "question")
            return reply
        self.requests.append(request)
        self.executed = None
        reply = (self.script.pop(0) if self.script else self.behaviour)(self, request)
        self._write_down(request, reply, "order", self.executed)
        return reply

    def _write_down(self, request: dict, reply: Reply, kind: str, ticket: int | None = None):
        """Records a request, and the ticket of the position that it opened or closed."""
        if self.record:
            line = {"at": time.time(), "kind": kind, "id": self.order_id(request), "ticket": ticket}
            line |= {"note": reply.note, "request": request}
            with self.record.open("a") as file:
                file.write(json.dumps(line) + "\n")

    def opened(self, symbol: str, side: str, volume: float) -> int:
        """Opens a position, and returns its ticket."""
        self.tickets += 1
        self.positions[self.tickets] = {
            "ticket": self.tickets,
            "symbol": symbol,
            "type": side,
            "volume": volume,
            "open_price": PRICE,
            "current_price": PRICE,
            "profit": 0.0,
        }
        if len(self.positions) > POSITIONS_MAX:
            del self.positions[min(self.positions)]
        self.executed = self.tickets
        return self.tickets

    def shut(self, ticket: object) -> dict | None:
        """Closes the position of a ticket, if there is one, and returns it."""
        position = self.positions.pop(ticket, None) if isinstance(ticket, int) else None
        if position:
            self.executed = position["ticket"]
            self.balance = round(self.balance + position["profit"], 2)
        return position

    def moved(self, ticket: int, profit: float):
        """Moves the price until this position has this profit: of a tenth of a lot a pip is 1."""
        position = self.positions[ticket]
        points = profit / position["volume"] / 1e5 * (1 if position["type"] == "BUY" else -1)
        self.positions[ticket] = position | {"profit": profit, "current_price": round(PRICE + points, 5)}

    def stopped(self, *brought: tuple[int, float]):
        """The broker closes these tickets by their stops, at these profits and at once."""
        positions, balance = dict(self.positions), self.balance
        for ticket, profit in brought:
            del positions[ticket]
            balance = round(balance + profit, 2)
        # One after the other for a reader on another thread, and never a closed position without its money.
        self.balance, self.positions = balance, positions

    def account(self) -> dict:
        """Balance, equity and margin of the account."""
        equity = round(self.balance + sum(position["profit"] for position in self.positions.values()), 2)
        return {"balance": self.balance, "equity": equity, "margin": 1.0, "free_margin": equity - 1.0, "currency": "USD"}

    def check(self, request: dict) -> list[str]:
        """The violations of the dialect in a request."""
        raise NotImplementedError

    def order_id(self, request: dict) -> str | None:
        """The id of an order, if the dialect has one."""
        return request.get("uuid") or request.get("req_id")

    def filled(self, request: dict) -> dict:
        """Executes an order (open or close), and builds the dialect's reply."""
        raise NotImplementedError

    def rejected(self, request: dict) -> dict:
        """The dialect's reply to an order that was refused before it was forwarded."""
        raise NotImplementedError

    def symbol(self, request: dict) -> str:
        """The symbol of an order."""
        return request["symbol"]

    def alive(self, request: dict, at: float) -> dict:
        """The dialect's reply to a harmless query, by a clock that shows `at`."""
        raise NotImplementedError


def says(body: Callable[[Gateway, dict], dict], delay_s: float = 0.0) -> Behaviour:
    """Replies after `delay_s` with what `body` returns for the request."""
    return lambda gateway, request: Reply(json.dumps(body(gateway, request)).encode(), delay_s)


def late(delay_s: float) -> Behaviour:
    """A fill after `delay_s`."""
    return says(lambda gateway, request: gateway.filled(request), delay_s)


def truthful(ahead_s: float = 0.0) -> Behaviour:
    """Answers harmless queries, by a clock that is this far ahead."""
    return says(lambda gateway, request: gateway.alive(request, time.time() + ahead_s))


def silent(gateway: Gateway, request: dict) -> Reply:
    """Never answers, and does not execute anything."""
    return Reply(None)


def garbage(gateway: Gateway, request: dict) -> Reply:
    """A reply that is not JSON."""
    return Reply(b"\x00\xffFILLED ticket=7 {")


STRANGER = "00000000-0000-4000-8000-000000000000"
filled = says(lambda gateway, request: gateway.filled(request))
rejected = says(lambda gateway, request: gateway.rejected(request))
# A fill in a reply of 1 MB.
huge = says(lambda gateway, request: gateway.filled(request) | {"comment": "x" * 1_000_000})
# A fill with the id of an unknown order.
wrong_id = says(lambda gateway, request: gateway.filled(request) | {"uuid": STRANGER, "req_id": STRANGER})
