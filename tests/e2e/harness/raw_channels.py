"""Channels between two raw 0.10 peers with wsps between them: helpers, and fixtures to import."""

import random

import pytest

from harness.env import patience
from harness.messages import CONNECT, INTERRUPT, LOCAL, REMOTE, RESPOND, TRANSFER, Message
from harness.messages import decode_response, request, response
from harness.net import eventually
from harness.peer import link_to

ID = b"3MXEaTTv3gGxOcHjeVzsqNRZ1Xd"
URL = "tcp://raw:pw@127.0.0.1:1"  # opens the channel of the raw service


@pytest.fixture(scope="module")
def port(shared_farm):
    return shared_farm.wsps().config["port"]


@pytest.fixture
def opener(port):
    with link_to(port) as peer:
        yield peer


@pytest.fixture
def service(port):
    """A raw client that holds the channel `raw`; the one of the test before may just be leaving."""
    with link_to(port) as peer:
        eventually(lambda: peer.open(ID, "tcp://raw:pw@127.0.0.1:9", REMOTE) is None, "registers")
        yield peer


def fresh_id():
    return b"%027d" % random.getrandbits(60)


def answered(peer, id):
    """The data of the RESPOND for `id`; the end of an earlier channel may come before it."""
    while (message := peer.receive(patience(10)).message).cmd == INTERRUPT:
        pass
    assert (message.cmd, message.id) == (RESPOND, id), message
    return message.data


def cross(opener, service, id=ID):
    """Opens a channel from one to the other; its id at the service."""
    opener.send(Message(id, CONNECT, request(URL, LOCAL)))
    there = service.expect(CONNECT).id
    service.send(Message(there, RESPOND, response()))
    assert decode_response(answered(opener, id)) is None
    return there


def trade(opener, service, there, here=ID):
    """Bytes go both ways."""
    opener.send(Message(here, TRANSFER, b"to " + here))
    assert service.expect(TRANSFER, there).data == b"to " + here
    service.send(Message(there, TRANSFER, b"from " + here))
    assert opener.expect(TRANSFER, here).data == b"from " + here
