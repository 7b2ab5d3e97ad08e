"""What the end-to-end tests share: running the command as a black box, documents, and a runner that prints
one line per case, as cmocka does."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = os.environ.get("ARVO_SOURCE_ROOT") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ARVO = os.environ.get("ARVO_COMMAND") or os.path.join(ROOT, "build", "arvo")
PURCHASE = os.path.join(ROOT, "examples", "purchase", "app")
PURCHASE_EVENTS = os.path.join(ROOT, "examples", "purchase", "events")
# Sanitizer builds are several times slower.
SECONDS_MAX = 60


class Result:
    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    def json(self):
        return json.loads(self.out)

    def lines(self):
        return [json.loads(line) for line in self.out.splitlines()]

    def __repr__(self):
        return f"exit code {self.code}\nstdout: {self.out[:2000]}\nstderr: {self.err[:2000]}"


class Case(unittest.TestCase):
    """A test with a folder of its own."""

    maxDiff = 4000

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="arvo-e2e-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, content):
        """A file in the folder: text, bytes, or a value as JSON."""
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if not isinstance(content, (str, bytes)):
            content = json.dumps(content)
        with open(path, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        return path

    def arvo(self, *arguments, stdin="", env=None, **more):
        """Run the command in the folder; text in and out unless bytes are given."""
        done = subprocess.run(
            [ARVO, *arguments],
            input=stdin if isinstance(stdin, bytes) else stdin.encode(),
            capture_output=True,
            cwd=self.folder,
            env={**os.environ, **(env or {})},
            timeout=SECONDS_MAX,
            check=False,
            **more,
        )
        done.stdout = done.stdout.decode("utf-8", "replace")
        # AddressSanitizer says so whenever a program has fibres, which the simulation has.
        done.stderr = re.sub(r"==\d+==WARNING: ASan doesn't fully support makecontext/swapcontext.*\n", "", done.stderr.decode("utf-8", "replace"))
        return Result(done)

    def ok(self, *arguments, **more):
        result = self.arvo(*arguments, **more)
        self.assertEqual(result.code, 0, result)
        self.assertEqual(result.err, "", result)
        return result

    def fails(self, code, *arguments, says=(), **more):
        """It ends with this code and one clear line on stderr, which holds all of `says`."""
        result = self.arvo(*arguments, **more)
        self.assertEqual(result.code, code, result)
        self.assertOneLine(result)
        for word in [says] if isinstance(says, str) else says:
            self.assertIn(word, result.err, result)
        return result

    def assertOneLine(self, result):
        lines = result.err.splitlines()
        self.assertEqual(len(lines), 1, result)
        self.assertTrue(lines[0].startswith("arvo: "), result)
        self.assertLess(len(lines[0]), 2100, result)
        self.assertNotRegex(lines[0], r"[\x00-\x1f\x7f]", result)


# ---- A small app: counts to `goal` by way of a service, one hop at a time ----

COUNTER = """
kind: contract
uri: "#/services/tick"
type: com.counter.tick
versions:
  1.0.0:
    accepts:
      type: object
      properties: { at: { type: integer } }
      required: [at]
    emits:
      evt.counter.tick:
        type: object
        properties: { next: { type: integer } }
        required: [next]
---
kind: orchestrator-contract
uri: "#/orchestrators/counter"
name: counter
versions:
  1.0.0:
    init:
      type: object
      properties: { goal: { type: integer } }
      required: [goal]
    complete:
      type: object
      properties: { count: { type: integer } }
      required: [count]
---
kind: machine
id: counter
version: 1.0.0
contracts:
  self: "#/orchestrators/counter"
  services: { tick: "#/services/tick" }
context: { count: 0, goal: "${ .input.data.goal }" }
initial: deciding
states:
  deciding:
    always:
      - { guard: "${ .context.count >= .context.goal }", target: done }
      - { target: counting }
  counting:
    entry:
      - { type: emit, params: { type: com.counter.tick, data: { at: "${ .context.count }" } } }
    on:
      evt.counter.tick:
        target: deciding
        actions: [ { type: assign, params: { count: "${ .event.data.next }" } } ]
  done: { type: final }
output: { count: "${ .context.count }" }
---
kind: mock
type: com.counter.tick
replies:
  - { type: evt.counter.tick, data: { next: "${ .event.data.at + 1 }" } }
"""


class CounterCase(Case):
    def setUp(self):
        super().setUp()
        self.app = self.write("counter.yaml", COUNTER)

    def start(self, goal, name="start.json"):
        made = self.ok(
            "event", "new", "--app", self.app, "--type", "arvo.orc.counter", "--source", "com.test.user",
            "--data", json.dumps({"goal": goal}),
        )
        return self.write(name, made.out)

    def assertCountedExactly(self, store, subject, goal):
        """Every hop happened once: nothing lost, nothing doubled."""
        shown = self.ok("show", subject, "--store", store, "--json").json()
        self.assertEqual(shown["status"], "done")
        self.assertEqual(shown["state"]["context"]["count"], goal)
        history = self.ok("history", subject, "--store", store, "--json").lines()
        ticks = [line["event"]["data"]["at"] for line in history if line["event"]["type"] == "com.counter.tick" and line["direction"] == "produced"]
        tocks = [line["event"]["data"]["next"] for line in history if line["event"]["type"] == "evt.counter.tick" and line["direction"] == "consumed"]
        self.assertEqual(ticks, list(range(goal)))
        self.assertEqual(tocks, list(range(1, goal + 1)))
        ends = [line for line in history if line["event"]["type"] == "arvo.orc.counter.done"]
        self.assertEqual(len(ends), 1)


class CaseResult(unittest.TestResult):
    """Prints cases as cmocka does, so that one summary reads both."""

    @staticmethod
    def name(test):
        return test.id().split(".", 1)[1] if test.id().startswith("__main__.") else test.id()

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()
        print(f"[ RUN      ] {self.name(test)}", flush=True)

    def addSuccess(self, test):
        print(f"[       OK ] {self.name(test)} ({time.monotonic() - self.began:.2f} s)", flush=True)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        print(f"[  SKIPPED ] {self.name(test)}: {reason}", flush=True)

    def failed(self, test, error):
        print(self._exc_info_to_string(error, test))
        print(f"[  FAILED  ] {self.name(test)}", flush=True)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.failed(test, error)

    def addError(self, test, error):
        super().addError(test, error)
        self.failed(test, error)

    def addSubTest(self, test, subtest, error):
        if error is not None:
            super().addSubTest(test, subtest, error)
            print(f"in {subtest}:")
            self.failed(test, error)


def main():
    """Run the cases of the main module; arguments pick some by name."""
    loader = unittest.defaultTestLoader
    module = sys.modules["__main__"]
    suite = loader.loadTestsFromNames(sys.argv[1:], module) if sys.argv[1:] else loader.loadTestsFromModule(module)
    result = CaseResult()
    suite.run(result)
    sys.exit(0 if result.wasSuccessful() and result.testsRun else 1)
