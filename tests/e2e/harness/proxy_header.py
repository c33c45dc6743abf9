"""Headers of the PROXY protocol, by hand."""

import socket
import struct

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v1(source, target, source_port=4711, target_port=443):
    family = 6 if ":" in source else 4
    return f"PROXY TCP{family} {source} {target} {source_port} {target_port}\r\n".encode()


def v2(source, target, source_port=4711, target_port=443, extra=b""):
    kind, family = (0x21, socket.AF_INET6) if ":" in source else (0x11, socket.AF_INET)
    block = socket.inet_pton(family, source) + socket.inet_pton(family, target)
    return v2_raw(0x21, kind, block + struct.pack(">HH", source_port, target_port) + extra)


def v2_raw(command, kind, block=b""):
    return SIGNATURE + struct.pack(">BBH", command, kind, len(block)) + block


def parse(data):
    """((source, port), (target, port), bytes behind it) of either version; TCP only."""
    if data.startswith(b"PROXY "):
        line, _, rest = data.partition(b"\r\n")
        _, kind, source, target, source_port, target_port = line.decode("ascii").split(" ")
        assert kind == ("TCP6" if ":" in source else "TCP4")
        return (source, int(source_port)), (target, int(target_port)), rest
    assert data[:13] == SIGNATURE + b"\x21", data[:20]
    size, family = {0x11: (4, socket.AF_INET), 0x21: (16, socket.AF_INET6)}[data[13]]
    end = 16 + struct.unpack(">H", data[14:16])[0]
    assert end == 16 + 2 * size + 4
    source, target = data[16 : 16 + size], data[16 + size : 16 + 2 * size]
    ports = struct.unpack(">HH", data[16 + 2 * size : end])
    source, target = (socket.inet_ntop(family, ip) for ip in (source, target))
    return (source, ports[0]), (target, ports[1]), data[end:]
