"""Headless Chromium, driven by the DevTools protocol over its pipe."""

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

PATIENCE = 120  # seconds; a busy machine gets them all


class Browser:
    """One tab. Keeps the page's complaints (errors of the console, exceptions), the URLs that it asked for, the bodies
    that it sent, and the header fields of the last request, names in lower case."""

    def __init__(self, process, commands, events):
        self.process, self.commands, self.events = process, commands, events
        self.buffer, self.count = b"", 0
        self.complaints, self.urls, self.bodies, self.headers, self.answers = [], [], [], {}, {}
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        self.session = None
        self.session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        for domain in ["Page", "Runtime", "Log", "Network"]:
            self.call(domain + ".enable")

    def call(self, method, parameters=None):
        self.count += 1
        message = {"id": self.count, "method": method, "params": parameters or {}}
        if getattr(self, "session", None):
            message["sessionId"] = self.session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        number = self.count
        deadline = time.monotonic() + PATIENCE
        while number not in self.answers:
            self.read(deadline)
        answer = self.answers.pop(number)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def read(self, deadline):
        """Takes in what the browser says next."""
        while b"\0" not in self.buffer:
            if not select.select([self.events], [], [], max(0, deadline - time.monotonic()))[0]:
                raise TimeoutError("the browser says nothing")
            more = os.read(self.events, 1 << 20)
            if not more:
                raise RuntimeError("the browser ended")
            self.buffer += more
        message, self.buffer = self.buffer.split(b"\0", 1)
        message = json.loads(message)
        if "id" in message:
            self.answers[message["id"]] = message
            return
        parameters = message.get("params", {})
        match message["method"]:
            case "Runtime.consoleAPICalled":
                if parameters["type"] in ("error", "warning", "assert"):
                    self.complaints.append(str(parameters["args"]))
            case "Runtime.exceptionThrown":
                self.complaints.append(str(parameters["exceptionDetails"]))
            case "Log.entryAdded":
                if parameters["entry"]["level"] in ("error", "warning"):
                    self.complaints.append(parameters["entry"]["text"] + " " + parameters["entry"].get("url", ""))
            case "Network.requestWillBeSent":
                request = parameters["request"]
                self.urls.append(request["url"])
                self.bodies += [request["postData"]] if "postData" in request else []
                self.headers = {name.lower(): value for name, value in request["headers"].items()}
            case "Fetch.requestPaused":
                self.fulfil(parameters)

    def mock(self, replies):
        """Answers requests whose URL ends in a key with (status, headers, body) in place of the server."""
        self.replies = replies
        self.call("Fetch.enable", {"patterns": [{"urlPattern": "*" + end} for end in replies]})

    def unmock(self):
        self.call("Fetch.disable")

    def fulfil(self, paused):
        """Sends the answer without waiting for its receipt, which read() will find."""
        url = paused["request"]["url"]
        reply = next(reply for end, reply in self.replies.items() if url.endswith(end))
        if reply is None:
            method, parameters = "Fetch.failRequest", {"errorReason": "ConnectionRefused"}
        else:
            status, headers, body = reply
            method, parameters = "Fetch.fulfillRequest", {
                "responseCode": status,
                "responseHeaders": [{"name": name, "value": value} for name, value in headers.items()],
                "body": base64.b64encode(body.encode()).decode(),
            }
        self.count += 1
        message = {"id": self.count, "method": method, "sessionId": self.session,
                   "params": {"requestId": paused["requestId"], **parameters}}
        os.write(self.commands, json.dumps(message).encode() + b"\0")

    def open(self, url, width=1000, height=800, dark=False):
        self.call("Emulation.setDeviceMetricsOverride",
                  {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})
        self.call("Emulation.setEmulatedMedia",
                  {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})
        self.call("Page.navigate", {"url": url})
        self.wait("document.readyState === 'complete'")

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate",
                           {"expression": expression, "returnByValue": True, "awaitPromise": True})
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def wait(self, expression):
        """Waits until the expression is true."""
        deadline = time.monotonic() + PATIENCE
        while not self.evaluate(expression):
            if time.monotonic() > deadline:
                raise TimeoutError(f"still not so: {expression}; {self.complaints}")
            time.sleep(0.02)

    def text(self, selector):
        """The text that is to be seen in the first such element; None if there is none to be seen."""
        return self.evaluate(f"(e => e && e.checkVisibility() ? e.innerText : null)"
                             f"(document.querySelector({json.dumps(selector)}))")

    def type(self, text):
        self.call("Input.insertText", {"text": text})

    def press(self, key, modifiers=0):
        codes = {"Tab": 9, "Enter": 13, " ": 32}
        key_text = {"Enter": "\r", " ": " "}.get(key)
        event = {"key": key, "code": {" ": "Space"}.get(key, key), "windowsVirtualKeyCode": codes[key],
                 "modifiers": modifiers}
        self.call("Input.dispatchKeyEvent", {"type": "keyDown", **event, **({"text": key_text} if key_text else {})})
        self.call("Input.dispatchKeyEvent", {"type": "keyUp", **event})

    def screenshot(self, path):
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        picture = self.call("Page.captureScreenshot", {
            "format": "png", "captureBeyondViewport": True,
            "clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}})
        with open(path, "wb") as file:
            file.write(base64.b64decode(picture["data"]))


@contextlib.contextmanager
def browser():
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert program, "no Chromium here: apt-get install chromium"
    to_browser, commands = os.pipe()
    events, from_browser = os.pipe()

    def pipes():
        """The protocol is spoken on the file descriptors 3 and 4."""
        copies = os.dup(to_browser), os.dup(from_browser)
        os.dup2(copies[0], 3)
        os.dup2(copies[1], 4)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server",
             "--force-color-profile=srgb", "--hide-scrollbars", f"--user-data-dir={profile}",
             "--remote-debugging-pipe", "about:blank"],
            preexec_fn=pipes, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        tab = None
        try:
            tab = Browser(process, commands, events)
            yield tab
        finally:
            with contextlib.suppress(Exception):
                tab.session = None
                tab.call("Browser.close")
            os.close(commands)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            os.close(events)
