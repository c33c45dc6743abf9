"""Who may ask a daemon for its state, and does nothing else than that."""

import json

from harness.channels import connect_unix
from harness.net import how_it_ends, reset

from arenas import Open
from table import Table
from verdicts import send

table = Table("who asks for the state", Open)


def asking(arena, daemon=None):
    return arena.keep(connect_unix((daemon or arena.wsps).config["status"]))


def told(sock):
    """The document is there, and with no secret in it."""
    text, _ = how_it_ends(sock)
    assert json.loads(text)["pid"]
    assert b"s3cret" not in text and b":pw" not in text
    return "told"


@table("a request of HTTP", "told")
def http(arena):
    """Nothing that is said is read."""
    results = set()
    for daemon in (arena.wsps, arena.wspc):
        sock = asking(arena, daemon)
        send_ignored(sock, b"GET /../../etc/passwd HTTP/1.1\r\n\r\n")
        results.add(told(sock))
    return results.pop()


def send_ignored(sock, data):
    try:
        send(sock, data)
    except TimeoutError:
        pass


@table("1 MB of garbage", "told")
def garbage(arena):
    sock = asking(arena)
    sock.settimeout(0.2)
    send_ignored(sock, bytes(1_000_000))
    sock.settimeout(10)
    data, _ = how_it_ends(sock)
    return "told" if json.loads(data) else "nothing"


@table("100 who do not read", "told")
def unread(arena):
    for _ in range(100):
        asking(arena)
    return told(asking(arena))


@table("500 who leave at once", "told")
def leave(arena):
    for number in range(500):
        sock = connect_unix(arena.wsps.config["status"])
        if number % 2:
            reset(sock)
        else:
            sock.close()
    return told(asking(arena))


TABLES = [table]
