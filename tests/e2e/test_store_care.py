#!/usr/bin/env python3
"""purge, backup, restore, export, import, store and dlq: looking after a store from the command line."""

import json
import os
import pty
import re
import select
import signal
import sqlite3
import subprocess
import time

from harness import ARVO, ROOT, PURCHASE, PURCHASE_EVENTS, Case, main

URL = "sqlite:s.db"


class StoreCase(Case):
    """A store with a purchase that is done, and one that waits."""

    def setUp(self):
        super().setUp()
        self.run_event("start-small")

    def run_event(self, name, store=URL):
        event = os.path.join(PURCHASE_EVENTS, name + ".json")
        result = self.arvo("run", PURCHASE, "--event", event, "--store", store, "--follow", "--json")
        self.assertEqual(result.code, 0, result)

    def sql(self, text, path="s.db"):
        with sqlite3.connect(self.path(path)) as db:
            db.executescript(text)
        db.close()

    def number(self, text, path="s.db"):
        with sqlite3.connect(self.path(path)) as db:
            row = db.execute(text).fetchone()
        db.close()
        return row[0]

    def lines(self, url=URL):
        return self.ok("export", "--store", url).out.splitlines()

    def age(self, days):
        """As if everything had been written so long ago."""
        ms = days * 86400000
        self.sql(f"UPDATE instance SET updated_ms = updated_ms - {ms}, created_ms = created_ms - {ms}; UPDATE event SET time_ms = time_ms - {ms}")

    def bury(self, count=1):
        """Let the oldest rows of the outbox be dead letters."""
        self.sql(
            f"""INSERT INTO dead SELECT seq, subject_id, 5, 1700000000000, 'connection refused' FROM outbox ORDER BY seq LIMIT {count};
            DELETE FROM outbox WHERE seq IN (SELECT seq FROM dead);
            UPDATE outbox SET head_ms = 0 WHERE seq IN (SELECT min(seq) FROM outbox GROUP BY subject_id)"""
        )


class Purge(StoreCase):
    def test_what_is_old_and_over_goes(self):
        before = self.number("SELECT count(*) FROM instance")
        self.assertEqual(self.ok("purge", "--store", URL, "--older-than", "30d", "--json").json()["instances"], 0)
        self.age(40)
        dry = self.ok("purge", "--store", URL, "--older-than", "30d", "--dry-run", "--json").json()
        self.assertEqual(list(dry), ["instances", "events", "before", "dryRun"])
        self.assertEqual((dry["instances"], dry["dryRun"]), (before, True))
        self.assertGreater(dry["events"], 0)
        self.assertEqual(self.number("SELECT count(*) FROM instance"), before)
        self.assertIn("would purge", self.ok("purge", "--store", URL, "--older-than", "30d", "--dry-run").out)
        self.assertEqual(self.ok("purge", "--store", URL, "--older-than", "8w", "--json").json()["instances"], 0)
        self.assertEqual(self.ok("purge", "--store", URL, "--older-than", "720h", "--status", "error", "--json").json()["instances"], 0)
        one = self.ok("purge", "--store", URL, "--older-than", "30d", "--orchestrator", "arvo.orc.quote", "--json").json()
        self.assertEqual(one["instances"], 1)
        self.assertIn(f"purged {before - 1} ", self.ok("purge", "--store", URL, "--older-than", "30d").out)
        self.assertEqual(self.number("SELECT count(*) FROM instance"), 0)
        self.assertEqual(self.number("SELECT count(*) FROM event"), 0)
        self.ok("store", "check", URL)

    def test_what_is_in_flight_stays(self):
        self.age(40)
        self.sql("INSERT INTO outbox (seq, subject_id, head_ms) SELECT min(seq), subject_id, 0 FROM event WHERE direction = 1 GROUP BY subject_id")
        self.assertEqual(self.ok("purge", "--store", URL, "--older-than", "30d", "--json").json()["instances"], 0)

    def test_wrong_arguments(self):
        self.fails(2, "purge", "--older-than", "30d", says=["--store"])
        self.fails(2, "purge", "--store", URL, says=["--older-than"])
        for age in ("30", "d", "1.5d", "30days", "-1d", "99999999d", ""):
            self.fails(2, "purge", "--store", URL, "--older-than", age, says=["--older-than", "30d"])
        self.fails(2, "purge", "--store", URL, "--older-than", "30d", "--status", "active", says=["active", "done or error"])
        self.fails(3, "purge", "--store", "sqlite:none.db", "--older-than", "30d", says=["none.db"])
        self.assertFalse(os.path.exists(self.path("none.db")))


class BackupAndRestore(StoreCase):
    def test_there_and_back(self):
        made = self.ok("backup", "--store", URL, "b.db", "--json").json()
        self.assertEqual(list(made), ["file", "rows", "digest"])
        self.assertRegex(made["digest"], r"^[0-9a-f]{32}$")
        self.assertEqual([name for name in os.listdir(self.folder) if ".part" in name], [])
        self.assertEqual(self.lines("sqlite:b.db")[2:], self.lines()[2:])
        back = self.ok("restore", "b.db", "--store", "sqlite:r.db", "--json").json()
        self.assertEqual((back["rows"], back["digest"]), (made["rows"], made["digest"]))
        self.assertEqual(self.lines("sqlite:r.db")[2:], self.lines()[2:])
        self.ok("store", "check", "sqlite:r.db")
        # Work goes on in the restored store.
        self.run_event("start-unobtainable", "sqlite:r.db")
        self.assertGreater(self.number("SELECT max(fence) FROM instance", "r.db"), self.number("SELECT max(fence) FROM instance"))

    def test_refusals(self):
        self.write("there.db", "mine")
        self.fails(2, "backup", "--store", URL, "there.db", says=["there.db", "new file"])
        self.assertEqual(open(self.path("there.db"), encoding="utf-8").read(), "mine")
        self.fails(3, "backup", "--store", "sqlite:none.db", "b.db", says=["none.db"])
        self.fails(2, "backup", "b.db", says=["--store"])
        self.ok("backup", "--store", URL, "b.db")
        before = self.lines()
        self.fails(2, "restore", "b.db", "--store", URL, says=["not empty"])
        self.assertEqual(self.lines(), before)
        self.fails(3, "restore", "none.db", "--store", "sqlite:r.db", says=["none.db"])
        self.fails(3, "restore", "there.db", "--store", "sqlite:r.db", says=["there.db"])

    def test_it_is_of_one_moment_while_others_write(self):
        event = os.path.join(PURCHASE_EVENTS, "start-small.json")
        busy = subprocess.Popen(
            ["sh", "-c", f'while [ ! -e stop ]; do "{ARVO}" run "{PURCHASE}" --event "{event}" --store {URL} --follow --json; done'],
            cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        try:
            for i in range(3):
                self.ok("backup", "--store", URL, f"b{i}.db")
                self.ok("store", "check", f"sqlite:b{i}.db")
        finally:
            self.write("stop", "")
            busy.wait(60)


class ExportAndImport(StoreCase):
    def test_lines_and_digest(self):
        lines = [json.loads(line) for line in self.lines()]
        self.assertEqual(lines[0], {"arvo": "store", "format": 1})
        kinds = [line.get("kind") for line in lines[1:-1]]
        self.assertEqual(kinds, sorted(kinds, key=["store", "definition", "record", "event", "outbox", "dead"].index))
        self.assertEqual(lines[-1]["rows"], len(lines) - 2)
        told = self.ok("export", "--store", URL, "-o", "s.jsonl", "--json").json()
        self.assertEqual(told, {"file": "s.jsonl", "rows": lines[-1]["rows"], "digest": lines[-1]["digest"]})
        back = self.ok("import", "s.jsonl", "--store", "sqlite:i.db", "--json").json()
        self.assertEqual(back["digest"], told["digest"])
        self.assertEqual(self.lines("sqlite:i.db")[2:], self.lines()[2:])
        text = open(self.path("s.jsonl"), encoding="utf-8").read()
        self.ok("import", "-", "--store", "sqlite:j.db", stdin=text)
        self.assertEqual(self.lines("sqlite:j.db")[2:], self.lines()[2:])

    def test_a_changed_or_cut_file_fills_nothing(self):
        text = self.ok("export", "--store", URL).out
        lines = text.splitlines(keepends=True)
        record = next(i for i, line in enumerate(lines) if '"kind":"record"' in line)
        cases = [
            ("empty", "", "line 1"),
            ("not ours", "{}\n", "line 1"),
            ("newer", text.replace('"format":1', '"format":2', 1), "format 2"),
            ("cut", "".join(lines[:-1]), "cut off"),
            ("cut in a line", text[: len(text) // 2], "line"),
            ("a row less", "".join(lines[:record] + lines[record + 1 :]), "digest"),
            ("changed", text.replace('"status":"done"', '"status":"dome"', 1), "digest"),
            ("more behind", text + lines[1], "more behind"),
            ("garbage", "".join(lines[:3]) + "garbage\n", "line 4"),
            ("unknown kind", "".join(lines[:2]) + '{"kind":"spell"}\n', "line 3"),
        ]
        for name, content, says in cases:
            with self.subTest(name):
                self.write("x.jsonl", content)
                self.fails(2, "import", "x.jsonl", "--store", "sqlite:x.db", says=[says])
                self.assertEqual(len(self.lines("sqlite:x.db")), 3)
        self.fails(2, "import", "none.jsonl", "--store", "sqlite:x.db", says=["none.jsonl"])
        before = self.lines()
        self.write("x.jsonl", text)
        self.fails(2, "import", "x.jsonl", "--store", URL, says=["not empty"])
        self.assertEqual(self.lines(), before)

    def test_words_are_kept_apart(self):
        for verb in ("export", "import"):
            text = self.ok("help", verb).out
            self.assertIn(f"arvo machine {verb}", text)
            self.assertIn(f"arvo contract {verb}", text)


class StoreVerb(StoreCase):
    def test_check_finds_and_explains(self):
        self.assertIn("0 findings", self.ok("store", "check", URL).out)
        self.sql("DELETE FROM definition WHERE hash = (SELECT definition FROM instance LIMIT 1); UPDATE instance SET status = 'sleepy' WHERE id = (SELECT max(id) FROM instance)")
        result = self.arvo("store", "check", URL, "--json")
        self.assertEqual(result.code, 1, result)
        lines = result.lines()
        self.assertEqual({tuple(line) for line in lines}, {("where", "what", "note")})
        names = {line["what"].split(":")[0] for line in lines if not line["note"]}
        self.assertEqual(names, {"definition-missing", "record-status", "record-state"})
        people = self.arvo("store", "check", URL)
        self.assertEqual(people.code, 1)
        self.assertIn("definition-missing: its definition", people.out)

    def test_migrate(self):
        told = self.ok("store", "migrate", URL, "--json").json()
        self.assertEqual(told, {"schemaVersion": self.number("PRAGMA user_version"), "migrated": False})
        self.assertIn("up to date", self.ok("store", "migrate", URL).out)
        self.fails(3, "store", "migrate", "sqlite:none.db", says=["none.db"])
        self.sql("PRAGMA user_version=99")
        self.fails(3, "store", "migrate", URL, says=["99", "newer"])

    def test_stats(self):
        stats = self.ok("store", "stats", URL, "--json").json()
        self.assertEqual(stats["done"], self.number("SELECT count(*) FROM instance WHERE status = 'done'"))
        self.assertEqual(stats["outbox"], self.number("SELECT count(*) FROM outbox"))
        self.assertEqual((stats["active"], stats["dead"], stats["deadOldest"]), (0, 0, None))
        self.assertEqual(stats["schemaVersion"], self.number("PRAGMA user_version"))
        self.assertGreater(stats["bytes"], 4096)
        self.assertRegex(self.ok("store", "stats", URL).out, r"(?m)^dead letters +0$")

    def test_passwords_are_not_shown(self):
        for url in ("postgresql9://ann:geheim@host/db", "nosql://host/db?user=x&password=geheim", "mystore://:geheim@host"):
            for command in (("store", "stats", url), ("purge", "--store", url, "--older-than", "1d"), ("restore", "s.db", "--store", url)):
                result = self.arvo(*command)
                self.assertNotEqual(result.code, 0)
                self.assertNotIn("geheim", result.out + result.err)


class DeadLetters(StoreCase):
    def setUp(self):
        super().setUp()
        self.sql(
            """INSERT INTO outbox (seq, subject_id, head_ms) SELECT seq, subject_id, NULL FROM event WHERE direction = 1 AND seq NOT IN (SELECT seq FROM outbox);
            UPDATE outbox SET head_ms = 0 WHERE seq IN (SELECT min(seq) FROM outbox GROUP BY subject_id)"""
        )
        self.bury(3)
        self.ok("store", "check", URL)
        with sqlite3.connect(self.path("s.db")) as db:
            self.seqs = [str(row[0]) for row in db.execute("SELECT seq FROM dead ORDER BY seq")]
        db.close()

    def test_list_and_show(self):
        lines = self.ok("dlq", "list", "--store", URL, "--json").lines()
        self.assertEqual([str(line["seq"]) for line in lines], self.seqs)
        self.assertEqual(list(lines[0]), ["seq", "since", "attempts", "error", "subject", "domains", "event"])
        self.assertEqual((lines[0]["attempts"], lines[0]["error"]), (5, "connection refused"))
        out = self.ok("dlq", "list", "--store", URL).out.splitlines()
        self.assertEqual(out[0].split(), ["SEQ", "SINCE", "ATTEMPTS", "TYPE", "EXECUTION", "ERROR"])
        self.assertEqual(len(out), 4)
        self.assertIn("connection refused", self.ok("dlq", "show", self.seqs[1], "--store", URL).out)
        self.assertEqual(self.ok("dlq", "show", self.seqs[1], "--store", URL, "--json").json(), lines[1])
        self.fails(1, "dlq", "show", "99999", "--store", URL, says=["99999"])

    def test_retry_and_drop(self):
        self.assertEqual(self.ok("dlq", "retry", self.seqs[0], "--store", URL, "--json").json(), {"retried": 1})
        self.assertEqual(self.number(f"SELECT attempts FROM outbox WHERE seq = {self.seqs[0]}"), 0)
        self.assertIn("dropped 1 dead letter\n", self.ok("dlq", "drop", self.seqs[1], "--store", URL).out)
        self.assertEqual(self.number(f"SELECT count(*) FROM event WHERE seq = {self.seqs[1]}"), 1)
        result = self.arvo("dlq", "drop", self.seqs[1], self.seqs[2], "--store", URL, "--json")
        self.assertEqual((result.code, result.json()), (1, {"dropped": 1}))
        self.assertIn(self.seqs[1], result.err)
        self.assertIn("no dead letters", self.ok("dlq", "list", "--store", URL).out)
        self.ok("store", "check", URL)

    def test_all(self):
        self.assertEqual(self.ok("dlq", "retry", "--all", "--store", URL, "--json").json(), {"retried": 3})
        self.assertEqual(self.ok("dlq", "retry", "--all", "--store", URL, "--json").json(), {"retried": 0})
        self.bury(2)
        self.assertEqual(self.ok("dlq", "drop", "--all", "--store", URL, "--json").json(), {"dropped": 2})
        self.ok("store", "check", URL)

    def test_wrong_arguments(self):
        self.fails(2, "dlq", says=["list", "retry"])
        self.fails(2, "dlq", "list", says=["--store"])
        self.fails(2, "dlq", "retry", "--store", URL, says=["--all"])
        self.fails(2, "dlq", "drop", "1", "--all", "--store", URL, says=["--all"])
        for seq in ("0", "-1", "x", "1x", "", " 1", "+1", "9223372036854775808"):
            self.fails(2, "dlq", "drop", "--store", URL, "--", seq, says=["SEQ"])
        self.fails(3, "dlq", "list", "--store", "sqlite:none.db", says=["none.db"])


class SqlPage(StoreCase):
    def test_every_query_of_the_page_runs(self):
        with open(os.path.join(ROOT, "docs", "sql.md"), encoding="utf-8") as file:
            page = file.read()
        queries = re.findall(r"^```sql\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
        self.assertGreaterEqual(len(queries), 10)
        self.sql("INSERT INTO outbox (seq, subject_id, head_ms) SELECT max(seq), subject_id, 0 FROM event WHERE direction = 1 GROUP BY subject_id")
        self.bury(1)
        self.sql("UPDATE instance SET last_error = '{\"errorName\":\"E\"}'")
        answers = []
        with sqlite3.connect(self.path("s.db")) as db:
            for query in queries:
                with self.subTest(query):
                    answers.append(len(db.execute(query).fetchall()))
        db.close()
        # Nothing is in progress or stands still in this store; every other question has an answer.
        self.assertEqual([i + 1 for i, rows in enumerate(answers) if rows == 0], [1, 4])


class Progress(StoreCase):
    def test_what_takes_long_says_so_on_a_terminal(self):
        self.sql(
            """WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
            INSERT INTO event (subject_id, direction, cause, time_ms, id, source, type, domains, event)
            SELECT (SELECT min(id) FROM subject), 1, 0, 0, 'x' || i, 's', 't', '["default"]', '{"id":"x' || i || '","source":"s","type":"t"}' FROM n"""
        )
        try:
            pid, terminal = pty.fork()
        except OSError as error:
            self.skipTest(f"no terminal can be had here: {error}")
        if pid == 0:
            os.chdir(self.folder)
            os.execv(ARVO, [ARVO, "backup", "--store", URL, "b.db"])
        time.sleep(0.2)
        os.kill(pid, signal.SIGSTOP)  # so it takes long on any machine
        time.sleep(1.2)
        os.kill(pid, signal.SIGCONT)
        seen = b""
        end = time.monotonic() + 200
        while time.monotonic() < end:
            if not select.select([terminal], [], [], 1)[0]:
                continue
            try:
                more = os.read(terminal, 4096)
            except OSError:
                break
            if not more:
                break
            seen += more
        _, status = os.waitpid(pid, 0)
        self.assertEqual(status, 0, seen)
        self.assertRegex(seen.decode(), r"copied \d+ rows, \d+ per second")
        self.assertRegex(seen.decode(), r"\r\x1b\[Kb\.db: \d+ rows, digest")  # the line is taken away before


if __name__ == "__main__":
    main()
