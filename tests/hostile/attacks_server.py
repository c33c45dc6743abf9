"""A malicious wsps: what it wants of a wspc, and what it answers."""

from harness import frames, messages, socks
from harness.messages import CONNECT, DYNAMIC, GOAWAY, INTERRUPT, LOCAL, REMOTE, RESPOND, TRANSFER
from harness.messages import WINDOW, WITHDRAWN
from harness.messages import Message, field, number, request, response, varint
from harness.net import is_silent, listen, read_exact
from harness.peer import switch

from arenas import Away, goes_on
from attacks_server_door import FAILED, key_of
from table import Table, times
from verdicts import answered, bulk, closed, duplex, held, in_sync, text_of, unknown

# ---- what it wants of a client

wishes = Table("server's wishes", Away)


def want(arena, url, kind=REMOTE):
    link = arena.offering_link()
    return answered(link, link.ask(url, kind))


NOT_ALLOWED = "FAILED dial tcp 169.254.169.254:80: not allowed by egress rules"

wishes.rows(
    lambda arena, kind: want(arena, "socks5://127.0.0.1:22", kind),
    "FAILED  not found",
    {"DYNAMIC": DYNAMIC, "LOCAL without a name": LOCAL, "REMOTE without a name": REMOTE},
)
wishes.rows(
    want,
    "FAILED nobody not found",
    {
        "a name that it does not offer": "tcp://nobody:pw@127.0.0.1:22",
        "a file of the client": "unix://nobody:pw@/etc/passwd",
        "a tunnel that it does not offer": "tunnel://nobody:pw@",
    },
)
wishes.rows(
    want,
    "FAILED vault password is incorrect",
    {
        "a wrong password": "tcp://vault:wrong@127.0.0.1:22",
        "no password": "tcp://vault@127.0.0.1:22",
        "the password with NUL behind it": "tcp://vault:pw%00@127.0.0.1:22",
    },
)
wishes.rows(
    want,
    NOT_ALLOWED,
    {
        "metadata through the tunnel": "socks5://exit:pw@169.254.169.254:80",
        "metadata through the tunnel, by http": "http://exit:pw@169.254.169.254:80",
    },
)


@wishes("the service at another address", "its own")
def elsewhere(arena):
    """A service's address is the client's, whatever the URL says."""
    with listen() as other:
        link = arena.offering_link()
        chan = link.open(f"tcp://vault:pw@127.0.0.1:{other.getsockname()[1]}", REMOTE)
        goes_on(chan, arena.keep(arena.target.accept()))
        assert is_silent(other, 0)
    return "its own"


@wishes("URLs that are none", "FAILED")
def bad_urls(arena):
    link = arena.offering_link()
    for url in ("", ":", "://", "x", "\0", "tcp://", "tcp://[", "tcp://vault:pw@[::1", "%",
                "\x1b[2J", "tcp://vault:pw@h:99999", "socks5://exit:pw@", "socks5://exit:pw@h:0",
                "tcp://" + "v" * 4000, "tcp://vault:" + "%41" * 1300 + "@h:1"):  # fmt: skip
        assert answered(link, link.ask(url, REMOTE)).startswith("FAILED"), url
    return "FAILED"


@wishes("100,000 opens of what is not offered", "FAILED nobody not found")
def opens(arena):
    link = arena.offering_link()
    data = request("tcp://nobody:pw@127.0.0.1:1", REMOTE)
    wire = bulk((Message(b"%d" % id, CONNECT, data) for id in range(2, 200_001, 2)), False)
    # The answers are masked: it is their number that counts.
    duplex(link.sock, wire, lambda got: len(got) >= 100_000 * 30, 60)
    return answered_later(link, 200_002, "tcp://nobody:pw@127.0.0.1:1")


def answered_later(link, id, url):
    link.last_id = id - 2
    chan = link.ask(url, REMOTE)
    while True:
        frame, *_ = link.next_frame()
        if frame.op == frames.BINARY:
            message = messages.decode(frame.payload)
            if message.id == chan.id:
                return text_of(message)


@wishes("2,000 opens of the service, each cancelled at once", "harmless")
def cancelled(arena):
    link = arena.offering_link()
    for _ in range(times(2000)):
        link.ask("tcp://vault:pw@127.0.0.1:1", REMOTE).interrupt()
    return in_sync(link)


@wishes("500 wrong passwords", "FAILED vault password is incorrect")
def guesses(arena):
    link = arena.offering_link()
    chans = [link.ask(f"tcp://vault:{number}@:1", REMOTE) for number in range(500)]
    return {answered(link, chan) for chan in chans}.pop()


@wishes("service that sends what it does not read", "held")
def unread(arena):
    link = arena.offering_link()
    chan = link.ask("tcp://vault:pw@:1", REMOTE, 1 << 40)
    assert answered(link, chan) == "SUCCESS"
    return held(arena.keep(arena.target.accept()), bytes(1 << 16))


@wishes("names taken away, again and again", "asked for again later")
def withdrawals(arena):
    """It is not asked for again at once."""
    link = arena.offering_link()
    for claim in link.claims:
        claim.send_message(INTERRUPT, bytes([WITHDRAWN]))
    link.sync()
    link.expect_silence(0.3)
    return "asked for again later"


@wishes("data for a registration", "close 1002")
def data_for_claim(arena):
    link = arena.offering_link()
    link.claims[0].send_message(TRANSFER, b"x")
    return closed(link)


@wishes("a refusal of 60,000 bytes with escape sequences", "?[2J?[2J")
def long_refusal(arena):
    link = arena.keep(arena.listen(arena.OFFERING).accept())
    since = arena.wspc.mark()
    link.turn_down(link.asked()[0], "\x1b[2J" * 15_000)
    line = arena.wspc.wait_line("not registered: ", since=since)
    assert len(line) < 2000
    return line.split("not registered: ")[1][:8]


# ---- what it answers to a client

answers = Table("server's answers", Away)


def given(arena, data):
    """What the user of a proxy gets for this answer to his open."""
    link = arena.link()
    sock = arena.user()
    chan = link.asked()[0]
    chan.send_message(RESPOND, data)
    reply = socks.read_reply(sock)
    in_sync(link)
    return f"reply 05 {reply.code:02x}, {reply.host}:{reply.port}"


SUCCESS = number(1, 1)

answers.rows(
    given,
    "reply 05 00, 0.0.0.0:0",
    {
        "bound that is no address": SUCCESS + field(3, b"\x1b[2J"),
        "bound of 30,000 bytes": SUCCESS + field(3, b"1" * 30_000),
        "bound with a port that is too high": SUCCESS + field(3, b"127.0.0.1:65536"),
        "bound with a name": SUCCESS + field(3, b"localhost:80"),
        "bound cut off": SUCCESS + field(3, b"[::1:80"),
        "success with a text and unknown fields": SUCCESS
        + field(2, b"no")
        + field(3, b"?")
        + field(9, b"x"),
    },
)
answers.rows(
    given,
    "reply 05 01, 0.0.0.0:0",
    {
        "answer that cannot be decoded": b"\xff",
        "empty answer": b"",
        "success of another kind": number(1, 2),
        "text that is not UTF-8": field(2, b"\xff\xfe"),
        "text of 60,000 bytes": field(2, b"\x1b[2J" * 15_000),
    },
)
answers.rows(
    given,
    "reply 05 02, 0.0.0.0:0",
    {"text that says everything": field(2, b"not allowed, timeout, no route to host"[:11])},
)


def then(arena, what):
    """An answer, and then something else that is wrong."""
    link = arena.link()
    arena.user()
    chan = link.asked()[0]
    for cmd, data in what:
        chan.send_message(cmd, data)
    return closed(link)


answers.rows(
    then,
    "close 1002",
    {
        "success twice": [(RESPOND, response()), (RESPOND, response())],
        "success, and then a refusal": [(RESPOND, response()), (RESPOND, response("no"))],
        "success with a window over 2^62": [(RESPOND, response(window=(1 << 62) + 1))],
        "success with a window of 2^64 - 1": [(RESPOND, response(window=(1 << 64) - 1))],
        "credit for ever, and more": [(RESPOND, response(window=1 << 62)), (WINDOW, varint(1))],
        "grants of 2^31": [(RESPOND, response()), (WINDOW, varint(1 << 31))],
        "data before the answer": [(TRANSFER, b"x")],
    },
)


@answers("a refusal, and then data", "harmless")
def refused(arena):
    link = arena.link()
    arena.user()
    chan = link.asked()[0]
    for cmd, data in ((RESPOND, response("no")), (TRANSFER, b"x"), (INTERRUPT, b"\x01")):
        chan.send_message(cmd, data)
    return in_sync(link)


@answers("no answer", "reply 05 06")
def no_answer(arena):
    """After `time.open`."""
    link = arena.link()
    sock = arena.user()
    link.asked()
    reply = socks.read_reply(sock)
    in_sync(link)
    return f"reply 05 {reply.code:02x}"


@answers("GOAWAY on every link, none of which is closed", "5 links")
def goaways(arena):
    """A server that sends away whoever comes is left in peace after some."""
    listener = arena.listen(arena.BARE)
    links = []
    for _ in range(5):
        link = arena.keep(listener.accept(timeout=10))
        link.send(Message(b"", GOAWAY, b""))
        links.append(link)
    assert is_silent(listener.listener, 0.7), "another link"
    return f"{len(links)} links"


@answers("SETTINGS that make every message small", "1024 bytes at most")
def small(arena):
    link = arena.link(transfer=1024)
    chan, sock = arena.channel(link)
    sock.sendall(bytes(20_000))
    sizes = []
    while sum(sizes) < 20_000:
        message = link.receive().message
        sizes.append(len(message.data) if message.cmd == TRANSFER else 0)
    return f"{max(sizes)} bytes at most"


@answers("the first word to a client that waits: 1,000 opens", "close 1002")
def opens_first(arena):
    link = arena.fresh_link()
    link.send_raw(bulk([Message(b"2", CONNECT, request("tcp://x@:1"))] * 1000, False))
    return closed(link)


# ---- 0.10

old = Table("server in 0.10", Away)
ID = b"3MXEaTTv3gGxOcHjeVzsqNRZ1Xd"


old.rows(
    unknown,
    "INTERRUPT for a channel that does not exist",
    {
        "data for an id that nobody has": Message(ID, TRANSFER, b"x"),
        "answer for an id that nobody has": Message(ID, RESPOND, response()),
        "data for no id": Message(b"", TRANSFER, b"x"),
    },
)


@old("open of what is not offered", "FAILED vault not found")
def not_offered(arena):
    peer = arena.old_link()
    peer.send(Message(ID, CONNECT, request("tcp://vault:pw@:1", REMOTE)))
    return text_of(peer.expect(RESPOND, ID))


def opened(arena):
    peer = arena.old_link()
    sock = arena.user(arena.OLD)
    chan = peer.expect(CONNECT).id
    peer.send(Message(chan, RESPOND, response()))
    assert socks.read_reply(sock).code == socks.SUCCEEDED
    return peer, chan, sock


@old("the client's id, opened by the server", "FAILED channel id is in use")
def id_in_use(arena):
    peer, chan, _ = opened(arena)
    peer.send(Message(chan, CONNECT, request("tcp://x@:1")))
    return text_of(peer.expect(RESPOND, chan))


@old("success twice, a refusal, and commands of wsp.1", "harmless")
def again(arena):
    peer, chan, sock = opened(arena)
    for cmd, data in ((RESPOND, response()), (RESPOND, response("no")), (4, b"\x01"), (5, b""),
                      (6, b""), (7, b"")):  # fmt: skip
        peer.send(Message(chan, cmd, data))
    peer.send(Message(chan, TRANSFER, b"as before"))
    assert read_exact(sock, 9) == b"as before"
    return "harmless"


@old("what the user does not read", "INTERRUPT reset")
def stalled(arena):
    peer, chan, _ = opened(arena)
    assert held(peer.sock, bulk([Message(chan, TRANSFER, bytes(32768))] * 10, False)) == "held"
    return "INTERRUPT " + peer.expect(INTERRUPT, chan).data.decode()


@old("wsp.1 is selected, which was not offered", "handshake error")
def selected(arena):
    sock, head = arena.asked(arena.OLD)
    since = arena.wspc.mark()
    sock.sendall(switch(key_of(head), "wsp.1"))
    return arena.reason(since, FAILED.replace("2", "3", 1)).split(":")[0]


TABLES = [wishes, answers, old]
