"""Make a socket of any family and type by the number of the system call: raw, packet, netlink, vsock, crypto.

Success: the kernel gives a socket, which earns the points of `double`.
"""

from attacks.escaping.ways import HEAD

SUBMISSION = (
    HEAD
    + r'''
SOCKET, CONNECT, SENDTO, SOCKETPAIR = 41, 42, 44, 53
FAMILIES = range(46)  # 1 unix, 2 inet, 10 inet6, 16 netlink, 17 packet, 38 crypto, 40 vsock, 44 xdp


def of_any_family():
    return each(lambda kind: kernel(SOCKET, kind[0], kind[1], 0), [(f, t) for f in FAMILIES for t in (1, 2, 3, 5)])


def without_waiting():
    return each(lambda family: kernel(SOCKET, family, 2 | 0o4000 | 0o2000000, 0), FAMILIES)


def raw_protocols():
    return each(lambda protocol: kernel(SOCKET, 2, 3, protocol), (1, 6, 17, 255))


def with_high_bits_in_the_arguments():
    return each(lambda family: kernel(SOCKET, (1 << 32) | family, (1 << 32) | 1, 0), FAMILIES)


def pairs():
    room = (ctypes.c_int * 2)()
    return each(lambda family: kernel(SOCKETPAIR, family, 1, 0, room) + 1, FAMILIES)


def a_descriptor_that_is_there():
    """Is one of the open descriptors a socket that can be connected elsewhere?"""
    address = b"\x02\x00" + int({TCP_PORT}).to_bytes(2, "big") + bytes([127, 0, 0, 1]) + bytes(8)
    return each(lambda fd: kernel(CONNECT, fd, address, 16) + 1, range(64))


def a_datagram_through_one():
    address = b"\x02\x00" + int({UDP_PORT}).to_bytes(2, "big") + bytes([127, 0, 0, 1]) + bytes(8)
    return each(lambda fd: kernel(SENDTO, fd, b"here", 4, 0x4000, address, 16), range(64))


WAYS = [
    of_any_family,
    without_waiting,
    raw_protocols,
    with_high_bits_in_the_arguments,
    pairs,
    a_descriptor_that_is_there,
    a_datagram_through_one,
]
'''
)
