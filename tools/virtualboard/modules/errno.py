"""The chip's errno: lwIP's numbers, which differ from Linux's."""

EPERM = 1
ENOENT = 2
EIO = 5
EBADF = 9
EAGAIN = 11
ENOMEM = 12
EACCES = 13
EEXIST = 17
ENODEV = 19
EISDIR = 21
EINVAL = 22
EOPNOTSUPP = 95
ECONNABORTED = 113
EADDRINUSE = 112
ECONNRESET = 104
ENOBUFS = 105
ENOTCONN = 128
ETIMEDOUT = 116
ECONNREFUSED = 111
EHOSTUNREACH = 118
EALREADY = 120
EINPROGRESS = 119

errorcode = {
    value: name for name, value in globals().items() if name[0] == "E" and isinstance(value, int)
}
