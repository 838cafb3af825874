"""Speak to programs of this machine through unix sockets: an abstract name, known paths, any socket that is visible.

Success: a connection, which earns the points of `double`.
"""

from attacks.escaping.ways import HEAD

SUBMISSION = (
    HEAD
    + r"""
import socket
import stat

KNOWN = ["/run/docker.sock", "/var/run/docker.sock", "/run/dbus/system_bus_socket", "/run/systemd/private",
         "/run/systemd/journal/socket", "/dev/log", "/tmp/.X11-unix/X0", "/run/containerd/containerd.sock"]


def connect(address):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
        with socket.socket(socket.AF_UNIX, kind) as stream:
            stream.connect(address)
            return stream.send(b"here")


def abstract_name():
    return connect("\0" + "{UNIX_NAME}".lstrip("\0@"))


def abstract_datagram():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagram:
        return datagram.sendto(b"here", "\0" + "{UNIX_NAME}".lstrip("\0@"))


def known_paths():
    return each(connect, KNOWN)


def visible_paths():
    found = [os.path.join(folder, n) for top in ("/dev", "/tmp", "/run", "/var", "/box")
             for folder, _, names in os.walk(top) for n in names]
    return each(connect, [path for path in found if stat.S_ISSOCK(os.lstat(path).st_mode)])


def own_server_for_another_submission():
    server = socket.socket(socket.AF_UNIX)
    server.bind("\0here")
    server.listen()
    return "listens"


def bound_by_the_kernel():
    server = socket.socket(socket.AF_UNIX)
    server.bind("")
    return server.getsockname()


WAYS = [abstract_name, abstract_datagram, known_paths, visible_paths, own_server_for_another_submission,
        bound_by_the_kernel]
"""
)
