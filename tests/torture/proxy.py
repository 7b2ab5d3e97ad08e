"""A TCP proxy on the loopback that cuts connections: at once, or after some more bytes."""

import random
import select
import socket
import threading


class Proxy:
    """Forwards to `target` ((host, port), or the path of a unix socket); `port` is where it listens."""

    def __init__(self, target, seed):
        self.target = target
        self.dice = random.Random(seed)
        self.lock = threading.Lock()
        self.open = {}  # connection number -> [bytes it may still carry or None, sockets]
        self.number = 0
        self.cuts = 0
        self.is_closed = False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, share=0.5):
        """Cut this share of the connections: half of them now, half within their next 4 KiB, in the middle of
        whatever they are saying then."""
        with self.lock:
            for entry in self.open.values():
                if self.dice.random() < share:
                    entry[0] = 0 if self.dice.random() < 0.5 else self.dice.randrange(1, 4096)
                    self.cuts += 1
                    if entry[0] == 0:
                        self._shut(entry[1])

    def close(self):
        self.is_closed = True
        self.listener.close()
        with self.lock:
            for entry in self.open.values():
                self._shut(entry[1])

    @staticmethod
    def _shut(sockets):
        for sock in sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it was gone already

    def _connect(self):
        if isinstance(self.target, str):
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.connect(self.target)
            return sock
        return socket.create_connection(self.target)

    def _accept(self):
        while not self.is_closed:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = self._connect()
            except OSError:
                client.close()  # the server is down: so is this
                continue
            with self.lock:
                self.number += 1
                entry = [None, (client, server)]
                self.open[self.number] = entry
                threading.Thread(target=self._carry, args=(self.number, entry), daemon=True).start()

    def _carry(self, number, entry):
        client, server = entry[1]
        other = {client: server, server: client}
        try:
            while True:
                for sock in select.select([client, server], [], [])[0]:
                    data = sock.recv(65536)
                    if not data:
                        return
                    with self.lock:
                        if entry[0] is not None:
                            data = data[: entry[0]]
                            entry[0] -= len(data)
                    other[sock].sendall(data)
                    if entry[0] is not None and entry[0] <= 0:
                        return
        except OSError:
            pass  # one end went away
        finally:
            for sock in (client, server):
                sock.close()
            with self.lock:
                self.open.pop(number, None)
