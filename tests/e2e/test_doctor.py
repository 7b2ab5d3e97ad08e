#!/usr/bin/env python3
"""arvo doctor: each check as it is when all is well, and when it is not."""

import contextlib
import json
import os
import sqlite3
import time

from harness import PURCHASE, CounterCase, main

URL = "sqlite:counts.db"
DAY_S = 86400


class Doctor(CounterCase):
    def setUp(self):
        super().setUp()
        self.ok("run", self.app, "--event", self.start(2), "--store", URL, "--follow", "--json")

    def change(self, *statements):
        with contextlib.closing(sqlite3.connect(self.path("counts.db"))) as store:
            for statement in statements:
                store.execute(statement)
            store.commit()

    def checks(self, *options, code=0, store=URL):
        result = self.arvo("doctor", "--store", store, "--json", *options)
        self.assertEqual((result.code, result.err), (code, ""), result)
        report = result.json()
        self.assertEqual(report["ok"], code == 0)
        for check in report["checks"]:
            # What is not well says what to do, and nothing else does.
            self.assertEqual(check["do"] is not None, check["level"] in ("warn", "fail"), check)
        return {check["check"]: check for check in report["checks"]}

    def assertLevels(self, checks, **expected):
        levels = {name: check["level"] for name, check in checks.items()}
        well = {"store": "ok", "clock": "ok", "schema": "ok", "leases": "note", "outbox": "ok", "dead": "ok", "history": "note", "disk": "ok"}
        self.assertEqual(levels, {**well, **expected})

    def active(self):
        """A workflow whose request nobody has delivered yet."""
        self.ok("run", self.app, "--event", self.start(9, "later.json"), "--store", URL)

    def test_all_is_well(self):
        self.ok("backup", "copy.db", "--store", URL)
        checks = self.checks("--backup", "copy.db", "--disk-free", "1", self.app)
        self.assertLevels(checks, backup="ok", app="ok")
        self.assertEqual([checks[name]["value"] for name in ("outbox", "dead", "app")], [0, 0, 0])
        lines = self.ok("doctor", "--store", URL, "--disk-free", "1").out.splitlines()
        self.assertEqual([line.split()[:2] for line in lines], [
            ["ok", "store"], ["ok", "clock"], ["ok", "schema"], ["note", "leases"], ["ok", "outbox"], ["ok", "dead"], ["note", "history"], ["ok", "disk"]])
        self.assertRegex(lines[0], r"^ok    store    sqlite:counts\.db answers in [\d.]+ ms$")

    def test_leases(self):
        checks = self.checks("--disk-free", "1", store=URL + "?mode=rwc")
        self.assertLevels(checks, leases="ok")
        self.assertEqual(checks["leases"]["what"], "0 held, 0 of processes that died or hang")

    def test_it_changes_nothing(self):
        with open(self.path("counts.db"), "rb") as file:
            before = file.read()
        self.checks("--disk-free", "1")
        with open(self.path("counts.db"), "rb") as file:
            self.assertEqual(file.read(), before)

    def test_what_waits(self):
        self.active()
        low = ("--disk-free", "1")
        self.assertLevels(self.checks(*low))
        minute = 60000
        self.change(f"UPDATE event SET time_ms = time_ms - 6 * {minute} WHERE seq = (SELECT seq FROM outbox)")
        checks = self.checks(*low, code=1)
        self.assertLevels(checks, outbox="warn")
        self.assertEqual(checks["outbox"]["value"], 1)
        self.assertRegex(checks["outbox"]["what"], r"^1 event to deliver, the oldest for 6 min 0\d s$")
        self.assertIn("arvo work", checks["outbox"]["do"])
        self.assertLevels(self.checks(*low, "--outbox-age", "7m"))
        self.ok("run", self.app, "--event", self.start(9, "more.json"), "--store", URL)
        self.assertLevels(self.checks(*low, "--outbox-age", "7m", "--outbox-max", "1", code=1), outbox="warn")

    def test_dead_letters(self):
        self.active()
        self.change(
            "INSERT INTO dead (seq, subject_id, attempts, since_ms, error) SELECT seq, subject_id, 8, 1700000000000, 'no' FROM outbox",
            "DELETE FROM outbox",
        )
        checks = self.checks("--disk-free", "1", code=1)
        self.assertLevels(checks, dead="warn")
        self.assertEqual(checks["dead"]["what"], "1 dead letter, the oldest since 2023-11-14T22:13:20.000+00:00")
        self.assertLevels(self.checks("--disk-free", "1", "--dead-max", "1"))

    def test_room_and_backup(self):
        self.assertLevels(self.checks("--disk-free", "999999999", code=1), disk="warn")
        low = ("--disk-free", "1")
        self.ok("backup", "copy.db", "--store", URL)
        self.ok("export", "-o", "copy.jsonl", "--store", URL)
        old = time.time() - 2 * DAY_S
        os.utime(self.path("copy.db"), (old, old))
        checks = self.checks(*low, "--backup", "copy.db", code=1)
        self.assertLevels(checks, backup="warn")
        self.assertRegex(checks["backup"]["what"], r"^copy\.db was made 2 d 00 h ago$")
        self.assertLevels(self.checks(*low, "--backup", "copy.db", "--backup-age", "3d"), backup="ok")
        self.assertLevels(self.checks(*low, "--backup", "copy.jsonl"), backup="ok")
        with open(self.path("copy.db"), "r+b") as file:
            file.truncate(100)
        self.write("text.db", "no backup")
        self.write("empty.db", "")
        for name in ("copy.db", "text.db", "empty.db", "absent.db"):
            with self.subTest(name=name):
                self.assertLevels(self.checks(*low, "--backup", name, code=1), backup="fail")

    def test_the_app(self):
        self.active()
        low = ("--disk-free", "1")
        self.assertEqual(self.checks(*low, self.app)["app"]["value"], 1)
        checks = self.checks(*low, PURCHASE, code=1)
        self.assertLevels(checks, app="fail")
        self.assertIn("1 active instance of machines that the app does not have: arvo.orc.counter@1.0.0", checks["app"]["what"])
        with open(self.app, encoding="utf-8") as file:
            changed = self.write("changed.yaml", file.read().replace("count: 0", "count: 1"))
        self.assertLevels(self.checks(*low, changed, code=1), app="warn")
        self.assertLevels(self.checks(*low, self.write("bad.yaml", "kind: nothing\n"), code=1), app="fail")

    def test_a_store_that_is_none(self):
        self.write("broken.db", "no store")
        for url in ("sqlite:none.db", "sqlite:broken.db"):
            with self.subTest(url=url):
                result = self.arvo("doctor", "--store", url, "--json")
                self.assertEqual((result.code, result.err), (3, ""), result)
                first = result.json()["checks"][0]
                self.assertEqual((first["check"], first["level"]), ("store", "fail"))
        self.assertFalse(os.path.exists(self.path("none.db")))
        self.change("PRAGMA user_version = 999")
        result = self.arvo("doctor", "--store", URL)
        self.assertEqual(result.code, 3, result)
        self.assertRegex(result.out, r"^fail  schema ")

    def test_no_password_is_shown(self):
        result = self.arvo("doctor", "--store", "redis://me:geheim@127.0.0.1:1/0", "--json")
        self.assertNotIn("geheim", result.out + result.err)

    def test_wrong_input(self):
        self.fails(2, "doctor", says="--store")
        self.fails(2, "doctor", "--store", URL, "--outbox-age", "soon", says=["--outbox-age soon", "26h"])
        self.fails(2, "doctor", "--store", URL, "--backup", "b", "--backup-age", "1y", says="--backup-age 1y")
        self.fails(2, "doctor", "--store", URL, "--backup-age", "1d", says="--backup FILE")
        self.fails(2, "doctor", "--store", URL, "--dead-max", "none", says="--dead-max none")


if __name__ == "__main__":
    main()
