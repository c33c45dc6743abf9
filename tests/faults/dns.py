"""
A name server on loopback, by UDP and TCP, whose answers can be wrong in every way. What it does with
a question stands in the first label of the name: "slow.test".
"""

import socket
import struct
import threading
import time
from contextlib import suppress

from harness.net import read_exact

A, AAAA, CNAME = 1, 28, 5
TRUNCATED = 0x0200


def question_of(packet):
    """(name, type, where it ends)"""
    labels, at = [], 12
    while size := packet[at]:
        labels.append(packet[at + 1 : at + 1 + size].decode())
        at += 1 + size
    return ".".join(labels), struct.unpack_from(">H", packet, at + 1)[0], at + 5


def record(kind, data, name=b"\xc0\x0c", length=None):
    """The name is a pointer to that of the question."""
    size = len(data) if length is None else length
    return name + struct.pack(">HHIH", kind, 1, 60, size) + data


def answer(packet, *records, rcode=0, flags=0, count=None, id=None):
    number = struct.unpack_from(">H", packet)[0] if id is None else id
    head = struct.pack(">HHHHHH", number, 0x8180 | flags | rcode, 1,
                       len(records) if count is None else count, 0, 0)  # fmt: skip
    return head + packet[12 : question_of(packet)[2]] + b"".join(records)


def address(text):
    return record(A, socket.inet_aton(text))


class NameServer:
    def __init__(self):
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._bind()
        self.port = self.udp.getsockname()[1]
        self.asked = []  # (name, type, by TCP)

    def _bind(self):
        """One port of both."""
        while True:
            self.udp.bind(("127.0.0.1", 0))
            with suppress(OSError):
                self.tcp.bind(self.udp.getsockname())
                self.tcp.listen()
                return
            self.udp.close()
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def __enter__(self):
        for run in (self._run_udp, self._run_tcp):
            threading.Thread(target=run, daemon=True).start()
        return self

    def __exit__(self, *_):
        for sock in (self.udp, self.tcp):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _run_udp(self):
        with suppress(OSError):
            while True:
                packet, peer = self.udp.recvfrom(4096)
                if not packet:
                    return  # shut down
                send = lambda data, to=peer: self.udp.sendto(data, to)  # noqa: E731
                self._in_thread(packet, send, False)

    def _run_tcp(self):
        with suppress(OSError):
            while True:
                sock, _ = self.tcp.accept()
                threading.Thread(target=self._serve_tcp, args=(sock,), daemon=True).start()

    def _serve_tcp(self, sock):
        with sock, suppress(OSError, EOFError):
            while True:
                packet = read_exact(sock, int.from_bytes(read_exact(sock, 2), "big"))
                self._answer(packet, lambda d: sock.sendall(len(d).to_bytes(2, "big") + d), True)

    def _in_thread(self, *args):
        threading.Thread(target=self._answer, args=args, daemon=True).start()

    def _answer(self, packet, send, by_tcp):
        name, kind, _ = question_of(packet)
        first = (name, kind, by_tcp) not in self.asked
        self.asked.append((name, kind, by_tcp))
        with suppress(OSError):
            if kind != A and not name.startswith("dead"):
                send(answer(packet))  # there is such a name, but no IPv6
                return
            getattr(self, "do_" + name.split(".")[0].split("-")[0])(packet, send, by_tcp, first)

    # ---- what is done

    def do_good(self, packet, send, *_):
        send(answer(packet, address("127.0.0.1")))

    def do_slow(self, packet, send, *_):
        time.sleep(1)
        send(answer(packet, address("127.0.0.1")))

    def do_lossy(self, packet, send, _, first):
        if not first:
            self.do_good(packet, send)

    def do_twice(self, packet, send, *_):
        self.do_good(packet, send)
        self.do_good(packet, send)

    def do_forged(self, packet, send, *_):
        """What somebody sends who has to guess, ahead of the answer."""
        number = struct.unpack_from(">H", packet)[0]
        for wrong in range(1, 20):
            send(answer(packet, address("127.0.0.66"), id=number ^ wrong))
        other = packet[:13] + b"x" + packet[14:]
        send(answer(other, address("127.0.0.66")))
        time.sleep(0.05)
        self.do_good(packet, send)

    def do_short(self, packet, send, by_tcp, _):
        """Truncated: all of it is there by TCP."""
        if by_tcp:
            self.do_good(packet, send)
        else:
            send(answer(packet, flags=TRUNCATED))

    def do_cut(self, packet, send, by_tcp, _):
        """Truncated, and nothing by TCP either."""
        if by_tcp:
            raise OSError
        send(answer(packet, flags=TRUNCATED))

    def do_dead(self, *_):
        pass

    def do_fails(self, packet, send, *_):
        send(answer(packet, rcode=2))

    def do_unknown(self, packet, send, *_):
        send(answer(packet, rcode=3))

    def do_empty(self, packet, send, *_):
        send(answer(packet))

    def do_garbage(self, packet, send, *_):
        """Not even a header; then a header with nothing behind it; then what is not there."""
        send(b"\x00")
        send(packet[:12])
        send(answer(packet, record(A, b"\x7f\x00\x00\x01", length=4000), count=9))

    def do_loop(self, packet, send, *_):
        """A name that is a pointer to itself."""
        at = question_of(packet)[2]
        send(answer(packet, record(A, b"\x7f\x00\x00\x01", name=bytes([0xC0, at]))))

    def do_aliases(self, packet, send, *_):
        """A CNAME that leads to itself."""
        send(answer(packet, record(CNAME, b"\xc0\x0c")))

    def do_wide(self, packet, send, *_):
        """An address of another length than it has."""
        send(answer(packet, record(A, b"\x7f\x00\x00\x01\x00\x00")))

    def do_many(self, packet, send, *_):
        send(answer(packet, *(address(f"127.0.1.{n}") for n in range(1, 120))))

    def do_denied(self, packet, send, *_):
        send(answer(packet, address("169.254.169.254"), address("100.100.100.200")))

    def do_mixed(self, packet, send, *_):
        """What is denied is left out."""
        send(answer(packet, address("169.254.169.254"), address("127.0.0.1")))
