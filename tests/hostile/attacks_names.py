"""
A client with a token, against the others: names that are not his, passwords that he does not know,
and targets that nobody is to reach.
"""

import os

from harness import messages
from harness.messages import CONNECT, INTERRUPT, LOCAL, REMOTE, TRANSFER, Message, request
from harness.net import reset
from harness.reverse import HOST

from arenas import Open, goes_on
from table import Table
from verdicts import answered, bulk, closed, duplex, interrupted

TAKEN = "FAILED channel {} already registered"
BAD_NAME = "FAILED channel  is illegal or empty"
WRONG = "FAILED vault password is incorrect"
GUESSING = "FAILED too many wrong passwords, try again in a minute"

# ---- registrations

names = Table("client for names", Open)


def register(arena, url):
    link = arena.link()
    return answered(link, link.ask(url, REMOTE))


def http(value, mode="path", scheme="http", more=""):
    return f"{scheme}://127.0.0.1:9?mode={mode}&value={value}{more}"


names.rows(
    register,
    TAKEN.format("vault"),
    {
        "another's channel": "tcp://vault:mine@127.0.0.1:9",
        "another's channel, written with an escape": "tcp://v%61ult:mine@127.0.0.1:9",
        "another's channel as a tunnel": "tunnel://vault:mine@",
        "another's channel as a unix socket": "unix://vault:mine@/tmp/x",
    },
)
names.rows(
    register,
    TAKEN.format("http:path:api"),
    {
        "another's path": http("api"),
        "another's path with slashes": http("/api//"),
        "another's path with an escape": http("%61pi"),
        "another's path for TCP": http("api", scheme="tcp"),
    },
)
names.rows(
    register,
    TAKEN.format("http:domain:tcp.example"),
    {
        "another's domain": http("tcp.example", "domain"),
        "another's domain in upper case": http("TCP.EXAMPLE", "domain"),
        "another's domain with a dot behind it": http("tcp.example.", "domain"),
    },
)
names.rows(
    register,
    BAD_NAME,
    {
        "no channel": "tcp://:pw@127.0.0.1:9",
        "a channel that looks like a service's": "tcp://http%3Apath%3Aapi:pw@127.0.0.1:9",
        "a channel with NUL": "tcp://a%00b:pw@127.0.0.1:9",
        "a channel of 257 bytes": f"tcp://{'x' * 257}:pw@127.0.0.1:9",
        "no value": http(""),
        "a value of slashes": http("//"),
        "a value of 257 bytes": http("x" * 257),
        "dots for a path": http(".."),
        "a path with dots within": http("a/../b"),
        "a path with dots, written with escapes": http("a/%2e%2e/b"),
        "a path with NUL": http("a%00b"),
        "a path with CR LF": http("a%0d%0aX:%20y"),
        "a path with a blank": http("a%20b"),
        "a path with a query": http("a%3fb"),
        "a path outside ASCII": http("%c3%bc"),
        "a path below .well-known": http(".well-known/acme-challenge"),
        "an address for a domain": http("127.0.0.1", "domain"),
        "an IPv6 address for a domain": http("[::1]", "domain"),
        "digits and dots for a domain": http("1.2.3", "domain"),
        "a domain with a port": http("a.example:80", "domain"),
        "a pattern for a domain": http("*.example", "domain"),
        "all domains": http("*", "domain"),
    },
)
names.rows(
    register,
    "FAILED setting the same path as wsps is not allowed",
    {"the server's path": http("proxy"), "the server's path with slashes": http("/proxy/")},
)
names.rows(
    register,
    "FAILED setting the same domain as wsps is not allowed",
    {
        "the server's domain": http(HOST, "domain"),
        "the server's domain in upper case": http(HOST.upper(), "domain"),
        "the server's domain with a dot behind it": http(HOST + ".", "domain"),
    },
)
names.rows(
    register,
    "FAILED wsps does not know this ca: name it in upstream_ca",
    {
        "a file of the server for a ca": http("x", scheme="https", more="&ca=/etc/passwd"),
        "a file of the server, by dots": http("x", scheme="https", more="&ca=../../etc/passwd"),
    },
)
names.rows(
    register, "FAILED unsupported http mode PATH", {"a mode in upper case": http("x", "PATH")}
)


@names("a URL of 5,000 bytes", "FAILED")
def long_url(arena):
    return register(arena, "tcp://x:pw@127.0.0.1:9?" + "y" * 5000).split(" ")[0]


@names("one name more than there may be", "FAILED too many registrations on this link")
def many_names(arena):
    """The limit is of the instance: several links do not help."""
    instance, number = os.urandom(16), 0
    links = [arena.link(instance=instance) for _ in range(6)]
    for link in links[:5]:
        ids = range(1, 411, 2)
        wire = []
        for id in ids:
            number += 1
            wire.append(Message(b"%d" % id, CONNECT, request(f"tcp://many{number}@:1", REMOTE)))
        link.sync()
        duplex(link.sock, bulk(wire, True), lambda got: got.count(b"\x08\x01") >= 200)
    return answered(links[5], links[5].ask("tcp://more@:1", REMOTE))


@names("1,000 names of services that are gone again, several times", "gone")
def leaves_names(arena):
    """What is remembered of them is bounded."""
    for turn in range(3):
        with arena.link() as link:
            wire = [Message(b"%d" % id, CONNECT, request(http(f"gone{turn}-{id}"), REMOTE))
                    for id in range(1, 401, 2)]  # fmt: skip
            link.sync()
            duplex(link.sock, bulk(wire, True), lambda got: got.count(b"\x08\x01") >= 190)
            reset(link.sock)
    return "gone"


@names("names of an instance that was guessed", "FAILED channel mine not registered")
def guessed_instance(arena):
    """Two that say nothing, or zeros, are not one."""
    one, two = arena.link(instance=bytes(16)), arena.link(instance=bytes(16))
    claim = one.open("tcp://mine:pw@127.0.0.1:9", REMOTE)
    with one.alive():
        assert answered(two, two.ask("tcp://mine@:1", REMOTE)) == TAKEN.format("mine")
    claim.interrupt()
    one.sync()
    return answered(two, two.ask("tcp://mine@:1", LOCAL))


@names("a name is given back by who does not have it", "close 1002")
def foreign_withdrawal(arena):
    link = arena.link()
    link.send(Message(b"2", INTERRUPT, bytes([messages.WITHDRAWN])))
    return closed(link)


@names("data for a registration", "close 1002")
def data_for_claim(arena):
    link = arena.link()
    claim = link.open("tcp://claim:pw@127.0.0.1:9", REMOTE)
    claim.send_message(TRANSFER, b"x")
    return closed(link)


@names("FINISH for a registration", "INTERRUPT CLOSED")
def finish_for_claim(arena):
    link = arena.link()
    claim = link.open("tcp://claim:pw@127.0.0.1:9", REMOTE)
    claim.finish()
    return interrupted(claim)


@names("the same name 500 times, each given back", "harmless")
def on_and_off(arena):
    link = arena.link()
    for _ in range(500):
        link.open("tcp://again:pw@127.0.0.1:9", REMOTE).interrupt()
    link.sync()
    return "harmless"


# ---- what others offer

opens = Table("client for what others offer", Open)


def reach(arena, url, kind=LOCAL):
    link = arena.link()
    return answered(link, link.ask(url, kind))


opens.rows(
    reach,
    WRONG,
    {
        "wrong password": "tcp://vault:wrong@127.0.0.1:1",
        "no password": "tcp://vault@127.0.0.1:1",
        "a part of the password": "tcp://vault:p@127.0.0.1:1",
        "password with NUL behind it": "tcp://vault:pw%00@127.0.0.1:1",
        "password of 3,000 bytes": f"tcp://vault:{'p' * 3000}@127.0.0.1:1",
    },
)
opens.rows(
    reach,
    "FAILED channel http:path:api not registered",
    {
        "a service by the name that it has inside": "tcp://http%3Apath%3Aapi@127.0.0.1:1",
        "a service by its URL": http("api"),
    },
)
opens.rows(reach, "FAILED channel  not registered", {"no name": "tcp://127.0.0.1:1"})


@opens("eleven wrong passwords", GUESSING)
def guess(arena):
    link = arena.link()
    for number in range(10):
        assert answered(link, link.ask(f"tcp://vault:{number}@:1", LOCAL)) == WRONG
    return answered(link, link.ask("tcp://vault:10@:1", LOCAL))


@opens("wrong passwords, and then the right one", GUESSING)
def guess_right(arena):
    link = arena.link()
    for number in range(10):
        assert answered(link, link.ask(f"tcp://vault:{number}@:1", LOCAL)) == WRONG
    return answered(link, link.ask("tcp://vault:pw@:1", LOCAL))


@opens("100 passwords at once, the last one right", GUESSING)
def guess_at_once(arena):
    """They are all asked for already, and yet no answer shows which it is."""
    link = arena.link()
    chans = [link.ask(f"tcp://vault:{number}@:1", LOCAL) for number in range(99)]
    chans.append(link.ask("tcp://vault:pw@:1", LOCAL))
    assert {answered(link, chan) for chan in chans[:10]} == {WRONG}
    answers = {answered(link, chan) for chan in chans[10:]}
    return answers.pop() if len(answers) == 1 else str(answers)


@opens("leaves while the other side is asked", "gone")
def leave_open(arena):
    for _ in range(20):
        with arena.link() as link:
            for _ in range(5):
                link.ask("tcp://target:pw@:1", LOCAL)
            reset(link.sock)
    return "gone"


@opens("500 connections to a channel, each cancelled at once", "gone")
def cancel_all(arena):
    link = arena.link()
    for _ in range(500):
        link.ask("tcp://target:pw@:1", LOCAL).interrupt()
    link.sync()
    return "gone"


@opens("connections to a channel whose client does not answer", "FAILED timeout")
def no_answer(arena):
    service, link = arena.link(), arena.link()
    service.open("tcp://mute:pw@127.0.0.1:9", REMOTE)
    chans = [link.ask("tcp://mute:pw@:1", LOCAL) for _ in range(20)]
    return {answered(link, chan) for chan in chans}.pop()


@opens("a service that grants nothing, and an opener that sends", "held")
def no_grants(arena):
    """Between two of the same kind: others of both links go on."""
    service, link = arena.link(), arena.link()
    service.open("tcp://tight:pw@127.0.0.1:9", REMOTE)
    here = link.ask("tcp://tight:pw@:1", LOCAL)
    there = service.accept(window=1)
    assert answered(link, here) == "SUCCESS"
    while here.credit:
        here.send(bytes(min(here.credit, 1000)))
    link.sync()
    service.sync()
    assert there.total == 1
    goes_on(*arena.channel(link))
    return "held"


# ---- targets

targets = Table("client for forbidden targets", Open)
DENIED = "FAILED dial tcp {}: not allowed by egress rules"


def dial(arena, where):
    link = arena.link()
    result = answered(link, link.ask(f"socks5://{where}"))
    return result.replace(where, "THERE")


def leave_by_tunnel(arena, where):
    link = arena.link()
    return answered(link, link.ask(f"socks5://exit:pw@{where}", LOCAL)).replace(where, "THERE")


FORBIDDEN = {
    "metadata": "169.254.169.254:80",
    "link-local": "169.254.0.1:80",
    "metadata as mapped IPv6": "[::ffff:169.254.169.254]:80",
    "metadata within NAT64": "[64:ff9b::a9fe:a9fe]:80",
    "metadata within 6to4": "[2002:a9fe:a9fe::1]:80",
    "IPv6 link-local": "[fe80::1]:80",
    "IPv6 metadata": "[fd00:ec2::254]:80",
    "Alibaba's metadata": "100.100.100.200:80",
}
targets.rows(dial, DENIED.format("THERE"), FORBIDDEN)
targets.rows(
    leave_by_tunnel, DENIED.format("THERE"), {f"{k}, by a tunnel": v for k, v in FORBIDDEN.items()}
)


@targets("ports that there are not", "FAILED")
def no_port(arena):
    for port in ("", ":", ":0", ":65536", ":99999999999999999999", ":-1", ":x"):
        for make in (dial, leave_by_tunnel):
            result = make(arena, f"127.0.0.1{port}")
            assert result.startswith("FAILED"), (port, result)
    return "FAILED"


@targets("hosts that there are not", "FAILED")
def no_host(arena):
    for host in ("", "[", "]", "[]", "[::1", "a%00b", "a b", "a/b", "@", "x" * 254, "%",
                 "[fe80::1%25lo]"):  # fmt: skip
        for make in (dial, leave_by_tunnel):
            result = make(arena, f"{host}:80")
            assert result.startswith("FAILED"), (host, result)
    return "FAILED"


TABLES = [names, opens, targets]
