"""A slow link to a board: each byte takes its time, and each packet is late."""

import contextlib
import queue
import socket
import threading
import time


class SlowLink:
    """Forward TCP connections to a port of this computer. Use it as a context manager.

    rate: bytes per second in each direction. delay: seconds, each way. port: where it listens.
    """

    def __init__(self, to: int, rate: int = 50_000, delay: float = 0.15):
        self._to, self._rate, self._delay = to, rate, delay
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open: set[socket.socket] = {self._listener}

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        for one in list(self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                return
            self._open |= {near, far}
            for source, target in ((near, far), (far, near)):
                late: queue.Queue = queue.Queue()
                for task, end in ((self._take, source), (self._give, target)):
                    threading.Thread(target=task, args=(end, late), daemon=True).start()

    def _take(self, source, late):
        data = b"x"
        while data:
            try:
                data = source.recv(1460)
            except OSError:
                data = b""
            time.sleep(len(data) / self._rate)
            late.put((time.monotonic() + self._delay, data))

    def _give(self, target, late):
        data = b"x"
        while data:
            due, data = late.get()
            time.sleep(max(0, due - time.monotonic()))
            with contextlib.suppress(OSError):
                if data:
                    target.sendall(data)
                else:
                    target.shutdown(socket.SHUT_WR)
