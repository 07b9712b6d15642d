"""The market, the model and a gateway as separate processes: `python -m parts.servers market|model|gateway`. Each prints its
port and runs until it gets a signal."""

import argparse
import json
import random
import signal
import threading
import time
from pathlib import Path

from parts.daemon import free_port
from parts.dialects import DIALECTS
from parts.faulty_gateway import FaultyBehaviour, reliable
from parts.gateway import Gateway
from parts.http import Handler, Request, ScriptedHttp
from parts.market import HOUR, bar
from parts.model import BUY, HOLD, SELL, Model

BARS = 220
FIRST_BAR = 1_500_000_000 // HOUR * HOUR


class Unrecorded(ScriptedHttp):
    """Does not record requests, because there are too many."""

    def take(self, request: Request):
        return self.always


class PacedMarket(Unrecorded):
    """One more bar every `bar_s` seconds, independent of the requests: a restarted daemon gets the bar on which the last daemon
    ordered."""

    def __init__(self, bar_s: float):
        self.bar_s, self.began = bar_s, time.monotonic()
        self.bodies: dict[int, str] = {}
        super().__init__()

    def serve(self, handler: Handler, request: Request):
        """The newest bars, the same for every ticker."""
        newest = int((time.monotonic() - self.began) / self.bar_s) + BARS
        if newest not in self.bodies:
            opens = (FIRST_BAR + n * HOUR for n in range(newest - BARS, newest))
            self.bodies = {newest: json.dumps([bar(open_time) for open_time in opens])}
        # Another thread may have replaced it by the next bar.
        handler.answer(self.bodies.get(newest) or next(iter(self.bodies.values())))


class FickleModel(Unrecorded, Model):
    """A different answer each time, mostly BUY or SELL. The order of a bar must not change with it."""

    def __init__(self, chance: random.Random):
        super().__init__()
        self.chance = chance

    def serve(self, handler: Handler, request: Request):
        self.probabilities = self.chance.choices([BUY, SELL, HOLD], [6, 3, 1], k=100)
        super().serve(handler, request)


def gateway(args: argparse.Namespace) -> Gateway:
    """A reliable gateway that takes a few milliseconds, or a faulty one."""
    chance = random.Random(args.seed)
    if args.share_reliable < 1:
        faulty = FaultyBehaviour(chance, args.share_reliable, args.deadline_ms / 1e3)
        behaviour, questions = faulty, faulty.questions
    else:
        behaviour, questions = reliable(chance, args.delay_ms / 1e3, 0.1), None
    return DIALECTS[args.dialect](free_port(), behaviour, questions, args.record).bind()


def main():
    """Runs one of the three."""
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=["market", "model", "gateway"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bar-ms", type=float, default=250)
    parser.add_argument("--dialect", choices=DIALECTS, default="v43")
    parser.add_argument("--record", type=Path)
    parser.add_argument("--share-reliable", type=float, default=1)
    parser.add_argument("--deadline-ms", type=float, default=1000)
    parser.add_argument("--delay-ms", type=float, default=6)
    args = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if args.part == "market":
        part = PacedMarket(args.bar_ms / 1e3)
    elif args.part == "model":
        part = FickleModel(random.Random(args.seed))
    else:
        part = gateway(args)
    print(part.port, flush=True)
    stop.wait()
    part.close()
    if isinstance(part, Gateway) and part.problems:
        print("\n".join(part.problems[:20]), flush=True)


if __name__ == "__main__":
    main()
