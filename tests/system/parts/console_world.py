"""What a fake daemon tells the console: a live account with one symbol of everything that the page can show. Every answer has the
shape of the contract's example."""

import math
import random
import time

from parts.console_contract import example

HOUR = 3_600
BARS = 1_200
DIGITS = {"EURUSD": 5, "USDJPY": 3, "XAUUSD": 2}
BASE = {"EURUSD": 1.084, "USDJPY": 154.3, "XAUUSD": 2650.0}
THRESHOLD = 0.6
RULES = {
    "below_threshold": "the odds are not above the threshold, so a BUY or SELL becomes HOLD (trading.threshold)",
    "already_ordered": "this bar was already ordered, whatever the outcome (journal.new)",
    "market_closed": "the market is closed by the trading calendar (market.calendar, market.holidays)",
    "position_limit": "enough positions are open in this direction (guards.positions_max)",
    "cooldown": "the symbol's last order is too recent (guards.cooldown_s)",
}


def money(amount, unit="USD", source="gateway", why=None, is_before_costs=False) -> dict:
    """A sum as the API has it."""
    return {"amount": amount, "unit": unit, "source": source, "is_before_costs": is_before_costs, "why": why}


def order_id(number: int) -> str:
    """A UUID of this number."""
    return f"5f0c1d2e-0000-5000-8000-{number:012d}"


class World:
    """The daemon's state. `answer(path, query)` is what the API answers; a test changes the parts before or between polls."""

    def __init__(self, symbols=("EURUSD", "USDJPY", "XAUUSD"), seed=15, period_s=60.0):
        self.chance, self.symbols, self.period_s = random.Random(seed), symbols, period_s
        self.generation, self.halt_generation, self.halt = 1, 4, None
        # What a press is answered as not certain.
        self.doubts: list[str] = []
        self.stale_resume = self.is_frozen = False
        self.operator, self.mode = True, "live"
        now = int(time.time())
        # A full hour is left for bars that a test adds.
        self.newest_s = now // HOUR * HOUR - HOUR
        self.cycle_ms = now * 1_000 - 12_000
        self.extra_bars: dict[str, list] = {}
        self.bars = {symbol: self._bars(symbol) for symbol in symbols}
        self.odds = {symbol: self._odds(symbol) for symbol in symbols}
        self.orders = {
            ledger: [order for symbol in symbols for order in self._orders(symbol, ledger)] for ledger in ("live", "paper")
        }
        for orders in self.orders.values():
            orders.sort(key=lambda order: -order["created_ms"])
        self.change = None

    # ---- what there is ----

    def _bars(self, symbol):
        """The newest first. Weekends are left out, and two hours are missing in the middle of a week."""
        rows, price, digits = [], BASE[symbol], DIGITS[symbol]
        times, at = [], self.newest_s
        while len(times) < BARS:
            day, hour = time.gmtime(at).tm_wday, time.gmtime(at).tm_hour
            if not (day == 5 or (day == 4 and hour > 21) or (day == 6 and hour <= 22)):
                times.append(at)
            at -= HOUR
        times.reverse()
        for number, at in enumerate(times):
            open_ = price
            price *= 1 + self.chance.gauss(0, 0.0011) + 0.0004 * math.sin(number / 40)
            high, low = max(open_, price) * (1 + abs(self.chance.gauss(0, 0.0004))), min(open_, price) * (
                1 - abs(self.chance.gauss(0, 0.0004))
            )
            rows.append(
                [at, *(round(value, digits) for value in (open_, high, low, price)), float(self.chance.randint(200, 3_000))]
            )
        rows.reverse()
        # Two hours that nobody has, between bars 30 and 31.
        self.gap = {"from_s": rows[32][0], "until_s": rows[29][0], "missing": 2}
        del rows[30:32]
        return rows

    def _odds(self, symbol):
        """One row for each bar, the newest first."""
        rows = []
        for number, (at, _, _, _, close, _) in enumerate(self.bars[symbol]):
            lean = self.chance.gauss(0, 0.5) + 0.6 * math.sin(number / 9)
            weights = [math.exp(-lean), 1.1, math.exp(lean)]
            sell, hold, buy = (round(weight / sum(weights), 4) for weight in weights)
            best = max(sell, buy)
            side = "BUY" if buy >= sell else "SELL"
            row = {
                "bar_close_s": at,
                "close": close,
                "p_sell": sell,
                "p_hold": hold,
                "p_buy": buy,
                "threshold": THRESHOLD,
                "action": side if best > THRESHOLD and best > hold else "HOLD",
                "mark": "hold",
                "reason": None,
                "rule": None,
                "order_id": None,
                "price": None,
                "paper": None,
            }
            if row["action"] == "HOLD":
                if max(sell, buy) > hold:
                    row["reason"] = "below_threshold"
            else:
                kind = self.chance.random()
                key = sum(map(ord, symbol)) * 100_000 + number
                if number == 0 and symbol == self.symbols[0]:
                    kind = 0.62
                if kind < 0.55:
                    row |= {"mark": "sent", "order_id": order_id(key), "price": round(close * 1.00008, DIGITS[symbol])}
                elif kind < 0.58 or (number == 0 and symbol == self.symbols[0]):
                    row |= {"mark": "unknown", "order_id": order_id(key), "reason": "no reply within 5 s"}
                elif kind < 0.62:
                    row |= {"mark": "refused", "order_id": order_id(key), "reason": "10019: no money"}
                else:
                    row |= {"mark": "suppressed", "reason": self.chance.choice(["market_closed", "position_limit", "cooldown"])}
                row["paper"] = {
                    "mark": "sent",
                    "reason": None,
                    "order_id": order_id(10**9 + key),
                    "price": round(close * 1.0001, DIGITS[symbol]),
                    "side": row["action"],
                }
                if row["mark"] == "suppressed":
                    row["paper"] = {
                        "mark": "suppressed",
                        "reason": row["reason"],
                        "order_id": None,
                        "price": None,
                        "side": row["action"],
                    }
                if number == 0 and row["paper"]["mark"] == "sent":
                    row["paper"]["price"] = None
            if row["reason"] in RULES:
                row["rule"] = RULES[row["reason"]]
            rows.append(row)
        return rows

    def _orders(self, symbol, ledger):
        """The newest first; those of the newest bars are still open."""
        like, digits = example("orders")["rows"][0], DIGITS[symbol]
        found = []
        for number, row in enumerate(self.odds[symbol][:400]):
            paper = row["paper"]
            id_ = row["order_id"] if ledger == "live" else paper and paper["order_id"]
            if not id_:
                continue
            made = row["bar_close_s"] * 1_000 + 61_480
            state = (
                {"sent": "filled", "unknown": "unknown", "refused": "rejected"}[row["mark"]] if ledger == "live" else "filled"
            )
            price = row["price"] if ledger == "live" else paper["price"]
            is_open = state == "filled" and number < 6
            gain = round(self.chance.gauss(0.4, 9), 2)
            order = like | {
                "ledger": ledger,
                "id": id_,
                "symbol": symbol,
                "side": row["action"],
                "bar_close_s": row["bar_close_s"],
                "close": row["close"],
                "confidence": max(row["p_sell"], row["p_buy"]),
                "state": state,
                "reason": row["reason"] if state != "filled" else None,
                "ticket": 1_000 + number if state == "filled" else None,
                "stop_loss": round(row["close"] * 0.998, digits),
                "take_profit": round(row["close"] * 1.003, digits),
                "entry": (
                    {"at_ms": made + 480, "price": price, "source": "gateway" if ledger == "live" else "next_open"}
                    if price
                    else None
                ),
                "exit": None,
                "position": "open" if is_open else "closed" if state == "filled" else None,
                "profit": None,
                "created_ms": made,
                "updated_ms": made + 480,
                "filled_volume": 0.04 if number == 7 else None,
            }
            if state == "filled" and not is_open:
                end = {"at_ms": made + 4 * HOUR * 1_000, "price": None, "source": None, "reason": "gone"}
                if ledger == "paper":
                    end |= {
                        "price": round(row["close"] * 1.001, digits),
                        "source": "bar",
                        "reason": self.chance.choice(["stop_loss", "take_profit", "opposite"]),
                    }
                source = "paper" if ledger == "paper" else self.chance.choice(["gateway", "estimated"])
                order |= {"exit": end, "profit": money(gain, source=source)}
                if symbol == "XAUUSD":
                    order["profit"] = money(round(gain * 3), "points", source, "XAUUSD has no contract_size")
                if number % 11 == 5:
                    order |= {"position": "unknown", "profit": None}
            found.append(order)
        return found

    # ---- what the API answers ----

    def envelope(self, **more):
        """The fields that every answer has."""
        return {"schema": 1, "now_ms": int(time.time() * 1_000), "cycle_id": self.cycle()} | more

    def cycle(self):
        """The newest cycle; a new one each period, unless it is frozen."""
        if not self.is_frozen:
            period = int(self.period_s * 1_000)
            self.cycle_ms += (int(time.time() * 1_000) - self.cycle_ms) // period * period
        return self.cycle_ms

    def etag(self):
        """Changes with a cycle and with everything else."""
        return f'"{self.cycle()}-{self.generation}"'

    def halt_answer(self):
        """The kill switch."""
        off = {
            "is_available": True,
            "is_halted": False,
            "since_ms": None,
            "who": None,
            "reason": None,
            "failures_in_a_row": 1,
            "failures_max": 5,
        }
        return off | (self.halt or {}) | {"generation": self.halt_generation}

    def press(self, is_halted, **more):
        """Halts or resumes."""
        self.halt_generation += 1
        self.generation += 1
        self.halt = {"is_halted": True, "since_ms": int(time.time() * 1_000)} | more if is_halted else None
        return self.envelope(halt=self.halt_answer(), doubts=self.doubts)

    def decision(self, symbol, row, cycle_id):
        """A decision on a bar; later cycles on a bar find it ordered."""
        result = {
            "sent": "sent",
            "unknown": "sent",
            "refused": "sent",
            "suppressed": "suppressed",
            "hold": "hold",
            "failed": "failed",
        }[row["mark"]]
        state = {"sent": "filled", "unknown": "unknown", "refused": "rejected"}.get(row["mark"])
        paper = row["paper"] or {}
        return {
            "cycle_id": cycle_id,
            "symbol": symbol,
            **{key: row[key] for key in ("bar_close_s", "close", "p_sell", "p_hold", "p_buy", "threshold", "action")},
            "result": result,
            "reason": row["reason"] if result != "sent" else None,
            "rule": row["rule"] if result != "sent" else None,
            "failure": None,
            "order_id": row["order_id"],
            "order_state": state,
            "paper_order_id": paper.get("order_id"),
            "paper_reason": paper.get("reason"),
        }

    def again(self, symbol, row, cycle_id):
        """The same bar in a later cycle."""
        seen = self.decision(symbol, row, cycle_id) | {"order_id": None, "order_state": None, "paper_order_id": None}
        if row["action"] != "HOLD":
            seen |= {"result": "suppressed", "reason": "already_ordered", "rule": RULES["already_ordered"]}
        return seen

    def now(self, _):
        """GET now."""
        answer, live, paper = example("now"), self.orders["live"], self.orders["paper"]
        cycle = self.cycle()
        unknown = [order for order in live if order["state"] == "unknown"][:2]
        answer |= self.envelope(
            halt=self.halt_answer(),
            period_s=self.period_s,
            next_cycle_ms=cycle + int(self.period_s * 1_000),
            step_s=self.period_s,
            due_ms=cycle + int(self.period_s * 1_000),
            newest_bar_close_s=self.newest_s,
            next_bar_close_s=self.newest_s + 2 * HOUR,
        )
        answer["daemon"] |= {"mode": self.mode, "started_ms": cycle - 36_000_000}
        answer["user"]["is_operator"] = self.operator
        answer["cycle"] |= {"finished_ms": cycle + 420}
        answer["unresolved"] = [
            {
                "id": order["id"],
                "symbol": order["symbol"],
                "side": order["side"],
                "volume": order["volume"],
                "since_ms": order["created_ms"],
                "reason": order["reason"],
            }
            for order in unknown
        ]
        names = ", ".join(f"{order['symbol']} {order['id']}" for order in unknown)
        answer["health"]["checks"] = [
            {"name": name, "status": "ok", "detail": detail}
            for name, detail in [
                ("actors", "no actor failed to answer"),
                ("schedule", "the last cycle ended 12 s ago, one is due every 1 min 0 s"),
                ("last_cycle", f"cycle {cycle} succeeded"),
                ("market", "the market is open"),
                ("gateway", "ready for orders"),
            ]
        ]
        answer["health"]["checks"].append(
            {
                "name": "orders",
                "status": "degraded" if unknown else "ok",
                "detail": f"{len(unknown)} of unknown outcome block their symbols until resolved: {names}",
            }
        )
        answer["health"]["status"] = "degraded" if unknown else "ok"
        start = int(time.time()) // 86_400 * 86_400_000
        answer["today"] = {
            "from_ms": start,
            **{
                ledger: {
                    "realised": self.total(orders, start),
                    "open": money(-3.1 if ledger == "live" else -2.7, source="gateway" if ledger == "live" else "paper"),
                    "seen_ms": cycle if ledger == "live" else None,
                    "trades": len(self.ended(orders, start)),
                }
                for ledger, orders in (("live", live), ("paper", paper))
            },
        }
        answer["symbols_total"] = len(self.symbols)
        answer["symbols"] = [
            {
                "symbol": symbol,
                "gateway_name": f"{symbol}m",
                "digits": DIGITS[symbol],
                "positions_live": self.open(symbol, "live"),
                "positions_unknown": 0,
                "positions_paper": self.open(symbol, "paper"),
                "decision": self.again(symbol, self.odds[symbol][0], cycle),
                "signal": self.last_signal(symbol),
            }
            for symbol in self.symbols
        ]
        return answer

    def last_signal(self, symbol):
        """The newest BUY or SELL."""
        row = next((row for row in self.odds[symbol] if row["action"] != "HOLD"), None)
        return row and self.decision(symbol, row, row["bar_close_s"] * 1_000 + 58_000)

    def open(self, symbol, ledger):
        """How many positions."""
        return sum(order["symbol"] == symbol and order["position"] == "open" for order in self.orders[ledger])

    @staticmethod
    def ended(orders, start, end=2**53, symbol=None):
        """Orders whose position ended in this time, with a profit in money."""
        return [
            order
            for order in orders
            if order["exit"] and start <= order["exit"]["at_ms"] < end and order["profit"] and symbol in (None, order["symbol"])
        ]

    def total(self, orders, start, end=2**53, symbol=None):
        """Their sum; unknown as soon as one has no money."""
        ended = self.ended(orders, start, end, symbol)
        if any(order["profit"]["unit"] != "USD" for order in ended):
            return money(None, None, None, "XAUUSD has no contract_size")
        source = {order["profit"]["source"] for order in ended}
        return money(
            round(sum(order["profit"]["amount"] for order in ended), 2),
            source="mixed" if len(source) > 1 else next(iter(source), None),
        )

    def decisions(self, query):
        """GET decisions: the first decisions on the newest bars."""
        rows = [
            self.again(symbol, self.odds[symbol][0], self.cycle() - int(n * self.period_s * 1_000))
            for n in range(4)
            for symbol in self.symbols
        ]
        rows += [
            self.decision(symbol, row, row["bar_close_s"] * 1_000 + 58_000)
            for row_at in range(100)
            for symbol in self.symbols
            for row in [self.odds[symbol][row_at]]
        ]
        rows = [
            row
            for row in rows
            if query.get("symbol") in (None, row["symbol"]) and row["cycle_id"] < int(query.get("before", 2**53))
        ]
        page = rows[: int(query.get("limit", 500))]
        return self.envelope(rows=page, next_before=page[-1]["cycle_id"] if len(rows) > len(page) else None)

    def _page(self, rows, query, key):
        before = int(query.get("before", 2**53))
        rest = [row for row in rows if key(row) < before]
        page = rest[: min(500, int(query.get("limit", 500)))]
        return page, key(page[-1]) if len(rest) > len(page) else None

    def get_bars(self, query):
        """GET bars."""
        symbol = query["symbol"]
        page, before = self._page(self.extra_bars.get(symbol, []) + self.bars[symbol], query, lambda row: row[0])
        gaps = [self.gap] if page and page[-1][0] <= self.gap["until_s"] <= page[0][0] else []
        return example("bars") | self.envelope(rows=page, next_before=before, symbol=symbol, digits=DIGITS[symbol], gaps=gaps)

    def get_odds(self, query):
        """GET odds."""
        page, before = self._page(self.odds[query["symbol"]], query, lambda row: row["bar_close_s"])
        return self.envelope(rows=page, next_before=before, symbol=query["symbol"])

    def get_orders(self, query):
        """GET orders."""
        ledger = query.get("ledger", "live")
        page, before = self._page(self.orders[ledger], query, lambda order: order["created_ms"])
        return self.envelope(rows=page, next_before=before, ledger=ledger)

    def one_order(self, wanted):
        """GET orders/ID."""
        order = next((order for ledger in self.orders.values() for order in ledger if order["id"] == wanted), None)
        if order is None:
            return None
        made = order["created_ms"]
        steps = [(made, "intent", None), (made + 2, "sending", None), (order["updated_ms"], order["state"], order["reason"])]
        row = next(row for row in self.odds[order["symbol"]] if row["bar_close_s"] == order["bar_close_s"])
        return self.envelope(
            order=order,
            events=[{"at_ms": at, "state": state, "who": "daemon", "note": note} for at, state, note in steps],
            decision=self.decision(order["symbol"], row, made - 480),
        )

    def positions(self, _):
        """GET positions."""
        like = example("positions")["rows"][0]
        rows = [
            like
            | {
                "ledger": ledger,
                "ticket": order["ticket"],
                "symbol": order["symbol"],
                "gateway_name": f"{order['symbol']}m",
                "side": order["side"],
                "open_price": order["entry"]["price"],
                "current_price": order["close"],
                "stop_loss": order["stop_loss"],
                "take_profit": order["take_profit"],
                "opened_ms": order["entry"]["at_ms"],
                "order_id": order["id"],
                "profit": money(2.7 if ledger == "live" else 2.9, source="gateway" if ledger == "live" else "paper"),
            }
            for ledger, orders in self.orders.items()
            for order in orders
            if order["position"] == "open" and order["entry"]
        ]
        return self.envelope(seen_ms=self.cycle(), trouble=None, total=len(rows), rows=rows)

    def equity(self, query):
        """GET equity."""
        answer = example("equity") | self.envelope(range=query.get("range", "month"))
        span = {"day": 1, "week": 7, "month": 30, "all": 90}[answer["range"]] * 86_400_000
        for ledger in ("live", "paper"):
            chance, value, rows = random.Random(ledger), 10_000.0, []
            for number in range(300):
                value += chance.gauss(0.4, 14)
                rows.append([self.cycle() - span + span * number // 299, round(value, 2), round(value + chance.gauss(0, 5), 2), 10_000.0 if ledger == "paper" else 0.0])
            peak = max(row[1] for row in rows)
            answer[ledger] |= {
                "rows": rows,
                "peak_before": None,
                "seen_ms": rows[-1][0] if ledger == "live" else None,
                "peak": peak,
                "drawdown": round(peak - value, 2),
                "drawdown_share": (peak - value) / peak,
                "drawdown_max": 212.4,
                "drawdown_max_share": 0.0209,
            }
        return answer

    def money(self, _):
        """GET money."""
        answer, day = example("money") | self.envelope(), 86_400_000
        today = int(time.time()) // 86_400 * day
        monday = today - time.gmtime().tm_wday * day
        month = today - (time.gmtime().tm_mday - 1) * day

        def both(start, end=2**53, symbol=None):
            live, paper = (self.total(self.orders[ledger], start, end, symbol) for ledger in ("live", "paper"))
            known = live["amount"] is not None and paper["amount"] is not None
            difference = (
                money(round(live["amount"] - paper["amount"], 2), source="mixed")
                if known
                else money(None, None, None, "no signal has ended on both sides")
            )
            counts = {
                f"{ledger}_trades": len(self.ended(self.orders[ledger], start, end, symbol)) for ledger in ("live", "paper")
            }
            pairs = min(counts.values()) if known else 0
            return {"live": live, "paper": paper, "difference": difference, "pairs": pairs, **counts}

        answer["periods"] = [
            {"period": name, "from_ms": start, **both(start)}
            for name, start in (("today", today), ("week", monday), ("month", month))
        ]
        days = [
            {
                "day": time.strftime("%Y-%m-%d", time.gmtime((today - n * day) / 1_000)),
                "from_ms": today - n * day,
                **both(today - n * day, today - (n - 1) * day, None if n % 3 else "EURUSD"),
            }
            for n in range(14)
        ]
        answer["days"] = [it for it in days if it["live_trades"] or it["paper_trades"]]
        answer["symbols"] = [{"symbol": symbol, **both(month, symbol=symbol)} for symbol in self.symbols]
        answer["account"]["seen_ms"] = self.cycle()
        answer["unexplained"][0]["at_ms"] = today - 2 * day
        return answer

    def stages(self, _):
        """GET stages."""
        like, answer = example("stages")["rows"][0], example("stages") | self.envelope(since_ms=self.cycle() - 36_000_000)
        times = {
            "fetch": (180, 420),
            "features": (1.2, 2.4),
            "predict": (22, 61),
            "send": (35, 120),
            "gateway": (11, 40),
            "cycle": (250, 600),
        }
        answer["rows"] = [
            like | {"stage": stage, "p50_ms": half, "p95_ms": most, "last_success_ms": self.cycle()}
            for stage, (half, most) in times.items()
        ]
        return answer

    def model(self, _):
        """GET model."""
        answer = example("model") | self.envelope()
        answer["calibration"] = [
            {
                "action": action,
                "bins": [
                    {
                        "from": low / 10,
                        "to": low / 10 + 0.1,
                        "count": 300 // low**2 + 5,
                        "mean": low / 10 + 0.05,
                        "right": min(1, low / 10 + self.shift(action)),
                    }
                    for low in range(2, 9)
                ],
            }
            for action in ("BUY", "HOLD", "SELL")
        ]
        return answer

    @staticmethod
    def shift(action):
        """How far the odds are from the truth."""
        return {"BUY": 0.02, "HOLD": 0.09, "SELL": -0.04}[action]

    def system(self, _):
        """GET system."""
        answer = example("system") | self.envelope()
        answer["actors"] = [
            {"name": name, "is_up": True, "restarts": int(name == "journal")}
            for name in ("scheduler", "fetcher", "feature_builder", "predictor", "signal_sender", "journal", "metrics")
        ]
        answer["breakers"] = [
            {"name": name, "state": state}
            for name, state in (("eodhd", "closed"), ("mlflow", "half_open"), ("gateway", "closed"))
        ]
        answer["warnings"] = [
            {
                "at_ms": self.cycle() - n * 900_000,
                "level": "ERROR" if n % 5 == 4 else "WARN",
                "text": f"order {order_id(n)[:8]}: no reply within 5 s; its outcome is unknown",
            }
            for n in range(12)
        ]
        return answer

    def answer(self, path, query):
        """What is under /console/api/; None if there is no such thing."""
        named = {
            "now": self.now,
            "decisions": self.decisions,
            "bars": self.get_bars,
            "odds": self.get_odds,
            "orders": self.get_orders,
            "positions": self.positions,
            "equity": self.equity,
            "stages": self.stages,
            "model": self.model,
            "money": self.money,
            "system": self.system,
        }
        if path.startswith("orders/"):
            found = self.one_order(path.removeprefix("orders/"))
        else:
            found = named[path](query) if path in named else None
        return self.change(path, found) if self.change and found else found
