"""Real Chromium, driven by chromedriver: opens a page at a width, presses keys, reads what is shown and what it complains about."""

import base64
import json
import os
import shutil
import time
from pathlib import Path

from parts.daemon import wait_until
from parts.paths import ROOT
from parts.requirements import require

SLOW_3G = {"offline": False, "latency": 400, "downloadThroughput": 400_000 // 8, "uploadThroughput": 400_000 // 8}
# Runs before the page: counts what the policy refused.
WATCH = "window.refused = []; document.addEventListener('securitypolicyviolation', (it) => window.refused.push(it.violatedDirective + ' ' + it.blockedURI));"
# Whatever sticks out of the window to the right, the innermost first.
STICKS_OUT = """
const room = document.documentElement.clientWidth;
return [...document.body.querySelectorAll("*")].filter((it) => {
  const box = it.getBoundingClientRect();
  return box.width && box.right > room + 1 && !it.closest(".chart, .plot, .skip, .hide");
}).map((it) => it.tagName + "." + it.className + " " + it.textContent.slice(0, 40)).slice(-5);
"""


class Browser:
    """One window. `driver` is Selenium's."""

    def __init__(self, width: int, height: int = 900, is_dark: bool = False, is_touch: bool = False):
        require("chromium", "chromedriver")
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        options = webdriver.ChromeOptions()
        for flag in (
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--hide-scrollbars",
            "--disable-dev-shm-usage",
            "--js-flags=--expose-gc",
            f"--window-size={width},{height}",
        ):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        # By path: Selenium would look for both in the network.
        options.binary_location = shutil.which("chromium")
        self.driver = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
        # Chromium's own windows may not be as narrow as a phone.
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if width < 600 else 1,
            mobile=is_touch,
        )
        self.command(
            "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}]
        )
        if is_touch:
            self.command("Emulation.setTouchEmulationEnabled", enabled=True, maxTouchPoints=2)
        self.command("Page.addScriptToEvaluateOnNewDocument", source=WATCH)

    def command(self, name: str, **arguments):
        """A command of the DevTools protocol."""
        return self.driver.execute_cdp_cmd(name, arguments)

    def open(self, url: str, until: str = "main section"):
        """Opens an address, and waits until this selector is there."""
        self.driver.get(url)
        self.find(until)

    def go(self, view: str, until: str = "main :is(table, .tile, .life)"):
        """Another view of the same page, with its content."""
        self.run("location.hash = arguments[0]", f"#/{view}")
        name = {"order": "orders"}.get(view.split("/")[0], view.split("/")[0])
        wait_until(f"the view {view}", lambda: self.run("return document.documentElement.dataset.view") == name)
        self.find(until)

    def run(self, script: str, *arguments):
        """The result of a script in the page."""
        return self.driver.execute_script(script, *arguments)

    def find(self, selector: str, timeout_s: float = 15.0):
        """The first element of this selector, once it is there and shown."""
        script = "const it = document.querySelector(arguments[0]); return it && it.getClientRects().length ? it : null"
        return wait_until(f"{selector} on the page", lambda: self.run(script, selector), timeout_s)

    def text(self, selector: str = "body") -> str:
        """What is shown in the first element of this selector."""
        return self.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector)

    def shows(self, part: str, selector: str = "body", timeout_s: float = 15.0):
        """Waits until this text is shown."""
        wait_until(f"{part!r} in {selector}", lambda: part in self.text(selector), timeout_s)

    def press(self, *keys: str):
        """Keys, one after the other, for what has the focus."""
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def picture(self, name: str, height_max: int = 3_200) -> Path:
        """The page as an image, in the folder of the logs."""
        folder = Path(os.environ.get("SENTINEL_TEST_LOGS", ROOT / "target/test-logs")) / "console"
        folder.mkdir(parents=True, exist_ok=True)
        size = self.run("return [document.documentElement.clientWidth, document.documentElement.scrollHeight]")
        clip = {"x": 0, "y": 0, "width": size[0], "height": min(size[1], height_max), "scale": 1}
        shot = self.command("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        path = folder / f"{name}.png"
        path.write_bytes(base64.b64decode(shot["data"]))
        return path

    def sticks_out(self) -> list[str]:
        """What makes the page scroll sideways."""
        return self.run(STICKS_OUT)

    def complaints(self) -> list[str]:
        """What the page's policy refused, and the errors in the browser's console. A daemon that is gone is none."""
        logged = [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]
        return self.run("return window.refused") + [
            line for line in logged if "net::ERR" not in line and "status of" not in line
        ]

    def heap(self) -> int:
        """Bytes that the page's scripts hold, after what nobody needs was freed."""
        self.command("HeapProfiler.enable")
        for _ in range(3):
            self.command("HeapProfiler.collectGarbage")
            time.sleep(0.05)
        self.command("Performance.enable")
        metrics = {it["name"]: it["value"] for it in self.command("Performance.getMetrics")["metrics"]}
        return int(metrics["JSHeapUsedSize"])

    def close(self):
        """Ends the browser."""
        self.driver.quit()


def show(value) -> str:
    """For the message of an assertion."""
    return json.dumps(value, indent=1)[:2_000]
