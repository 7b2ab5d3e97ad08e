#!/usr/bin/env python3
"""What the torture compares with must itself be right, and must see what is wrong."""

import copy
import json
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
ARVO = os.environ.get("ARVO_COMMAND") or os.path.join(ROOT, "build", "arvo")
APP = os.path.join(HERE, "app.yaml")
STEPS = 5

sys.path.insert(0, HERE)
from journeys import SENDER, Verdict, leg_legs  # noqa: E402


def arvo(*arguments, stdin=None):
    done = subprocess.run([ARVO, *arguments], input=stdin, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


class Journeys(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """One journey that nobody disturbed."""
        with tempfile.TemporaryDirectory(prefix="arvo-journeys-") as folder:
            store = f"sqlite:{folder}/s.db"
            start = arvo(
                "event", "new", "--app", APP, "--type", "arvo.orc.journey", "--source", SENDER,
                "--data", json.dumps({"steps": STEPS}),
            )
            arvo("run", APP, "--event", "-", "--store", store, "--follow", stdin=start)
            cls.started = {json.loads(start)["subject"]: STEPS}
            cls.instances = [json.loads(line) for line in arvo("ps", "--store", store, "--json").splitlines()]
            cls.history = {
                row["subject"]: [json.loads(line) for line in arvo("history", row["subject"], "--store", store, "--json").splitlines()]
                for row in cls.instances
            }

    def setUp(self):
        self.instances, self.history = copy.deepcopy(self.instances), copy.deepcopy(self.history)

    def verdict(self):
        verdict = Verdict()
        verdict.check(self.started, self.instances, self.history.__getitem__)
        return verdict

    def leg(self):
        return next(row["subject"] for row in self.instances if row["orchestrator"] == "arvo.orc.leg")

    def journey(self):
        return next(iter(self.started))

    def test_an_undisturbed_journey_is_right(self):
        self.assertEqual(self.verdict().findings(), [])
        self.assertEqual(len(self.instances), 1 + len(leg_legs(STEPS)))

    def test_each_missing_event_is_seen(self):
        for subject, rows in self.history.items():
            for at in range(len(rows)):
                gone = rows.pop(at)
                self.assertNotEqual(self.verdict().findings(), [], f"without {gone['direction']} {gone['event']['type']}")
                rows.insert(at, gone)

    def test_each_doubled_event_is_seen(self):
        for rows in self.history.values():
            for at, row in enumerate(list(rows)):
                again = copy.deepcopy(row)
                again["event"]["id"] += "-again"  # as if the machine had run twice
                rows.insert(at, again)
                self.assertNotEqual(self.verdict().findings(), [], f"twice {row['direction']} {row['event']['type']}")
                rows.pop(at)

    def test_an_event_consumed_twice_is_seen(self):
        rows = self.history[self.journey()]
        rows.append(copy.deepcopy(next(row for row in rows if row["direction"] == "consumed")))
        self.assertTrue(self.verdict().doubled)

    def test_a_lost_and_a_stuck_instance_are_seen(self):
        self.instances[0]["status"] = "active"
        self.assertTrue(self.verdict().stuck)
        self.instances = [row for row in self.instances if row["subject"] != self.journey()]
        self.assertTrue(self.verdict().lost)

    def test_events_out_of_order_are_seen(self):
        rows = self.history[self.leg()]
        answers = [at for at, row in enumerate(rows) if row["direction"] == "consumed" and row["event"]["type"] == "evt.walk.step"]
        first, second = answers[:2]
        rows[first], rows[second] = rows[second], rows[first]
        self.assertTrue(self.verdict().wrong)

    def test_a_wrong_end_is_seen(self):
        for row in self.history[self.journey()]:
            if row["event"]["type"] == "arvo.orc.journey.done":
                row["event"]["data"]["sum"] += 1
        self.assertTrue(self.verdict().wrong)

    def test_a_leg_of_the_wrong_length_is_seen(self):
        subject = self.leg()
        self.instances = [row for row in self.instances if row["subject"] != subject]
        self.assertTrue(self.verdict().wrong)


if __name__ == "__main__":
    sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
    from harness import main

    main()
