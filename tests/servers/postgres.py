"""PostgreSQL: a cluster of its own, on a unix socket in its folder and a free loopback port.

    ARVO_POSTGRES_URL       by the unix socket, without a password
    ARVO_POSTGRES_TCP_URL   by 127.0.0.1, with a password (scram-sha-256)
    ARVO_POSTGRES_DATA      the data folder
"""

import glob
import os
import signal
import socket
import subprocess

import server

USER = "arvo"
DATABASE = "arvo"
# Small and plain; durability is left as Debian ships it (fsync on).
SETTINGS = {
    "shared_buffers": "128MB",
    "max_connections": "200",
    "max_wal_size": "1GB",
    "log_min_messages": "warning",
    "timezone": "'UTC'",
}


def folders():
    """Where Debian keeps the programs, newest version first."""
    found = glob.glob("/usr/lib/postgresql/*/bin")
    return sorted(found, key=lambda path: -int(path.split("/")[4].split(".")[0]))


class Kind(server.Server):
    name = "postgres"
    stop_signal = signal.SIGINT  # fast shutdown
    crash_signal = signal.SIGQUIT  # what pg_ctl calls immediate: no checkpoint, recovery at the next start

    @classmethod
    def missing(cls):
        if server.find_program("postgres", *folders()) is None or server.find_program("initdb", *folders()) is None:
            return "PostgreSQL is not installed (Debian: postgresql)"
        return None

    def program(self, name):
        return server.find_program(name, *folders())

    def prepare(self):
        self.port = server.free_port()
        self.password = server.password()
        self.data = os.path.join(self.folder, "data")
        words = self.write("password", self.password + "\n")
        self.run(
            [
                self.program("initdb"), "--no-sync", "--encoding=UTF8", "--locale=C", f"--username={USER}",
                "--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={words}", f"--pgdata={self.data}",
            ]
        )
        settings = {
            **SETTINGS,
            "listen_addresses": f"'{server.HOST}'",
            "port": str(self.port),
            "unix_socket_directories": f"'{self.folder}'",
            **self.settings,
        }
        with open(os.path.join(self.data, "postgresql.conf"), "a", encoding="utf-8") as file:
            file.writelines(f"{name} = {value}\n" for name, value in settings.items())
        # The first start makes the database, in a server of one user that nobody can reach.
        single = [self.program("postgres"), "--single", "-D", self.data, "postgres"]
        done = subprocess.run(
            single, input=f'CREATE DATABASE "{DATABASE}"\n', text=True, capture_output=True, check=False,
            preexec_fn=self.demote, cwd=self.folder,
        )
        if done.returncode != 0 or "ERROR" in done.stderr:
            raise server.ServerError(f"postgres: the database cannot be made: {done.stderr.strip()}")

    def command(self):
        return [self.program("postgres"), "-D", self.data]

    def is_ready(self):
        # The socket file is there before recovery has ended, so ask for a connection.
        if not os.path.exists(os.path.join(self.folder, f".s.PGSQL.{self.port}")):
            return False
        asked = subprocess.run(
            [self.program("pg_isready"), "-q", "-h", self.folder, "-p", str(self.port), "-d", DATABASE, "-U", USER],
            check=False,
        )
        return asked.returncode == 0 and self.listens()

    def listens(self):
        with socket.socket() as probe:
            return probe.connect_ex((server.HOST, self.port)) == 0

    def environment(self):
        return {
            "ARVO_POSTGRES_URL": f"postgres://{USER}@/{DATABASE}?host={self.folder}&port={self.port}",
            "ARVO_POSTGRES_TCP_URL": f"postgres://{USER}:{self.password}@{server.HOST}:{self.port}/{DATABASE}",
            "ARVO_POSTGRES_DATA": self.data,
        }
