#!/usr/bin/env python3
"""machine check: bad apps, each with exactly its findings; good ones, with none.

Each file of tests/e2e/bad is an app, and of tests/e2e/good. A comment `# <- rule` says what is found on that line, `# <- rule, rule` of several."""

import collections
import glob
import json
import os
import re

from harness import COUNTER, PURCHASE, ROOT, Case, main

HERE = os.path.dirname(os.path.abspath(__file__))
BAD = sorted(glob.glob(os.path.join(HERE, "bad", "*.yaml")))
PAGE = os.path.join(ROOT, "docs", "machine-check.md")
MARK = re.compile(r"#.*<- (.*)$")


# An app for the ways in which workflows fail: in these states what is found is meant.
MEANT = {"mailroom": {"various", "many", "wrong"}}


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def marked(text):
    """{(line, rule): how often} of the comments."""
    found = collections.Counter()
    for number, line in enumerate(text.split("\n"), 1):
        match = MARK.search(line)
        for rule in match.group(1).split(",") if match else []:
            found[number, rule.strip()] += 1
    return found


class Checks(Case):
    def findings(self, *paths, code=None):
        result = self.arvo("machine", "check", *paths, "--json")
        self.assertIn(result.code, (0, 1) if code is None else (code,), result)
        return result.json()["findings"]

    def rules(self):
        listed = self.arvo("machine", "check", self.write("c.yaml", COUNTER), "--sarif").json()
        return listed["runs"][0]["tool"]["driver"]["rules"]


class Corpus(Checks):
    def test_each_bad_app_has_exactly_its_findings(self):
        for path in BAD:
            with self.subTest(app=os.path.basename(path)):
                wanted = marked(read(path))
                self.assertTrue(wanted, "no finding is marked")
                listed = self.findings(path)
                found = collections.Counter((finding["line"], finding["rule"]) for finding in listed if finding["allowed"] is None)
                self.assertEqual(found, wanted, json.dumps(listed, indent=1))
                for finding in listed:
                    self.assertTrue(finding["text"] and finding["help"], finding)

    def test_every_rule_has_a_bad_app(self):
        seen = {rule for path in BAD for _, rule in marked(read(path))}
        self.assertEqual({rule["id"] for rule in self.rules()} - seen, set())

    def test_good_apps_have_none(self):
        apps = [PURCHASE]
        apps += [path for path in glob.glob(os.path.join(HERE, "apps", "*")) if os.path.isdir(path)]
        apps += glob.glob(os.path.join(HERE, "good", "*.yaml"))
        self.assertGreaterEqual(len(apps), 4)
        for app in apps:
            with self.subTest(app=app):
                meant = MEANT.get(os.path.basename(app), set())
                self.assertEqual([f for f in self.findings(app) if f["allowed"] is None and f["state"] not in meant], [])
                if not meant:
                    self.ok("machine", "check", app, "--strict")


class Page(Checks):
    """docs/machine-check.md names every rule, with an example in which it is all that is found."""

    def sections(self):
        text = read(PAGE)
        blocks = re.split(r"^### ", text, flags=re.MULTILINE)[1:]
        contracts = re.search(r"```yaml\n(.*?)```", text.split("## The contracts of the examples")[1], re.DOTALL).group(1)
        return contracts, [(block.split("\n")[0].strip(), block) for block in blocks]

    def test_names_every_rule_in_order(self):
        _, sections = self.sections()
        self.assertEqual([name for name, _ in sections], [rule["id"] for rule in self.rules()])

    def test_errors_and_warnings_stand_under_their_headings(self):
        errors, warnings = read(PAGE).split("\n## Warnings")
        for rule in self.rules():
            where = errors if rule["defaultConfiguration"]["level"] == "error" else warnings
            self.assertIn(f"\n### {rule['id']}\n", where)

    def test_each_example_is_found(self):
        contracts, sections = self.sections()
        self.write("app/contracts.yaml", contracts)
        for name, section in sections:
            with self.subTest(rule=name):
                example = re.search(r"```yaml\n(.*?)```", section, re.DOTALL).group(1)
                self.write("app/zexample.yaml", example)
                wanted = [(line, name) for line, mark in marked(example) if mark == "here"]
                found = [(finding["line"], finding["rule"]) for finding in self.findings(self.path("app"))]
                self.assertEqual(found, wanted)

    def test_the_example_of_allow_is_allowed(self):
        example = re.search(r"## Allowing.*?```yaml\n(.*?)```", read(PAGE), re.DOTALL).group(1)
        result = self.ok("machine", "check", self.write("plant.yaml", example), "--strict")
        self.assertIn("1 warning allowed", result.out)
        self.assertIn("all fine", result.out)


DOOR = """
kind: machine
id: door
initial: closed
states:
  closed:
    on: { OPEN: open }
  open:
    on: { CLOSE: closed, BREAK: broken }
  broken: {}
"""


class Output(Checks):
    def test_warnings_are_lines_and_no_failure(self):
        app = self.write("door.yaml", DOOR)
        result = self.ok("machine", "check", app)
        self.assertRegex(result.out, r"door\.yaml:10: warning: \[dead-end\] broken: .*; add ")
        self.assertIn("1 machines, 0 contracts, 0 mocks: 1 warning\n", result.out)

    def test_strict_makes_them_one(self):
        app = self.write("door.yaml", DOOR)
        self.fails(1, "machine", "check", app, "--strict", says="1 warning")
        self.assertFalse(self.arvo("machine", "check", app, "--strict", "--json").json()["ok"])
        self.assertTrue(self.arvo("machine", "check", app, "--json").json()["ok"])

    def test_all_errors_are_found_at_once(self):
        app = self.write("door.yaml", DOOR.replace("OPEN: open", "OPEN: opne").replace("CLOSE: closed", "CLOSE: clsed"))
        result = self.fails(1, "machine", "check", app, says=["2 errors", "opne"])
        self.assertRegex(result.out, r"door\.yaml:7: error: +\[unknown-target\] closed: ")
        self.assertRegex(result.out, r"door\.yaml:9: error: +\[unknown-target\] open: ")
        listed = self.arvo("machine", "check", app, "--json").json()
        self.assertFalse(listed["ok"])
        self.assertIn("opne", listed["error"])
        self.assertEqual(len(listed["findings"]), 2)

    def test_a_wrong_contract_is_not_missing_too(self):
        app = self.write("counter.yaml", COUNTER.replace("type: integer }", "type: integr }", 1))
        self.assertEqual([finding["rule"] for finding in self.findings(app)], ["invalid-document"])

    def test_lines_are_aligned_across_files(self):
        self.write("app/a.yaml", DOOR)
        self.write("app/longer.yaml", DOOR.replace("id: door", "id: gate"))
        lines = [line for line in self.ok("machine", "check", self.path("app")).out.split("\n") if "[dead-end]" in line]
        self.assertEqual(len({line.index("warning") for line in lines}), 1, lines)

    def test_json_names_places(self):
        finding = self.findings(self.write("door.yaml", DOOR))[0]
        self.assertEqual(
            {key: finding[key] for key in ("rule", "severity", "line", "pointer", "machine", "state", "allowed")},
            {"rule": "dead-end", "severity": "warning", "line": 10, "pointer": "/states/broken", "machine": "door", "state": "broken", "allowed": None},
        )

    def test_sarif(self):
        text = DOOR.replace("broken: {}", "broken: { allow: [ { rule: dead-end, reason: scrapped } ] }\n  locked: { on: { OPEN: open } }")
        log = self.ok("machine", "check", self.write("a door.yaml", text), "--sarif").json()
        self.assertEqual(log["version"], "2.1.0")
        run = log["runs"][0]
        rules = run["tool"]["driver"]["rules"]
        by_rule = {result["ruleId"]: result for result in run["results"]}
        self.assertEqual(set(by_rule), {"dead-end", "unreachable-state"})
        for rule, result in by_rule.items():
            self.assertEqual(rules[result["ruleIndex"]]["id"], rule)
            self.assertEqual(result["level"], "warning")
            place = result["locations"][0]["physicalLocation"]
            self.assertTrue(place["artifactLocation"]["uri"].endswith("a%20door.yaml"))
            self.assertGreater(place["region"]["startLine"], 1)
        self.assertEqual(by_rule["dead-end"]["suppressions"], [{"kind": "inSource", "justification": "scrapped"}])
        self.assertNotIn("suppressions", by_rule["unreachable-state"])

    def test_json_and_sarif_exclude_each_other(self):
        self.fails(2, "machine", "check", self.write("door.yaml", DOOR), "--json", "--sarif", says="--sarif")

    def test_many_findings_are_cut(self):
        states = "".join(f"  s{i}: {{}}\n" for i in range(1200))
        result = self.ok("machine", "check", self.write("many.yaml", f"kind: machine\nid: many\ninitial: s0\nstates:\n{states}"))
        self.assertTrue("only the first 1000" in result.out, result.out[-300:])
        self.assertEqual(result.out.count("warning: ["), 1000)


if __name__ == "__main__":
    main()
