"""The system-call filter of the sandbox, written by libseccomp."""

from __future__ import annotations

import errno
import os
from functools import cache

# Computing needs none of these. New processes are refused so that memory limits hold for the whole sandbox.
REFUSED = """
fork vfork ptrace process_vm_readv process_vm_writev kcmp pidfd_open pidfd_getfd pidfd_send_signal
mount umount2 pivot_root chroot fsopen fsmount fsconfig fspick move_mount open_tree mount_setattr
unshare setns socket socketpair bpf perf_event_open io_uring_setup io_uring_enter io_uring_register
io_setup io_submit io_pgetevents quotactl_fd process_madvise process_mrelease modify_ldt fanotify_mark
userfaultfd memfd_create memfd_secret shmget shmat shmctl semget semop semctl msgget msgsnd msgrcv mq_open
keyctl add_key request_key init_module finit_module delete_module kexec_load kexec_file_load
reboot swapon swapoff acct settimeofday clock_settime clock_adjtime adjtimex sethostname setdomainname
iopl ioperm quotactl name_to_handle_at open_by_handle_at fanotify_init inotify_init inotify_init1
personality vhangup syslog lookup_dcookie nfsservctl landlock_create_ruleset mknod mknodat
""".split()
CLONE_THREAD = 0x00010000


class SeccompUnavailable(RuntimeError):
    """libseccomp is not there."""


@cache
def program() -> bytes:
    """The filter as BPF, for ``bwrap --seccomp``."""
    try:
        import pyseccomp
    except (ImportError, OSError, RuntimeError) as error:
        raise SeccompUnavailable(f"libseccomp is missing ({error}): apt-get install libseccomp2") from None
    refuse = pyseccomp.ERRNO(errno.EPERM)
    rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    for name in REFUSED:
        try:
            rules.add_rule(refuse, name)
        except (ValueError, OSError):  # a call that this kernel or processor does not have
            continue
    rules.add_rule(refuse, "clone", pyseccomp.Arg(0, pyseccomp.MASKED_EQ, CLONE_THREAD, 0))  # threads stay allowed
    rules.add_rule(pyseccomp.ERRNO(errno.ENOSYS), "clone3")  # its flags lie in memory; libc then falls back to clone
    read, write = os.pipe()
    with os.fdopen(read, "rb") as reader:
        with os.fdopen(write, "wb") as writer:
            rules.export_bpf(writer)
        return reader.read()
