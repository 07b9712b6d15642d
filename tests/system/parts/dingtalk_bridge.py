"""A fake DingTalk bridge: records what Alertmanager posts to `/dingtalk/<target>/send`, and answers like the real one."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Bridge:
    """Listens on its own loopback port until it is closed."""

    def __init__(self):
        self.deliveries: list[tuple[str, dict]] = []
        self.refusals = 0
        """The number of next deliveries that are answered with 400, as when DingTalk fails."""
        kept = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                parts = self.path.split("/")
                known = len(parts) == 4 and (parts[1], parts[3]) == ("dingtalk", "send")
                if known and kept.refusals > 0:
                    kept.refusals -= 1
                    self.answer(400, b"unable to talk to DingTalk")
                elif known:
                    kept.deliveries.append((parts[2], json.loads(body)))
                    self.answer(200, b'{"errcode":0,"errmsg":"ok"}')
                else:
                    self.answer(404, b"not found")

            def answer(self, status: int, body: bytes):
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def delivered(self, target: str) -> list[tuple[str, str, str]]:
        """(alert, instance, status) of each alert in each delivery to a target, in order."""
        found = []
        for to, message in list(self.deliveries):
            for alert in message["alerts"] if to == target else []:
                labels = alert["labels"]
                found.append((labels["alertname"], labels.get("instance", ""), alert["status"]))
        return found

    def close(self):
        """Ends it."""
        self.server.shutdown()
        self.server.server_close()
