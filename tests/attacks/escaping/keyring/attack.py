"""Read and write the kernel's keys, which are shared by all processes of a user.

Success: a key can be added, asked for or listed, which earns the points of `double`.
"""

from attacks.escaping.ways import HEAD

SUBMISSION = (
    HEAD
    + r"""
ADD_KEY, REQUEST_KEY, KEYCTL = 248, 249, 250
RINGS = {"thread": -1, "process": -2, "session": -3, "user": -4, "user session": -5}
GET_ID, JOIN, DESCRIBE, READ, GET_PERSISTENT, CAPABILITIES = 0, 1, 6, 11, 22, 31


def add():
    return each(lambda name: kernel(ADD_KEY, b"user", b"here", b"1", 1, RINGS[name]), RINGS)


def add_large_ones():
    kinds = (b"big_key", b"logon", b"keyring", b"encrypted", b"trusted", b"asymmetric")
    return each(lambda kind: kernel(ADD_KEY, kind, b"here:1", bytes(1000), 1000, -3), kinds)


def request():
    kinds = (b"user", b"logon", b"dns_resolver", b"keyring")
    return each(lambda kind: kernel(REQUEST_KEY, kind, b"here", None, 0), kinds)


def find():
    return each(lambda name: kernel(KEYCTL, GET_ID, RINGS[name], 1), RINGS)


def list_them():
    room = ctypes.create_string_buffer(1000)
    return each(lambda name: kernel(KEYCTL, READ, RINGS[name], room, 1000) + 1, RINGS)


def describe():
    room = ctypes.create_string_buffer(1000)
    return each(lambda name: kernel(KEYCTL, DESCRIBE, RINGS[name], room, 1000), RINGS)


def join_a_session():
    return each(lambda name: kernel(KEYCTL, JOIN, name), (None, b"_ses", b"_uid.0", b"_uid_ses.0"))


def persistent_ones():
    return each(lambda user: kernel(KEYCTL, GET_PERSISTENT, user, -3), (-1, 0, 65534))


def what_there_is():
    return kernel(KEYCTL, CAPABILITIES, ctypes.create_string_buffer(8), 8)


WAYS = [add, add_large_ones, request, find, list_them, describe, join_a_session, persistent_ones, what_there_is]
"""
)
