"""A headless Chromium, driven over WebDriver: what a person sees and does on a page."""

from __future__ import annotations

import base64
import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.clients.daemon import free_ports
from tests.clients.programs import require

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""The key under which an element's reference stands (WebDriver §12)."""
START_TIME = 60.0


class Browser:
    """One window; C{close} ends it."""

    def __init__(
        self,
        directory: Path,
        size: tuple[int, int],
        *,
        javascript: bool = True,
        dark: bool = False,
        address: str = "127.0.0.1",
    ) -> None:
        """
        @param size: width and height of what can be seen of a page, in CSS pixels.
        @param address: where mail.example.com is.
        """
        chromium, driver = require("chromium"), require("chromedriver")
        (port,) = free_ports(1)
        self._base = f"http://127.0.0.1:{port}"
        log = f"--log-path={directory / 'chromedriver.log'}"
        self._process = subprocess.Popen([driver, f"--port={port}", log], stdout=subprocess.DEVNULL)
        options = {
            "binary": chromium,
            "args": [
                *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"),
                f"--user-data-dir={directory / 'profile'}",
                f"--host-resolver-rules=MAP mail.example.com {address}",
                *(("--blink-settings=preferredColorScheme=0",) if dark else ()),
            ],
            "prefs": {} if javascript else {"profile.managed_default_content_settings.javascript": 2},
            # A window is not narrower than 500 pixels; a phone's page is.
            "mobileEmulation": {
                "deviceMetrics": {"width": size[0], "height": size[1], "pixelRatio": 1, "touch": False}
            },
        }
        capabilities = {"acceptInsecureCerts": True, "goog:chromeOptions": options}
        try:
            self._wait_for_driver()
            made = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})
        except BaseException:
            self._end_driver()
            raise
        self._session = f"/session/{made['sessionId']}"

    def _wait_for_driver(self) -> None:
        deadline = time.monotonic() + START_TIME
        while True:
            try:
                self._ask("GET", "/status")
                return
            except OSError:
                assert time.monotonic() < deadline and self._process.poll() is None, "chromedriver did not start"
                time.sleep(0.05)

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        octets = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self._base + path, octets, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from None

    def _tell(self, path: str, body: object = None) -> Any:
        return self._ask("POST", self._session + path, {} if body is None else body)

    def close(self) -> None:
        """End the browser and its driver."""
        try:
            self._ask("DELETE", self._session)
        finally:
            self._end_driver()

    def _end_driver(self) -> None:
        self._process.terminate()
        self._process.wait(30)

    def open(self, url: str) -> None:
        """Load a page."""
        self._tell("/url", {"url": url})

    def find(self, selector: str) -> str:
        """The first element that a CSS selector matches."""
        found: str = self._tell("/element", {"using": "css selector", "value": selector})[ELEMENT]
        return found

    def click(self, selector: str) -> None:
        """Click on an element that can be seen."""
        self._tell(f"/element/{self.find(selector)}/click")

    def type(self, selector: str, text: str) -> None:
        """Type into a field."""
        self._tell(f"/element/{self.find(selector)}/value", {"text": text})

    def press(self, keys: str) -> None:
        """Press keys, one after the other, wherever the page has its focus."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self._tell("/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def text(self, selector: str) -> str:
        """What a person reads there."""
        text: str = self._ask("GET", f"{self._session}/element/{self.find(selector)}/text")
        return text

    def reads(self, selector: str, text: str) -> bool:
        """Whether a text stands there, which may be on the page that is just being loaded."""
        return self._becomes(lambda: self.text(selector) == text)

    def becomes(self, script: str) -> bool:
        """Whether a function body returns what is true, maybe after a while."""
        return self._becomes(lambda: bool(self.run(script)))

    @staticmethod
    def _becomes(is_so: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + START_TIME
        while time.monotonic() < deadline:
            try:
                if is_so():
                    return True
            except AssertionError:
                # The old page went meanwhile.
                pass
            time.sleep(0.05)
        return False

    def run(self, script: str) -> Any:
        """What a function body returns in the page; works on pages that run no scripts of theirs, too."""
        return self._tell("/execute/sync", {"script": script, "args": []})

    def faults(self) -> list[str]:
        """What the browser complained of since the last call."""
        entries = self._tell("/se/log", {"type": "browser"})
        return [str(entry["message"]) for entry in entries if entry["level"] in ("SEVERE", "WARNING")]

    def screenshot(self, path: Path, size: tuple[int, int]) -> None:
        """The upper part of the page, as PNG."""
        clip = {"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1}
        command = {"cmd": "Page.captureScreenshot", "params": {"format": "png", "clip": clip}}
        path.write_bytes(base64.b64decode(self._tell("/goog/cdp/execute", command)["data"]))
