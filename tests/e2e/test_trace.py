#!/usr/bin/env python3
"""What took how long: arvo trace of what a store remembers, and arvo run --trace of what just happened."""

import contextlib
import fcntl
import json
import os
import pty
import re
import sqlite3
import struct
import subprocess
import termios
import xml.etree.ElementTree

from harness import ARVO, ROOT, CounterCase, main
from otlp_receiver import Receiver

LOAN = os.path.join(ROOT, "tests", "e2e", "apps", "loan")
UTF8 = {"LC_ALL": "C.UTF-8"}
ASCII = {"LC_ALL": "C"}
SVG = "{http://www.w3.org/2000/svg}"

# When which event of a paid loan became durable, in milliseconds since the start.
TIMES = {
    ("consumed", "arvo.orc.loan"): 0,
    ("produced", "com.credit.check"): 0,
    ("produced", "com.identity.check"): 0,
    ("produced", "evt.credit.check.done"): 1000,
    ("consumed", "evt.credit.check.done"): 1500,
    ("produced", "evt.identity.check.passed"): 1200,
    ("consumed", "evt.identity.check.passed"): 4200,
    ("produced", "arvo.orc.disbursement"): 4200,
    ("consumed", "arvo.orc.disbursement"): 4300,
    ("produced", "com.bank.transfer"): 4300,
    ("produced", "evt.bank.transfer.sent"): 9300,
    ("consumed", "evt.bank.transfer.sent"): 9400,
    ("produced", "arvo.orc.disbursement.done"): 9400,
    ("consumed", "arvo.orc.disbursement.done"): 9500,
    ("produced", "fact.loan.ended"): 9500,
    ("produced", "arvo.orc.loan.done"): 9500,
}


class TraceCase(CounterCase):
    def loan(self, amount, store="sqlite:loans.db", **more):
        """A loan of this amount, run as far as it goes; its subject."""
        made = self.ok(
            "event", "new", "--init", "--type", "arvo.orc.loan", "--app", LOAN, "--source", "com.web.desk",
            "--data", json.dumps({"applicant": "ada", "amount": amount, **more}),
        )
        self.ok("run", LOAN, "--event", self.write("start.json", made.out), "--store", store, "--follow", "--json")
        return made.json()["subject"]

    def timed_loan(self):
        """A store in which everything happened when TIMES says."""
        subject = self.loan(900)
        self.ok("backup", "timed.db", "--store", "sqlite:loans.db")
        with contextlib.closing(sqlite3.connect(self.path("timed.db"))) as store:
            for (direction, event_type), time in TIMES.items():
                done = store.execute(
                    "UPDATE event SET time_ms = ? WHERE direction = ? AND type = ?",
                    (1700000000000 + time, direction == "produced", event_type),
                )
                self.assertEqual(done.rowcount, 1, event_type)
            store.commit()
        return subject

    def trace(self, subject, store="sqlite:loans.db", **more):
        return self.ok("trace", subject, "--store", store, "--json", **more).json()

    def assertAddsUp(self, instance):
        """Waiting and working are all the time there is, in whatever instance."""
        (total,) = [row for row in [self.milliseconds(instance["end"]) - self.milliseconds(instance["start"])]]
        self.assertEqual(instance["waitedMs"] + instance["workedMs"], total, instance)
        for row in instance["rows"]:
            if row["child"]:
                self.assertAddsUp(row["child"])

    @staticmethod
    def milliseconds(text):
        hours, minutes, seconds = re.search(r"T(\d\d):(\d\d):([\d.]+)\+00:00$", text).groups()
        return int(hours) * 3600000 + int(minutes) * 60000 + round(float(seconds) * 1000)

    def on_terminal(self, columns, *arguments, env):
        """What a terminal of this width gets."""
        outer, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = subprocess.Popen([ARVO, *arguments], stdout=inner, cwd=self.folder, env={**os.environ, "TERM": "xterm", **env})
        os.close(inner)
        text = b""
        try:
            while chunk := os.read(outer, 65536):
                text += chunk
        except OSError:
            pass  # its end, on Linux
        os.close(outer)
        self.assertEqual(process.wait(), 0)
        return text.decode()


class Workflow(TraceCase):
    def test_waiting_apart_from_working(self):
        subject = self.timed_loan()
        loan = self.trace(subject, "sqlite:timed.db")
        self.assertAddsUp(loan)
        self.assertEqual((loan["status"], loan["steps"]), ("done", 4))
        # At work: 1000 to 1500 (credit), to 4200 (identity was there already), 9400 to 9500 (paid).
        self.assertEqual((loan["workedMs"], loan["waitedMs"]), (500 + 2700 + 100, 1000 + 5200))
        rows = {row["type"]: row for row in loan["rows"]}
        self.assertEqual(list(rows), ["com.credit.check", "com.identity.check", "arvo.orc.disbursement", "fact.loan.ended"])
        waits = {name: (row["kind"], row["answer"], row["waitedMs"], row["workedMs"]) for name, row in rows.items()}
        self.assertEqual(waits["com.credit.check"], ("call", "evt.credit.check.done", 1000, 500))
        self.assertEqual(waits["com.identity.check"], ("call", "evt.identity.check.passed", 1200, 3000))
        self.assertEqual(waits["arvo.orc.disbursement"], ("child", "arvo.orc.disbursement.done", 5200, 100))
        self.assertEqual(waits["fact.loan.ended"], ("call", None, 0, 0))
        child = rows["arvo.orc.disbursement"]["child"]
        self.assertEqual((child["parentSubject"], child["status"], child["workedMs"], child["waitedMs"]), (subject, "done", 200, 5000))
        self.assertEqual(loan["total"], {"instances": 2, "steps": 6, "workedMs": 3500})
        self.assertFalse(loan["cut"])

    def test_as_text(self):
        subject = self.timed_loan()
        lines = self.ok("trace", subject, "--store", "sqlite:timed.db", env=UTF8).out.splitlines()
        self.assertRegex(lines[0], r"^arvo\.orc\.loan@2\.0\.0 [0-9a-f-]{36}, done$")
        self.assertEqual(lines[1], "since 2023-11-14T22:13:20.000+00:00, 9.50 s: 6.20 s waiting, 3.30 s working")
        self.assertEqual(lines[2], "2 instances, 6 steps, 3.50 s working in all")
        # 18 columns stand for 9.5 s: 0 to 1 s waits, then work until 4.2 s, then waits to the last step.
        self.assertRegex(lines[5], r"^arvo\.orc\.loan@2\.0\.0 \[done\] +0 ms +6\.20 s +3\.30 s  ▌░+█+▌?░+▌$")
        self.assertRegex(lines[6], r"^├─ com\.credit\.check → evt\.credit\.check\.done +0 ms +1\.00 s +500 ms  ░+█+▌?$")
        self.assertRegex(lines[8], r"^├─ arvo\.orc\.disbursement@1\.0\.0 \[done\] +4\.20 s +5\.00 s +200 ms  +[▌░]+$")
        self.assertRegex(lines[9], r"^│  └─ com\.bank\.transfer → evt\.bank\.transfer\.sent +4\.30 s ")
        self.assertRegex("\n".join(lines), r"\nWAITED FOR +TIMES +OPEN +IN ALL +LONGEST\narvo\.orc\.disbursement +1 +0 +5\.20 s +5\.20 s\n")
        self.assertEqual({len(line) <= 120 for line in lines}, {True})
        plain = self.ok("trace", subject, "--store", "sqlite:timed.db", env=ASCII).out
        self.assertTrue(plain.isascii(), plain)
        self.assertRegex(plain, r"\n\|  `- com\.bank\.transfer -> evt\.bank\.transfer\.sent ")

    def test_a_terminal_bounds_its_lines(self):
        subject = self.timed_loan()
        for columns in (24, 60, 100, 190):
            with self.subTest(columns=columns):
                text = self.on_terminal(columns, "trace", subject, "--store", "sqlite:timed.db", env=UTF8)
                self.assertIn("\033[1m", text)
                table = re.sub(r"\033\[\d*m", "", text).replace("\r", "").split("\n\n")[1].splitlines()
                bars = [line for line in table if re.search(r"[░▌█]", line)]
                # Numbers are not cut: below that nothing but the bars can go.
                self.assertEqual([line for line in table if len(line) > max(columns, columns // 2 + 38)], [])
                self.assertEqual(bool(bars), columns >= 100)
        text = self.on_terminal(100, "trace", subject, "--store", "sqlite:timed.db", env={**UTF8, "NO_COLOR": "1"})
        self.assertNotIn("\033", text)

    def test_one_that_waits(self):
        subject = self.loan(9000)
        (row,) = [row for row in self.trace(subject)["rows"] if row["open"]]
        self.assertEqual((row["type"], row["answer"], row["taken"]), ("com.underwriter.decide", None, None))
        loan = self.trace(subject)
        self.assertAddsUp(loan)
        self.assertEqual(loan["status"], "active")
        self.assertIn("com.underwriter.decide, no answer yet", self.ok("trace", subject, "--store", "sqlite:loans.db").out)
        execution = self.ok("subject", "decode", subject, "--json").json()["execution"]["id"]
        self.assertEqual(self.trace(execution)["subject"], subject)

    def test_an_answer_that_names_no_request(self):
        subject = self.loan(9000)
        made = self.ok(
            "event", "new", "--app", LOAN, "--type", "evt.underwriter.decide.declined", "--subject", subject, "--to", "arvo.orc.loan",
            "--source", "com.underwriter.decide", "--data", '{"by":"eve"}',
        )
        self.ok("run", LOAN, "--event", self.write("say.json", made.out), "--store", "sqlite:loans.db", "--follow")
        rows = {row["type"]: row for row in self.trace(subject)["rows"]}
        self.assertEqual(rows["com.underwriter.decide"]["answer"], "evt.underwriter.decide.declined")
        self.assertNotIn("evt.underwriter.decide.declined", rows)

    def test_what_nobody_asked_for(self):
        """The source of a signal is the sender's to choose, and goes into the picture as text."""
        source = "http://desk/?a=1&b='2'"
        subject = self.loan(9000)
        made = self.ok("event", "new", "--app", LOAN, "--type", "evt.desk.withdraw", "--subject", subject, "--to", "arvo.orc.loan", "--source", "com.desk.x", "--data", "{}")
        event = made.json()
        event["source"] = source
        self.ok("run", LOAN, "--event", self.write("say.json", event), "--store", "sqlite:loans.db", "--follow")
        rows = [row for row in self.trace(subject)["rows"] if row["kind"] == "signal"]
        self.assertEqual([(row["type"], row["from"]) for row in rows], [("evt.desk.withdraw", source)])
        picture = self.ok("trace", subject, "--store", "sqlite:loans.db", "--svg", "-").out
        texts = [text.text for text in xml.etree.ElementTree.fromstring(picture).iter(SVG + "text")]
        self.assertIn(f"evt.desk.withdraw, sent by {source}", texts)

    def test_as_a_picture(self):
        subject = self.timed_loan()
        self.assertEqual(self.ok("trace", subject, "--store", "sqlite:timed.db", "--svg", "loan.svg").out, "")
        root = xml.etree.ElementTree.parse(self.path("loan.svg")).getroot()
        self.assertEqual(root.tag, SVG + "svg")
        bars = {kind: sum(float(bar.get("width")) for bar in root.iter(SVG + "rect") if bar.get("class") == kind) for kind in ("work", "wait")}
        pixels = (1200 - 480 - 90) / 9500
        # Two instances and their rows: what the JSON says, in pixels.
        self.assertAlmostEqual(bars["work"], (3300 + 200 + 500 + 3000 + 100) * pixels, delta=1)
        self.assertAlmostEqual(bars["wait"], (6200 + 5000 + 1000 + 1200 + 5000) * pixels, delta=2)
        for bar in root.iter(SVG + "rect"):
            self.assertLessEqual(float(bar.get("x")) + float(bar.get("width")), 1200 - 89)

    def test_wrong_input(self):
        subject = self.loan(900)
        url = "sqlite:loans.db"
        self.fails(2, "trace", subject, says="--store")
        self.fails(2, "trace", "--store", url, says="SUBJECT")
        self.fails(2, "trace", subject, "--store", url, "--json", "--svg", "-", says="not both")
        self.fails(2, "trace", subject, "--store", url, "--svg", "no/such/a.svg", says="no/such/a.svg")
        self.fails(3, "trace", subject, "--store", "sqlite:none.db", says="none.db")
        self.fails(1, "trace", "no-such-execution", "--store", url, says="no-such-execution")
        other = self.ok("subject", "new", "--name", "arvo.orc.loan", "--version", "2.0.0", "--initiator", "com.web.desk").out.strip()
        self.fails(1, "trace", other, "--store", url, says="no event")
        self.fails(2, "trace", subject, "--store", "memory:", says="keeps no history")


class Spans(TraceCase):
    def test_the_tree_of_a_run(self):
        started = self.start(2)
        out = self.ok("run", self.app, "--event", started, "--follow", "--trace", env=UTF8).out
        events, tree = out.split("\nSPAN ")
        self.assertEqual(events.splitlines()[0][:11], "   #  EVENT")
        lines = tree.splitlines()[1:]
        self.assertRegex(lines[0], r"^Orchestrator<#/orchestrators/counter>@<arvo\.orc\.counter> +0\.000 ms +[\d.]+ ms  [▌█]+$")
        self.assertEqual(sum(" Commit " in line for line in lines), 3)
        self.assertEqual(sum("ArvoEventHandler<#/services/tick>" in line for line in lines), 2)
        # Each hop is below the one that caused it.
        indents = [line.index("Orchestrator<") for line in lines if "Orchestrator<" in line]
        self.assertEqual(indents, [0, 6, 12])
        self.assertEqual([line for line in lines if len(line) > 120], [])
        self.assertTrue(self.ok("run", self.app, "--event", self.start(2), "--follow", "--trace", env=ASCII).out.isascii())

    def test_what_is_deep_stays_on_the_screen(self):
        text = self.on_terminal(70, "run", self.app, "--event", self.start(40), "--follow", "--trace", env=UTF8)
        lines = re.sub(r"\033\[\d*m", "", text).replace("\r", "").split("\nSPAN ")[1].splitlines()[1:]
        self.assertEqual(sum("Commit" in line for line in lines), 41)
        self.assertEqual([line for line in lines if len(line) > 70], [])

    def test_failures_are_seen(self):
        started = json.loads(self.ok("event", "new", "--app", self.app, "--type", "arvo.orc.counter", "--source", "com.test.user", "--data", '{"goal":1}').out)
        started["data"] = {"goal": "many"}
        result = self.arvo("run", self.app, "--event", self.write("bad.json", started), "--trace")
        self.assertEqual(result.code, 1, result)
        self.assertRegex(result.out, r"\nOrchestrator<[^\n]* ContractViolation")

    def test_the_exporter_gets_them_too(self):
        with Receiver() as receiver:
            env = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json", **UTF8}
            out = self.ok("run", self.app, "--event", self.start(2), "--follow", "--trace", env=env).out
            spans = receiver.spans()
        self.assertEqual(len(out.split("\nSPAN ")[1].splitlines()) - 1, len(spans))
        self.assertEqual(sum("parentSpanId" not in span for span in spans), 1)

    def test_not_for_programs(self):
        self.fails(2, "run", self.app, "--event", self.start(1), "--trace", "--json", says=["--trace", "--json"])


if __name__ == "__main__":
    main()
