"""A page of a Node.js service with a WebSocket and an EventSource, in Chromium, by path."""

import json
from pathlib import Path

import pytest

from harness.net import eventually, free_port
from harness.reverse import Rig, tool
from programs import Program

SCRIPT = Path(__file__).parent / "page_service.js"


@pytest.fixture
def service(tmp_path):
    port = free_port()
    program = Program(tmp_path / "node.txt", tool("node", "nodejs"), SCRIPT, port)
    program.port = port
    program.wait_text("ready")
    yield program
    program.end()


@pytest.fixture
def open_page(page, farm, service):
    """The page, opened through wsps below a path of two segments."""
    rig = Rig(farm, f"http://127.0.0.1:{service.port}?mode=path&value=apps/page")
    page.open(rig.url("/apps/page/"))
    yield page
    assert not page.exceptions()


def test_websocket(open_page):
    """Text and bytes of every length form come back as they were sent; then both ends close."""
    for message in ("", "hello", "Grüße, 世界 🦊", "x" * 70_000):
        assert open_page.evaluate(f"ask({json.dumps(message)})") == message
    for size in (0, 1, 125, 126, 65_535, 65_536, 3_000_000):
        assert open_page.evaluate(f"askBytes({size})") is True, size
    assert open_page.evaluate("socket.close(4001, 'enough'), closed") == {
        "code": 4001, "reason": "enough", "wasClean": True}  # fmt: skip


def test_service_closes(open_page):
    assert open_page.evaluate("opened.then(() => socket.send('close, please')), closed") == {
        "code": 4002, "reason": "as you wish", "wasClean": True}  # fmt: skip


def test_events(open_page, service):
    """Each is sent once the one before was seen; the stream ends midway, and is taken up again."""
    open_page.until("events.length === 8")
    assert open_page.evaluate("events") == [f"event {n}" for n in range(1, 9)]
    assert "event 8" in open_page.shown()
    lines = service.text().splitlines()
    assert [x for x in lines if x.startswith("events")] == [
        "events after 0", "events closed", "events after 4"]  # fmt: skip


def test_visitor_leaves(open_page, service):
    """The service hears of the end of both at once."""
    assert open_page.evaluate("ask('there?')") == "there?"
    open_page.until("events.length === 8")
    open_page.open("about:blank")
    service.wait_text("socket closed 1001", timeout=3)
    eventually(lambda: service.text().count("events closed") == 2, "node hears of it", timeout=3)


def test_service_ends(open_page, service):
    """The page hears of the end of both at once."""
    open_page.until("events.length === 8")
    service.process.kill()
    assert open_page.evaluate("closed")["code"] == 1006
    open_page.until("source.readyState === EventSource.CLOSED")  # 502 is final for it
