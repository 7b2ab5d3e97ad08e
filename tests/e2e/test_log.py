#!/usr/bin/env python3
"""The log: JSON lines, lines on a terminal, journald's fields; levels; what must not be in it."""

import json
import os
import pty
import select
import socket
import subprocess
import time

from harness import ARVO, CounterCase, main

STORE = "sqlite:s.db"
TRACE = "0123456789abcdef0123456789abcdef"


class Log(CounterCase):
    def bad_start(self):
        """An event whose data breaks the contract; what the violation says quotes it."""
        with open(self.start(1), encoding="utf-8") as file:
            event = json.load(file)
        event["data"]["goal"] = "many"
        event["traceparent"] = f"00-{TRACE}-0123456789abcdef-01"
        return event, self.write("bad.json", event)

    def log_of(self, result):
        return [json.loads(line) for line in result.err.splitlines()]

    def test_what_commands_print_stays_as_it_is(self):
        _, path = self.bad_start()
        result = self.arvo("run", self.app, "--event", path)
        self.assertEqual((result.code, result.err), (1, ""))

    def test_json_lines(self):
        event, path = self.bad_start()
        result = self.arvo("run", self.app, "--event", path, env={"ARVO_LOG": "info"})
        self.assertEqual(result.code, 1, result)
        (record,) = self.log_of(result)
        self.assertRegex(record.pop("time"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00$")
        self.assertEqual(
            record,
            {
                "level": "warning",
                "area": "orchestrator",
                "message": "a workflow error: a system error event goes to the initiator",
                "handler": "arvo.orc.counter",
                "eventType": "arvo.orc.counter",
                "eventId": event["id"],
                "traceId": TRACE,
                "spanId": "0123456789abcdef",
                "subject": event["subject"],
                "attributes": {"error": "ContractViolation"},
            },
        )

    def test_data_of_events_only_when_asked_for(self):
        _, path = self.bad_start()
        for asked in ("", "0", "1"):
            result = self.arvo("run", self.app, "--event", path, "--store", f"sqlite:{asked or 'none'}.db", env={"ARVO_LOG": "debug", "ARVO_LOG_DATA": asked})
            self.assertEqual(result.code, 1, result)
            self.assertTrue(self.log_of(result))
            self.assertEqual("/goal" in result.err, asked == "1", result)

    def test_a_worker_says_when_it_begins_and_ends(self):
        self.ok("event", "send", self.start(2), "--store", STORE)
        result = self.arvo("work", self.app, "--store", STORE, "--until-idle", env={"ARVO_LOG": "off,worker=info"})
        self.assertEqual([record["message"] for record in self.log_of(result)], ["the worker delivers", "the worker has ended"])
        self.ok("event", "send", self.start(2), "--store", STORE)
        result = self.arvo("work", self.app, "--store", STORE, "--until-idle", env={"ARVO_LOG": "worker=debug"})
        self.assertEqual([record["message"] for record in self.log_of(result)].count("the event was delivered"), 5)
        self.ok("event", "send", self.start(2), "--store", STORE)
        self.ok("work", self.app, "--store", STORE, "--until-idle")  # nothing, by default

    def test_what_is_not_understood_is_said_once(self):
        for variable, value, says in (
            ("ARVO_LOG", "loud", 'ARVO_LOG: unknown level "loud"; known: debug, info, warning, error, critical, off; '),
            ("ARVO_LOG", "info,wroker=debug", 'ARVO_LOG: unknown area "wroker"; known: orchestrator, '),
            ("ARVO_LOG", "x" * 2000, "ARVO_LOG: 2000 bytes of levels, 1024 at most; "),
            ("ARVO_LOG_FORMAT", "xml", "ARVO_LOG_FORMAT=xml: it must be text, json or journal"),
            ("ARVO_LOG_DATA", "yes", "ARVO_LOG_DATA=yes: it must be 1 or 0; no data is logged"),
        ):
            start = self.start(3, f"{len(value)}{variable}.json")
            result = self.arvo("run", self.app, "--event", start, "--follow", env={variable: value})
            self.assertEqual(result.code, 0, result)
            self.assertOneLine(result)
            self.assertTrue(result.err.startswith(f"arvo: {says}"), result)
        result = self.arvo("version", env={"ARVO_LOG": "loud"})
        self.assertEqual((result.code, result.err), (0, ""))

    def on_terminal(self, *arguments, env):
        """What the command writes to a terminal as its standard error."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen([ARVO, *arguments], cwd=self.folder, stdout=subprocess.DEVNULL, stderr=theirs, env={**os.environ, "TERM": "xterm", **env})
        os.close(theirs)
        text, deadline = b"", time.monotonic() + 60
        while time.monotonic() < deadline:
            if not select.select([ours], [], [], 1)[0]:
                continue
            try:
                part = os.read(ours, 65536)
            except OSError:  # Linux: nobody has the other end any more
                break
            if part == b"":
                break
            text += part
        process.wait(timeout=60)
        os.close(ours)
        return text.decode()

    def test_lines_on_a_terminal(self):
        _, path = self.bad_start()
        run = ("run", self.app, "--event", path)
        coloured = self.on_terminal(*run, env={"ARVO_LOG": "warn", "NO_COLOR": ""})
        self.assertRegex(
            coloured, r"^\r\x1b\[K\d{4}-\S+ \x1b\[33mwarning \x1b\[0m orchestrator: a workflow error: [^\n]* error=ContractViolation handler=arvo\.orc\.counter [^\n]*\n$"
        )
        plain = self.on_terminal(*run, env={"ARVO_LOG": "warn", "NO_COLOR": "1"})
        self.assertRegex(plain, r"^\r\x1b\[K\d{4}-\S+ warning  orchestrator: a workflow error: [^\x1b]*\n$")
        forced = self.arvo(*run, env={"ARVO_LOG": "warn", "ARVO_LOG_FORMAT": "text"})
        self.assertRegex(forced.err, r"^\d{4}-\S+ warning  orchestrator: a workflow error: [^\x1b]*\n$")
        self.assertIn('"level":"warning"', self.on_terminal(*run, env={"ARVO_LOG": "warn", "ARVO_LOG_FORMAT": "json"}))

    # ---- journald ----

    def journald(self):
        """A socket like journald's."""
        server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(server.close)
        server.bind(self.path("journal"))
        server.settimeout(10)
        return server

    def under_journald(self, stream=None, **env):
        """Run a command whose standard error is said to be the journal's; what it wrote there."""
        _, path = self.bad_start()
        with open(self.path("err"), "wb") as err:
            info = os.fstat(err.fileno())
            env = {"ARVO_LOG": "warn", "ARVO_LOG_JOURNAL": self.path("journal"), "JOURNAL_STREAM": stream or f"{info.st_dev}:{info.st_ino}", **env}
            subprocess.run(
                [ARVO, "run", self.app, "--event", path], cwd=self.folder, stdout=subprocess.DEVNULL, stderr=err, env={**os.environ, **env}, timeout=60, check=False
            )
        with open(self.path("err"), encoding="utf-8") as err:
            return err.read()

    def test_journald_gets_fields(self):
        server = self.journald()
        self.assertEqual(self.under_journald(), "")
        lines = server.recv(65536).decode().splitlines()
        fields = dict(line.split("=", 1) for line in lines)
        self.assertEqual(fields["MESSAGE"], "a workflow error: a system error event goes to the initiator")
        self.assertEqual(fields["PRIORITY"], "4")
        self.assertEqual(fields["SYSLOG_IDENTIFIER"], "arvo")
        self.assertEqual(fields["ARVO_AREA"], "orchestrator")
        self.assertEqual(fields["ARVO_TRACE_ID"], TRACE)
        self.assertEqual(fields["ARVO_ERROR"], "ContractViolation")
        self.assertEqual(fields["ARVO_HANDLER"], "arvo.orc.counter")

    def test_without_journald_nothing_is_lost(self):
        self.assertIn('"level":"warning"', self.under_journald())  # no socket
        self.write("journal", "no socket")
        self.assertIn('"level":"warning"', self.under_journald())
        os.unlink(self.path("journal"))
        server = self.journald()
        self.assertIn('"level":"warning"', self.under_journald(stream="1:2"))  # another file
        server.close()  # the socket is there, and nobody reads it
        self.assertIn('"level":"warning"', self.under_journald())
        os.unlink(self.path("journal"))
        said = self.under_journald(ARVO_LOG_FORMAT="journal").splitlines()
        self.assertEqual(said[0], "arvo: ARVO_LOG_FORMAT=journal: journald is not there; see ARVO_LOG_JOURNAL")
        self.assertEqual(json.loads(said[1])["level"], "warning")


if __name__ == "__main__":
    main()
