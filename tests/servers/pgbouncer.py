"""PgBouncer in transaction mode, in front of the PostgreSQL of this run.

    ARVO_PGBOUNCER_URL   by the unix socket
"""

import os
import signal
import socket

import postgres
import server


class Kind(server.Server):
    name = "pgbouncer"
    needs = ("postgres",)
    stop_signal = signal.SIGTERM  # at once; SIGINT would wait for clients

    @classmethod
    def missing(cls):
        if server.find_program("pgbouncer", "/usr/sbin") is None:
            return "PgBouncer is not installed (Debian: pgbouncer)"
        return None

    def prepare(self):
        self.port = server.free_port()
        behind = self.others["postgres"]
        users = self.write("users", f'"{postgres.USER}" ""\n')
        settings = {
            "listen_addr": server.HOST,
            "listen_port": str(self.port),
            "unix_socket_dir": self.folder,
            "auth_type": "trust",
            "auth_file": users,
            "pool_mode": "transaction",
            "default_pool_size": "20",
            "max_client_conn": "500",
            "log_connections": "0",
            "log_disconnections": "0",
            **self.settings,
        }
        self.config = self.write(
            "pgbouncer.ini",
            f"[databases]\n{postgres.DATABASE} = host={behind.folder} port={behind.port} dbname={postgres.DATABASE}\n"
            "[pgbouncer]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items()),
        )

    def command(self):
        return [server.find_program("pgbouncer", "/usr/sbin"), "-q", self.config]

    def is_ready(self):
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(os.path.join(self.folder, f".s.PGSQL.{self.port}")) == 0

    def environment(self):
        where = f"host={self.folder}&port={self.port}"
        return {"ARVO_PGBOUNCER_URL": f"postgres://{postgres.USER}@/{postgres.DATABASE}?{where}"}
