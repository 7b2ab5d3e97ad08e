#!/usr/bin/env python3
"""A loan app that no example resembles: two versions, parallel checks, suspension, a human, a child workflow."""

import json
import os
import random
import subprocess
import time

from harness import ARVO, ROOT, Case, main

LOAN = os.path.join(ROOT, "tests", "e2e", "apps", "loan")
WITHOUT_MOCKS = [
    os.path.join(LOAN, name) for name in ("contracts.yaml", "loan-1.0.0.yaml", "loan-2.0.0.yaml", "disbursement.yaml")
]


class Loan(Case):
    def start(self, applicant, amount, *options, **more):
        data = json.dumps({"applicant": applicant, "amount": amount, **more})
        made = self.ok("event", "new", "--init", "--type", "arvo.orc.loan", "--app", LOAN, "--source", "com.web.desk", "--data", data, *options)
        self.subject = made.json()["subject"]
        return self.write("start.json", made.out)

    def follow(self, event, app=(LOAN,), code=0):
        result = self.arvo("run", *app, "--event", event, "--store", "sqlite:loans.db", "--follow", "--json")
        self.assertEqual(result.code, code, result)
        *lines, last = result.lines()
        return [line["event"] for line in lines], last["instances"], lines

    def say(self, event_type, data, app=(LOAN,)):
        """An event to the workflow, from outside."""
        made = self.ok("event", "new", "--app", LOAN, "--type", event_type, "--subject", self.subject, "--to", "arvo.orc.loan", "--data", json.dumps(data))
        return self.follow(self.write("say.json", made.out), app)

    def assertEnds(self, events, data):
        """The last event tells whoever started the loan; analytics hears of it, too."""
        self.assertEqual((events[-1]["type"], events[-1]["to"], events[-1]["data"]), ("arvo.orc.loan.done", "com.web.desk", data))
        fact = [event for event in events if event["type"] == "fact.loan.ended"]
        self.assertEqual([event["data"]["outcome"] for event in fact], [data["outcome"]])

    def test_outcomes(self):
        paid = {"outcome": "paid", "reference": "ref-900", "reasons": []}
        for applicant, more, expected in [
            ("ada", {}, paid),
            ("poor", {}, {"outcome": "declined", "reference": None, "reasons": ["low score"]}),
            ("mr-x", {}, {"outcome": "declined", "reference": None, "reasons": ["identity: not known at level basic"]}),
            ("nobody", {}, {"outcome": "declined", "reference": None, "reasons": ["credit: no such applicant"]}),
            ("ada", {"account": "closed"}, {"outcome": "failed", "reference": None, "reasons": ["bank: gave up after 3"]}),
        ]:
            with self.subTest(applicant=applicant, **more):
                events, instances, _ = self.follow(self.start(applicant, 900, **more))
                self.assertEnds(events, expected)
                self.assertEqual(instances[0]["output"], expected)

    def test_the_child_and_its_retries(self):
        events, instances, lines = self.follow(self.start("ada", 900, account="closed"))
        self.assertEqual([event["type"] for event in events].count("com.bank.transfer"), 3)
        self.assertEqual([(i["orchestrator"], i["version"], i["status"], i["value"]) for i in instances], [
            ("arvo.orc.loan", "2.0.0", "done", "failed"), ("arvo.orc.disbursement", "1.0.0", "done", "over")])
        self.assertEqual({event["executionunits"] for event in events if event["source"] == "arvo.orc.disbursement"}, {2})
        done = next(event for event in events if event["type"] == "arvo.orc.disbursement.done")
        self.assertEqual((done["to"], done["subject"]), ("arvo.orc.loan", self.subject))
        self.assertEqual([line["domains"] for line in lines if line["event"]["type"] == "fact.loan.ended"], [["analytics"]])

    def test_version_1_beside_version_2(self):
        events, instances, lines = self.follow(self.start("ada", 9, "--version", "1.0.0"))
        self.assertEqual([event["type"] for event in events], ["arvo.orc.loan", "com.credit.check", "evt.credit.check.done", "arvo.orc.loan.done"])
        self.assertEqual(lines[0]["handledBy"], "orchestrator:arvo.orc.loan@1.0.0")
        self.assertEqual((instances[0]["version"], events[-1]["data"]), ("1.0.0", {"outcome": "approved"}))
        self.assertEqual(events[-1]["dataschema"], "#/orchestrators/loan/1.0.0")

    def test_a_human_approves_less(self):
        events, instances, lines = self.follow(self.start("ada", 9000))
        self.assertEqual((events[-1]["type"], lines[-1]["domains"], lines[-1]["handledBy"]), ("com.underwriter.decide", ["external", "analytics"], None))
        self.assertEqual(instances[0]["value"], {"working": "deciding"})
        question = self.write("question.json", events[-1])
        answer = self.ok("event", "new", "--app", LOAN, "--reply-to", question, "--type", "evt.underwriter.decide.approved", "--data", '{"by":"eve","limit":5000}')
        event = self.write("answer.json", answer.out)
        events, _, _ = self.follow(event)
        self.assertEnds(events, {"outcome": "paid", "reference": "ref-5000", "reasons": []})
        again, _, _ = self.follow(event)
        self.assertEqual([line["type"] for line in again], ["evt.underwriter.decide.approved"])

    def test_suspension_keeps_what_is_known(self):
        """Deep history: each region comes back as it was, and no call is made again."""
        self.follow(self.start("ada", 9000), WITHOUT_MOCKS)
        self.say("evt.credit.check.done", {"score": 650}, WITHOUT_MOCKS)
        _, instances, _ = self.say("evt.desk.suspend", {"why": "holiday"}, WITHOUT_MOCKS)
        self.assertEqual(instances[0]["value"], "suspended")
        events, instances, _ = self.say("evt.identity.check.passed", {}, WITHOUT_MOCKS)
        self.assertEqual((len(events), instances[0]["value"]), (1, "suspended"))
        events, instances, _ = self.say("evt.desk.resume", {}, WITHOUT_MOCKS)
        self.assertEqual(len(events), 1)
        self.assertEqual(instances[0]["value"], {"working": {"assessing": {"credit": "known", "identity": "asked", "counter": "counting"}}})
        events, instances, _ = self.say("evt.identity.check.passed", {}, WITHOUT_MOCKS)
        self.assertEqual((events[-1]["type"], events[-1]["data"]["score"]), ("com.underwriter.decide", 650))
        events, _, _ = self.say("evt.underwriter.decide.declined", {"by": "eve"})
        self.assertEnds(events, {"outcome": "declined", "reference": None, "reasons": ["eve: unsaid"]})
        fact = next(event for event in events if event["type"] == "fact.loan.ended")
        self.assertEqual(fact["data"], {"outcome": "declined", "amount": 9000, "suspensions": 1})

    def test_withdrawn_and_then_over(self):
        self.follow(self.start("ada", 9000))
        events, _, _ = self.say("evt.desk.withdraw", {})
        self.assertEqual(events[-1]["data"], {"outcome": "withdrawn", "reference": None, "reasons": []})
        events, instances, _ = self.say("evt.desk.resume", {})
        self.assertEqual((len(events), instances[0]["status"]), (1, "done"))

    def test_an_error_stays_an_error(self):
        """Delivered again, or by another run, it gives the exit code that it gave at first."""
        self.start("ada", 900)
        with open(self.path("start.json"), encoding="utf-8") as file:
            event = json.load(file)
        event["data"]["amount"] = -1
        start = self.write("bad.json", event)
        step = ["run", LOAN, "--event", start, "--store", "sqlite:loans.db", "--json"]
        first = self.arvo(*step)
        self.assertEqual(first.code, 1, first)
        again = self.arvo(*step)
        self.assertEqual((again.code, again.out), (1, first.out))
        result = self.arvo("run", LOAN, "--store", "sqlite:loans.db", "--follow", "--json")
        self.assertEqual((result.code, result.lines()[0]["event"]["type"]), (1, "sys.arvo.orc.loan.error"), result)
        self.assertEqual(self.follow(start, code=1)[1][0]["status"], "error")

    def test_killed_at_any_moment(self):
        seed = int.from_bytes(os.urandom(4), "little")
        print(f"seed {seed}")
        dice = random.Random(seed)
        start = self.start("ada", 900, account="closed")
        command = ["run", LOAN, "--event", start, "--store", "sqlite:loans.db", "--follow", "--json"]
        for _ in range(8):
            process = subprocess.Popen([ARVO, *command], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            time.sleep(dice.random() * 0.1)
            process.kill()
            process.communicate()
        self.ok(*command)
        history = self.ok("history", self.subject, "--store", "sqlite:loans.db", "--json").lines()
        seen = [(line["direction"], line["event"]["type"]) for line in history]
        self.assertEqual(len(seen), len(set(seen)), seen)
        self.assertEqual(history[-1]["event"]["data"], {"outcome": "failed", "reference": None, "reasons": ["bank: gave up after 3"]})


if __name__ == "__main__":
    main()
