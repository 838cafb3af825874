"""Become somebody else: user and group ids, capabilities, secure bits, and a way back from no-new-privileges.

Success: an id or a capability that was not there before, which earns the points of `double`.
"""

from attacks.escaping.ways import HEAD

SUBMISSION = (
    HEAD
    + r'''
PRCTL, CAPGET, CAPSET = 157, 125, 126
SETFSUID, SETFSGID, SETGROUPS, SETREUID, SETRESUID, SETRESGID = 122, 123, 116, 113, 117, 119
OTHERS = (0, 1, 1000, 65533)


def other_users():
    def change(user):
        os.setuid(user)
        return os.getuid() == user
    return each(change, OTHERS)


def other_groups():
    def change(group):
        os.setgid(group)
        return os.getgid() == group
    return each(change, OTHERS)


def by_number():
    return (each(lambda user: kernel(SETREUID, user, user) + 1, OTHERS)
            or each(lambda user: kernel(SETRESUID, user, user, user) + 1, OTHERS)
            or each(lambda group: kernel(SETRESGID, group, group, group) + 1, OTHERS))


def for_files_only():
    """These two never fail; asked again, they tell what is set now."""
    for call in (SETFSUID, SETFSGID):
        for user in OTHERS:
            kernel(call, user)
            if kernel(call, -1) == user:
                return user


def more_groups():
    return each(lambda group: os.setgroups([group]) or "set", OTHERS) or [g for g in os.getgroups() if g != 65534]


def capabilities():
    """Effective, permitted and inheritable ones, two words each."""
    words = (ctypes.c_uint32 * 6)()
    kernel(CAPGET, (ctypes.c_uint32 * 2)(0x20080522, 0), words)
    return sum(words)


def all_capabilities():
    return kernel(CAPSET, (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(*[0xFFFFFFFF] * 6)) == 0


def each_capability():
    def ask(number):
        words = [0] * 6
        words[3 * (number // 32)] = words[3 * (number // 32) + 1] = 1 << number % 32
        return kernel(CAPSET, (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(*words)) + 1
    return each(ask, range(41))


def ambient_capabilities():
    return each(lambda number: kernel(PRCTL, 47, 2, number, 0, 0) + 1, range(41))


def secure_bits():
    return each(lambda bits: kernel(PRCTL, 28, bits, 0, 0, 0) + 1, (1, 3, 0x2F))


def new_privileges():
    return kernel(PRCTL, 39, 0, 0, 0, 0) == 0 or kernel(PRCTL, 38, 0, 0, 0, 0) == 0


WAYS = [other_users, other_groups, by_number, for_files_only, more_groups, capabilities, all_capabilities,
        each_capability, ambient_capabilities, secure_bits, new_privileges]
'''
)
