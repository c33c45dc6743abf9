"""
What the Go original's receiver does to messages that follow one another too closely
(protocol-0.10 section 5): every command goes to a goroutine of its own, so that
 - an INTERRUPT within 5 ms of a TRANSFER overtakes it: that data is lost;
 - a TRANSFER within 5 ms of RESPOND SUCCESS overtakes it: the data is lost, and the channel is
   killed with an INTERRUPT.
The original does so in most cases, this one in all that are proven.
"""

from harness import messages

WINDOW = 0.005


class Inbox:
    """One channel of a Go receiver: put() arrivals, take what its application would get."""

    def __init__(self):
        self.respond = None  # the Arrival that opened the channel, where we are the opener
        self.chunks = []  # Arrivals of TRANSFERs
        self.lost = []  # what the hazards took, as text
        self.ended = False

    def put(self, arrival):
        """Returns True when the original would now answer INTERRUPT `connection does not exist`."""
        message = arrival.message
        if message.cmd == messages.RESPOND:
            self.respond = arrival
        elif message.cmd == messages.TRANSFER:
            return self._transfer(arrival)
        elif message.cmd == messages.INTERRUPT:
            self._interrupt(arrival)
        return False

    def _transfer(self, arrival):
        if self.respond and arrival.surely_within(WINDOW, self.respond):
            gap = (arrival.latest - self.respond.earliest) * 1000
            size = len(arrival.message.data)
            self.lost.append(f"{size} bytes at most {gap:.1f} ms behind RESPOND")
            self.ended = True
            return True
        self.chunks.append(arrival)
        return False

    def _interrupt(self, arrival):
        while self.chunks and arrival.surely_within(WINDOW, self.chunks[-1]):
            chunk = self.chunks.pop()
            gap = (arrival.latest - chunk.earliest) * 1000
            size = len(chunk.message.data)
            self.lost.append(f"{size} bytes at most {gap:.1f} ms before INTERRUPT")
        self.ended = True

    def data(self):
        return b"".join(chunk.message.data for chunk in self.chunks)


def read_channel(peer, id, inbox=None, timeout=10):
    """Receives for one channel until its end, answers as a receiver does, returns its Inbox."""
    inbox = inbox or Inbox()
    while not inbox.ended:
        arrival = peer.receive(timeout)
        assert arrival.message.id == id, arrival.message
        if inbox.put(arrival):
            peer.send(messages.Message(id, messages.INTERRUPT, messages.UNKNOWN_ID))
        elif inbox.ended:
            peer.send(messages.Message(id, messages.INTERRUPT))
    return inbox
