"""A malicious peer of a port that speaks TLS, below HTTP and WebSockets."""

import contextlib
import ssl
import subprocess
import time

from harness.daemons import AUTH, PATH
from harness.net import eventually, how_it_ends, is_silent, reset
from harness.peer import UPGRADE
from harness.reverse import request
from harness.secure import s_client

from arena import HANDSHAKE
from arenas import Secure, shut
from table import Table, every, times
from verdicts import held, send, status

table = Table("peer of the TLS port", Secure)

# ---- before the handshake


def plain(arena, data):
    sock = arena.connect()
    send(sock, data)
    return status(sock)


LINK = UPGRADE.format(path=PATH, port=1, key="dGhlIHNhbXBsZSBub25jZQ==", auth=AUTH).encode()

table.rows(
    plain,
    "400",
    {
        "HTTP without TLS": request("GET /well/x"),
        "a link without TLS": LINK,
        "POST without TLS, and 1 MB": request("POST /well/x", "Content-Length: 1000000")
        + bytes(1_000_000),
    },
)


def garbage(arena, data):
    """No byte of an answer but an alert, which the reset behind it may take away."""
    sock = arena.connect()
    send(sock, data)
    shut(sock)
    answer, _ = how_it_ends(sock)
    return "turned away" if answer[:1] in (b"", b"\x15") else answer.hex()


table.rows(
    garbage,
    "turned away",
    {
        "record of 32 KiB": b"\x16\x03\x01\x80\x00" + bytes(0x8000),
        "record type that nobody knows": b"\x63\x03\x03\x00\x05hello",
        "data before the handshake": b"\x17\x03\x03\x00\x05hello",
        "change of ciphers before the handshake": b"\x14\x03\x03\x00\x01\x01",
        "hello of SSL 3": b"\x16\x03\x00\x00\x2a\x01\x00\x00\x26\x03\x00" + bytes(36),
        "hello of a length that is none": b"\x16\x03\x01\x00\x06\x01\xff\xff\xff\x03\x03",
        "hello full of zeros": b"\x16\x03\x01\x01\x00\x01\x00\x00\xfc\x03\x03" + bytes(250),
        "empty handshake records": b"\x16\x03\x01\x00\x00" * 1000,
        "a server's hello": b"\x16\x03\x03\x00\x2a\x02\x00\x00\x26\x03\x03" + bytes(36),
        "warnings": b"\x15\x03\x03\x00\x02\x01\x5a" * 1000,
        "heartbeat": b"\x18\x03\x03\x00\x03\x01\x40\x00",
        "nothing at all": b"",
        "one byte": b"\x16",
        "half of a hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
    },
)


def by_openssl(arena, *args, data=b"Q\n"):
    text, ok = s_client(arena.port, *args, data=data)
    assert not ok, text
    return text


for name, args in {
    "TLS 1.0": ("-tls1", "-cipher", "ALL:@SECLEVEL=0"),
    "TLS 1.1": ("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"),
    "no encryption": ("-tls1_2", "-cipher", "eNULL:@SECLEVEL=0"),
    "nobody's certificate": ("-tls1_2", "-cipher", "aNULL:@SECLEVEL=0"),
    "ciphers of 40 bits": ("-tls1_2", "-cipher", "EXPORT:@SECLEVEL=0"),
    "3DES": ("-tls1_2", "-cipher", "3DES:@SECLEVEL=0"),
}.items():
    table(name, "no agreement")(
        lambda arena, args=args: by_openssl(arena, *args) and "no agreement"
    )


@table("renegotiation", "no renegotiation")
def renegotiation(arena):
    text = by_openssl(arena, "-tls1_2", data=b"R\nQ\n")
    assert "RENEGOTIATING" in text
    return "no renegotiation" if "no renegotiation" in text else text


@table("a hello that never ends, by a byte now and then", "eof")
def crumbs(arena):
    sock = arena.connect()
    began = time.monotonic()
    send(sock, b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc\x03\x03")
    while is_silent(sock, 0.05) and time.monotonic() - began < 3 * HANDSHAKE:
        send(sock, b"\0")
    return status(sock)


@table("300 that begin a handshake", "eof")
def crowd(arena):
    socks = [arena.connect() for _ in range(300)]
    for sock in socks:
        send(sock, b"\x16\x03\x01\x02\x00\x01\x00\x01")
    arena.refresh()
    return {status(sock) for sock in socks}.pop()


@table("reset here and there in the hello", "gone")
def cut(arena):
    """At every byte, in the long form."""
    hello = arena.records().hello()
    for place in range(0, len(hello) + 1, every(5)):
        sock = arena.connect()
        sock.sendall(hello[:place])
        reset(sock)
    return "gone"


@table("100 handshakes, left when they are done", "gone")
def handshakes(arena):
    for number in range(times(100)):
        peer = arena.records().shake_hands()
        if number % 2:
            reset(peer.sock)
        else:
            shut(peer.sock)
    return "gone"


# ---- behind it

VERSIONS = {"TLS 1.2": ssl.TLSVersion.TLSv1_2, "TLS 1.3": ssl.TLSVersion.TLSv1_3}


def ends(peer):
    """How the connection ends: no byte of an answer but of TLS itself."""
    data, how = how_it_ends(peer.sock)
    types = {data[:1]} if data else set()
    assert types <= {b"\x15", b"\x17"} and len(data) < 1000, data[:100]
    return "ended" if how in ("eof", "reset") else how


def each_version(name, refusal):
    def add(act):
        for label, version in VERSIONS.items():
            table(f"{name} ({label})", refusal)(
                lambda arena, version=version: act(arena, arena.records(version).shake_hands())
            )
        return act

    return add


@each_version("a bit of a record is another", "ended")
def flipped(arena, peer):
    record = bytearray(peer.sealed(request("GET /well/x")))
    record[-3] ^= 1
    send(peer.sock, record)
    return ends(peer)


@each_version("a record twice", "ended")
def replayed(arena, peer):
    """The request is answered once."""
    record = peer.sealed(request("GET /well/x"))
    send(peer.sock, record + record)
    data, _ = how_it_ends(peer.sock)
    assert len(data) < 3000
    return "ended"


@each_version("records in another order", "ended")
def reordered(arena, peer):
    first, second = peer.sealed(b"GET /well/x HTTP/1.1\r\n"), peer.sealed(b"Host: h\r\n\r\n")
    send(peer.sock, second + first)
    return ends(peer)


@each_version("plain bytes between records", "ended")
def plain_between(arena, peer):
    send(peer.sock, peer.sealed(b"GET /well/x HTTP/1.1\r\n") + b"Host: h\r\n\r\n")
    return ends(peer)


@each_version("a record cut off, and the end", "ended")
def truncated(arena, peer):
    """The request is complete but for its last byte."""
    count = len(arena.well.requests)
    send(peer.sock, peer.sealed(request("GET /well/x"))[:-1])
    shut(peer.sock)
    result = ends(peer)
    assert len(arena.well.requests) == count
    return result


@each_version("an end without close_notify within a body", "ended")
def no_notify(arena, peer):
    """It is not taken for the end of what was sent."""
    count = len(arena.well.requests)
    send(peer.sock, peer.sealed(request("POST /well/sha", "Content-Length: 10") + b"12345"))
    time.sleep(0.05)
    shut(peer.sock)
    result = ends(peer)
    assert len(arena.well.requests) == count
    return result


@each_version("a record that nobody has sealed", "ended")
def forged(arena, peer):
    send(peer.sock, b"\x17\x03\x03\x00\x18" + bytes(24))
    return ends(peer)


@each_version("a request byte by byte, in a record each", "harmless")
def bytewise(arena, peer):
    for byte in request("GET /well/length/5"):
        send(peer.sock, peer.sealed(bytes([byte])))
    return "harmless" if peer.read().startswith(b"HTTP/1.1 200 ") else "not answered"


@each_version("requests sent ahead whose answers are not read", "held")
def pipelined(arena, peer):
    some = request("GET /well/length/5000", "X: " + "y" * 4000) * 50
    wire = b"".join(peer.sealed(some) for _ in range(120))
    return held(peer.sock, wire, limit=len(wire))


@table("key updates without end", "ended")
def key_updates(arena):
    """By `K` of openssl s_client: an update that asks for another, and nothing else in between."""
    command = ["openssl", "s_client", "-tls1_3", "-connect", f"127.0.0.1:{arena.port}"]
    pipe = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, bufsize=0, **pipe) as peer, contextlib.suppress(OSError):
        for updates in range(1000):
            peer.stdin.write(b"K\n")
            while (line := peer.stdout.readline()) and b"KEYUPDATE" not in line:
                pass
            if not line:
                break
        peer.stdin.close()
    return "ended" if updates < 999 else "harmless"


@table("a visitor behind TLS who leaves at once, 50 times", "gone")
def leaves(arena):
    for number in range(50):
        peer = arena.records().shake_hands()
        send(peer.sock, peer.sealed(request("GET /well/length/100000")))
        if number % 2:
            reset(peer.sock)
    return "gone"


@table("a response that is not read", "held")
def unread(arena):
    peer = arena.records().shake_hands()
    send(peer.sock, peer.sealed(request("GET /well/length/50000000")))
    eventually(lambda: any("50000000" in r.target for r in arena.well.requests), "it is asked for")
    time.sleep(0.3)
    return "held"


TABLES = [table]
