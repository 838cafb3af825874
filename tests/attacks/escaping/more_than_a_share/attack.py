"""Raise its own limits, run before everybody else, and change the limits of other processes.

Success: a limit goes up or a privileged class of scheduling is granted, which earns the points of `double`.
"""

from attacks.escaping.ways import HEAD

SUBMISSION = (
    HEAD
    + r'''
import resource

SETRLIMIT, PRLIMIT64, SCHED_SETSCHEDULER, SCHED_SETATTR, IOPRIO_SET = 160, 302, 144, 314, 251
LIMITS = ["AS", "CPU", "FSIZE", "NOFILE", "NPROC", "CORE", "MEMLOCK", "RTPRIO", "NICE", "SIGPENDING", "MSGQUEUE"]


def higher(number, call):
    """Whether the call made the hard limit higher than it was."""
    _, hard = resource.getrlimit(number)
    if hard != resource.RLIM_INFINITY:
        call(hard + 1)
        return resource.getrlimit(number)[1] > hard


def of(name):
    return getattr(resource, f"RLIMIT_{name}")


def which(change):
    """The limits that the change made higher."""
    return [name for name, went_up in each(change, LIMITS).items() if went_up]


def raised():
    return which(lambda name: higher(of(name), lambda more: resource.setrlimit(of(name), (more, more))))


def without_any_limit():
    most = resource.RLIM_INFINITY
    return which(lambda name: higher(of(name), lambda _: resource.setrlimit(of(name), (most, most))))


def by_number():
    def change(name):
        room = lambda v: (ctypes.c_uint64 * 2)(v, v)
        return (higher(of(name), lambda v: kernel(PRLIMIT64, 0, of(name), room(v), None))
                or higher(of(name), lambda v: kernel(PRLIMIT64, os.getpid(), of(name), room(v), None))
                or higher(of(name), lambda v: kernel(SETRLIMIT, of(name), room(v))))
    return which(change)


def core_files_and_all_that_is_missing():
    """Each limit that a submission could need must be there."""
    free = [n for n in ("AS", "CPU", "FSIZE", "NOFILE", "NPROC", "CORE")
            if resource.getrlimit(of(n))[1] == resource.RLIM_INFINITY]
    return free


def limits_of_others():
    others = [pid for pid in range(2, 200) if pid != os.getpid()]
    return each(lambda pid: resource.prlimit(pid, resource.RLIMIT_NOFILE), others)


def real_time():
    policies = (os.SCHED_FIFO, os.SCHED_RR)
    return each(lambda policy: os.sched_setscheduler(0, policy, os.sched_param(1)) or "granted", policies)


def real_time_by_number():
    return each(lambda policy: kernel(SCHED_SETSCHEDULER, 0, policy, (ctypes.c_int * 1)(1)) + 1, (1, 2))


def deadline():
    attributes = (ctypes.c_uint64 * 7)(48 | 6 << 32, 0, 0, 10_000_000, 20_000_000, 20_000_000)
    return kernel(SCHED_SETATTR, 0, attributes, 0) == 0


def nicer_to_itself():
    return each(lambda step: os.nice(step) < 0, (-1, -20))


def less_nice_to_others():
    others = [pid for pid in range(2, 200) if pid != os.getpid()]
    return each(lambda pid: os.setpriority(os.PRIO_PROCESS, pid, 19) or "changed", others)


def first_at_the_disk():
    return each(lambda level: kernel(IOPRIO_SET, 1, 0, 1 << 13 | level) + 1, range(8))


def control_groups():
    places = ["/sys/fs/cgroup", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids", "/sys/fs/cgroup/unified"]
    return each(lambda place: os.listdir(place), places)


WAYS = [raised, without_any_limit, by_number, core_files_and_all_that_is_missing, limits_of_others, real_time,
        real_time_by_number, deadline, nicer_to_itself, less_nice_to_others, first_at_the_disk, control_groups]
'''
)
