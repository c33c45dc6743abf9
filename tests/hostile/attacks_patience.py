"""
Attacks that take a minute each, since they wait for times that cannot be set: with WSP_LONG=1 only.
"""

from harness import frames
from harness.net import eventually
from harness.reverse import request

from arenas import Open
from table import LONG, Table
from verdicts import closed, held, send

table = Table("who lets a minute pass", Open)


@table("a link that answers no ping", "eof")
def mute_link(arena):
    """Without a close frame, after `time.dead`."""
    return closed(arena.link(), timeout=25)


@table("a body that stops", "408")
def body(arena):
    sock = arena.connect()
    send(sock, request("POST /api/x", "Content-Length: 100", body=b"only this"))
    sock.settimeout(90)
    assert sock.recv(12) == b"HTTP/1.1 408"
    return "408"


@table("a link that reads nothing of all its answers", "given up")
def deaf_link(arena):
    """After `time.dead`, in which it has taken nothing. That does not show to who does not read."""
    link = arena.link()
    assert held(link.sock, frames.encode(frames.PING, b"x" * 125, masked=True) * 1000) == "held"
    key = "wsps", "links"
    eventually(lambda: arena.values()[key] == arena.start_values[key], "its link is ended", 25)
    return "given up"


TABLES = [table] if LONG else []
