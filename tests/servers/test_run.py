#!/usr/bin/env python3
"""The runner of servers: what it hands on, and that nothing is left of it."""

import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))
import postgres  # noqa: E402

RUN = [sys.executable, str(HERE / "run.py")]
ASK = """
import os, socket, sys
for line in sys.argv[1:]:
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(os.environ["ARVO_SERVER_CONTROL"])
        control.sendall(line.encode())
        print(control.recv(300).decode().strip())
"""


def run(*words, **more):
    return subprocess.run([*RUN, *words], text=True, capture_output=True, check=False, timeout=120, **more)


def is_alive(pid):
    try:
        os.kill(pid, 0)
        return pathlib.Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


class Usage(unittest.TestCase):
    def test_wrong_words_are_refused(self):
        for words in ((), ("postgres",), ("--", "true"), ("nosuch", "--", "true"), ("server", "--", "true"),
                      ("postgres", "--set", "fsync", "--", "true")):
            done = run(*words)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn("usage:", done.stderr)

    def test_missing_server_is_a_skip(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "nopath"
            code = f"import sys; sys.path.insert(0, {str(HERE)!r}); import postgres, run, server; " \
                   "server.find_program = lambda *a: None; sys.argv = ['run.py', 'postgres', '--', 'true']; " \
                   "sys.exit(run.main())"
            done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=False, cwd=path.parent)
            self.assertEqual(done.returncode, 77, done.stderr)
            self.assertIn("not installed", done.stdout)


@unittest.skipIf(postgres.Kind.missing() is not None, "PostgreSQL is not installed")
class Postgres(unittest.TestCase):
    def start(self):
        """A run whose program prints its folder and sleeps; gives (process, postmaster's pid, folder)."""
        script = 'head -n 1 "$ARVO_POSTGRES_DATA/postmaster.pid"; dirname "$ARVO_SERVER_CONTROL"; exec sleep 100'
        process = subprocess.Popen([*RUN, "postgres", "--", "sh", "-c", script], text=True, stdout=subprocess.PIPE)
        return process, int(process.stdout.readline()), pathlib.Path(process.stdout.readline().strip())

    def wait_gone(self, pid):
        end = time.monotonic() + 20
        while is_alive(pid) and time.monotonic() < end:
            time.sleep(0.05)
        self.assertFalse(is_alive(pid))

    def test_exit_code_url_and_restart(self):
        script = f'{sys.executable} -c \'{ASK}\' "postgres crash" "postgres start" "postgres start" "nosuch stop"; ' \
                 'test -n "$ARVO_POSTGRES_URL" || exit 1; exit 7'
        done = run("postgres", "--", "sh", "-c", script)
        self.assertEqual(done.returncode, 7, done.stderr)
        lines = done.stdout.splitlines()
        self.assertEqual(lines[:2], ["ok", "ok"])
        self.assertIn("runs already", lines[2])
        self.assertTrue(lines[3].startswith("error: say KIND"))

    def test_nothing_is_left_when_it_is_interrupted(self):
        process, pid, folder = self.start()
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(30), 128 + signal.SIGTERM)
        process.stdout.close()
        self.assertFalse(is_alive(pid))
        self.assertFalse(folder.exists())

    def test_a_killed_run_takes_its_server_along(self):
        process, pid, folder = self.start()
        process.kill()
        process.wait(30)
        process.stdout.close()
        self.wait_gone(pid)
        self.assertTrue(folder.exists())
        run("postgres", "--", "true")  # the next one sweeps up
        self.assertFalse(folder.exists())


if __name__ == "__main__":
    unittest.main()
