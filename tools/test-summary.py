#!/usr/bin/env python3
"""Reads what `meson test` logged and says how it went.

    test-summary.py [--broken-builds N] NAME=testlog.json ...

Prints each failed test with the end of its output, each skipped test with its reason, and as its last
line `N passed, N failed` (and `, N skipped` when there are any). What is counted are cases: a program
that prints `[       OK ] name` lines, as cmocka does, counts one per line; any other program counts one.
Exit code 0 when nothing failed and something passed.
"""

import json
import re
import sys

CASE = re.compile(r"^\[\s*(OK|FAILED|SKIPPED|ERROR)\s*\] (\w\S*?):?(?: (.*))?$")
GROUP_TOTAL = re.compile(r"^\d+$")


class Totals:
    def __init__(self):
        self.passed = self.failed = 0
        self.skipped = []


def skip_reason(lines, at):
    """What a case printed since it began, or since the case before it ended."""
    said = []
    for line in reversed(lines[:at]):
        if line.startswith("["):
            break
        if line.strip():
            said.insert(0, line.strip())
    return " ".join(said) or "no reason given"


def count_cases(text, name, totals):
    """Add the cases in a program's output; returns how many failed and how many there were."""
    lines = text.splitlines()
    passed, failed, skipped = set(), set(), {}
    for at, line in enumerate(lines):
        match = CASE.match(line)
        if not match or GROUP_TOTAL.match(match.group(2)):
            continue  # cmocka's closing lines count tests: "[  PASSED  ] 3 test(s)."
        kind, case, reason = match.groups()
        if kind == "OK":
            passed.add(case)
        elif kind == "SKIPPED":
            skipped.setdefault(case, reason or skip_reason(lines, at))
        else:
            failed.add(case)
    totals.passed += len(passed - failed)
    totals.failed += len(failed)
    totals.skipped += [(f"{name}: {case}", reason) for case, reason in skipped.items() if case not in failed]
    return len(failed), len(passed | failed | set(skipped))


def show_failure(build, test, output):
    print(f"\nFAILED {build}: {test['name']} ({test['result'].lower()}, exit code {test['returncode']})")
    for line in output.splitlines()[-40:]:
        print("   ", line)


def add_test(build, test, totals):
    output = (test.get("stdout") or "") + "\n" + (test.get("stderr") or "")
    name = f"{build} {test['name']}"
    if test["result"] == "SKIP":
        said = [line for line in output.splitlines() if line.strip()]
        totals.skipped.append((name, said[-1].strip() if said else "no reason given"))
        return
    failed, cases = count_cases(output, name, totals)
    good = test["result"] in ("OK", "EXPECTEDFAIL")
    if cases == 0 and good:
        totals.passed += 1
    if not good and failed == 0:
        totals.failed += 1  # a crash, a timeout, or a program that prints no cases
    if not good or failed:
        show_failure(build, test, output)


def read_log(build, path, totals):
    before = totals.passed, totals.failed
    try:
        with open(path, encoding="utf-8", errors="replace") as log:
            tests = [json.loads(line) for line in log if line.strip()]
    except OSError as error:
        print(f"{build}: no test ran ({error})")
        totals.failed += 1
        return
    for test in tests:
        add_test(build, test, totals)
    passed, failed = totals.passed - before[0], totals.failed - before[1]
    print(f"{build}: {len(tests)} programs, {passed} passed, {failed} failed")


def main(arguments):
    totals = Totals()
    if arguments[:1] == ["--broken-builds"]:
        totals.failed += int(arguments[1])
        arguments = arguments[2:]
    for argument in arguments:
        build, path = argument.split("=", 1)
        read_log(build, path, totals)
    if totals.skipped:
        print("\nskipped:")
        for name, reason in totals.skipped:
            print(f"  {name}: {reason}")
    line = f"{totals.passed} passed, {totals.failed} failed"
    if totals.skipped:
        line += f", {len(totals.skipped)} skipped"
    print(line)
    return 1 if totals.failed or not totals.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
