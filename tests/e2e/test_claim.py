#!/usr/bin/env python3
"""An insurance claim, one event at a time: regions, history, domains, and what each step stores and sends."""

import json
import os

from harness import ROOT, Case, main

CLAIM = os.path.join(ROOT, "tests", "e2e", "apps", "claim")


class Claim(Case):
    store = ("--store", "sqlite:claims.db")

    def start(self, **data):
        made = self.ok(
            "event", "new", "--app", CLAIM, "--type", "arvo.orc.insurance.claim", "--source", "com.web.desk",
            "--data", json.dumps({"policy": "P-1", "kind": "car", "damage": 500, **data}))
        self.subject = made.json()["subject"]
        return self.run_one(made.json())

    def run_one(self, event, code=0):
        result = self.arvo("run", CLAIM, "--event", self.write("event.json", event), *self.store, "--json")
        self.assertEqual(result.code, code, result)
        return result.json()

    def event(self, event_type, data):
        return self.ok(
            "event", "new", "--app", CLAIM, "--type", event_type, "--subject", self.subject, "--to", "arvo.orc.insurance.claim",
            "--data", json.dumps(data)).json()

    def say(self, event_type, data=None, code=0, **changed):
        """An event to the claim; what the claim emits."""
        return self.run_one({**self.event(event_type, data or {}), **changed}, code)["domainedEvents"]["all"]

    def state(self):
        return self.ok("show", self.subject, *self.store, "--json").json()["state"]

    def assertState(self, value):
        self.assertEqual(self.state()["value"], value)

    @staticmethod
    def types(events):
        return [event["type"] for event in events]

    def test_the_start(self):
        result = self.start()
        self.assertEqual(self.types(result["domainedEvents"]["all"]), ["com.desk.ask", "com.adjuster.visit", "com.fraud.check"])
        self.assertEqual(self.types(result["events"]), ["com.adjuster.visit", "com.fraud.check"])
        self.assertEqual((result["allEventDomains"], list(result["domainedEvents"])), (["external", "default"], ["all", "external", "default"]))
        self.assertEqual(self.state()["context"], {
            "policy": "P-1", "damage": 500, "estimate": None, "suspect": None, "log": ["enter work", "visit", "check"], "holds": 0})

    def test_set_aside_and_taken_up_again(self):
        self.start()
        asked = self.run_one(self.event("evt.fraud.check.suspect", {"reason": "too many"}))
        self.assertEqual((asked["events"], asked["allEventDomains"]), ([], ["external", "audit"]))
        self.assertEqual(asked["domainedEvents"]["external"], asked["domainedEvents"]["audit"])
        self.assertEqual(self.say("evt.desk.ask.hold"), [])
        self.assertState("held")
        self.assertEqual(self.state()["historyValue"], {
            "claim.open.deep": [{"id": "claim.open.work.estimate.visiting.sent"}, {"id": "claim.open.work.fraud.looking"}],
            "claim.open.shallow": [{"id": "claim.open.work"}]})
        self.assertEqual(self.say("evt.adjuster.visit.report", {"estimate": 5}), [])
        self.assertEqual(self.state()["context"]["log"][-2:], ["held", "ignored evt.adjuster.visit.report"])
        # Deep history enters every level again, and so asks again.
        self.assertEqual(self.types(self.say("evt.desk.ask.resume")), ["com.desk.ask", "com.adjuster.visit", "com.desk.ask"])
        self.assertState({"open": {"work": {"estimate": {"visiting": "sent"}, "fraud": "looking"}}})
        self.say("evt.adjuster.visit.report", {"estimate": 350})
        self.say("evt.desk.ask.hold")
        self.say("evt.desk.ask.resume")
        self.assertState({"open": {"work": {"estimate": "fine", "fraud": "looking"}}})
        # Shallow history knows only that it was at work.
        self.say("evt.desk.ask.hold")
        self.say("evt.desk.ask.resumeshallow")
        self.assertState({"open": {"work": {"estimate": {"visiting": "sent"}, "fraud": "checking"}}})
        self.assertEqual(self.state()["context"]["holds"], 3)

    def test_to_the_end(self):
        self.start()
        self.say("evt.fraud.check.clean")
        pay = self.say("evt.adjuster.visit.report", {"estimate": 350})
        self.assertEqual([(event["type"], event["data"]) for event in pay], [("com.bank.pay", {"amount": 350, "policy": "P-1"})])
        # A failure of the bank changes no state; the claim may be held and taken up even then.
        self.say("sys.com.bank.pay.error", {"errorName": "E", "errorMessage": "m", "errorStack": None})
        self.say("evt.desk.ask.hold")
        self.assertEqual(self.types(self.say("evt.desk.ask.resume")), ["com.bank.pay"])
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        done, = self.say("evt.bank.pay.done", {"ref": "r"}, accesscontrol="desk", traceparent=trace, tracestate="a=b")
        self.assertEqual((done["type"], done["to"], done["subject"]), ("arvo.orc.insurance.claim.done", "com.web.desk", self.subject))
        self.assertEqual((done["accesscontrol"], done["tracestate"]), ("desk", "a=b"))
        self.assertEqual(done["traceparent"][:35], trace[:35])
        self.assertEqual((done["data"]["paid"], done["data"]["log"][-3:]), (350, ["leave open", "held", "leave open"]))
        self.assertEqual(self.say("evt.desk.ask.hold"), [])
        self.assertState("paid")

    def test_a_step_that_cannot_be_sent_is_undone(self):
        self.start(damage=0)  # the bank pays nothing but sums above 0
        self.say("evt.fraud.check.clean")
        before = self.state()
        failed, = self.say("evt.adjuster.visit.report", {"estimate": 350}, code=1)
        self.assertEqual((failed["type"], failed["to"], failed["dataschema"]), ("sys.arvo.orc.insurance.claim.error", "com.web.desk", "#/orchestrators/claim/0.0.0"))
        self.assertEqual(failed["data"]["errorName"], "ContractViolation")
        self.assertIn("/amount", failed["data"]["errorMessage"])
        self.assertEqual(self.state(), before)
        # So are data that the service's contract does not know.
        failed, = self.run_one({**self.event("evt.adjuster.visit.report", {"estimate": 1}), "data": {"estimate": "x"}}, code=1)["events"]
        self.assertIn("/estimate", failed["data"]["errorMessage"])
        self.assertEqual(self.state(), before)


if __name__ == "__main__":
    main()
