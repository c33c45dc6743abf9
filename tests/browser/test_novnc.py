"""noVNC in Chromium: its page, its WebSocket and its events all through the one public port."""

import contextlib
import functools
import http.server
import json
import os
import re
import threading
from pathlib import Path

import pytest

from desktop import HEIGHT, INK, PAPER, ROOT_COLOUR, TERMINAL, WIDTH, Desktop
from harness.env import ROOT
from harness.net import eventually
from harness.reverse import REGISTERED, Rig, services

NOVNC = Path("/usr/share/novnc")
RESULTS = Path(os.environ.get("WSP_RESULTS", ROOT / "build" / "results"))
SENTENCE = "The quick brown fox, jumping over 13 lazy dogs: how odd!"
NEW_COLOUR = "#12AB9F"

# How often each colour stands on noVNC's canvas, and the canvas's size.
COLOURS = """(() => {
    const canvas = document.querySelector("canvas");
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    const counts = {};
    for (let i = 0; i < data.length; i += 4) {
        const value = data[i] << 16 | data[i + 1] << 8 | data[i + 2];
        const name = "#" + value.toString(16).padStart(6, "0");
        counts[name] = (counts[name] || 0) + 1;
    }
    return { width, height, counts };
})()"""

PIXEL = """(() => {
    const context = document.querySelector("canvas").getContext("2d");
    return Array.from(context.getImageData(%d, %d, 1, 1).data.slice(0, 3));
})()"""

CONNECTED = 'document.documentElement.classList.contains("noVNC_connected")'
LITE_STATUS = 'document.getElementById("status").textContent'


def rgb(colour):
    return list(bytes.fromhex(colour[1:]))


def wait_pixel(page, x, y, colour):
    page.until(f"String({PIXEL % (x, y)}) === {json.dumps(','.join(map(str, rgb(colour))))}")


def click_in_canvas(page, x, y):
    left, top = page.evaluate(
        "(r => [r.left, r.top])(document.querySelector('canvas').getBoundingClientRect())"
    )
    page.click(left + x, top + y)


class Files(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections

    def log_message(self, *_):
        pass

    def handle(self):
        with contextlib.suppress(ConnectionError):  # the daemons end while connections idle
            super().handle()


@pytest.fixture(scope="module")
def files():
    """The port of a server of noVNC's files."""
    if not (NOVNC / "vnc.html").exists():
        pytest.skip(f"there is no {NOVNC} (package novnc)")
    handler = functools.partial(Files, directory=str(NOVNC))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture
def desktop(tmp_path):
    desktop = Desktop(tmp_path)
    yield desktop
    desktop.end()


@pytest.fixture
def rig(farm, files, desktop):
    return Rig(
        farm,
        f"http://127.0.0.1:{files}?mode=path&value=novnc",
        f"http://127.0.0.1:{files}?mode=domain&value=desk.example",
        f"tcp://127.0.0.1:{desktop.port}?mode=path&value=vnc",
    )


def test_desktop(page, rig, desktop):
    """The desktop is seen; what is typed arrives there, and what comes of it is seen again."""
    page.open(rig.url("/novnc/vnc.html?autoconnect=true&path=vnc"))
    page.until(CONNECTED)
    left, top = TERMINAL
    wait_pixel(page, left + 1, top + 1, PAPER)  # then the terminal is there
    wait_pixel(page, WIDTH - 1, HEIGHT - 1, ROOT_COLOUR)

    seen = page.evaluate(COLOURS)
    assert (seen["width"], seen["height"]) == (WIDTH, HEIGHT)
    around = seen["counts"][ROOT_COLOUR]
    assert around > WIDTH * HEIGHT / 4 and seen["counts"][PAPER] > WIDTH * HEIGHT / 5
    assert page.evaluate(PIXEL % (left - 1, top)) == rgb(ROOT_COLOUR)

    click_in_canvas(page, left + 100, top + 50)  # the keyboard follows the pointer
    page.type(f"{SENTENCE}\n{NEW_COLOUR}\n")
    eventually(lambda: len(desktop.lines()) == 2, f"two lines were typed: {desktop.lines()}")
    assert desktop.lines() == [SENTENCE, NEW_COLOUR]
    page.until(f"{COLOURS}.counts[{json.dumps(NEW_COLOUR.lower())}] === {around}")
    seen = page.evaluate(COLOURS)
    assert ROOT_COLOUR not in seen["counts"]
    assert seen["counts"][INK] > 500, "the terminal shows no text"
    page.screenshot(RESULTS / "novnc.png")
    assert not page.exceptions()


def wait_refused(page):
    """The status that wsps gave instead of 101, as the browser tells it."""
    error = page.wait_event("Network.webSocketFrameError")["errorMessage"]
    page.until(f"{LITE_STATUS} === 'Something went wrong, connection is closed'")
    return int(re.search(r"Unexpected response code: (\d+)", error).group(1))


def test_desktop_ends(page, rig, desktop):
    """The page hears of it at once; a page that comes later is told before the upgrade."""
    url = rig.url("/novnc/vnc_lite.html?path=vnc")
    page.open(url)
    page.until(f"{LITE_STATUS} === 'Connected to the desktop'")
    desktop.end()
    page.until(f"{LITE_STATUS} === 'Disconnected'", timeout=3)
    page.open(url)
    assert wait_refused(page) == 502


def test_foreign_page(page, farm, rig, desktop):
    """With a list of origins a desktop is only for those pages, whoever else finds its address."""
    ours = f"http://desk.example:{rig.port}"
    private = f"tcp://127.0.0.1:{desktop.port}?mode=path&value=private&origin={ours}"
    farm.wspc(services(rig.port, private)).wait_line(REGISTERED)
    address = f"vnc_lite.html?host=127.0.0.1&port={rig.port}&path=private"
    page.open(f"{ours}/{address}")
    page.until(f"{LITE_STATUS} === 'Connected to the desktop'")
    page.open(rig.url(f"/novnc/{address}"))
    assert wait_refused(page) == 403
