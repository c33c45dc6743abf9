"""Headless Chromium, driven through the DevTools protocol on a pipe: no port, no driver."""

import base64
import json
import os
import signal
import socket
import time

from harness.env import patience
from programs import Program

FLAGS = (
    "--headless",
    "--no-sandbox",  # refuses to run as root otherwise
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-features=BackForwardCache",  # a page that was left is over
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    # Nothing but the loopback exists.
    "--host-resolver-rules=MAP *.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--window-size=1000,700",
    "--remote-debugging-pipe",
)

# Messages to the browser arrive on descriptor 3 and it answers on 4; one socket can be both.
START = 'exec "$@" 3<&{0} 4>&{0}'

# What a US keyboard has to do for a character: the key's name, and whether Shift is down.
CODES = {" ": "Space", ".": "Period", ",": "Comma", "-": "Minus", "\r": "Enter"}
SHIFTED = {"#": "Digit3", "!": "Digit1", ":": "Semicolon"}
SHIFT = 8  # in the protocol's `modifiers`


class PageError(AssertionError):
    pass


class Chromium:
    def __init__(self, binary, directory):
        self.sock, theirs = socket.socketpair()
        number = theirs.fileno()
        command = [binary, *FLAGS, f"--user-data-dir={directory / 'profile'}", "about:blank"]
        self.program = Program(
            directory / "output.txt",
            *("bash", "-c", START.format(number), "bash", *command),
            cwd=directory,
            env={"PATH": "/usr/bin:/bin", "HOME": str(directory), "LANG": "C.UTF-8"},
            pass_fds=[number],
            start_new_session=True,
        )
        theirs.close()
        self.received = bytearray()
        self.events = []
        self.last_id = 0

    def _next_message(self, deadline):
        while b"\0" not in self.received:
            left = deadline - time.monotonic()
            assert left > 0, "the browser does not answer"
            self.sock.settimeout(left)
            piece = self.sock.recv(1 << 18)
            assert piece, f"the browser ended:\n{self.program.text()[-2000:]}"
            self.received += piece
        text, _, self.received = self.received.partition(b"\0")
        return json.loads(text)

    def call(self, method, session=None, timeout=15, **params):
        """The result of one call; what happens meanwhile is kept for wait_event()."""
        self.last_id += 1
        message = {"id": self.last_id, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        self.sock.settimeout(patience(timeout))
        self.sock.sendall(json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + patience(timeout)
        while True:
            answer = self._next_message(deadline)
            if answer.get("id") == self.last_id:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            if "method" in answer:
                self.events.append(answer)

    def wait_event(self, method, session, timeout=15):
        """Takes the next event of that kind, and returns its parameters."""
        deadline = time.monotonic() + patience(timeout)
        while not (hits := self._events_of(method, session)):
            message = self._next_message(deadline)
            if "method" in message:
                self.events.append(message)
        self.events.remove(hits[0])
        return hits[0]["params"]

    def _events_of(self, method, session):
        return [e for e in self.events if (e["method"], e.get("sessionId")) == (method, session)]

    def new_page(self):
        return Page(self)

    def end(self):
        try:
            self.call("Browser.close")
            self.program.process.wait(10)
        finally:
            self.sock.close()
            if self.program.process.poll() is None:  # then it and its children, who share a group
                os.killpg(self.program.process.pid, signal.SIGKILL)
                self.program.process.wait()


class Page:
    """One tab in a browser context of its own."""

    def __init__(self, browser):
        self.browser = browser
        self.context = browser.call("Target.createBrowserContext")["browserContextId"]
        where = {"url": "about:blank", "browserContextId": self.context}
        self.target = browser.call("Target.createTarget", **where)["targetId"]
        attached = browser.call("Target.attachToTarget", targetId=self.target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method, **params):
        return self.browser.call(method, self.session, **params)

    def wait_event(self, method):
        return self.browser.wait_event(method, self.session)

    def open(self, url):
        """Goes there and waits until everything is loaded."""
        failure = self.call("Page.navigate", url=url).get("errorText")
        assert not failure, f"{url}: {failure}"
        self.wait_event("Page.loadEventFired")

    def evaluate(self, expression, timeout=15):
        """The value of a JavaScript expression, or what its promise becomes."""
        result = self.call(
            "Runtime.evaluate",
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
            timeout=timeout,
        )
        if "exceptionDetails" in result:
            raise PageError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def until(self, condition, timeout=15):
        """Waits in the page until an expression is true, and returns its value."""
        limit = int(patience(timeout) * 1000)
        try:
            return self.evaluate(
                f"""new Promise((resolve, reject) => {{
                    const limit = performance.now() + {limit};
                    const look = () => {{
                        const value = ({condition});
                        if (value) resolve(value);
                        else if (performance.now() > limit) reject("never became true");
                        else setTimeout(look, 10);
                    }};
                    look();
                }})""",
                timeout=timeout + 5,
            )
        except PageError as error:
            raise PageError(f"{error}\nthe page shows: {self.shown()}") from None

    def shown(self):
        return self.evaluate("document.body.innerText")

    def exceptions(self):
        """The uncaught exceptions of the page's scripts so far."""
        self.evaluate("0")
        events = self.browser._events_of("Runtime.exceptionThrown", self.session)
        return [e["params"]["exceptionDetails"] for e in events]

    def click(self, x, y):
        """In the page's own coordinates."""
        at = {"x": x, "y": y}
        self.call("Input.dispatchMouseEvent", type="mouseMoved", **at)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **at)

    def type(self, text):
        """As somebody at a US keyboard would; a line feed is Enter."""
        for char in text.replace("\n", "\r"):
            shift = char.isupper() or char in SHIFTED
            if shift:
                self._key("keyDown", "Shift", "ShiftLeft", 16, SHIFT)
            self._stroke(char, SHIFT if shift else 0)
            if shift:
                self._key("keyUp", "Shift", "ShiftLeft", 16, 0)

    def _stroke(self, char, modifiers):
        code = CODES.get(char) or SHIFTED.get(char)
        if not code:
            assert char.isascii() and char.isalnum(), f"no key for {char!r}"
            code = f"Digit{char}" if char.isdigit() else f"Key{char.upper()}"
        key = "Enter" if char == "\r" else char
        number = ord(char.upper())
        self._key("keyDown", key, code, number, modifiers, text=char)
        self._key("keyUp", key, code, number, modifiers)

    def _key(self, kind, key, code, number, modifiers, **more):
        self.call("Input.dispatchKeyEvent", type=kind, key=key, code=code,
                  windowsVirtualKeyCode=number, modifiers=modifiers, **more)  # fmt: skip

    def screenshot(self, file):
        file.parent.mkdir(parents=True, exist_ok=True)
        data = self.call("Page.captureScreenshot", format="png")["data"]
        file.write_bytes(base64.b64decode(data))

    def close(self):
        self.browser.call("Target.disposeBrowserContext", browserContextId=self.context)
        self.browser.events.clear()
