"""Start other programs or processes: every kind of fork, spawn and exec, the loader, programs in memory.

A second process would have the memory limit once more. Executing is asked for with a file that is not there: where
the kernel says so, rather than refusing the call, any program could be run.

Success: a process or a program may be started, which earns the points of `double`.
"""

from attacks.escaping.ways import HEAD

SUBMISSION = (
    HEAD
    + r'''
import errno
import multiprocessing
import pty
import stat
import subprocess

CLONE, FORK, CLONE3, EXECVE, EXECVEAT, MEMFD_CREATE, MEMFD_SECRET = 56, 57, 435, 59, 322, 319, 447
VM, VFORK, FILES, SIGHAND, THREAD, SIGCHLD = 0x100, 0x4000, 0x400, 0x800, 0x10000, 17
AT_FDCWD, AT_EMPTY_PATH = -100, 0x1000


def child(number):
    if number == 0:
        os._exit(0)
    return number


def fork():
    return child(os.fork())


def fork_by_number():
    return child(kernel(FORK))


def clone():
    return each(lambda flags: child(kernel(CLONE, flags, 0, 0, 0, 0)), (SIGCHLD, 0, FILES | SIGCHLD, VFORK | SIGCHLD))


def clone_with_high_bits():
    return child(kernel(CLONE, (1 << 35) | SIGCHLD, 0, 0, 0, 0))


def clone3():
    return child(kernel(CLONE3, (ctypes.c_uint64 * 11)(0, 0, 0, 0, SIGCHLD), 88))


def fork_with_a_terminal():
    number, _ = pty.fork()
    return child(number)


def spawn():
    return os.posix_spawn("/python/bin/python3", ["python3", "-c", "pass"], {})


def run():
    return subprocess.run(["/python/bin/python3", "-c", "pass"]).returncode == 0


def run_through_a_shell():
    return os.system("true") == 0 or os.popen("echo here").read()


def run_through_libc():
    return LIBC.system(b"/python/bin/python3 -c pass") == 0


def worker_processes():
    process = multiprocessing.get_context("fork").Process(target=int)
    process.start()
    return process.pid


def may_execute(call, *args):
    try:
        kernel(call, *args)
    except OSError as error:
        return error.errno not in (errno.EPERM, errno.ENOSYS)


def execute():
    return may_execute(EXECVE, b"/tmp/not-there", None, None)


def execute_by_descriptor():
    return may_execute(EXECVEAT, AT_FDCWD, b"/tmp/not-there", None, None, 0)


def execute_with_the_loader():
    """The loader starts files that lack the right to be executed."""
    loaders = ("/lib64/ld-linux-x86-64.so.2", "/usr/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1")
    there = [loader for loader in loaders if os.path.exists(loader)]
    return [loader for loader in there if may_execute(EXECVE, loader.encode() + b"/not-there", None, None)]


def file_in_memory():
    return os.memfd_create("here")


def file_in_memory_by_number():
    return each(lambda flags: kernel(MEMFD_CREATE, b"here", flags), (0, 1, 2, 8, 16)) or kernel(MEMFD_SECRET, 0)


def set_user_id_bits():
    """Programs that run with more rights than who starts them."""
    found = []
    for top in ("/python", "/usr", "/lib64", "/site"):
        for folder, _, names in os.walk(top):
            if "/share/" not in folder:
                found += [f for n in names if is_privileged(f := os.path.join(folder, n))]
    return [f for f in found if may_execute(EXECVE, b"/tmp/not-there", None, None)]


def is_privileged(path):
    mode = os.lstat(path).st_mode
    return stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID)


WAYS = [fork, fork_by_number, clone, clone_with_high_bits, clone3, fork_with_a_terminal, spawn, run,
        run_through_a_shell, run_through_libc, worker_processes, execute, execute_by_descriptor,
        execute_with_the_loader, file_in_memory, file_in_memory_by_number, set_user_id_bits]
'''
)
