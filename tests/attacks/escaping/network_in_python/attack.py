"""Reach a listener of this machine, or a name server, with what Python has for it.

Success: a connection or a datagram leaves the sandbox, which earns the points of `double`.
"""

from attacks.escaping.ways import HEAD

SUBMISSION = (
    HEAD
    + """
import http.client
import socket
import ssl
import urllib.request


def tcp():
    with socket.create_connection(("127.0.0.1", {TCP_PORT}), 1) as stream:
        return stream.sendall(b"here") or "sent"


def tcp_of_version_6():
    with socket.create_connection(("::ffff:127.0.0.1", {TCP_PORT}), 1) as stream:
        return stream.sendall(b"here") or "sent"


def tcp_with_the_first_packet():
    with socket.socket() as stream:
        return stream.sendto(b"here", socket.MSG_FASTOPEN, ("127.0.0.1", {TCP_PORT}))


def udp():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
        return datagram.sendto(b"here", ("127.0.0.1", {UDP_PORT}))


def udp_to_everybody():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
        datagram.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        return datagram.sendto(b"here", ("255.255.255.255", {UDP_PORT}))


def names():
    return socket.getaddrinfo("example.org", 80)


def a_page():
    return urllib.request.urlopen("http://127.0.0.1:{TCP_PORT}/here", timeout=1).status


def a_request():
    connection = http.client.HTTPConnection("127.0.0.1", {TCP_PORT}, timeout=1)
    connection.request("POST", "/", body=b"here")
    return "sent"


def tls():
    with socket.create_connection(("127.0.0.1", {TCP_PORT}), 1) as stream:
        return ssl.create_default_context().wrap_socket(stream, server_hostname="here")


def a_server():
    with socket.create_server(("0.0.0.0", 0)) as server:
        return server.getsockname()


WAYS = [
    tcp, tcp_of_version_6, tcp_with_the_first_packet, udp, udp_to_everybody, names, a_page, a_request, tls, a_server
]
"""
)
