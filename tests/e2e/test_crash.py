#!/usr/bin/env python3
"""Processes that die or meet: nothing is lost, nothing is done twice."""

import json
import os
import random
import signal
import subprocess

from harness import ARVO, COUNTER, CounterCase, main

GOAL = 40


class Crash(CounterCase):
    def command(self, start, store="sqlite:s.db"):
        return [ARVO, "run", self.app, "--event", start, "--store", store, "--follow", "--json"]

    def subject_of(self, start):
        with open(start, encoding="utf-8") as file:
            return json.load(file)["subject"]

    def begin(self, start, **more):
        # No buffer: communicate() would not see what readline() has read ahead.
        return subprocess.Popen(
            self.command(start), cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, **more
        )

    def finish(self, start):
        """The same command again; it finishes the work."""
        result = self.arvo(*self.command(start)[1:])
        self.assertEqual((result.code, result.err), (0, ""), result)
        self.assertCountedExactly("sqlite:s.db", self.subject_of(start), GOAL)
        return result

    def test_killed_after_some_events(self):
        for kills in (1, 2, 3, 10, 41):
            with self.subTest(after=kills):
                start = self.start(GOAL, f"start-{kills}.json")
                process = self.begin(start)
                for _ in range(kills):
                    process.stdout.readline()
                process.kill()
                process.communicate()
                self.finish(start)

    def test_killed_at_any_moment_again_and_again(self):
        seed = int.from_bytes(os.urandom(4), "little")
        print(f"seed {seed}")
        dice = random.Random(seed)
        for number in range(3):
            start = self.start(GOAL, f"start-{number}.json")
            for _ in range(4):
                process = self.begin(start)
                process.stdout.read(dice.randrange(20000))
                process.kill()
                process.communicate()
            self.finish(start)

    def test_killed_before_the_first_commit(self):
        start = self.start(GOAL)
        process = self.begin(start)
        process.kill()
        process.communicate()
        self.finish(start)

    def test_interrupted_finishes_the_event_in_hand(self):
        start = self.start(5000, "long.json")
        process = self.begin(start)
        for _ in range(5):
            process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 3, err)
        self.assertEqual(err.decode().count("\n"), 1, err)
        self.assertIn("the same command again finishes the work", err.decode())
        for line in out.decode().splitlines():
            json.loads(line)  # whole lines only
        instances = json.loads(out.decode().splitlines()[-1])["instances"]
        self.assertEqual(instances[0]["status"], "active")

    def test_ctrl_c_reaches_the_whole_group(self):
        """A terminal sends the interrupt to every process of the group, the one that runs jq too."""
        self.app = self.write("jq.yaml", COUNTER.replace("${ .event.data.at + 1 }", "${ reduce (.event.data.at, 1) as $n (0; . + $n) }"))
        start = self.start(3000, "long.json")
        process = self.begin(start, start_new_session=True)
        for _ in range(5):
            process.stdout.readline()
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 3, err)
        self.assertEqual(err.decode().count("\n"), 1, err)
        instance = json.loads(out.decode().splitlines()[-1])["instances"][0]
        self.assertEqual(instance["status"], "active")
        shown = self.ok("show", instance["subject"], "--store", "sqlite:s.db", "--json").json()
        self.assertIsNone(shown["lastError"])

    def test_a_reader_that_goes_away_stops_the_run_between_events(self):
        start = self.start(GOAL)
        process = self.begin(start)
        process.stdout.readline()
        process.stdout.close()
        process.stderr.read()
        self.assertIn(process.wait(timeout=60), (0, 3))
        process.stderr.close()
        self.finish(start)

    def test_two_processes_on_one_file(self):
        starts = [self.start(GOAL, f"start-{number}.json") for number in range(4)]
        processes = [self.begin(start) for start in starts]
        for process in processes:
            _, err = process.communicate(timeout=120)
            # Another process may hold an instance for a moment: then this one says so, and may be repeated.
            self.assertIn(process.returncode, (0, 3), err)
        for start in starts:
            self.finish(start)
        rows = self.ok("ps", "--store", "sqlite:s.db", "--json").lines()
        self.assertEqual([row["status"] for row in rows], ["done"] * 4)

    def test_the_same_command_twice_at_once(self):
        start = self.start(GOAL)
        processes = [self.begin(start) for _ in range(2)]
        for process in processes:
            _, err = process.communicate(timeout=120)
            self.assertIn(process.returncode, (0, 3), err)
        self.finish(start)


if __name__ == "__main__":
    main()
