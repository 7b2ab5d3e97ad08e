#!/usr/bin/env python3
"""Run a program with servers of its own, and end them with it.

    tests/servers/run.py KIND... [--set KIND.NAME=VALUE]... -- PROGRAM [ARGUMENT...]

A KIND is a module of this folder: postgres, pgbouncer, prometheus, redis. Each server gets a temporary folder,
sockets and ports of its own, so nothing that runs on the machine is needed or disturbed; as root it
runs as another user. --set puts a line into its configuration: --set postgres.fsync=off.

The program finds the URLs in its environment (each module names its variables), and in
ARVO_SERVER_CONTROL the path of a unix socket that takes one line per connection,

    KIND stop|crash|start|restart|freeze|thaw

and answers "ok" when it is done, or "error: ...".

Exit code: the program's; 77, with a line that says why, when a server is not installed; 2 for
wrong usage; 1 when a server does not start.
"""

import fcntl
import glob
import importlib
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import server  # noqa: E402

SKIPPED = 77
PREFIX = "arvo-servers-"
ACTIONS = ("stop", "crash", "start", "restart", "freeze", "thaw")
LINE_BYTES_MAX = 200


class Interrupted(Exception):
    pass


def usage(problem):
    print(f"run.py: {problem}; usage: run.py KIND... [--set KIND.NAME=VALUE]... -- PROGRAM [ARGUMENT...]", file=sys.stderr)
    sys.exit(2)


def parse(arguments):
    """Kinds in the order of their start, settings per kind, the program."""
    if "--" not in arguments or arguments[-1] == "--":
        usage("no program")
    at = arguments.index("--")
    words, program = arguments[:at], arguments[at + 1 :]
    names, settings = [], {}
    while words:
        word = words.pop(0)
        if word == "--set":
            setting, equals, value = (words.pop(0) if words else "").partition("=")
            kind, dot, name = setting.partition(".")
            if not equals or not dot:
                usage("--set wants KIND.NAME=VALUE")
            settings.setdefault(kind, {})[name] = value
        else:
            names.append(word)
    if not names:
        usage("no kind of server")
    return load(names), settings, program


def load(names):
    here = os.path.dirname(os.path.abspath(__file__))
    kinds = {}

    def add(name):
        if name in kinds:
            return
        if not name.isalpha() or name in ("run", "server") or not os.path.exists(os.path.join(here, name + ".py")):
            usage(f'unknown kind of server "{name}"')
        kind = importlib.import_module(name).Kind
        for need in kind.needs:
            add(need)
        kinds[name] = kind

    for name in names:
        add(name)
    return kinds


def sweep():
    """Remove folders of runs that were killed: nobody holds the lock in them."""
    for path in glob.glob(os.path.join(tempfile.gettempdir(), PREFIX + "*")):
        try:
            with open(os.path.join(path, "lock"), "rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
        except OSError:
            continue


def make_folder():
    folder = tempfile.mkdtemp(prefix=PREFIX)
    os.chmod(folder, 0o711)  # another user's server has to reach its own folder in it
    path = os.path.join(folder, "lock")
    lock = open(path + "~", "wb")  # held open, and locked, until this process ends
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.rename(path + "~", path)
    return folder, lock


def obey(connection, servers):
    """One line from the control socket."""
    with connection:
        connection.settimeout(5)
        words = connection.recv(LINE_BYTES_MAX).decode("utf-8", "replace").split()
        if len(words) != 2 or words[0] not in servers or words[1] not in ACTIONS:
            answer = f"error: say KIND {'|'.join(ACTIONS)}"
        else:
            try:
                getattr(servers[words[0]], words[1])()
                answer = "ok"
            except server.ServerError as error:
                answer = f"error: {error}"
        connection.sendall(answer.encode() + b"\n")


def serve(program, servers, control, environment):
    """Run the program; obey the control socket until it ends."""
    child = subprocess.Popen(program, env={**os.environ, **environment})
    try:
        with selectors.DefaultSelector() as selector:
            ended = os.pidfd_open(child.pid)
            selector.register(ended, selectors.EVENT_READ)
            selector.register(control, selectors.EVENT_READ)
            while child.poll() is None:
                for key, _ in selector.select():
                    if key.fileobj is control:
                        try:
                            obey(control.accept()[0], servers)
                        except OSError:
                            continue  # who asked is gone
            os.close(ended)
        return child.returncode
    finally:
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def run(kinds, settings, program, folder):
    servers = {}
    environment = {}
    try:
        for name, kind in kinds.items():
            place = os.path.join(folder, name)
            os.mkdir(place, 0o700)
            servers[name] = kind(place, settings.get(name, {}), dict(servers))
            servers[name].prepare()
            servers[name].start()
            environment.update(servers[name].environment())
        path = os.path.join(folder, "control")
        with socket.socket(socket.AF_UNIX) as control:
            control.bind(path)
            control.listen()
            environment["ARVO_SERVER_CONTROL"] = path
            return serve(program, servers, control, environment)
    finally:
        for one in reversed(list(servers.values())):
            one.thaw()
            one.stop()


def interrupt(number, _frame):
    raise Interrupted(number)


def main():
    kinds, settings, program = parse(sys.argv[1:])
    for kind in kinds.values():
        reason = kind.missing()
        if reason is not None:
            print(f"{os.path.basename(program[0])}: {reason}: skipped")
            return SKIPPED
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    sweep()
    folder, _lock = make_folder()
    try:
        code = run(kinds, settings, program, folder)
        # A program that a signal ended is told as a shell tells it.
        return code if code >= 0 else 128 - code
    except Interrupted as error:
        return 128 + error.args[0]
    except (server.ServerError, OSError) as error:
        print(f"run.py: {error}", file=sys.stderr)
        return 1
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
