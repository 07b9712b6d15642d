"""HTTP servers that send raw bytes: every request gets its own answer, and a fault before, after or instead of it. They keep
their connections open, so a client that reuses one would read leftover bytes."""

import json
import socket
import threading
import time
from collections.abc import Callable

from parts.market import HOUR, bar
from parts.model import BUY, SELL

# Gets the number of the request, its own answer and that of another request; returns the pieces to send, with 30 ms between
# them.
Fault = Callable[[int, bytes, bytes], list[bytes]]

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload; as=style\r\n\r\n"
# The place of `volume_sma` among the 23 features. With a constant volume it equals that volume, and so identifies the symbol.
VOLUME_SMA = 16
FIRST_VOLUME = 1000


def as_it_should_be(number: int, own: bytes, other: bytes) -> list[bytes]:
    """No fault."""
    return [own]


FAULTS: dict[str, Fault] = {
    "nothing": as_it_should_be,
    "100 before the first answer": lambda number, own, _: [CONTINUE, own] if number == 0 else [own],
    "103 before one answer": lambda number, own, _: [HINTS, own] if number == 1 else [own],
    "100 and 103 before every answer, in one packet": lambda number, own, _: [CONTINUE + HINTS * 2 + own],
    "103 before every answer, in pieces": lambda number, own, _: [HINTS[:5], HINTS[5:40], HINTS[40:] + own[:9], own[9:]],
    "two answers at once": lambda number, own, other: [own + other] if number == 0 else [own],
    "an answer behind the answer": lambda number, own, other: [own, other] if number == 0 else [own],
    "100 behind every answer": lambda number, own, _: [own, CONTINUE],
}


def answer(value) -> bytes:
    """A complete answer that offers to keep the connection open."""
    body = json.dumps(value).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Connection: keep-alive\r\n\r\n" + body


class RawHttp:
    """A thread per connection. Subclasses define the answers."""

    def __init__(self, fault: Fault = as_it_should_be):
        self.fault, self.number = fault, 0
        # The number of requests on each connection.
        self.connections: list[int] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        """Accepts no further connections."""
        self._listener.close()

    def own(self, path: str, body: bytes) -> tuple[bytes, bytes]:
        """The answer to this request, and an answer to another request."""
        raise NotImplementedError

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections.append(0)
                place = len(self.connections) - 1
            threading.Thread(target=self._converse, args=(connection, place), daemon=True).start()

    def _converse(self, connection: socket.socket, place: int):
        try:
            reader = connection.makefile("rb")
            while line := reader.readline():
                path, length = line.split()[1].decode(), 0
                while (header := reader.readline()).strip():
                    name, _, value = header.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                body = reader.read(length)
                with self._lock:
                    self.connections[place] += 1
                    number, self.number = self.number, self.number + 1
                for piece in self.fault(number, *self.own(path, body)):
                    connection.sendall(piece)
                    time.sleep(0.03)
        except ConnectionError:
            pass


class RawMarket(RawHttp):
    """Hourly bars up to now. The volume identifies the symbol: 1000 for the first one, 1001 for the second one."""

    def __init__(self, symbols: list[str], fault: Fault = as_it_should_be):
        forming = int(time.time()) // HOUR * HOUR
        self.bars = [bar(forming - n * HOUR) for n in range(249, 0, -1)]
        self.places = {symbol: place for place, symbol in enumerate(symbols)}
        super().__init__(fault)

    def own(self, path: str, body: bytes) -> tuple[bytes, bytes]:
        place = self.places[path.split("/")[-1].split(".")[0]]
        rows = [answer([row | {"volume": FIRST_VOLUME + n} for row in self.bars]) for n in (place, place + 1)]
        return rows[0], rows[1]


class RawModel(RawHttp):
    """BUY for symbols with an even place in the list, SELL for the others; the answer to another request has the opposite. It
    answers with an error if a row of `raises_for` is in the request, and with 503 while it is down."""

    def __init__(self, fault: Fault = as_it_should_be, raises_for: set[int] = frozenset()):
        self.raises_for, self.is_down = set(raises_for), False
        # The places of the symbols in each request.
        self.asked: list[list[int]] = []
        super().__init__(fault)

    def own(self, path: str, body: bytes) -> tuple[bytes, bytes]:
        rows = json.loads(body)["dataframe_split"]["data"]
        places = [round(row[0][VOLUME_SMA]) - FIRST_VOLUME for row in rows]
        self.asked.append(places)
        if self.is_down:
            return (b"HTTP/1.1 503 Down\r\nContent-Length: 0\r\n\r\n",) * 2
        if bad := self.raises_for & set(places):
            said = {"message": "It failed.", "stack_trace": f"Traceback\nValueError: row of {min(bad)}\n"}
            return (answer(said).replace(b"200 OK", b"400 Bad Request", 1),) * 2
        odds = [SELL if place % 2 else BUY for place in places]
        opposite = [BUY if place % 2 else SELL for place in places]
        return answer({"predictions": odds}), answer({"predictions": opposite})
