"""The chip's socket module: lwIP's limits, errors and address tuples on top of the host's sockets.

`_setup(host, ports, udp_ports, most, tell)` comes from the launcher: `host` is the board's address
on this machine, `ports` and `udp_ports` map the board's port numbers to the host's, `most` is how
many sockets may be open, `tell(port)` is called when one listens.
"""

import gc as _gc
import io as _io

import esp32 as _esp32
import uselect as _uselect
import usocket as _usocket

AF_INET = 2
AF_INET6 = 10
SOCK_STREAM = 1
SOCK_DGRAM = 2
SOCK_RAW = 3
IPPROTO_IP = 0
IPPROTO_TCP = 6
IPPROTO_UDP = 17
IP_ADD_MEMBERSHIP = 3
SOL_SOCKET = 0xFFF
SO_REUSEADDR = 4
SO_BROADCAST = 0x20
SO_BINDTODEVICE = 0x100B
TCP_NODELAY = 1

_HOST_OPTION = {SO_REUSEADDR: 2, SO_BROADCAST: 6}  # of level 1, SOL_SOCKET on Linux
_MAILBOX = 2304  # bytes, which the host doubles: about the 6 short datagrams that lwIP keeps
_WINDOW = 5744  # bytes: lwIP's TCP_WND and TCP_SND_BUF in the ESP32 builds
_ENFILE = 23
_ENOBUFS = 105
_LISTENER = 22000  # bytes of the IDF heap below which listen() fails, as measured

# Linux's errno -> lwIP's. A write after the peer has gone is ECONNRESET there, never EPIPE.
_ERRORS = {
    32: 104,
    98: 112,
    99: 118,
    101: 118,
    103: 113,
    107: 128,
    110: 116,
    111: 104,
    113: 118,
    114: 120,
    115: 119,
}

_open = []  # file descriptors of the open sockets
_secure = []  # those of them that have a TLS connection
_SESSION = 23800  # bytes of the IDF heap that one takes, from wrap_socket() on
# What stands in for a socket takes more of the heap than a chip's does. With HEAP=chip, this holds
# as many lists as there may be sockets; that memory is freed for as long as a socket is open.
_reserve = []
_ENTRIES = [None] * 16  # 64 bytes: a stand-in takes 98, and a socket of the chip 32


def _raise_ebadf(*args):
    raise OSError(9)


class _Closed:
    """In the place of a host's socket that is closed, whose number another one may get."""

    def __getattr__(self, name):
        return _raise_ebadf


_closed = _Closed()
_host = "127.0.0.1"
_ports = {}
_udp_ports = {}
_most = 10
_tell = None
# Whether accept() reports IPv6 addresses. MicroPython's ESP32 port does not, up to 1.29.
_has_ipv6 = True
_LOCAL = (bytes(15) + b"\1", bytes(10) + b"\xff\xff\x7f\0\0\1")


def _setup(host, ports, udp_ports, most, tell):
    global _host, _most, _tell
    _host = host
    _ports.update(ports)
    _udp_ports.update(udp_ports)
    _most = most
    _tell = tell


def _make_reserve():
    """Set memory aside for the stand-ins of all sockets; it is freed socket by socket."""
    for _ in range(_most):
        _reserve.append([])
    _balance()


def _balance():
    """Free a part of the reserve for each open socket, and allocate what others gave back."""
    try:
        for index, part in enumerate(_reserve):
            if index < len(_open):
                part.clear()
            elif not part:
                part.extend(_ENTRIES)
    except MemoryError:  # there is none, or the collector is at work; the next call does it
        pass


def _forget(fd):
    """Count a socket as closed."""
    _open.remove(fd)
    if fd in _secure:
        _secure.remove(fd)
        _esp32._take(-_SESSION)
    _balance()


def _take_session(sock):
    """Count the memory of a TLS connection until the socket is closed. False: there is none."""
    if not _esp32._take(_SESSION):
        return False
    _secure.append(sock._fd)
    return True


def _give_session_back(sock):
    if sock._fd in _secure:
        _secure.remove(sock._fd)
        _esp32._take(-_SESSION)


def _error(error):
    number = error.errno
    return OSError(_ERRORS.get(number, number))


def _pack(address, ports):
    """A tuple as the host wants it; the board's own ports are where the host has put them."""
    host, port = address[:2]
    if ":" in host:
        port = ports.get(port, port)
    elif host in ("0.0.0.0", "", "127.0.0.1", _host):
        host = _host
        port = ports.get(port, port)
    return _usocket.getaddrinfo(host, port)[0][-1]


def _unpack(packed):
    """A packed sockaddr_in as the tuple that the chip gives; IPv6 as newer ports may give it."""
    if packed[0] == 10:  # AF_INET6
        address = _usocket.inet_ntop(AF_INET6, packed[8:24])
        return address if _has_ipv6 else "0.0.0.0", packed[2] << 8 | packed[3]
    return "%d.%d.%d.%d" % tuple(packed[4:8]), packed[2] << 8 | packed[3]


def getaddrinfo(host, port, af=0, type=0, proto=0, flags=0):
    try:
        packed = _usocket.getaddrinfo(host, port)[0][-1]
    except OSError:
        raise OSError(-202) from None  # what lwIP says of a name that it cannot resolve
    return [(AF_INET, type or SOCK_STREAM, proto, "", _unpack(packed))]


def _is_full():
    """Whether the chip would have no socket left. Those that the collector closed are free."""
    if len(_open) >= _most:
        _gc.collect()
        poller = _uselect.poll()
        for fd in _open:
            poller.register(fd, 0)
        for fd, event in poller.poll(0):
            if event & 32:  # POLLNVAL: not open any more
                _forget(fd)
    return len(_open) >= _most


class socket(_io.IOBase):
    """A socket; accept() makes one of the host's."""

    _ports = _ports

    def __init__(self, af=AF_INET, type=SOCK_STREAM, proto=0):
        if isinstance(af, int):
            if _is_full():
                raise OSError(_ENFILE)
            af = _usocket.socket(af, type)
            if type == SOCK_DGRAM:
                self._ports = _udp_ports
                af.setsockopt(1, 8, _MAILBOX)
            else:
                af.setsockopt(1, 8, _WINDOW)  # SO_RCVBUF; accepted sockets inherit it
        self._sock = af
        self._fd = af.fileno()
        # The host's sockets have no finaliser, its files have: this one closes a forgotten socket.
        self._owner = open(self._fd, "rb")
        if self._fd not in _open:  # it is, where the collector closed one of the same number
            _open.append(self._fd)
        _balance()

    def ioctl(self, request, argument):
        if request == 10:  # MP_STREAM_GET_FILENO: select.poll watches the real one
            return self._fd
        if request == 4:  # MP_STREAM_CLOSE
            self.close()
            return 0
        if request == 3:  # MP_STREAM_POLL: a TLS stream asks on behalf of poll
            try:
                for _, event in self._poller().poll(0):
                    return event & (argument | 24)  # POLLERR, POLLHUP
            except MemoryError:  # a chip needs none for this
                return argument & 5  # let it try: it is told when nothing is there
            return 0
        return -22

    def _poller(self):
        poller = _uselect.poll()
        poller.register(self._fd, 5)
        return poller

    def close(self):
        if self._fd in _open:
            _forget(self._fd)
            self._fd = -1
        self._owner.close()
        self._sock = _closed  # the host's socket would go on with whoever gets its number next

    def fileno(self):
        return self._fd

    def readinto(self, buf, *args):
        try:
            return self._sock.readinto(buf, *args)
        except OSError as error:
            raise _error(error) from None

    def write(self, buf, *args):
        try:
            return self._sock.write(buf, *args)
        except OSError as error:
            raise _error(error) from None

    def _call(self, function, *args):
        try:
            return function(*args)
        except OSError as error:
            raise _error(error) from None

    def read(self, *args):
        return self._call(self._sock.read, *args)

    def readline(self, *args):
        return self._call(self._sock.readline, *args)

    def recv(self, size):
        return self._call(self._sock.recv, size)

    def send(self, data):
        return self._call(self._sock.send, data)

    def sendall(self, data):
        data = memoryview(data)
        while len(data):
            data = data[self._call(self._sock.send, data) :]

    def recvfrom(self, size):
        data, address = self._call(self._sock.recvfrom, size)
        return data, _unpack(address)

    def sendto(self, data, address):
        return self._call(self._sock.sendto, data, _pack(address, self._ports))

    def bind(self, address):
        self._bound = address[1] if address[0] != "::1" else 0
        self._call(self._sock.bind, _pack(address, self._ports))

    def listen(self, backlog=2):
        if _esp32._pool() < _LISTENER:
            raise OSError(_ENOBUFS)
        self._call(self._sock.listen, backlog)
        if _tell and self._bound:
            _tell(self._bound)

    def connect(self, address):
        self._call(self._sock.connect, _pack(address, self._ports))

    def accept(self):
        sock, address = self._call(self._sock.accept)
        if address[0] == 10 and address[8:24] not in _LOCAL:
            sock.close()  # the board is on this machine only, but "::" is every interface
            raise OSError(11)  # EAGAIN
        if _is_full():  # as lwip_accept: the connection is gone, the peer sees EOF
            sock.close()
            raise OSError(_ENFILE)
        sock.setsockopt(1, 7, _WINDOW)  # SO_SNDBUF
        return socket(sock), _unpack(address)

    def setsockopt(self, level, option, value):
        if level == SOL_SOCKET:
            if option not in _HOST_OPTION:
                raise OSError(92)  # ENOPROTOOPT
            level, option = 1, _HOST_OPTION[option]
        self._call(self._sock.setsockopt, level, option, value)

    def settimeout(self, seconds):
        self._sock.settimeout(seconds)

    def setblocking(self, flag):
        self._sock.setblocking(flag)

    def makefile(self, mode="rb", buffering=0):
        return self
