#!/usr/bin/env python3
"""Workers: processes that deliver from one store, die, are told to end, and share the work."""

import json
import os
import random
import signal
import subprocess
import time
import unittest

from harness import ARVO, COUNTER, CounterCase, main

STORE = "sqlite:s.db"
SECONDS_MAX = 300


class WorkCase(CounterCase):
    def setUp(self):
        super().setUp()
        probe = self.arvo("work", self.app, "--store", "sqlite:probe.db", "--until-idle")
        if "has no claims" in probe.err:
            raise unittest.SkipTest("the sqlite: store of this build has no claims")

    def subject_of(self, start):
        with open(start, encoding="utf-8") as file:
            return json.load(file)["subject"]

    def send(self, *starts, store=STORE):
        return self.ok("event", "send", *starts, "--store", store)

    def work(self, *more, store=STORE):
        """A worker in the background."""
        # No buffer: communicate() would not see what readline() has read ahead.
        process = subprocess.Popen(
            [ARVO, "work", self.app, "--store", store, *more], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        )
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
        process.communicate()

    def until_idle(self, *more, store=STORE):
        return self.ok("work", self.app, "--store", store, "--until-idle", *more)

    def until_done(self, count, store=STORE):
        """Wait until so many instances are done."""
        deadline = time.monotonic() + SECONDS_MAX
        while time.monotonic() < deadline:
            rows = self.ok("ps", "--store", store, "--status", "done", "--json").lines()
            if len(rows) >= count:
                return
            time.sleep(0.05)
        self.fail(f"{count} instances are not done after {SECONDS_MAX} s")

    def events_of(self, subject, store=STORE):
        """What happened to an instance, without what differs from run to run."""
        rows = self.ok("history", subject, "--store", store, "--json").lines()
        return [(row["direction"], row["event"]["type"], json.dumps(row["event"]["data"], sort_keys=True)) for row in rows]


class Work(WorkCase):
    def test_delivers_what_was_sent_until_nothing_is_left(self):
        starts = [self.start(goal, f"start-{goal}.json") for goal in (1, 2, 3, 10)]
        sent = self.send(*starts).out.splitlines()
        self.assertEqual(len(sent), 4)
        self.assertTrue(sent[0].startswith("sent: arvo.orc.counter, id "))
        result = self.until_idle("--threads", "4")
        self.assertIn("delivering from sqlite:s.db", result.out)
        self.assertIn("arvo.orc.counter@1.0.0", result.out)
        self.assertIn("com.counter.tick (mock)", result.out)
        # A start, and per tick a request and an answer; and the completion, for nobody here.
        self.assertIn(f"{4 + 2 * 16} delivered, 4 for nobody here, 0 failed attempts", result.out)
        for start, goal in zip(starts, (1, 2, 3, 10)):
            self.assertCountedExactly(STORE, self.subject_of(start), goal)
        self.assertIn("0 delivered", self.until_idle().out)

    def test_a_line_per_delivery(self):
        start = self.start(2)
        self.send(start)
        lines = self.until_idle("--json").lines()
        self.assertEqual(
            [(line["event"]["type"], line["handledBy"], line["error"]) for line in lines],
            [("arvo.orc.counter", "orchestrator:arvo.orc.counter@1.0.0", None)]
            + [("com.counter.tick", "mock:com.counter.tick", None), ("evt.counter.tick", "orchestrator:arvo.orc.counter@1.0.0", None)] * 2
            + [("arvo.orc.counter.done", None, None)],
        )

    def test_what_run_leaves_in_the_outbox_is_delivered(self):
        start = self.start(5)
        self.ok("run", self.app, "--event", start, "--store", STORE)
        self.until_idle()
        self.assertCountedExactly(STORE, self.subject_of(start), 5)

    def test_sent_twice_has_one_effect(self):
        start = self.start(3)
        self.send(start, start)
        self.until_idle()
        self.send(start)
        self.until_idle()
        self.assertCountedExactly(STORE, self.subject_of(start), 3)

    def test_an_answer_finds_its_workflow(self):
        """Without mocks the request stays for its service, which answers through the store."""
        start = self.start(1)
        self.send(start)
        result = self.until_idle("--no-mocks", "--json")
        self.assertEqual([line["event"]["type"] for line in result.lines()], ["arvo.orc.counter"])
        asked = self.ok("history", self.subject_of(start), "--store", STORE, "--json").lines()[-1]["event"]
        self.assertEqual(asked["type"], "com.counter.tick")
        answer = self.ok(
            "event", "new", "--app", self.app, "--type", "evt.counter.tick", "--reply-to", self.write("asked.json", asked), "--data", '{"next": 1}'
        )
        event = answer.json()
        event["to"] = event["type"]  # the author said nothing of it
        self.ok("event", "send", "-", "--store", STORE, "--app", self.app, stdin=json.dumps(event))
        # The answer waits behind the request that nobody here handles: same workflow, in order.
        self.until_idle()
        shown = self.ok("show", self.subject_of(start), "--store", STORE, "--json").json()
        self.assertEqual((shown["status"], shown["state"]["context"]["count"]), ("done", 1))

    def test_bad_events_are_not_sent(self):
        good = self.start(1)
        bad = self.write("bad.json", {"type": "x"})
        self.fails(2, "event", "send", good, bad, "--store", STORE, says="bad.json")
        self.fails(2, "event", "send", good, says="--store")
        self.fails(2, "event", "send", good, "--store", "memory:", says="sqlite:")
        with open(good, encoding="utf-8") as file:
            event = json.load(file)
        event["data"]["goal"] = "many"
        wrong = self.write("wrong.json", event)
        self.fails(2, "event", "send", good, wrong, "--store", STORE, "--app", self.app, says=["wrong.json", "goal"])
        self.assertFalse(os.path.exists(self.path("s.db")))

    def test_a_poisoned_event_holds_up_nobody_else(self):
        self.app = self.write("picky.yaml", COUNTER.replace("next: \"${ .event.data.at + 1 }\"", "next: \"${ if .event.data.at == 7 then null else .event.data.at + 1 end }\""))
        poisoned, fine = self.start(9, "poisoned.json"), self.start(6, "fine.json")
        self.send(poisoned, fine)
        result = self.arvo("work", self.app, "--store", STORE, "--until-idle", "--json")
        self.assertEqual(result.code, 0, result)
        lines = result.lines()
        (warning,) = [json.loads(line) for line in result.err.splitlines()]
        self.assertEqual((warning["level"], warning["message"]), ("warning", "the delivery failed and is tried again"))
        self.assertEqual((warning["subject"], warning["attributes"]["attempts"]), (self.subject_of(poisoned), 1))
        self.assertNotIn("detail", warning)
        self.assertCountedExactly(STORE, self.subject_of(fine), 6)
        failed = [line for line in lines if line["error"] is not None]
        self.assertEqual([line["event"]["data"]["at"] for line in failed][:1], [7])
        self.assertEqual((failed[0]["error"]["attempts"], failed[0]["error"]["dead"]), (1, False))
        self.assertTrue(500 <= failed[0]["error"]["retryMs"] <= 1000)
        # With the mock mended it goes on when it is due.
        self.app = self.write("counter.yaml", COUNTER)
        time.sleep(1.1)
        self.until_idle()
        self.assertCountedExactly(STORE, self.subject_of(poisoned), 9)

    def test_attempts_say_when_an_event_is_a_dead_letter(self):
        self.app = self.write("picky.yaml", COUNTER.replace("next: \"${ .event.data.at + 1 }\"", "next: many"))
        poisoned = self.start(1, "poisoned.json")
        self.send(poisoned)
        result = self.arvo("work", self.app, "--store", STORE, "--until-idle", "--attempts", "1", "--json")
        self.assertEqual(result.code, 0, result)
        (record,) = [json.loads(line) for line in result.err.splitlines()]
        self.assertEqual((record["level"], record["message"]), ("error", "the delivery failed for good: the event is a dead letter"))
        failed = [line["error"] for line in result.lines() if line["error"] is not None]
        self.assertEqual([(error["attempts"], error["dead"]) for error in failed], [(1, True)])
        self.app = self.write("counter.yaml", COUNTER)
        self.ok("dlq", "retry", "--all", "--store", STORE)
        self.until_idle()
        self.assertCountedExactly(STORE, self.subject_of(poisoned), 1)


class Ending(WorkCase):
    def test_a_signal_finishes_what_is_in_flight_and_gives_back_the_rest(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal=number):
                starts = [self.start(200, f"{number}-{i}.json") for i in range(4)]
                self.send(*starts)
                process = self.work("--threads", "4", "--json")
                for _ in range(20):
                    process.stdout.readline()
                process.send_signal(number)
                out, err = process.communicate(timeout=60)
                self.assertEqual((process.returncode, err), (0, b""))
                for line in out.splitlines():
                    json.loads(line)  # whole lines only
                # Nothing is claimed any more: the next one has not to wait for anything.
                begun = time.monotonic()
                self.until_idle()
                self.assertLess(time.monotonic() - begun, 25)
                for start in starts:
                    self.assertCountedExactly(STORE, self.subject_of(start), 200)

    def test_a_reader_that_goes_away_ends_it(self):
        start = self.start(500)
        self.send(start)
        process = self.work("--json")
        process.stdout.readline()
        process.stdout.close()
        self.assertEqual(process.wait(timeout=60), 0, process.stderr.read())
        self.until_idle()
        self.assertCountedExactly(STORE, self.subject_of(start), 500)

    def test_it_waits_for_work(self):
        process = self.work()
        start = self.start(3)
        time.sleep(0.3)
        self.send(start)
        self.until_done(1)
        self.assertIsNone(process.poll())
        process.terminate()
        out, err = process.communicate(timeout=60)
        self.assertEqual((process.returncode, err), (0, b""))
        self.assertIn(b"7 delivered", out)


class Killed(WorkCase):
    WORKERS = 3
    WORKFLOWS = 12
    GOAL = 15
    KILLS = 12

    def test_killed_again_and_again_everything_happens_once(self):
        seed = int.from_bytes(os.urandom(4), "little")
        print(f"seed {seed}")
        dice = random.Random(seed)
        starts = [self.start(self.GOAL, f"start-{number}.json") for number in range(self.WORKFLOWS)]

        # Undisturbed, in a store of its own.
        self.send(*starts, store="sqlite:calm.db")
        self.until_idle(store="sqlite:calm.db")

        def worker():
            return self.work("--threads", "4", "--claim-ms", "500")

        workers = [worker() for _ in range(self.WORKERS)]
        for number, start in enumerate(starts):
            self.send(start)
            if number % 2:
                continue
            victim = dice.randrange(self.WORKERS)
            workers[victim].kill()
            workers[victim].communicate()
            workers[victim] = worker()
        for _ in range(self.KILLS):
            time.sleep(dice.uniform(0.01, 0.25))
            victim = dice.randrange(self.WORKERS)
            workers[victim].kill()
            workers[victim].communicate()
            workers[victim] = worker()
        self.until_done(self.WORKFLOWS)
        time.sleep(0.6)  # claims of the dead
        for process in workers:
            process.terminate()
        for process in workers:
            _, err = process.communicate(timeout=60)
            self.assertEqual((process.returncode, err), (0, b""))
        self.assertIn("0 failed", self.until_idle().out)

        for start in starts:
            subject = self.subject_of(start)
            self.assertCountedExactly(STORE, subject, self.GOAL)
            self.assertEqual(sorted(self.events_of(subject)), sorted(self.events_of(subject, "sqlite:calm.db")))


class Refused(CounterCase):
    def test_stores_that_cannot_be(self):
        self.fails(2, "work", self.app, says="--store")
        self.fails(2, "work", self.app, "--store", "memory:", says=["memory:", "sqlite:FILE"])
        self.fails(2, "work", self.app, "--store", STORE, "--mocks", "--no-mocks", says="--no-mocks")
        self.fails(2, "work", self.app, "--store", STORE, "--threads", "5000", says="1024")
        self.fails(2, "work", self.app, "--store", STORE, "--attempts", "1001", says="1000")
        self.fails(2, "work", self.app, "--store", STORE, "--attempts", "0", says="--attempts")
        self.fails(2, "work", "no-such-app", "--store", STORE, says="no-such-app")


if __name__ == "__main__":
    main()
