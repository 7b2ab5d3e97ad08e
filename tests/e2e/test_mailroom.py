#!/usr/bin/env python3
"""Emissions: every key of one, where each goes, many in one step, and each way to get one wrong."""

import base64
import json
import os
import zlib

from harness import ROOT, Case, main

MAILROOM = os.path.join(ROOT, "tests", "e2e", "apps", "mailroom")
SELF = "arvo.orc.mail.room"


def unpack(subject):
    return json.loads(zlib.decompress(base64.b64decode(subject)))


class Mailroom(Case):
    store = ("--store", "sqlite:mail.db")

    def start(self, mode, n=1):
        return self.ok(
            "event", "new", "--app", MAILROOM, "--type", SELF, "--source", "com.web.desk", "--accesscontrol", "desk",
            "--data", json.dumps({"mode": mode, "n": n})).json()

    def run_one(self, event, code=0):
        result = self.arvo("run", MAILROOM, "--event", self.write("event.json", event), *self.store, "--json")
        self.assertEqual(result.code, code, result)
        return result.json()

    def follow(self, event):
        *lines, last = self.ok("run", MAILROOM, "--event", self.write("event.json", event), *self.store, "--follow", "--json").lines()
        return lines, last["instances"]

    def test_where_everything_goes(self):
        start = self.start("various")
        result = self.run_one(start)
        events = result["domainedEvents"]["all"]
        self.assertEqual(result["allEventDomains"], ["default", "analytics", "audit.eu", "clerks"])
        self.assertEqual([[events.index(event) for event in result["domainedEvents"][name]] for name in result["allEventDomains"]],
                         [[0, 1, 3, 5], [1, 2], [1], [4]])
        for event in events:
            self.assertEqual((event["source"], event["parentid"]), (SELF, start["id"]))
        routes = [(e["to"], e["redirectto"], e["accesscontrol"], e["executionunits"], e["dataschema"]) for e in events]
        self.assertEqual(routes, [
            ("com.mail.relay", "com.test.sink", "only=me", 0, "#/services/mail/1.0.0"),
            ("fact.mail.sent", SELF, "desk", 5, "#/facts/2.0.0"),
            ("fact.mail.second", SELF, "desk", 5, None),
            ("arvo.orc.clerk", "com.test.uncle", "desk", 5, "#/orchestrators/clerk/1.0.0"),
            ("arvo.orc.clerk", SELF, "desk", 5, "#/orchestrators/clerk/1.0.0"),
            ("com.mail.send", SELF, "desk", 1.25, "#/services/mail/1.0.0"),
        ])
        self.assertEqual((events[0]["id"], events[0]["data"]), ("letter-" + start["id"], {"to": "a", "i": -1}))
        self.assertEqual(list(events[0])[9:13], ["tenant", "level", "vip", "to"])
        self.assertEqual((events[0]["tenant"], events[0]["level"], events[0]["vip"]), ("t1", 3, True))
        self.assertEqual(len({event["subject"] for event in events}), 3)  # this workflow's and two children's
        for child, answers in (events[3], "com.test.uncle"), (events[4], SELF):
            self.assertEqual(unpack(child["subject"])["execution"]["initiator"], SELF)
            self.assertEqual(unpack(child["subject"])["meta"], {"redirectto": answers})

    def test_who_takes_what(self):
        lines, instances = self.follow(self.start("various"))
        self.assertEqual([(line["event"]["to"], line["handledBy"]) for line in lines if line["event"]["source"] in (SELF, "arvo.orc.clerk")], [
            ("com.mail.relay", None),
            ("fact.mail.sent", None),
            ("fact.mail.second", None),
            ("arvo.orc.clerk", "orchestrator:arvo.orc.clerk@1.0.0"),
            ("arvo.orc.clerk", None),  # in another domain
            ("com.mail.send", "mock:com.mail.send"),
            ("com.test.uncle", None),  # the clerk's completion goes where its start asked for
            ("com.web.desk", None),
        ])
        self.assertEqual([(i["orchestrator"], i["status"], i["output"]) for i in instances], [
            (SELF, "done", {"got": 1}), ("arvo.orc.clerk", "done", {"ok": True})])

    def test_many_in_one_step(self):
        lines, instances = self.follow(self.start("many", 300))
        letters = [line["event"]["data"]["i"] for line in lines if line["event"]["type"] == "com.mail.send"]
        self.assertEqual((letters, instances[0]["output"]), (list(range(300)), {"got": 300}))
        self.assertEqual(len(lines), 1 + 300 + 300 + 1)

    def assertFails(self, start, name, says):
        """It goes to the initiator and nowhere else, is recorded, answered again alike, and ends the instance."""
        result = self.run_one(start, code=1)
        error, = result["domainedEvents"]["all"]
        self.assertEqual((result["events"], result["allEventDomains"]), ([error], ["default"]))
        self.assertEqual((error["type"], error["to"], error["subject"], error["redirectto"]), (f"sys.{SELF}.error", "com.web.desk", start["subject"], None))
        self.assertEqual((error["accesscontrol"], error["executionunits"], error["parentid"]), ("desk", 5, start["id"]))
        self.assertEqual((error["dataschema"], error["data"]["errorName"], error["data"]["errorStack"]), ("#/orchestrators/mailroom/0.0.0", name, None))
        self.assertIn(says, error["data"]["errorMessage"])
        shown = self.ok("show", start["subject"], *self.store, "--json").json()
        self.assertEqual((shown["status"], shown["value"], shown["lastError"]["errorName"]), ("error", None, name))
        self.assertEqual(self.run_one(start, code=1), result)
        self.assertEqual(self.run_one({**start, "id": "again"}), {"events": [], "allEventDomains": [], "domainedEvents": {"all": []}})

    def test_wrong_emissions(self):
        for mode, name, says in [
            ("data", "ContractViolation", "/to: expected string, got 3"),
            ("type", "ExecutionViolation", "Bad Type"),
            ("all", "ExecutionViolation", '"all"'),
            ("nowhere", "ExecutionViolation", "domains"),
            ("parent", "ExecutionViolation", "parentSubject$$"),
            ("orphan", "ContractViolation", "/parentSubject$$"),
            ("unlisted", "ExecutionViolation", "arvo.orc.boss"),
            ("ended", "ExecutionViolation", "arvo.orc.mail.room.done"),
            ("failed", "ExecutionViolation", "sys.arvo.orc.mail.room.error"),
            ("output", "ContractViolation", "/got"),
            ("endless", "Error", "1000"),
        ]:
            with self.subTest(mode=mode):
                self.assertFails(self.start(mode), name, says)
        self.assertFails(self.start("many", 2000), "Error", "1000")


if __name__ == "__main__":
    main()
