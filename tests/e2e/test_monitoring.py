#!/usr/bin/env python3
"""The alerts and the dashboard of monitoring/: rules that promtool accepts and that fire when they should, names that
are documented, a runbook for each alert. test_dashboard.py asks a real Prometheus.

promtool is part of Debian's prometheus; where it is not installed the case that needs it is skipped.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import unittest

from harness import ROOT, Case, main

sys.path.insert(0, os.path.join(ROOT, "tests", "servers"))
import server  # noqa: E402

FOLDER = os.path.join(ROOT, "monitoring")
SECONDS_MAX = 120


def read(*names):
    with open(os.path.join(ROOT, *names), encoding="utf-8") as file:
        return file.read()


def dashboard():
    return json.loads(read("monitoring", "arvo-dashboard.json"))


def queries():
    """(panel, query) of every panel, with the variables filled in as for All."""
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", []):
            query = target["expr"]
            for name in ("job", "instance", "handler"):
                query = query.replace(f"${name}", ".*")
            yield panel["title"], query.replace("$__rate_interval", "15s")


def alerts():
    return re.findall(r"- alert: (\w+)\n\s+expr: (?:>-\n)?((?:.*\n)+?)\s+(?:for|labels):", read("monitoring", "arvo-rules.yml"))


class Files(Case):
    def promtool(self, *arguments):
        done = subprocess.run(
            [server.find_program("promtool"), *arguments], cwd=self.folder, capture_output=True, text=True, timeout=SECONDS_MAX, check=False
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    @unittest.skipIf(server.find_program("promtool") is None, "promtool is not installed (Debian: prometheus)")
    def test_rules_are_rules_and_fire_when_they_should(self):
        for name in ("arvo-rules.yml", "arvo-rules-test.yml"):
            shutil.copy(os.path.join(FOLDER, name), self.folder)
        self.promtool("check", "rules", "--lint-fatal", "arvo-rules.yml")
        self.promtool("test", "rules", "arvo-rules-test.yml")

    def test_each_alert_has_its_test_and_its_runbook(self):
        names = [name for name, _ in alerts()]
        self.assertEqual(len(names), read("monitoring", "arvo-rules.yml").count("- alert:"))
        tested = set(re.findall(r"alertname: (\w+)\n(?:\s+\w.*\n)*?\s+exp_alerts:\n\s+- exp_labels", read("monitoring", "arvo-rules-test.yml")))
        runbooks = re.findall(r"^### (Arvo\w+)$", read("docs", "operations.md"), re.MULTILINE)
        self.assertEqual(sorted(tested), sorted(names))
        self.assertEqual(sorted(runbooks), sorted(names))
        for name in names:
            self.assertIn(f"runbook: docs/operations.md#{name.lower()}\n", read("monitoring", "arvo-rules.yml"))

    def test_what_is_asked_for_is_documented(self):
        documented = set(re.findall(r"`((?:arvo|process)_\w+)", read("docs", "telemetry.md")))
        asked = " ".join([query for _, query in queries()] + [expression for _, expression in alerts()])
        used = {re.sub(r"_bucket$", "", name) for name in re.findall(r"\b(?:arvo|process)_\w+", asked)}
        self.assertGreater(len(used), 20)
        self.assertEqual(sorted(used - documented), [])

    def test_panels_are_laid_out(self):
        seen, places = set(), set()
        for panel in dashboard()["panels"]:
            self.assertNotIn(panel["id"], seen)
            seen.add(panel["id"])
            place = (panel["gridPos"]["x"], panel["gridPos"]["y"])
            self.assertNotIn(place, places)
            places.add(place)
            self.assertTrue(panel["type"] == "row" or panel["targets"], panel["title"])


if __name__ == "__main__":
    main()
