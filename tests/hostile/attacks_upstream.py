"""
Between wspc and its server: proxies that are hostile, and a server behind TLS that is not who it
should be.
"""

import ssl
import time

from harness import frames, wsp1
from harness.net import how_it_ends, is_silent, read_exact, read_until, reset
from harness.peer import switch
from harness.socks import request_bytes

from arena import HANDSHAKE
from arenas import Away
from table import Table, every
from verdicts import send

HTTP_FAILED = r"link 5: cannot connect: proxy http://127.0.0.1:\d+: (.*); next try"
SOCKS_FAILED = r"link 6: cannot connect: proxy socks5://127.0.0.1:\d+: (.*); next try"
TLS_FAILED = r"link 7: cannot connect: (.*); next try"

table = Table("upstream proxy", Away)

# ---- HTTP


def answer(arena, raw):
    """To the CONNECT of a link."""
    sock, head = arena.asked(arena.HTTP)
    assert head.startswith(b"CONNECT ") and b"Auth" not in head
    since = arena.wspc.mark()
    send(sock, raw)
    return arena.reason(since, HTTP_FAILED)


NO_HTTP = "its answer is not valid HTTP"

table.rows(
    answer,
    NO_HTTP,
    {
        "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/2": b"HTTP/2.0 200 OK\r\n\r\n",
        "bare LF": b"HTTP/1.1 200 OK\n\n",
        "NUL": b"HTTP/1.1 200 OK\r\nX: \0\r\n\r\n",
        "escape sequence": b"HTTP/1.1 502 \x1b[31m\r\n\r\n",
        "folded line": b"HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n",
        "status of two digits": b"HTTP/1.1 20 OK\r\n\r\n",
        "empty lines first": b"\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    },
)
table.rows(
    answer,
    "the head of its answer is too long",
    {
        "200 fields": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        "head of 70,000 bytes": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000,
    },
)
table.rows(
    answer,
    "it answers without end",
    {
        "interim answers without end": b"HTTP/1.1 100 Go on\r\n\r\n" * 10_000,
    },
)
table.rows(answer, "302 Found", {"redirect": b"HTTP/1.1 302 Found\r\nLocation: http://x/\r\n\r\n"})
table.rows(
    answer,
    "407 No; give user and password in \"proxy\"",
    {"asks for a password": b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=x\r\n\r\n"},
)
table.rows(
    answer,
    "407 No: it does not offer Basic, all that we can do",
    {"asks in another way": b"HTTP/1.1 407 No\r\nProxy-Authenticate: NTLM\r\n\r\n"},
)
table.rows(
    answer,
    "500 ?[2J" + "x" * 76,
    {"long reason in another encoding": b"HTTP/1.1 500 \xff[2J" + b"x" * 1000 + b"\r\n\r\n"},
)


@table("ends at once", "it closed the connection")
def ends(arena):
    sock, _ = arena.asked(arena.HTTP)
    since = arena.wspc.mark()
    sock.close()
    return arena.reason(since, HTTP_FAILED)


@table("resets at once", "the connection broke")
def resets(arena):
    sock, _ = arena.asked(arena.HTTP)
    since = arena.wspc.mark()
    reset(sock)
    return arena.reason(since, HTTP_FAILED)


@table("nothing at all", "no answer in time")
def nothing(arena):
    sock, _ = arena.asked(arena.HTTP)
    return arena.reason(arena.wspc.mark(), HTTP_FAILED)


@table("an answer by a byte now and then", "no answer in time")
def crumbs(arena):
    sock, _ = arena.asked(arena.HTTP)
    since, began = arena.wspc.mark(), time.monotonic()
    send(sock, b"HTTP/1.1 200 OK\r\nX: ")
    while is_silent(sock, 0.02) and time.monotonic() - began < 3 * HANDSHAKE:
        send(sock, b"y")
    return arena.reason(since, HTTP_FAILED)


@table("a tunnel that leads to itself", "harmless")
def itself(arena):
    """It can play the server where there is no TLS; but it is a link like any other."""
    sock, _ = arena.asked(arena.HTTP)
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nTransfer-Encoding: chunked\r\n\r\n")
    head = read_until(sock, b"\r\n\r\n")
    assert head.startswith(b"GET /proxy ")
    key = head.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
    sock.sendall(switch(key, "wsp.1"))
    link = wsp1.Link(sock, client=False).settle()
    link.sync()
    return "harmless"


@table("the server's answer glued to its own", "handshake")
def glued(arena):
    """What comes before the question is no answer to it."""
    sock, _ = arena.asked(arena.HTTP)
    since = arena.wspc.mark()
    send(sock, b"HTTP/1.1 200 OK\r\n\r\n" + switch(frames.new_key(), "wsp.1"))
    reason = arena.wspc.wait_line("link 5: cannot connect: .*Accept", since=since)
    return "handshake" if "handshake error" in reason else reason


@table("reset here and there in its answer", "gone")
def cut(arena):
    """At every byte, in the long form."""
    listener = arena.listen(arena.HTTP)
    whole = b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n"
    for place in range(0, len(whole) + 1, every(3)):
        sock, _ = arena.next_attempt(listener)
        sock.sendall(whole[:place])
        reset(sock)
    return "gone"


# ---- SOCKS5


def greeted(arena):
    sock = arena.keep(arena.listen(arena.SOCKS).accept_tcp())
    assert read_exact(sock, 4) == b"\x05\x02\x00\x02"
    return sock


def method(arena, raw):
    sock = greeted(arena)
    since = arena.wspc.mark()
    send(sock, raw)
    return arena.reason(since, SOCKS_FAILED)


def reply(arena, raw):
    sock = greeted(arena)
    since = arena.wspc.mark()
    sock.sendall(b"\x05\x00")
    wanted = request_bytes("127.0.0.1", 1)
    read_exact(sock, len(wanted))
    send(sock, raw)
    return arena.reason(since, SOCKS_FAILED)


NO_SOCKS = "its answer is not SOCKS5"

table.rows(method, NO_SOCKS, {"HTTP to SOCKS5": b"HTTP/1.1 400 Bad\r\n\r\n", "SOCKS4": b"\x00\x5a"})
table.rows(
    method,
    "it wants to authenticate in a way not offered",
    {"method of Windows": b"\x05\x01", "method that nobody knows": b"\x05\x80"},
)
table.rows(
    method,
    "no way to authenticate that it accepts; user or password are wrong in \"proxy\"",
    {"no method": b"\x05\xff"},
)
table.rows(
    method,
    "login refused; user or password are wrong in \"proxy\"",
    {"login refused": b"\x05\x02\x01\x01"},
)
table.rows(
    reply,
    NO_SOCKS,
    {
        "reply of another version": b"\x04\x00\x00\x01" + bytes(6),
        "reply with an address nobody knows": b"\x05\x00\x00\x05" + bytes(6),
    },
)
table.rows(
    reply,
    "SOCKS5 reply 255",
    {"reply that nobody knows": b"\x05\xff\x00\x01" + bytes(6)},
)
table.rows(
    reply,
    "SOCKS5 reply 5: connection refused",
    {"refusal of two bytes": b"\x05\x05"},
)


@table("login asked for, and then nothing", "no answer in time")
def login(arena):
    sock = greeted(arena)
    since = arena.wspc.mark()
    sock.sendall(b"\x05\x02")
    assert read_exact(sock, 7) == b"\x01\x02me\x02pw"
    return arena.reason(since, SOCKS_FAILED)


# ---- TLS

secure = Table("server behind TLS", Away)


def hello(arena):
    """(socket, the client's first record, place in the log)"""
    sock = arena.keep(arena.listen(arena.SECURE).accept_tcp())
    head = read_exact(sock, 5)
    assert head[0] == 22, head
    return sock, head + read_exact(sock, int.from_bytes(head[3:5], "big")), arena.wspc.mark()


def garbage(arena, raw):
    sock, _, since = hello(arena)
    send(sock, raw)
    return failure(arena, sock, since)


def failure(arena, sock, since):
    reason = arena.reason(since, TLS_FAILED)
    assert b"Auth" not in how_it_ends(sock)[0]
    return ": ".join(reason.split(": ")[:2])  # behind it stands OpenSSL's own word for it


BROKEN = "tls: handshake failed"

secure.rows(
    garbage,
    BROKEN,
    {
        "HTTP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
        "record of 32 KiB": b"\x16\x03\x03\x80\x00" + bytes(0x8000),
        "record type that nobody knows": b"\x63\x03\x03\x00\x05hello",
        "version 9.9": b"\x16\x09\x09\x00\x05hello",
        "server hello of SSL 3": b"\x16\x03\x00\x00\x2a\x02\x00\x00\x26\x03\x00" + bytes(36),
        "data before the handshake": b"\x17\x03\x03\x00\x05hello",
        "finished before the handshake": b"\x16\x03\x03\x00\x10\x14\x00\x00\x0c" + bytes(12),
    },
)


def shown(arena, label, **options):
    """A certificate, and why it is not believed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*arena.pki.files(label))
    sock = arena.keep(arena.listen(arena.SECURE).accept_tcp())
    since = arena.wspc.mark()
    try:
        tls = context.wrap_socket(sock, server_side=True)
        assert tls.recv(1) == b"", "the request was sent"
    except (ssl.SSLError, ConnectionError):
        pass
    return arena.reason(since, TLS_FAILED).split(": /CN")[0]


CHECK = "tls: certificate check failed: "

secure.rows(shown, CHECK + "certificate has expired", {"certificate that has expired": "expired"})
secure.rows(
    shown,
    CHECK + "unable to get local issuer certificate",
    {"certificate of another authority": "foreign"},
)
secure.rows(
    shown,
    "tls: host name check failed: the certificate is not for expired.example",
    {"certificate of somebody else": "wrong"},
)


@secure("nothing at all", "no answer to the handshake in time")
def mute(arena):
    _, _, since = hello(arena)
    return arena.reason(since, TLS_FAILED)


@secure("end within the handshake", "gone")
def end_within(arena):
    sock, _, since = hello(arena)
    sock.sendall(b"\x16\x03\x03")
    sock.close()
    arena.reason(since, TLS_FAILED)
    return "gone"


@secure("100,000 warnings", BROKEN)
def warnings(arena):
    return garbage(arena, b"\x15\x03\x03\x00\x02\x01\x5a" * 100_000)


@secure("its own hello sent back", BROKEN)
def mirror(arena):
    sock, record, since = hello(arena)
    send(sock, record)
    return failure(arena, sock, since)


TABLES = [table, secure]
