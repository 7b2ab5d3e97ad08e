#!/usr/bin/env python3
"""arvo sim on apps: what it finds, how it says so, and that what it prints does the same again."""

import os
import shlex

import harness

PARCEL = os.path.join(harness.ROOT, "examples", "parcel")
APP = os.path.join(PARCEL, "app")
# At most: the first seed that shows the bug ends the search.
SEEDS = "500"
PAID_ONCE = ".context.paid == .context.weight * 2"


def machine(name):
    return os.path.join(PARCEL, name + ".yaml")


class Sim(harness.Case):
    def test_a_workflow_that_needs_an_order_is_found(self):
        result = self.arvo("sim", "--seeds", SEEDS, "--store", "memory", APP, machine("hasty"))
        self.assertEqual(result.code, 1, result)
        *story, blank, verdict, command = result.out.splitlines()
        self.assertEqual(blank, "")
        self.assertTrue(verdict.startswith("every workflow ends: parcel#"), verdict)
        self.assertIn("BROKEN", story[-1])
        self.assertIn("--faults none", command)
        self.assertIn("--workflows 1", command)

    def test_a_workflow_that_counts_twice_is_found(self):
        result = self.arvo("sim", "--seeds", SEEDS, "--store", "memory", "--faults", "again,duplicate", "--expect", PAID_ONCE, APP, machine("greedy"))
        self.assertEqual(result.code, 1, result)
        self.assertIn("expectation: parcel#", result.out)
        self.assertIn("under another id", result.out)

    def test_the_command_it_prints_tells_the_same_story(self):
        found = self.arvo("sim", "--seeds", SEEDS, "--store", "memory", "--expect", "parcel: " + PAID_ONCE, APP, machine("greedy"))
        self.assertEqual(found.code, 1, found)
        *story, command = found.out.splitlines()
        again = self.arvo(*shlex.split(command)[1:])
        self.assertEqual(again.code, 1, again)
        self.assertEqual(again.out.splitlines(), story)

    def test_a_sound_workflow_passes(self):
        result = self.ok("sim", "--seeds", "40", "--store", "memory", "--expect", PAID_ONCE, APP, machine("patient"))
        self.assertIn("40 runs", result.out)
        self.assertIn("nothing broken", result.out)

    def test_expectations_are_of_the_machine_they_name(self):
        self.ok("sim", "--seeds", "5", "--expect", "other: false", APP, machine("patient"))
        result = self.arvo("sim", "--seeds", "5", "--expect", "parcel: false", APP, machine("patient"))
        self.assertEqual(result.code, 1, result)

    def test_a_start_event_and_an_answer(self):
        events = harness.PURCHASE_EVENTS
        start, granted = (os.path.join(events, name) for name in ("start-big.json", "approval-granted.json"))
        self.ok("sim", "--seeds", "10", "--store", "memory", "--event", start, "--event", granted, harness.PURCHASE)
        waits = self.arvo("sim", "--seeds", "10", "--store", "memory", "--event", start, harness.PURCHASE)
        self.assertEqual(waits.code, 1, waits)
        self.assertIn('purchase#1 is still in "approving"', waits.out)

    def test_json_says_what_and_how(self):
        good = self.ok("sim", "--seeds", "3", "--json").json()
        self.assertEqual(good["runs"], 3)
        self.assertIsNone(good["broken"])
        bad = self.arvo("sim", "--seeds", SEEDS, "--store", "memory", "--json", APP, machine("hasty")).json()
        self.assertEqual(bad["broken"], "every workflow ends")
        self.assertIn("sim --seed", bad["command"])

    def test_what_cannot_be_used_is_refused(self):
        self.fails(2, "sim", "--seed", "x", says=["--seed x", "number"])
        self.fails(2, "sim", "--faults", "crash,fire", says=['"fire"', "--help"])
        self.fails(2, "sim", "--keep", "1,,2", says=["--keep"])
        self.fails(2, "sim", "--store", "redis", says=["memory or sqlite"])
        self.fails(2, "sim", "--processes", "17", says=["16 processes"])
        start = os.path.join(harness.PURCHASE_EVENTS, "start-big.json")
        self.fails(2, "sim", "--event", start, says=["APP"])
        self.fails(2, "sim", self.path("none"), says=["none"])
        self.fails(2, "sim", "--expect", ".context.", APP, machine("patient"), says=["/expect"])
        self.fails(2, "sim", "--seeds", "1", os.path.join(APP, "contracts.yaml"), says=["no machine"])


if __name__ == "__main__":
    harness.main()
