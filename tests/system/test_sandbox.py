"""`sentinel sandbox`: the demo's three servers as separate processes, and a daemon that needs only these."""

import json
import re
import urllib.request

from parts.daemon import wait_until
from parts.market import HOUR, bar


def test_the_daemon_serves_on_after_its_last_cycle(sandbox):
    daemon = sandbox.trade(20)
    metrics = daemon.after_cycles(20)
    assert metrics("trading_cycles_total") == 20
    assert metrics("trading_cycles_failed_total") == 0
    assert metrics.sum("api_errors_total") == metrics("zmq_send_failures_total") == 0
    assert metrics.sum("trading_signals_total") == 20
    assert metrics.nonzero("orders_total", "outcome").keys() == {"filled"}
    assert daemon.get("/livez")[0] == daemon.get("/health")[0] == 200
    assert daemon.metrics()("trading_cycles_total") == 20
    assert daemon.stop()[0] == 0


def test_each_server_stops_on_a_signal_with_0(sandbox):
    assert [part.stop()[0] for part in sandbox.daemons] == [0, 0, 0]


def test_the_market_serves_a_persons_own_bars(harness, tmp_path):
    first = 1_704_672_000
    rows = [bar(first + n * HOUR) | {"volume": n + 0.25} for n in range(600)]
    bars = tmp_path / "gbpusd.csv"
    columns = ["timestamp", "open", "high", "low", "close", "volume"]
    bars.write_text("\n".join([",".join(columns), *(",".join(str(row[name]) for name in columns) for row in rows)]))
    market = harness.command("sandbox", "market", "--port", "0", "--bars", str(bars))
    wait_until("the market", lambda: "market on" in market.output())
    assert "sentinel run --clock bars --symbol GBPUSD --interval 1h" in market.output()
    [url] = re.findall(r"http://[\d.:]+", market.output())
    served = [ask(f"{url}/api/intraday/GBPUSD.FOREX?interval=1h&fmt=json&api_token=x") for _ in range(302)]
    names = [*columns, "datetime", "gmtoffset"]
    assert served[0] == [{name: row[name] for name in names} | {"gmtoffset": 0} for row in rows[:300]]
    assert [len(rows) for rows in served[:3]] == [300, 301, 302] and served[300][-1]["timestamp"] == rows[599]["timestamp"]
    # After the last one they begin again, whole weeks later.
    again = served[301][-1]
    assert again["close"] == rows[0]["close"] and (again["timestamp"] - first) % (7 * 24 * HOUR) == 0
    assert market.stop()[0] == 0


def ask(url: str) -> list[dict]:
    """The rows of an answer."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.loads(answer.read())
