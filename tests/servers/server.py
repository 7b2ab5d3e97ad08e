"""A server that a test starts for itself: what run.py and the kinds of server share.

A kind is a module of its name in this folder with a class `Kind(Server)`: it says how the server is
prepared, started and asked whether it is ready, and under which variables its URLs are handed on.
"""

import ctypes
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time

HOST = "127.0.0.1"
START_SECONDS = 60
STOP_SECONDS = 15
UNPRIVILEGED = ("postgres", "nobody")  # the first that exists, when we are root
PR_SET_PDEATHSIG = 1


class ServerError(Exception):
    """One line: what did not work, and where to look."""


def free_port():
    """A port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def password():
    return secrets.token_hex(12)


class Server:
    name = ""  # the kind's, for messages and the control socket
    needs = ()  # kinds that have to run before
    stop_signal = signal.SIGTERM  # ends it in order
    crash_signal = signal.SIGKILL  # ends it as a crash would

    def __init__(self, folder, settings, others):
        """`folder`: empty, ours alone. `settings`: {name: value} of this kind's configuration.
        `others`: the servers that run already, by name."""
        self.folder = folder
        self.settings = settings
        self.others = others
        self.process = None
        self.log = os.path.join(folder, self.name + ".log")
        self.account = None
        if os.geteuid() == 0:
            known = {entry.pw_name: entry for entry in pwd.getpwall()}
            self.account = next((known[name] for name in UNPRIVILEGED if name in known), None)
            if self.account is None:
                raise ServerError(f"{self.name}: as root a user {' or '.join(UNPRIVILEGED)} is needed to run it")
        self.own(folder)

    # ---- For each kind to fill in ----------------------------------------

    @classmethod
    def missing(cls):
        """Why it cannot run here (not installed), or None."""
        raise NotImplementedError

    def prepare(self):
        """Once, before the first start: configuration, data folder."""

    def command(self):
        """The program and its arguments; it has to stay in the foreground."""
        raise NotImplementedError

    def is_ready(self):
        raise NotImplementedError

    def environment(self):
        """Variables for the program under test."""
        raise NotImplementedError

    # ---- For all ---------------------------------------------------------

    def own(self, path):
        """Give a file or folder to the user that the server runs as."""
        if self.account is not None:
            os.chown(path, self.account.pw_uid, self.account.pw_gid)

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o600)
        self.own(path)
        return path

    def demote(self):
        """In the child: become the unprivileged user, and end when this process does."""
        if self.account is not None:
            os.setgroups([])
            os.setgid(self.account.pw_gid)
            os.setuid(self.account.pw_uid)
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, self.stop_signal)

    def spawn(self, command):
        with open(self.log, "ab") as log:
            self.own(self.log)
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "HOME": self.folder},
                preexec_fn=self.demote,
                start_new_session=True,
            )

    def run(self, command):
        """A helper program to its end."""
        code = self.spawn(command).wait()
        if code != 0:
            raise ServerError(f"{self.name}: {os.path.basename(command[0])} ended with {code}: {self.log_tail()}")

    def log_tail(self):
        try:
            with open(self.log, "rb") as log:
                lines = log.read()[-2000:].decode("utf-8", "replace").strip().splitlines()
        except OSError:
            lines = []
        return " | ".join(lines[-5:]) or "it wrote nothing"

    def start(self):
        if self.process is not None:
            raise ServerError(f"{self.name}: runs already")
        self.process = self.spawn(self.command())
        end = time.monotonic() + START_SECONDS
        while not self.is_ready():
            if self.process.poll() is not None:
                code, self.process = self.process.returncode, None
                raise ServerError(f"{self.name}: ended with {code} at its start: {self.log_tail()}")
            if time.monotonic() > end:
                self.stop()
                raise ServerError(f"{self.name}: not ready after {START_SECONDS} s: {self.log_tail()}")
            time.sleep(0.02)

    def end(self, first_signal):
        """Send it a signal, by its process id, and see it end; SIGKILL when it does not."""
        process, self.process = self.process, None
        if process is None:
            return
        for number in (first_signal, signal.SIGKILL):
            process.send_signal(number)
            try:
                process.wait(STOP_SECONDS)
                return
            except subprocess.TimeoutExpired:
                continue
        raise ServerError(f"{self.name}: process {process.pid} cannot be ended")

    def stop(self):
        self.end(self.stop_signal)

    def crash(self):
        self.end(self.crash_signal)

    def freeze(self):
        """Stop it where it is (SIGSTOP), as a machine that hangs."""
        if self.process is not None:
            self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)

    def restart(self):
        self.stop()
        self.start()


def find_program(name, *folders):
    """Path of a program, in PATH or in the folders; None when it is not there."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *folders])
    return shutil.which(name, path=path)
