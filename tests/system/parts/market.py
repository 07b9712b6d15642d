"""A market like EODHD's intraday feed, with hourly bars up to now or with the test's own bars."""

import json
import math
import time

from parts.http import Behaviour, Handler, Request, ScriptedHttp

HOUR = 3600
PRICES = ("open", "high", "low", "close")


def bar(open_time: int, volume: float | None = 0, length_s: int = HOUR) -> dict:
    """The bar of one hour, or of another length. Prices depend only on the time, so every request gets the same bars."""

    def price(moment: int) -> float:
        hours = moment / HOUR
        return round(1.1 + 0.01 * math.sin(hours / 7) + 0.003 * math.sin(hours * 1.7), 5)

    first, last = price(open_time), price(open_time + length_s)
    return {
        "timestamp": open_time,
        "gmtoffset": 0,
        "datetime": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(open_time)),
        "open": first,
        "high": round(max(first, last) + 0.0004, 5),
        "low": round(min(first, last) - 0.0004, 5),
        "close": last,
        "volume": volume,
    }


class Market(ScriptedHttp):
    """Serves the same bars for every ticker. The newest bar is the one that is still open when the market is created, so a test
    that runs across a full hour sees no new bar. It reports no limits unless a test sets them: `rate`, requests per minute and
    remaining, and `usage`, the account page."""

    def __init__(self, bars: list[dict] | None = None):
        forming = int(time.time()) // HOUR * HOUR
        self.rate: tuple[int, int] | None = None
        self.usage: dict | None = None
        self.bars = bars if bars is not None else [bar(forming - n * HOUR) for n in range(299, -1, -1)]
        super().__init__()

    @property
    def newest_closed(self) -> dict:
        """The bar on which a daemon with the system clock decides."""
        return [bar for bar in self.bars if bar["timestamp"] + HOUR <= time.time()][-1]

    def serve(self, handler: Handler, request: Request):
        """The bars between `from` and `to` of the query. At /api/user the rest of the quota."""
        if request.path == "/api/user":
            handler.answer(json.dumps(self.usage or {"message": "not here"}), 200 if self.usage else 404)
            return
        low = int(request.query.get("from", 0))
        high = int(request.query.get("to", 2**62))
        headers = dict(zip(("X-RateLimit-Limit", "X-RateLimit-Remaining"), map(str, self.rate or ())))
        handler.answer(json.dumps([bar for bar in self.bars if low <= bar["timestamp"] <= high]), headers=headers)


def rows(bars: list[dict]) -> Behaviour:
    """These rows for every request."""
    return lambda handler, request: handler.answer(json.dumps(bars))
