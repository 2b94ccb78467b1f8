"""A server on the loopback that writes whatever bytes a test wants, at whatever pace."""

import contextlib
import re
import socket
import threading

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class RawServer:
    """Calls ``behave(connection)`` with the socket of each request, once that has been read."""

    def __init__(self, behave):
        self.behave = behave
        self.closed = threading.Event()
        self.n_requests = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}/v1"

    def close(self):
        self.closed.set()
        self.listener.close()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection):
        with connection, contextlib.suppress(OSError):
            self.n_requests += 1
            request, length = b"", None
            while length is None or len(request) < length:
                if not (piece := connection.recv(65536)):
                    return
                request += piece
                head, end, _ = request.partition(b"\r\n\r\n")
                if end and length is None:
                    length = len(head) + len(end) + int(_LENGTH.search(head)[1])
            self.behave(connection)

    def drip(self, connection, head, piece, pause=0.05):
        """Send a head, and then a piece again and again for as long as the client listens."""
        connection.sendall(head)
        while not self.closed.wait(pause):
            connection.sendall(piece)
