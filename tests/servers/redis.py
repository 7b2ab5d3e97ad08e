"""Redis: a server of its own, on a free loopback port and a unix socket, that syncs every write to disk.

    ARVO_REDIS_URL        by 127.0.0.1, with the password of the default user
    ARVO_REDIS_UNIX_URL   by the unix socket, as user arvo
    ARVO_REDIS_PORT, ARVO_REDIS_PASSWORD   for programs that look past the store
"""

import os
import signal
import socket

import server

USER = "arvo"
SETTINGS = {"appendonly": "yes", "appendfsync": "always", "save": '""', "databases": "64"}


class Kind(server.Server):
    name = "redis"
    stop_signal = signal.SIGTERM

    @classmethod
    def missing(cls):
        if server.find_program("redis-server") is None:
            return "Redis is not installed (Debian: redis-server)"
        return None

    def prepare(self):
        self.port = server.free_port()
        self.password = server.password()
        self.socket = os.path.join(self.folder, "redis.sock")
        settings = {
            **SETTINGS,
            "bind": server.HOST,
            "port": str(self.port),
            "unixsocket": self.socket,
            "unixsocketperm": "777",
            "dir": self.folder,
            "daemonize": "no",
            "requirepass": self.password,
            "user": f"{USER} on >{self.password}@/: ~* &* +@all",
            **self.settings,
        }
        self.config = self.write("redis.conf", "".join(f"{name} {value}\n" for name, value in settings.items()))

    def command(self):
        return [server.find_program("redis-server"), self.config]

    def is_ready(self):
        """It answers, and has read its data."""
        try:
            with socket.create_connection((server.HOST, self.port), 2) as probe:
                probe.settimeout(2)
                probe.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\r\n") < 2:
                    piece = probe.recv(100)
                    if not piece:
                        return False
                    answer += piece
        except OSError:
            return False
        return b"+PONG" in answer

    def environment(self):
        # A unix socket's folder is the server's; tests reach it as root or as the same user.
        secret = (self.password + "@/:").replace("@", "%40").replace("/", "%2F").replace(":", "%3A")
        return {
            "ARVO_REDIS_URL": f"redis://:{self.password}@{server.HOST}:{self.port}",
            "ARVO_REDIS_UNIX_URL": f"redis+unix://{USER}:{secret}@{self.socket}",
            "ARVO_REDIS_PORT": str(self.port),
            "ARVO_REDIS_PASSWORD": self.password,
        }
