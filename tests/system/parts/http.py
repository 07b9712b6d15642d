"""A scripted HTTP server in a thread, used by the market and the model.

Each request is recorded and answered by the next behaviour of `script`, or by `always` if the script is empty.
A behaviour is a function of the handler and the recorded request. Those below are faults that any server can have.
"""

import json
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from parts.certificates import CertificateAuthority


@dataclass
class Request:
    """A received request."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)

    def json(self):
        """The body, parsed."""
        return json.loads(self.body)


class Handler(BaseHTTPRequestHandler):
    """Records the request, then lets the behaviour answer."""

    protocol_version = "HTTP/1.1"
    part: "ScriptedHttp"

    def do_GET(self):
        url = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        request = Request(self.command, url.path, dict(parse_qsl(url.query)), headers, body)
        try:
            self.part.take(request)(self, request)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_POST = do_GET

    def answer(self, body: bytes | str, status: int = 200, headers: dict[str, str] | None = None):
        """A complete answer."""
        body = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in ({"Content-Type": "application/json"} | (headers or {})).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


Behaviour = Callable[[Handler, Request], None]


class Server(ThreadingHTTPServer):
    """A thread per connection. It ignores daemons that stop in the middle of a request."""

    daemon_threads = True
    # With Python's default of 5, one of eight simultaneous connections waits for a second.
    request_queue_size = 128

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (ConnectionError, ssl.SSLError)):
            super().handle_error(request, client_address)


class Server6(Server):
    """The same on IPv6."""

    address_family = socket.AF_INET6


class ScriptedHttp:
    """The server. Subclasses define the healthy answer."""

    # The address that it listens on; port 0 is a free port.
    address = ("127.0.0.1", 0)

    def __init__(self):
        handler = type("BoundHandler", (Handler,), {"part": self})
        self.requests: list[Request] = []
        self.script: list[Behaviour] = []
        self.always: Behaviour = lambda handler, request: self.serve(handler, request)
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._server = (Server6 if ":" in self.address[0] else Server)(self.address, handler)
        self._scheme = "http"
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        """Base URL."""
        return f"{self._scheme}://127.0.0.1:{self.port}"

    def speak_tls(self, context: ssl.SSLContext):
        """From now on only over TLS. Each connection's thread does the handshake."""
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._scheme = "https"

    def put_behind_tls(self, authority: CertificateAuthority):
        """From now on only over TLS, with a certificate of this authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority.issue(type(self).__name__.lower()))
        self.speak_tls(context)

    def take(self, request: Request) -> Behaviour:
        """Records a request and says how to answer it."""
        with self._lock:
            self.requests.append(request)
            return self.script.pop(0) if self.script else self.always

    def serve(self, handler: Handler, request: Request):
        """The healthy answer."""
        raise NotImplementedError

    def close(self):
        """Releases hanging requests and stops."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()


def status(code: int, body: str = '{"message": "scripted"}', **headers: str) -> Behaviour:
    """An error status; `Retry_After="1"` becomes a header."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler, request: handler.answer(body, code, named)


def text(body: bytes | str, **headers: str) -> Behaviour:
    """A complete 200 with this body."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler, request: handler.answer(body, 200, named)


def hang(handler: Handler, request: Request):
    """Reads the request and never answers."""
    handler.part.closing.wait(60)
    handler.close_connection = True


def drip(handler: Handler, request: Request):
    """An immediate head, then a body that arrives byte by byte and never ends."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    handler.wfile.write(b"[")
    while not handler.part.closing.wait(0.05):
        handler.wfile.write(b" ")
        handler.wfile.flush()


def truncated(handler: Handler, request: Request):
    """A body that is shorter than announced, then the connection closes."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "5000")
    handler.end_headers()
    handler.wfile.write(b'[{"timestamp": 1500000000, "open": 1.1')
    handler.close_connection = True
