"""Debian's chromium without a window, driven over a pipe: a page as a desktop or a phone shows it.

Speaks the DevTools protocol (JSON, each message ended by a zero byte) on file descriptors 3 and 4,
so no port is opened and no driver is needed.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["Browser", "open_browser"]

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_SECONDS = 60.0
_MISSING = (
    "no chromium on the PATH: the report is looked at in a real browser. Install it with "
    "`sudo apt-get install -y chromium` (Debian, Ubuntu: chromium-browser), then test again."
)
Message = dict[str, Any]


class Browser:
    """One tab.

    Attributes:
        complaints: what the page wrote to the console as warning or error, failed to load or ran
            into, since it was opened.
    """

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to, self._from = to_browser, from_browser
        self._held, self._count, self._session = b"", 0, ""
        self.complaints: list[str] = []
        self._loaded = False
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> Message:
        """Return the result of a command."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._count:
                assert "error" not in answer, answer
                result: Message = answer["result"]
                return result

    def show(self, page: Path, width: int, height: int, *, dark: bool = False) -> None:
        """Open a file in a window of a size, below 600 pixels as on a phone."""
        phone = width < 600
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if phone else 1,
            mobile=phone,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self._loaded, self.complaints = False, []
        self.call("Page.navigate", url=page.resolve().as_uri())
        while not self._loaded:
            self._next()

    def value(self, expression: str) -> Any:
        """Return what an expression of JavaScript gives, as JSON."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def picture(self, path: Path) -> None:
        """Write the whole page as PNG, for a person to look at."""
        answer = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(answer["data"]))

    def _next(self) -> Message:
        while b"\0" not in self._held:
            ready, _, _ = select.select([self._from], [], [], _SECONDS)
            assert ready, f"the browser did not answer within {_SECONDS:g} seconds"
            read = os.read(self._from, 1 << 20)
            assert read, "the browser has ended"
            self._held += read
        line, _, self._held = self._held.partition(b"\0")
        message: Message = json.loads(line)
        self._hear(message.get("method", ""), message.get("params", {}))
        return message

    def _hear(self, event: str, params: Message) -> None:
        if event == "Page.loadEventFired":
            self._loaded = True
        elif event == "Log.entryAdded":
            self.complaints.append(params["entry"]["text"])
        elif event == "Runtime.consoleAPICalled" and params["type"] in ("warning", "error"):
            self.complaints.append(str(params["args"]))
        elif event == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"]))
        elif event == "Network.requestWillBeSent":
            address = params["request"]["url"]
            if not address.startswith(("file:", "data:", "about:")):
                self.complaints.append(f"asked for {address}")


@contextmanager
def open_browser(profile: Path) -> Iterator[Browser]:
    """Start chromium; without one the test fails and says what to install.

    Args:
        profile: an empty folder for what it writes.
    """
    program = next((found for name in _NAMES if (found := shutil.which(name))), None)
    assert program is not None, _MISSING
    in_read, in_write = os.pipe()
    out_read, out_write = os.pipe()
    options = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
    options += ("--disable-extensions", "--no-first-run", "--remote-debugging-pipe")
    options += (f"--user-data-dir={profile}",)
    # Only a shell can place the pipes: subprocess may hold 3 and 4 itself.
    running = subprocess.Popen(
        ["bash", "-c", f'exec "$0" "$@" 3<&{in_read} 4>&{out_write}', program, *options],
        pass_fds=(in_read, out_write),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(in_read)
    os.close(out_write)
    try:
        browser = Browser(in_write, out_read)
        yield browser
        browser._session = ""
        browser.call("Browser.close")
        running.wait(_SECONDS)
    finally:
        if running.poll() is None:
            running.kill()
            running.wait()
        os.close(in_write)
        os.close(out_read)
