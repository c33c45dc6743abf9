"""A wsps like the Go original's, for DYNAMIC: it dials, relays, and receives with the hazards."""

import queue
import re
import socket
import threading
import time

from harness import hazard, messages
from harness.peer import LinkEnded, LinkListener

ID = re.compile(rb"[0-9A-Za-z]{27}")  # KSUID text
END = object()


class Channel:
    """One relayed connection. Data waits until no INTERRUPT can overtake it any more."""

    def __init__(self, server, peer, arrival):
        self.server = server
        self.peer = peer
        self.id = arrival.message.id
        self.inbox = hazard.Inbox()
        self.queue = queue.Queue()
        self.target = None
        self.closed = False
        threading.Thread(target=self._run, args=(arrival.message,), daemon=True).start()

    def _say(self, cmd, data=b""):
        self.server.send(self.peer, messages.Message(self.id, cmd, data))

    def _run(self, message):
        kind, url = messages.decode_request(message.data)
        assert kind == messages.DYNAMIC and ID.fullmatch(self.id), message
        self.server.urls.append(url)
        host, _, port = url.split("://")[1].rpartition(":")
        try:
            self.target = socket.create_connection((host.strip("[]"), int(port)), 5)
        except OSError as fault:
            self._say(messages.RESPOND, messages.response(f"dial tcp {host}:{port}: {fault}"))
            return
        self.target.settimeout(None)
        self._say(messages.RESPOND, messages.response())
        threading.Thread(target=self._upstream, daemon=True).start()
        self._downstream()

    def _downstream(self):
        try:
            while data := self.target.recv(32768):
                self._say(messages.TRANSFER, data)
        except (OSError, LinkEnded):
            pass
        if not self.closed:
            self.closed = True
            self._say(messages.INTERRUPT)

    def _upstream(self):
        while (arrival := self.queue.get()) is not END:
            time.sleep(max(0, arrival.latest + 2 * hazard.WINDOW - time.monotonic()))
            if any(chunk is arrival for chunk in self.inbox.chunks):
                self.target.sendall(arrival.message.data)
        self.target.shutdown(socket.SHUT_RDWR)

    def put(self, arrival):
        self.inbox.put(arrival)
        if arrival.message.cmd == messages.TRANSFER:
            self.queue.put(arrival)
        elif arrival.message.cmd == messages.INTERRUPT:
            self.server.lost += self.inbox.lost
            echo, self.closed = not self.closed, True
            self.queue.put(END)
            if echo:
                self._say(messages.INTERRUPT)


class GoServer:
    """Accepts links one after another and serves each in a thread."""

    def __init__(self):
        self.listener = LinkListener()
        self.port = self.listener.port
        self.lock = threading.Lock()
        self.urls = []  # of every CONNECT
        self.lost = []  # what the hazards took
        self.faults = []
        self.peers = []
        self.over = False

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.over = True
        self.listener.listener.shutdown(socket.SHUT_RDWR)
        self.listener.__exit__()
        assert not self.faults, self.faults

    def drop_links(self):
        """Ends every link without a word."""
        for peer in self.peers:
            peer.sock.shutdown(socket.SHUT_RDWR)
        self.peers.clear()

    def send(self, peer, message):
        with self.lock:
            try:
                peer.send(message)
            except OSError:
                pass  # the link is gone; its thread tells

    def _accept(self):
        while not self.over:
            try:
                peer = self.listener.accept(timeout=60)
            except OSError:
                return
            self.peers.append(peer)
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        channels = {}
        try:
            while not self.over:
                try:
                    arrival = peer.receive(0.5)
                except TimeoutError:
                    continue
                self._dispatch(peer, channels, arrival)
        except LinkEnded:
            pass
        except Exception as fault:
            self.faults.append(repr(fault))
        finally:
            peer.sock.close()

    def _dispatch(self, peer, channels, arrival):
        message = arrival.message
        if message.cmd == messages.CONNECT:
            channels[message.id] = Channel(self, peer, arrival)
        elif message.id in channels:
            channels[message.id].put(arrival)
        elif message.cmd != messages.INTERRUPT:
            unknown = messages.Message(message.id, messages.INTERRUPT, messages.UNKNOWN_ID)
            self.send(peer, unknown)
