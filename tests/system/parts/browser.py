"""A page in a real browser: what it shows, what it complains about, and whether it fits."""

import html
import json
import re
import subprocess
import zlib
from pathlib import Path

from parts.requirements import require

CHROMIUM = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"]
CHROMIUM += ["--disable-background-networking", "--disable-component-update", "--enable-logging=stderr"]

# Runs outside the page, whose policy allows no script, and looks into it. A text is shown if it has a size.
LOOK = """
const page = document.querySelector("iframe").contentDocument;
const box = (it) => it.getBoundingClientRect();
const isShown = (it) => box(it).width > 0 && box(it).height > 0;
const name = (it) => it.textContent.trim().slice(0, 40);
const overlaps = [], small = [], outside = [];
for (const plot of page.querySelectorAll('svg[role="img"]')) {
  const texts = [...plot.querySelectorAll("text:not(.watermark)")].filter(isShown), edge = box(plot);
  const scale = edge.width / plot.viewBox.baseVal.width;
  texts.forEach((text, at) => {
    const one = box(text);
    if (parseFloat(getComputedStyle(text).fontSize) * scale < LEAST) small.push(name(text));
    if (one.left < edge.left - 1 || one.right > edge.right + 1 || one.bottom > edge.bottom + 1) outside.push(name(text));
    for (const other of texts.slice(at + 1).map(box))
      if (one.left < other.right - 1 && other.left < one.right - 1 && one.top < other.bottom - 3 && other.top < one.bottom - 3)
        overlaps.push(name(text));
  });
}
const root = page.documentElement;
const found = { plots: page.querySelectorAll('svg[role="img"]').length, width: root.scrollWidth, room: root.clientWidth, overlaps, small, outside };
document.body.innerHTML = "<pre>" + JSON.stringify(found) + "</pre>";
"""


def browse(page: Path, *args: str) -> tuple[str, list[str]]:
    """Opens a page: the browser's stdout, and the page's console output."""
    require("chromium")
    command = [*CHROMIUM, f"--user-data-dir={page.parent / 'browser'}", *args, f"file://{page}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def look(page: Path, width: int, least_px: float) -> dict:
    """How a page with plots lies in a window of this width, which may be narrower than Chromium's own windows: how wide it is, and which
    texts of its plots overlap another one, leave their plot, or are smaller than so many pixels."""
    frame = f'<iframe style="width:{width}px;height:900px;border:0" srcdoc="{html.escape(page.read_text())}"></iframe>'
    script = LOOK.replace("LEAST", str(least_px)).replace("getComputedStyle", "page.defaultView.getComputedStyle")
    outer = page.with_name(f"around-{width}.html")
    outer.write_text(f"<!DOCTYPE html><body style='margin:0'>{frame}<script>onload = () => {{{script}}}</script></body>")
    shown, _ = browse(outer, "--dump-dom", "--virtual-time-budget=5000", "--window-size=1600,1000")
    outer.unlink()
    found = re.search(r"<pre>(.*?)</pre>", shown)
    assert found, shown[-500:]
    return json.loads(html.unescape(found[1]))


def distinct_rows(png: bytes) -> int:
    """How many different rows of pixels an image has."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    at, data = 8, b""
    width = bits = colours = 0
    while at < len(png):
        length, kind = int.from_bytes(png[at : at + 4], "big"), png[at + 4 : at + 8]
        chunk = png[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, bits, colours = int.from_bytes(chunk[:4], "big"), chunk[8], {2: 3, 6: 4}[chunk[9]]
        data += chunk if kind == b"IDAT" else b""
        at += 12 + length
    assert bits == 8
    pixels, row = zlib.decompress(data), 1 + width * colours
    return len({pixels[begin : begin + row] for begin in range(0, len(pixels), row)})
