"""A fake daemon's console: the page's own files under the real policy, and an API that answers from a `World`. By hand:
`python -m parts.console_fake 8001`."""

import gzip
import hashlib
import json
import re
import sys
import threading
from pathlib import Path

from parts.console_contract import API, HEADERS
from parts.console_world import World
from parts.http import Handler, Request, ScriptedHttp
from parts.paths import ROOT

WEB = ROOT / "src/console/web"
TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
ACCOUNT = "12345678"
FOLDER = "files/"
INDENT = re.compile(r"^ +", re.M)
COMMENT = re.compile(r"^ *(//|/\*| \*|<!--).*$", re.M)


class ConsoleFake(ScriptedHttp):
    """`world` is what it tells; `is_silent` drops every connection, as a daemon that is gone."""

    def __init__(self, world: World | None = None):
        self.world, self.is_silent = world or World(), False
        # As the daemon does if the browser takes it. Off: a failing test shows plain bodies.
        self.is_compressed = False
        # Paths of the API that are answered by this error.
        self.refused: set[str] = set()
        self.refusal = (503, "journal", "the journal cannot be read")
        # Names of files that do not come.
        self.lost: set[str] = set()
        self.asked: dict[str, int] = {}
        # How many of these were answered by 304.
        self.unchanged = 0
        super().__init__()

    def take(self, request: Request):
        if request.method == "GET":
            # Thousands of polls are counted, not kept.
            self.asked[request.path] = self.asked.get(request.path, 0) + 1
            return self.always
        return super().take(request)

    def serve(self, handler: Handler, request: Request):
        """A file, an answer of the API, or a press of a button."""
        if self.is_silent:
            handler.close_connection = True
        elif request.path.startswith(API):
            self.api(handler, request, request.path.removeprefix(API))
        else:
            self.file(handler, request.path.removeprefix("/console/") or "index.html")

    def file(self, handler: Handler, name: str):
        """One of the page's files. The daemon's folder has the contents in its name; this one is called as in the source."""
        cached = "private, max-age=31536000, immutable" if name.startswith(FOLDER) else "no-cache"
        path = (WEB / name.removeprefix(FOLDER)).resolve()
        if path.name in self.lost or not path.is_relative_to(WEB) or not path.is_file() or path.suffix not in TYPES:
            handler.answer("not here", 404, HEADERS | {"Content-Type": "text/plain"})
            return
        headers = HEADERS | {"Content-Type": TYPES[path.suffix], "Cache-Control": cached}
        body = as_sent(path)
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if handler.headers.get("If-None-Match") == etag:
            handler.answer(b"", 304, headers | {"ETag": etag})
            return
        packed = {"Content-Encoding": "gzip"} if self.is_compressed else {}
        handler.answer(gzip.compress(body, 9) if packed else body, headers=headers | packed | {"ETag": etag})

    def api(self, handler: Handler, request: Request, path: str):
        """The JSON of the contract."""
        headers = HEADERS | {"Cache-Control": "no-store"}
        if request.method == "POST":
            status, answer = self.press(path, request)
            handler.answer(json.dumps(answer), status, headers)
            return
        if path in self.refused:
            status, code, message = self.refusal
            handler.answer(json.dumps(error(code, message)), status, headers)
            return
        etag = self.world.etag()
        if request.headers.get("if-none-match") == etag:
            self.unchanged += 1
            handler.answer(b"", 304, headers | {"ETag": etag})
            return
        answer = self.world.answer(path, request.query)
        if answer is None:
            handler.answer(json.dumps(error("not_found", "there is no such thing")), 404, headers)
            return
        body = json.dumps(answer).encode()
        packed = {"Content-Encoding": "gzip"} if self.is_compressed else {}
        handler.answer(gzip.compress(body) if packed else body, headers=headers | packed | {"ETag": etag})

    def press(self, path: str, request: Request):
        """Halt or resume, as the contract has it."""
        world, headers = self.world, request.headers
        if (
            headers.get("sec-fetch-site") != "same-origin"
            or headers.get("x-sentinel") != "1"
            or headers.get("content-type") != "application/json"
        ):
            return 403, error("forged", "this request does not come from the console's page")
        if path == "halt":
            return 200, world.press(True, who="console:ann@127.0.0.1", reason=request.json()["reason"])
        if headers.get("if-match") != f'"{world.halt_generation}"':
            return 412, error("stale", "somebody halted or resumed, or orders failed, since this page was read")
        if request.json()["account"] != ACCOUNT:
            return 400, error("bad_request", "this is not the daemon's account")
        return 200, world.press(False)


def as_sent(path: Path) -> bytes:
    """A file as the daemon sends it: without indentation, and lines that are only a comment are empty."""
    text = path.read_text()
    return (text if path.parent != WEB else INDENT.sub("", COMMENT.sub("", text))).encode()


def error(code: str, message: str) -> dict:
    """The body of an error."""
    return {"schema": 1, "error": {"code": code, "message": message}}


if __name__ == "__main__":
    ConsoleFake.address = ("127.0.0.1", int(sys.argv[1]))
    print(ConsoleFake().url + "/console/", Path(WEB), flush=True)
    threading.Event().wait()
