"""gzip of /metrics and /health with the real binary: the same bytes, small, and usable for a real Prometheus."""

import gzip
import json
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from parts import http
from parts.daemon import wait_until
from parts.prometheus import Prometheus

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
BYTES_MAX = 60_000


def fetch(port: int, path: str = "/metrics", **headers: str):
    """Status, headers and unmodified body of an answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=named)
    try:
        answer = urllib.request.urlopen(request, timeout=10)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return answer.status, answer.headers, answer.read()


@pytest.mark.parametrize("accept", ["text/plain", OPENMETRICS])
def test_compressed_metrics_are_the_same_bytes(harness, accept):
    daemon = harness.start("--cycles", "1")
    daemon.after_cycles(1)

    def same_text() -> bool:
        # Uptime changes: only between two equal texts the third one must be equal.
        before = fetch(daemon.port, Accept=accept)[2]
        _, headers, body = fetch(daemon.port, Accept=accept, Accept_Encoding="gzip")
        after = fetch(daemon.port, Accept=accept)[2]
        assert headers["Content-Encoding"] == "gzip" and headers["Vary"] == "Accept, Accept-Encoding"
        assert headers["Content-Length"] == str(len(body)) and len(body) * 4 < len(before)
        if before != after:
            return False
        assert gzip.decompress(body) == before
        return True

    wait_until("three answers within the same second", same_text)


def test_a_thousand_symbols_are_small(harness):
    # No cycle ends; the test is only about the text.
    harness.market.always = http.hang
    names = ",".join(f"SYM{number:04}" for number in range(1_000))
    # A debug build on a busy machine needs a while for the text, and must not get an older one.
    daemon = harness.start("--symbol", names, settings={"metrics.ask_deadline_ms": 8000}).wait_serving(30)
    for accept in ("text/plain", OPENMETRICS):
        status, headers, body = fetch(daemon.port, Accept=accept, Accept_Encoding="gzip, deflate")
        text = gzip.decompress(body).decode()
        assert (status, headers["Content-Encoding"]) == (200, "gzip")
        assert headers["Content-Type"].startswith(accept.split(";")[0])
        assert text.count('symbol="SYM') == 16_000 and len(body) < BYTES_MAX, (len(text), len(body))


def test_health_is_compressed_for_pass_and_fail(harness):
    daemon = harness.start("--cycles", "1")
    daemon.after_cycles(1)
    status, headers, body = fetch(daemon.port, "/health", Accept_Encoding="gzip;q=0.5")
    assert (status, headers["Content-Encoding"], headers["Vary"]) == (200, "gzip", "Accept-Encoding")
    assert json.loads(gzip.decompress(body))["status"] in ("ok", "degraded")
    status, headers, body = fetch(daemon.port, "/health", Accept_Encoding="gzip;q=0, *;q=0.1")
    assert (status, headers["Content-Encoding"], headers["Vary"]) == (200, None, "Accept-Encoding")
    assert json.loads(body)["mode"] == "dry_run"
    for path in ("/nothing", "/livez", "/readyz"):
        _, headers, body = fetch(daemon.port, path, Accept_Encoding="gzip")
        assert headers["Content-Encoding"] is None and body.decode().isascii(), path


def test_a_real_prometheus_scrapes_compressed(harness, tmp_path):
    """A proxy in between shows Prometheus's request and the answer."""
    daemon = harness.start("--cycles", "1")
    daemon.after_cycles(1)
    seen = []

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self):
            wanted = {name: self.headers[name] for name in ("Accept", "Accept-Encoding") if self.headers[name]}
            status, headers, body = fetch(daemon.port, **{name.replace("-", "_"): value for name, value in wanted.items()})
            seen.append((wanted["Accept-Encoding"], headers["Content-Encoding"], headers["Content-Type"], body))
            self.send_response(status)
            for name in ("Content-Type", "Content-Encoding", "Content-Length"):
                self.send_header(name, headers[name])
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    config = tmp_path / "prometheus.yml"
    target = f"{{job_name: sentinel, static_configs: [{{targets: ['127.0.0.1:{proxy.server_port}']}}]}}"
    config.write_text(f"global: {{scrape_interval: 1s}}\nscrape_configs: [{target}]\n")
    prometheus = Prometheus(config, tmp_path / "prometheus")
    try:
        wait_until("a cycle in Prometheus", lambda: prometheus.query("sentinel_trading_cycles_total == 1"), 30)
        assert prometheus.value("up") == 1
        asked, encoding, content_type, body = seen[-1]
        assert ("gzip" in asked, encoding) == (True, "gzip") and content_type.startswith("application/openmetrics-text")
        text = gzip.decompress(body).decode()
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        assert prometheus.value("scrape_samples_scraped") == len(lines)
    finally:
        prometheus.close()
        proxy.shutdown()
        proxy.server_close()
