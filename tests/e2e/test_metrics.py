#!/usr/bin/env python3
"""Metrics that a worker serves: what they say, and what clients may do to them."""

import errno
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import unittest
import urllib.parse

from harness import ARVO, CounterCase, main

STORE = "sqlite:s.db"
SECONDS_MAX = 60
OPEN_METRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


class MetricsCase(CounterCase):
    GOAL = 3

    def work(self, *more, env=None):
        """A worker in the background that serves its metrics; where: self.host."""
        clean = {name: "" for name in os.environ if name.startswith("OTEL_")}
        process = subprocess.Popen(
            [ARVO, "work", self.app, "--store", STORE, "--metrics", "127.0.0.1:0", *more], cwd=self.folder,
            env={**os.environ, **clean, **(env or {})}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        self.addCleanup(self.end, process)
        for line in process.stdout:
            if line.startswith("metrics at "):
                url = urllib.parse.urlsplit(line.split()[2])
                self.assertEqual(url.path, "/metrics")
                self.host = url.netloc
                return process
        message = process.stderr.read()
        if "libmicrohttpd" in message:
            raise unittest.SkipTest("this build serves no metrics: " + message.strip())
        self.fail(message)

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
        process.communicate()

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection(self.host, timeout=SECONDS_MAX)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode()
        finally:
            connection.close()

    def raw(self, content):
        """What comes back for some bytes, whatever they are; a server may hang up before it has read them all."""
        host, port = self.host.split(":")
        answer = b""
        with socket.create_connection((host, int(port)), SECONDS_MAX) as connection:
            try:
                connection.sendall(content)
                connection.shutdown(socket.SHUT_WR)
                while piece := connection.recv(65536):
                    answer += piece
            except OSError as gone:
                self.assertIn(gone.errno, (errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN))
        return answer

    def metrics(self, accept="text/plain"):
        status, _, text = self.request("GET", "/metrics", headers={"Accept": accept})
        self.assertEqual(status, 200)
        found = {}
        for line in text.splitlines():
            if not line.startswith("#"):
                name, value = line.split(" # ")[0].rsplit(" ", 1)
                self.assertNotIn(name, found)
                found[name] = float(value)
        return found

    def until(self, name, value):
        end = time.monotonic() + SECONDS_MAX
        while time.monotonic() < end:
            found = self.metrics()
            if found.get(name) == value:
                return found
            time.sleep(0.05)
        self.fail(f"{name} is {found.get(name)}, not {value}, after {SECONDS_MAX} s")


class Metrics(MetricsCase):
    def test_what_a_worker_did_and_what_its_store_holds(self):
        self.ok("event", "send", self.start(self.GOAL), "--store", STORE)
        worker = self.work()
        found = self.until('arvo_worker_deliveries_total{outcome="unserved"}', 1)
        self.assertEqual(found['arvo_worker_deliveries_total{outcome="delivered"}'], 2 * self.GOAL + 1)
        self.assertEqual(found['arvo_worker_deliveries_total{outcome="failed"}'], 0)
        self.assertEqual(found["arvo_worker_threads"], 16)
        self.assertEqual(found['arvo_events_in_total{handler="arvo.orc.counter"}'], self.GOAL + 1)
        self.assertEqual(found['arvo_lock_hold_seconds_count{handler="arvo.orc.counter"}'], self.GOAL + 1)
        self.assertGreater(found["process_uptime_seconds"], 0)
        self.assertLess(found["process_uptime_seconds"], SECONDS_MAX)
        # The store is asked again when what it said is no longer fresh.
        found = self.until('arvo_instances{status="done"}', 1)
        self.assertEqual(found["arvo_store_up"], 1)
        self.assertEqual(found['arvo_instances{status="active"}'], 0)
        self.assertEqual((found["arvo_outbox_depth"], found["arvo_outbox_oldest_age_seconds"]), (0, 0))
        self.assertEqual((found["arvo_dead_letters"], found["arvo_dead_letter_oldest_age_seconds"]), (0, 0))
        self.assertGreater(found["arvo_store_bytes"], 1000)
        self.assertGreaterEqual(found["arvo_store_commits_total"], found["arvo_store_transactions_total"])
        self.assertGreater(found["arvo_store_transactions_total"], 0)
        self.assertLess(abs(found["arvo_store_observed_timestamp_seconds"] - time.time()), 120)
        worker.send_signal(signal.SIGTERM)
        out, err = worker.communicate(timeout=SECONDS_MAX)
        self.assertEqual((worker.returncode, err), (0, ""))
        self.assertIn("7 delivered", out)

    def test_what_clients_may_ask(self):
        self.work()
        status, headers, text = self.request("GET", "/metrics")
        self.assertEqual((status, headers["Content-Type"]), (200, "text/plain; version=0.0.4; charset=utf-8"))
        self.assertNotIn("# EOF", text)
        status, headers, text = self.request("GET", "/metrics?x=1", headers={"Accept": OPEN_METRICS})
        self.assertEqual((status, headers["Content-Type"]), (200, "application/openmetrics-text; version=1.0.0; charset=utf-8"))
        self.assertTrue(text.endswith("# EOF\n"))
        status, headers, text = self.request("HEAD", "/metrics")
        self.assertEqual((status, text), (200, ""))
        self.assertGreater(int(headers["Content-Length"]), 1000)
        self.assertEqual(self.request("GET", "/healthz")[::2], (200, "ok\n"))
        for path in ("/", "/metrics/", "/healthz/x", "/../etc/passwd"):
            self.assertEqual(self.request("GET", path)[0], 404, path)
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            status, headers, _ = self.request(method, "/metrics", body=b"x" * 100000 if method == "POST" else None)
            self.assertEqual((status, headers["Allow"]), (405, "GET, HEAD"), method)

    def test_what_is_not_http_harms_nobody(self):
        self.work()
        for content in (b"rubbish\r\n\r\n", b"GET\r\n\r\n", b"\x00\x01\x02", b"GET /metrics HTTP/9.9\r\n\r\n", b"\r\n" * 100, b""):
            answer = self.raw(content)
            if answer:
                self.assertRegex(answer, rb"^HTTP/1\.[01] [45]\d\d ", content)
        long_head = b"GET /metrics HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"y" * 1000) for n in range(100)) + b"\r\n"
        answer = self.raw(long_head)
        if answer:
            self.assertRegex(answer, rb"^HTTP/1\.[01] 4\d\d ", "a head that is too long")
        self.assertEqual(self.request("GET", "/healthz")[0], 200)

    def test_clients_that_say_nothing_are_bounded(self):
        """Of 30 that connect, 16 are taken up at a time."""
        worker = self.work()
        host, port = self.host.split(":")
        files = lambda: len(os.listdir(f"/proc/{worker.pid}/fd"))  # noqa: E731
        before, most = files(), 0
        silent = [socket.create_connection((host, int(port)), SECONDS_MAX) for _ in range(30)]
        end = time.monotonic() + SECONDS_MAX
        while most < before + 16:
            self.assertLess(time.monotonic(), end)
            most = max(most, files())
        for _ in range(20):
            most = max(most, files())
            time.sleep(0.005)
        self.assertLessEqual(most, before + 17)
        for connection in silent:
            connection.close()
        self.assertEqual(self.request("GET", "/healthz")[0], 200)

    def test_addresses_that_cannot_be_served(self):
        self.work()
        taken = self.host
        for address, says in ((taken, "in use"), ("nowhere", "127.0.0.1:9464"), ("127.0.0.1:99999", "HOST:PORT"), ("192.0.2.1:1", "cannot be listened on")):
            self.fails(2, "work", self.app, "--store", STORE, "--metrics", address, says=[address, says])

    def test_json_lines_stay_json(self):
        self.ok("event", "send", self.start(1), "--store", STORE)
        result = self.arvo("work", self.app, "--store", STORE, "--metrics", "0", "--until-idle", "--json")
        if "libmicrohttpd" in result.err:
            self.skipTest(result.err.strip())
        self.assertEqual(result.code, 0, result)
        self.assertEqual(len(result.lines()), 4)
        self.assertRegex(result.err, r"^metrics at http://127\.0\.0\.1:\d+/metrics\n$")

    def test_promtool(self):
        promtool = shutil.which("promtool")
        if promtool is None:
            self.skipTest("promtool is not installed (Debian package prometheus)")
        self.ok("event", "send", self.start(self.GOAL), "--store", STORE)
        self.work()
        self.until('arvo_worker_deliveries_total{outcome="unserved"}', 1)
        text = self.request("GET", "/metrics")[2]
        done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)
        # And it is promtool that says so: a counter without its suffix is named.
        done = subprocess.run([promtool, "check", "metrics"], input=re.sub("arvo_worker_claims_total", "arvo_worker_claims", text), capture_output=True, text=True, check=False)
        self.assertNotEqual(done.returncode, 0, done)


if __name__ == "__main__":
    main()
