"""The system-call filter of the sandbox, written by libseccomp."""

from __future__ import annotations

import errno
import os
from functools import cache

# Computing needs none of these. New processes are refused so that memory limits hold for the whole sandbox.
REFUSED = {
    "processes": "fork vfork execve execveat uselib setns unshare ptrace process_vm_readv process_vm_writev "
    "process_madvise process_mrelease get_robust_list kcmp pidfd_open pidfd_getfd pidfd_send_signal "
    "rt_sigqueueinfo rt_tgsigqueueinfo personality modify_ldt iopl ioperm seccomp",
    "rights": "setuid setgid setreuid setregid setresuid setresgid setgroups setfsuid setfsgid capset "
    "keyctl add_key request_key landlock_create_ruleset landlock_add_rule landlock_restrict_self ioprio_set "
    "sched_setscheduler sched_setparam sched_setattr sched_setaffinity setpriority",
    # Who owns a device node outside may change it, read-only or not; attributes lie outside the size of /tmp.
    "files": "mount umount2 pivot_root chroot fsopen fsmount fsconfig fspick move_mount open_tree mount_setattr mknod "
    "mknodat name_to_handle_at open_by_handle_at fanotify_init fanotify_mark inotify_init inotify_init1 "
    "inotify_add_watch quotactl quotactl_fd acct lookup_dcookie nfsservctl flock sync syncfs ustat sysfs "
    "chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat utime utimes futimesat utimensat "
    "setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr",
    "network": "socket socketpair connect bind listen accept accept4 sendto recvfrom sendmsg recvmsg sendmmsg recvmmsg "
    "setsockopt getsockopt getsockname getpeername shutdown",
    "kernel": "bpf perf_event_open io_uring_setup io_uring_enter io_uring_register io_setup io_submit io_pgetevents "
    "io_destroy io_getevents io_cancel userfaultfd init_module finit_module delete_module kexec_load kexec_file_load "
    "reboot swapon swapoff syslog settimeofday clock_settime clock_adjtime adjtimex sethostname setdomainname vhangup",
    "memory beside the limits": "vmsplice splice tee sendfile memfd_secret mlockall remap_file_pages "
    "shmget shmat shmctl semget semop semtimedop semctl msgget msgsnd msgrcv msgctl "
    "mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr migrate_pages move_pages "
    "signalfd signalfd4 timer_create timerfd_create",
}
# A GPU's driver needs these; without one they are refused, too.
GPU = (
    "memfd_create mbind get_mempolicy set_mempolicy set_mempolicy_home_node eventfd eventfd2 epoll_create epoll_create1"
)
# What libseccomp has no name for yet: statmount, listmount, open_tree_attr and whatever comes.
NEWER = range(457, 600)
# Commands of fcntl: locks (GETLK ... OFD_SETLKW), leases and pipe buffers (SETPIPE_SZ) take memory of the kernel;
# SETOWN, SETSIG, SETOWN_EX and NOTIFY send signals.
FCNTL = (5, 6, 7, 36, 37, 38, 1024, 1031, 8, 10, 15, 1026)
# Questions to devices and sockets: the channel was made outside and would tell of the machine's network. A GPU's
# driver is spoken to by ioctl; there only those of sockets (SIOC*) and the one that types into a terminal
# (TIOCSTI) are refused.
SIOC, SIOC_MASK = 0x8900, 0xFF00
TIOCSTI = 0x5412
PR_SET_SECCOMP = 22
CLONE_THREAD = 0x00010000


class SeccompUnavailable(RuntimeError):
    """libseccomp is not there."""


@cache
def program(gpu: bool = False) -> bytes:
    """The filter as BPF."""
    try:
        import pyseccomp
    except (ImportError, OSError, RuntimeError) as error:
        raise SeccompUnavailable(f"libseccomp is missing ({error}): apt-get install libseccomp2") from None
    refuse = pyseccomp.ERRNO(errno.EPERM)
    rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    for name in " ".join([*REFUSED.values(), "" if gpu else GPU]).split():
        try:
            rules.add_rule(refuse, name)
        except (ValueError, OSError):  # a call that this kernel or processor does not have
            continue
    for number in NEWER:
        rules.add_rule(pyseccomp.ERRNO(errno.ENOSYS), number)
    masked = pyseccomp.MASKED_EQ  # the kernel reads 32 bits of a command, so that no more may be compared
    for command in FCNTL:
        rules.add_rule(refuse, "fcntl", pyseccomp.Arg(1, masked, 0xFFFFFFFF, command))
    rules.add_rule(refuse, "prctl", pyseccomp.Arg(0, masked, 0xFFFFFFFF, PR_SET_SECCOMP))
    if gpu:
        rules.add_rule(refuse, "ioctl", pyseccomp.Arg(1, masked, SIOC_MASK, SIOC))
        rules.add_rule(refuse, "ioctl", pyseccomp.Arg(1, masked, 0xFFFFFFFF, TIOCSTI))
    else:
        rules.add_rule(pyseccomp.ERRNO(errno.ENOTTY), "ioctl")
    rules.add_rule(refuse, "clone", pyseccomp.Arg(0, pyseccomp.MASKED_EQ, CLONE_THREAD, 0))  # threads stay allowed
    rules.add_rule(pyseccomp.ERRNO(errno.ENOSYS), "clone3")  # its flags lie in memory; libc then falls back to clone
    read, write = os.pipe()
    with os.fdopen(read, "rb") as reader:
        with os.fdopen(write, "wb") as writer:
            rules.export_bpf(writer)
        return reader.read()
