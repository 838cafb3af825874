"""Change settings of the machine: names, clocks, swap, accounting, modules, kernel log, a new kernel.

Each call carries a value that would change nothing, or a file that is not there.

Success: one is not refused, which earns the points of `double`.
"""

from attacks.escaping.ways import HEAD

SUBMISSION = (
    HEAD
    + r'''
import errno
import socket
import time

SETHOSTNAME, SETDOMAINNAME, SETTIMEOFDAY, CLOCK_SETTIME, ADJTIMEX, CLOCK_ADJTIME = 170, 171, 164, 227, 159, 305
SWAPON, SWAPOFF, ACCT, REBOOT, SYSLOG, VHANGUP, QUOTACTL, QUOTACTL_FD = 167, 168, 163, 169, 103, 153, 179, 443
INIT_MODULE, DELETE_MODULE, FINIT_MODULE, KEXEC_LOAD, KEXEC_FILE_LOAD = 175, 176, 313, 246, 320
NFSSERVCTL, LOOKUP_DCOOKIE, SYSFS, USELIB, SYSCTL, USTAT = 180, 212, 139, 134, 156, 136


def names():
    return kernel(SETHOSTNAME, socket.gethostname().encode(), len(socket.gethostname())) == 0


def domain():
    return kernel(SETDOMAINNAME, b"(none)", 6) == 0


def clock():
    now = time.time()
    room = (ctypes.c_long * 2)(int(now), int(now % 1 * 1e9))
    return each(lambda call: kernel(call[0], *call[1:]) + 1, [(SETTIMEOFDAY, room, None), (CLOCK_SETTIME, 0, room)])


def speed_of_the_clock():
    """Mode 0x8000 with no offset: one step of nothing."""
    room = lambda: ctypes.create_string_buffer(bytes([1, 0x80]) + bytes(300))
    return each(lambda name: (kernel(ADJTIMEX, room()) if name == "old" else kernel(CLOCK_ADJTIME, 0, room())) + 1,
                ("old", "new"))


def asks_the_kernel(number, *args):
    """Whether the kernel looks at the arguments, rather than refusing the call."""
    try:
        return kernel(number, *args) >= 0
    except OSError as error:
        return error.errno not in (errno.EPERM, errno.ENOSYS, errno.EACCES)


def swap():
    return asks_the_kernel(SWAPON, b"/tmp/not-there", 0) or asks_the_kernel(SWAPOFF, b"/tmp/not-there")


def accounting():
    return asks_the_kernel(ACCT, b"/tmp/not-there")


def restart():
    return asks_the_kernel(REBOOT, 0, 0, 0, None)


def kernel_log():
    return each(lambda action: kernel(SYSLOG, action, ctypes.create_string_buffer(1000), 1000), (3, 10))


def modules():
    return (asks_the_kernel(INIT_MODULE, b"", 0, b"") or asks_the_kernel(FINIT_MODULE, -1, b"", 0)
            or asks_the_kernel(DELETE_MODULE, b"not-there", 0o4000))


def a_new_kernel():
    return asks_the_kernel(KEXEC_LOAD, 0, 0, None, 0) or asks_the_kernel(KEXEC_FILE_LOAD, -1, -1, 0, None, 0)


def quotas():
    room, tmp = ctypes.create_string_buffer(64), os.open("/tmp", os.O_RDONLY)
    return (asks_the_kernel(QUOTACTL, 0x80000700, b"/dev/null", 0, room)
            or asks_the_kernel(QUOTACTL_FD, tmp, 0x80000700, 0, room))


def hang_up():
    return asks_the_kernel(VHANGUP)


def forgotten_calls():
    return {n for n in (NFSSERVCTL, LOOKUP_DCOOKIE, USELIB, SYSCTL) if asks_the_kernel(n, 0, 0, 0)}


def files_of_the_kernel():
    paths = ("/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/sys/kernel/mm/transparent_hugepage/enabled",
             "/proc/self/oom_score_adj", "/proc/sys/vm/drop_caches", "/sys/fs/cgroup/memory/tasks")
    return each(lambda path: os.open(path, os.O_WRONLY), paths)


WAYS = [names, domain, clock, speed_of_the_clock, swap, accounting, restart, kernel_log, modules, a_new_kernel, quotas,
        hang_up, forgotten_calls, files_of_the_kernel]
'''
)
