"""A malicious wspc: at the door, with more of everything than is due, and in dialect 0.10."""

import time

from harness import frames, messages
from harness.daemons import AUTH, PATH

from harness.messages import CONNECT, DYNAMIC, INTERRUPT, LOCAL, REMOTE, RESPOND, SETTINGS, TRANSFER
from harness.messages import UNKNOWN_ID, WINDOW, Message, request, response, varint
from harness.net import is_silent, read_exact, reset
from harness.peer import upgrade_request
from harness.wsp1 import Chan

from arena import HANDSHAKE
from arenas import LINKS_MAX, Open
from table import Table, times
from verdicts import answered, bulk, duplex, held, in_sync, send, status, text_of, unknown

DENIED = "dial tcp 169.254.169.254:80: not allowed by egress rules"
METADATA = "socks5://169.254.169.254:80"
ID = b"3MXEaTTv3gGxOcHjeVzsqNRZ1Xd"

# ---- at the door

door = Table("client at the door", Open)


def link_request(line=f"GET {PATH} HTTP/1.1", extra=(), **changes):
    """The request for a link with some fields changed, or left out when None."""
    fields = {
        "Host": "127.0.0.1",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": frames.new_key().decode(),
        "Auth": AUTH,
        "Proto": "0.10",
        **{name.replace("_", "-"): value for name, value in changes.items()},
    }
    lines = [line, *[f"{n}: {v}" for n, v in fields.items() if v is not None], *extra]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def knock(arena, data):
    sock = arena.connect()
    send(sock, data)
    return status(sock)


door.rows(
    knock,
    "401",
    {
        "no secret": link_request(Auth=None),
        "empty secret": link_request(Auth=""),
        "wrong secret": link_request(Auth="wrong"),
        "a part of the secret": link_request(Auth=AUTH[:-1]),
        "more than the secret": link_request(Auth=AUTH + "x"),
        "secret in upper case": link_request(Auth=AUTH.upper()),
        "secret of 60,000 bytes": link_request(Auth="x" * 60_000),
        "wrong secret, and a wrong version": link_request(Auth="wrong", Proto="9.0"),
        "wrong secret, and no key": link_request(Auth="wrong", Sec_WebSocket_Key=None),
    },
)
door.rows(
    knock,
    "400",
    {
        "secret twice": link_request(extra=[f"Auth: {AUTH}"]),
        "wrong secret, then the right one": link_request(Auth="x", extra=[f"Auth: {AUTH}"]),
        "version 1.0": link_request(Proto="1.0"),
        "version 99999999999999999999": link_request(Proto="9" * 20),
        "version twice": link_request(extra=["Proto: 0.10"]),
        "no Connection": link_request(Connection=None),
        "Connection: close": link_request(Connection="close"),
        "no key": link_request(Sec_WebSocket_Key=None),
        "short key": link_request(Sec_WebSocket_Key="c2hvcnQ="),
        "key twice": link_request(extra=["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]),
        "no WebSocket version": link_request(Sec_WebSocket_Version=None),
        "upgrade in HTTP/1.0": link_request(line=f"GET {PATH} HTTP/1.0"),
        "upgrade with a body and its length twice": link_request(
            extra=["Content-Length: 5", "Content-Length: 6"]
        ),
        "secret behind a folded line": link_request(Auth=None, extra=["X: y", f" Auth: {AUTH}"]),
        "secret behind a bare LF": link_request(Auth=None, extra=[f"X: y\nAuth: {AUTH}"]),
        "secret with NUL": link_request(Auth=AUTH + "\0"),
    },
)
door.rows(
    knock,
    "403",
    {
        "from a web page": link_request(Origin="https://evil.example"),
        "from a page without an address": link_request(Origin="null"),
        "from a page, with a wrong secret": link_request(Origin="https://a.example", Auth="x"),
    },
)
door.rows(
    knock,
    "404",
    {
        "another path": link_request(line="GET /proxies HTTP/1.1"),
        "the path in upper case": link_request(line=f"GET {PATH.upper()} HTTP/1.1"),
        "the path with an escape": link_request(line="GET /%70roxy HTTP/1.1"),
        "the path behind dots": link_request(line=f"GET /x/..{PATH} HTTP/1.1"),
        "the path of a service, with a secret": link_request(line="GET /api/x HTTP/1.1"),
        "the domain of a service, with a secret": link_request(
            line="GET /x HTTP/1.1", Host="tcp.example"
        ),
    },
)
door.rows(knock, "405", {"POST": link_request(line=f"POST {PATH} HTTP/1.1")})
door.rows(knock, "426", {"WebSocket version 12": link_request(Sec_WebSocket_Version="12")})


@door("200 wrong secrets in a row", "401")
def guesses(arena):
    since = arena.wsps.mark()
    results = {knock(arena, link_request(Auth=f"guess {n}")) for n in range(200)}
    lines = [line for line in arena.wsps.lines[since:] if "refused" in line]
    assert len(lines) <= 20, "the log is not limited"
    assert not any("guess" in line for line in lines)
    return results.pop() if len(results) == 1 else str(results)


@door("more links than there may be", "503")
def too_many_links(arena):
    for _ in range(LINKS_MAX - 3):
        arena.old_link()
    return knock(arena, link_request())


@door("frames glued to the request", "harmless")
def glued(arena):
    sock = arena.connect()
    early = b"".join(frames.encode(frames.PING, b"%d" % n, masked=True) for n in range(500))
    sock.sendall(upgrade_request(arena.port) + early)
    pong = frames.encode(frames.PONG, b"499", masked=False)
    duplex(sock, b"", lambda got: got.endswith(pong))
    return "harmless"


@door("a request byte by byte", "harmless")
def slow_request(arena):
    sock = arena.connect()
    for byte in link_request():
        sock.sendall(bytes([byte]))
    assert read_exact(sock, 12) == b"HTTP/1.1 101"
    return "harmless"


@door("a request that never ends, byte by byte", "408")
def endless_request(arena):
    sock = arena.connect()
    began = time.monotonic()
    sock.sendall(link_request()[:-2] + b"X: ")
    while is_silent(sock, 0.05) and time.monotonic() - began < 3 * HANDSHAKE:
        sock.sendall(b"x")
    return status(sock)


def dialogue(key):
    """What a client says on a link from its first byte to its last, and goes."""
    said = [
        Message(b"", SETTINGS, messages.settings(1 << 16, 1 << 15, bytes(range(16)))),
        Message(b"1", CONNECT, request(METADATA, DYNAMIC, 1 << 16)),
        Message(b"3", CONNECT, request("tcp://cut:pw@127.0.0.1:9", REMOTE)),
        Message(b"5", CONNECT, request("tcp://vault:pw@127.0.0.1:9", LOCAL, 1 << 16)),
        Message(b"5", INTERRUPT, b"\0"),
        Message(b"3", INTERRUPT, b"\0"),
    ]
    return upgrade_request(0, protocol="wsp.1", key=key), bulk(said, True)


def cut_at(arena, whole, places):
    """A connection for each place, which is reset there."""
    for place in places:
        sock = arena.connect()
        sock.sendall(whole[:place])
        reset(sock)
    return "gone"


@door("reset at every byte of the request", "gone")
def cut_request(arena):
    whole, _ = dialogue(frames.new_key())
    return cut_at(arena, whole, range(len(whole) + 1))


@door("reset at every byte of a dialogue on a link", "gone")
def cut_dialogue(arena):
    head, said = dialogue(frames.new_key())
    return cut_at(arena, head + said, range(len(head), len(head) + len(said) + 1))


# ---- more of everything

flood = Table("client in numbers", Open)


@flood("100,000 opens of what is not allowed", f"FAILED {DENIED}")
def opens(arena):
    link = arena.link()
    ids = range(1, 2 * times(100_000), 2)
    wire = bulk((Message(b"%d" % id, CONNECT, request(METADATA)) for id in ids), True)
    text = DENIED.encode()
    got = duplex(link.sock, wire, lambda got: got.count(text) == len(ids), times(30))
    assert got.count(text) == len(ids)
    return f"FAILED {DENIED}"


@flood("20,000 opens of names that nobody has", "FAILED channel nobody not registered")
def named_opens(arena):
    link = arena.link()
    data = request("tcp://nobody:pw@127.0.0.1:9", LOCAL)
    wire = bulk((Message(b"%d" % id, CONNECT, data) for id in range(1, 40_001, 2)), True)
    text = b"channel nobody not registered"
    duplex(link.sock, wire, lambda got: got.count(text) == 20_000)
    return f"FAILED {text.decode()}"


@flood("5,000 opens, each cancelled at once", "harmless")
def cancelled_opens(arena):
    link = arena.link()
    url = f"socks5://127.0.0.1:{arena.hole.port}"
    pairs = []
    for id in range(1, 2 * times(5_000), 2):
        pairs += [Message(b"%d" % id, CONNECT, request(url)), Message(b"%d" % id, INTERRUPT)]
        link.chans[b"%d" % id] = Chan(link, b"%d" % id, 0)
    link.send_raw(bulk(pairs, True))
    return in_sync(link)


@flood("one channel more than there may be", "FAILED too many channels")
def channels(arena):
    link = arena.link()
    pending = [arena.ask(link) for _ in range(256)]
    result = answered(link, arena.ask(link))
    assert not any(chan.answer for chan in pending)
    return result


@flood("opens until there is no memory for another window", "FAILED limit")
def windows(arena):
    """Several links, each with as much as it gets; those who have little still get theirs."""
    result = None
    for _ in range(20):
        link = arena.link()
        chans = [arena.ask(link) for _ in range(256)]
        link.sync()
        answers = [chan for chan in chans if chan.answer]
        if answers:
            result = answered(link, answers[0])
            break
    arena.refresh()
    return result


@flood("opens whose answers are not read", "held")
def unread_answers(arena):
    link = arena.link()
    ids = iter(range(1, 10**9, 2))
    some = bulk((Message(b"%d" % next(ids), CONNECT, request(METADATA)) for _ in range(200_000)), 1)
    return held(link.sock, some, limit=len(some))


@flood("100,000 messages for ids that are over", "harmless")
def late_messages(arena):
    link = arena.link()
    assert answered(link, link.ask(METADATA)) == f"FAILED {DENIED}"
    late = [Message(b"1", TRANSFER, b"x"), Message(b"1", WINDOW, b"\x01")]
    link.send_raw(bulk(late * times(50_000), True))
    return in_sync(link)


@flood("a target that sends what nobody reads", "held")
def unread_target(arena):
    """The client grants all there is, and takes nothing from its socket."""
    link = arena.link()
    _, target = arena.channel(link, window=1 << 40)
    return held(target, bytes(1 << 16))


@flood("20 links that say nothing", "held")
def silent_links(arena):
    for _ in range(20):
        arena.fresh_link()
    return "held"


@flood("100 links that come and go", "gone")
def many_links(arena):
    for number in range(times(100)):
        with arena.link() as link:
            link.ask("tcp://coming:pw@127.0.0.1:9", REMOTE)
            arena.ask(link)
            if number % 2:
                reset(link.sock)
    return "gone"


# ---- 0.10

old = Table("client in 0.10", Open)


def old_answer(arena, message):
    peer = arena.old_link()
    peer.send(message)
    return text_of(peer.expect(RESPOND, message.id))


old.rows(
    unknown,
    "INTERRUPT for a channel that does not exist",
    {
        "data for an id that nobody has": Message(ID, TRANSFER, b"x"),
        "data for no id": Message(b"", TRANSFER, b"x"),
        "answer for an id that nobody has": Message(ID, RESPOND, response()),
        "data of 1 MB for an id that nobody has": Message(ID, TRANSFER, bytes(1_000_000)),
    },
)
old.rows(
    old_answer,
    "FAILED proto: cannot parse invalid wire-format data",
    {
        "open whose request is cut off": Message(ID, CONNECT, b"\x12\x05x"),
        "open whose URL is not UTF-8": Message(ID, CONNECT, b"\x12\x02\xff\xfe"),
    },
)
old.rows(
    old_answer,
    "FAILED unknown 7",
    {"open of a type nobody knows": Message(ID, CONNECT, b"\x08\x07")},
)
old.rows(
    old_answer,
    f"FAILED {DENIED}",
    {"open without an id": Message(b"", CONNECT, request(METADATA)),
     "open with an id of 128 bytes": Message(b"x" * 128, CONNECT, request(METADATA))},
)  # fmt: skip


@old("an id that is in use", "FAILED channel id is in use")
def id_in_use(arena):
    peer = arena.old_link()
    target = arena.old_channel(peer, ID)
    peer.send(Message(ID, CONNECT, request(METADATA)))
    result = text_of(peer.expect(RESPOND, ID))
    peer.send(Message(ID, TRANSFER, b"still mine"))
    assert read_exact(target, 10) == b"still mine"
    return result


@old("commands of wsp.1", "harmless")
def new_commands(arena):
    peer = arena.old_link()
    target = arena.old_channel(peer, ID)
    for cmd in range(4, 9):
        peer.send(Message(ID, cmd, varint(1 << 40)))
    peer.send(Message(ID, TRANSFER, b"as before"))
    assert read_exact(target, 9) == b"as before"
    return "harmless"


@old("wsp.1 is offered, and then 0.10 is spoken, and then SETTINGS", "harmless")
def changed_mind(arena):
    link = arena.fresh_link()
    link.send(Message(ID, TRANSFER, b"x"))
    link.settings = ()
    assert frames_of(link) == Message(ID, INTERRUPT, UNKNOWN_ID)
    link.send(Message(b"", SETTINGS, messages.settings()))
    link.send(Message(ID, TRANSFER, b"x"))
    assert frames_of(link) == Message(ID, INTERRUPT, UNKNOWN_ID)
    return "harmless"


def frames_of(link):
    """The next message, not judged."""
    return messages.decode(link.next_frame()[0].payload)


@old("a reader that takes nothing", "INTERRUPT reset")
def stalled(arena):
    """It holds up its own link, for `time.stall`."""
    peer = arena.old_link()
    arena.old_channel(peer, ID)
    wire = bulk([Message(ID, TRANSFER, bytes(32768))] * 10, True)
    assert held(peer.sock, wire) == "held"
    message = peer.expect(INTERRUPT, ID)
    return f"INTERRUPT {message.data.decode()}"


@old("1,000 messages for ids that nobody has, answers not read", "held")
def unread(arena):
    peer = arena.old_link()
    return held(peer.sock, bulk([Message(ID, TRANSFER, b"x")] * 1000, True))


@old("end of a channel 1,000 times", "harmless")
def ends(arena):
    peer = arena.old_link()
    arena.old_channel(peer, ID)
    peer.send_raw(bulk([Message(ID, INTERRUPT)] * 1000, True))
    peer.expect(INTERRUPT, ID)
    peer.send(Message(b"next", TRANSFER, b"x"))
    assert peer.expect(INTERRUPT).id == b"next"
    return "harmless"


@old("more channels than there may be, with one id each", "FAILED too many channels")
def old_channels(arena):
    peer = arena.old_link()
    url = f"socks5://127.0.0.1:{arena.hole.port}"
    for number in range(257):
        peer.send(Message(b"%d" % number, CONNECT, request(url)))
    return text_of(peer.expect(RESPOND, b"256"))


TABLES = [door, flood, old]
