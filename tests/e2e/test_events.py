#!/usr/bin/env python3
"""event and subject: made, inspected, refused."""

import base64
import json
import re
import zlib

from harness import COUNTER, Case, main

UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
KEYS = [
    "id", "source", "specversion", "type", "subject", "datacontenttype", "dataschema", "data", "time", "to", "accesscontrol",
    "redirectto", "executionunits", "traceparent", "tracestate", "parentid", "domain",
]


def pack(document):
    return base64.b64encode(zlib.compress(json.dumps(document, separators=(",", ":")).encode())).decode()


def unpack(subject):
    return json.loads(zlib.decompress(base64.b64decode(subject)))


BILLS = """\
kind: contract
uri: "#/services/bill"
type: com.bill.send
versions:
  1.0.0: { accepts: { type: object }, emits: { evt.bill.paid: { type: object, properties: { no: { type: string } } } } }
  2.0.0: { accepts: { type: object }, emits: { evt.bill.paid: { type: object, properties: { cents: { type: integer } }, required: [cents] } } }
---
kind: contract
uri: "#/services/shop"
type: com.shop.sell
versions: { 1.0.0: { accepts: { type: object }, emits: { evt.bill.paid: { type: object } } } }
"""


class Subjects(Case):
    def new(self, *more):
        return self.ok("subject", "new", "--name", "arvo.orc.order", "--initiator", "com.shop.web", *more).out.strip()

    def test_new_says_what_it_was_told(self):
        subject = unpack(self.new("--version", "1.2.3", "--id", "x1", "--domain", "eu", "--meta", "a=1", "--meta", "b=x=y"))
        self.assertEqual(
            subject,
            {
                "orchestrator": {"name": "arvo.orc.order", "version": "1.2.3"},
                "execution": {"id": "x1", "initiator": "com.shop.web", "domain": "eu"},
                "meta": {"a": "1", "b": "x=y"},
            },
        )

    def test_new_fills_in_the_rest(self):
        subject = unpack(self.new())
        self.assertEqual(subject["orchestrator"]["version"], "0.0.0")
        self.assertRegex(subject["execution"]["id"], UUID)
        self.assertEqual((subject["execution"]["domain"], subject["meta"]), (None, {}))

    def test_child_inherits(self):
        parent = self.new("--domain", "eu", "--meta", "a=1", "--meta", "b=2")
        child = unpack(self.ok("subject", "child", parent, "--name", "arvo.orc.quote", "--meta", "b=3").out.strip())
        self.assertEqual(child["orchestrator"], {"name": "arvo.orc.quote", "version": "0.0.0"})
        self.assertEqual(child["execution"]["initiator"], "arvo.orc.order")
        self.assertEqual(child["execution"]["domain"], "eu")
        self.assertEqual(child["meta"], {"a": "1", "b": "3"})

    def test_decode_prints_the_json(self):
        subject = self.new("--id", "x1")
        self.assertEqual(json.loads(self.ok("subject", "decode", subject).out), unpack(subject))
        self.assertEqual(self.ok("subject", "decode", subject, "--json").out, json.dumps(unpack(subject), separators=(",", ":")) + "\n")

    def test_decode_says_no(self):
        good = unpack(self.new())
        bombs = {
            "not base64": "!!!!",
            "not zlib": base64.b64encode(b"hello").decode(),
            "not JSON": base64.b64encode(zlib.compress(b"{")).decode(),
            "not a subject": pack({"a": 1}),
            "bad name": pack({**good, "orchestrator": {"name": "x", "version": "1.0.0"}}),
            "bomb": base64.b64encode(zlib.compress(b" " * 10_000_000)).decode(),
            "empty": "",
        }
        for name, text in bombs.items():
            with self.subTest(name=name):
                self.fails(1, "subject", "decode", text)

    def test_new_refuses_what_breaks_a_rule(self):
        self.fails(2, "subject", "new", "--name", "order", "--initiator", "com.shop.web", says="name")
        self.fails(2, "subject", "new", "--name", "arvo.orc.order", "--initiator", "com;shop", says="initiator")
        self.fails(2, "subject", "new", "--name", "arvo.orc.order", "--initiator", "com.shop.web", "--version", "1", says="version")
        self.fails(2, "subject", "new", "--name", "arvo.orc.order", "--initiator", "com.shop.web", "--meta", "novalue", says="KEY=VALUE")
        self.fails(2, "subject", "child", "rubbish", "--name", "arvo.orc.order")


class Events(Case):
    def new(self, *more, **rest):
        return self.ok("event", "new", "--type", "com.test.thing", "--source", "com.test.me", "--subject", "s1", *more, **rest)

    def test_new_fills_in_the_defaults(self):
        result = self.new()
        self.assertEqual(result.out.count("\n"), 1)
        event = result.json()
        self.assertEqual(list(event), KEYS)
        self.assertRegex(event["id"], UUID)
        self.assertRegex(event["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00$")
        self.assertEqual((event["to"], event["data"], event["specversion"]), ("com.test.thing", {}, "1.0"))

    def test_new_says_what_it_was_told(self):
        event = self.new(
            "--data", '{"a": [1, 2.5, "x"]}', "--to", "com.test.other", "--dataschema", "#/x/1.0.0", "--redirectto", "com.test.back",
            "--accesscontrol", "role=admin", "--executionunits", "1.5", "--id", "i1", "--time", "2026-01-02T03:04:05Z", "--parentid", "p1",
            "--ext", "priority=3", "--ext", "colour=red",
        ).json()
        expected = {
            "data": {"a": [1, 2.5, "x"]}, "to": "com.test.other", "dataschema": "#/x/1.0.0", "redirectto": "com.test.back",
            "accesscontrol": "role=admin", "executionunits": 1.5, "id": "i1", "time": "2026-01-02T03:04:05Z", "parentid": "p1",
            "priority": 3, "colour": "red",
        }
        self.assertEqual({key: event[key] for key in expected}, expected)

    def test_data_comes_from_a_file_or_standard_input(self):
        path = self.write("data.yaml", "a: 1\n")
        self.assertEqual(self.new("--data", "@" + path).json()["data"], {"a": 1})
        self.assertEqual(self.new("--data", "-", stdin='{"a": 2}').json()["data"], {"a": 2})

    def test_new_refuses_what_breaks_a_rule(self):
        self.fails(1, "event", "new", "--type", "thing", "--source", "com.test.me", "--subject", "s", says="type")
        self.fails(1, "event", "new", "--type", "com.test.thing", "--subject", "s", says="source")
        self.fails(1, "event", "new", "--type", "com.test.thing", "--source", "com.test.me", "--subject", "s", "--time", "noon", says="time")
        self.fails(2, "event", "new", "--type", "com.test.thing", "--data", "[1]", says="object")
        self.fails(2, "event", "new", "--type", "com.test.thing", "--data", "{", says="--data")
        self.fails(2, "event", "new", "--type", "com.test.thing", "--executionunits", "much", says="number")

    def test_init_makes_a_subject(self):
        event = self.ok("event", "new", "--type", "arvo.orc.order", "--source", "com.shop.web", "--init", "--version", "1.0.0", "--data", '{"a": 1}').json()
        self.assertEqual(event["data"], {"a": 1, "parentSubject$$": None})
        self.assertEqual(unpack(event["subject"])["orchestrator"], {"name": "arvo.orc.order", "version": "1.0.0"})
        self.assertEqual(unpack(event["subject"])["execution"]["initiator"], "com.shop.web")

    def test_an_app_checks_and_completes(self):
        app = self.write("app.yaml", COUNTER)
        event = self.ok("event", "new", "--app", app, "--type", "arvo.orc.counter", "--source", "com.test.me", "--data", "-", stdin='{"goal": 3, "noise": 1}').json()
        self.assertEqual(event["dataschema"], "#/orchestrators/counter/1.0.0")
        self.assertEqual(event["data"], {"goal": 3, "parentSubject$$": None})
        self.assertEqual(unpack(event["subject"])["orchestrator"], {"name": "arvo.orc.counter", "version": "1.0.0"})
        reply = self.ok("event", "new", "--app", app, "--type", "evt.counter.tick", "--subject", event["subject"], "--to", "arvo.orc.counter", "--data", '{"next": 1}').json()
        self.assertEqual((reply["source"], reply["dataschema"]), ("com.counter.tick", "#/services/tick/1.0.0"))
        self.fails(1, "event", "new", "--app", app, "--type", "evt.counter.tick", "--subject", "s", "--data", '{"next": "x"}', says="next")
        self.fails(2, "event", "new", "--app", app, "--type", "com.other.thing", says="com.other.thing")
        self.fails(1, "event", "new", "--app", app, "--type", "arvo.orc.counter", "--data", '{"goal": 3}', says="source")
        failed = self.ok("event", "new", "--app", app, "--type", "sys.com.counter.tick.error", "--subject", "s", "--data", '{"errorName": "E", "errorMessage": "m"}').json()
        self.assertEqual(failed["data"], {"errorName": "E", "errorMessage": "m", "errorStack": None})

    def test_a_reply_answers_an_event(self):
        asked = self.write("asked.json", self.new("--redirectto", "com.test.back", "--id", "q1", "--accesscontrol", "x").out)
        reply = self.ok("event", "new", "--type", "evt.test.thing", "--source", "com.test.thing", "--reply-to", asked).json()
        self.assertEqual((reply["subject"], reply["to"], reply["parentid"], reply["accesscontrol"]), ("s1", "com.test.back", "q1", "x"))
        asked = self.write("asked.json", self.new().out)
        reply = self.ok("event", "new", "--type", "evt.test.thing", "--source", "com.test.thing", "--reply-to", asked).json()
        self.assertEqual(reply["to"], "com.test.me")

    def test_a_reply_answers_a_line_of_follow(self):
        asked = self.new("--redirectto", "com.test.back", "--id", "q1").json()
        line = self.write("line.json", {"event": asked, "domains": ["external"], "handledBy": None})
        reply = self.ok("event", "new", "--type", "evt.test.thing", "--source", "com.test.thing", "--reply-to", line).json()
        self.assertEqual((reply["subject"], reply["to"], reply["parentid"]), ("s1", "com.test.back", "q1"))
        del asked["id"]
        line = self.write("line.json", {"event": asked, "domains": [], "handledBy": None})
        self.fails(2, "event", "new", "--type", "evt.test.thing", "--source", "com.test.thing", "--reply-to", line, says=["line.json", "id"])

    def test_a_reply_follows_the_version_that_was_asked(self):
        app = self.write("bills.yaml", BILLS)
        for version in ("1.0.0", "2.0.0"):
            asked = self.write("asked.json", self.ok(
                "event", "new", "--app", app, "--type", "com.bill.send", "--version", version, "--source", "com.test.me", "--subject", "s").out)
            reply = self.ok("event", "new", "--app", app, "--type", "evt.bill.paid", "--reply-to", asked, "--data", '{"cents": 1}').json()
            self.assertEqual((reply["dataschema"], reply["source"]), (f"#/services/bill/{version}", "com.bill.send"))
            self.assertEqual(reply["data"], {} if version == "1.0.0" else {"cents": 1})
            self.ok("event", "validate", self.write("reply.json", reply), "--app", app)
        failed = self.ok("event", "new", "--app", app, "--type", "sys.com.bill.send.error", "--reply-to", asked, "--data", '{"errorName": "E", "errorMessage": "m"}').json()
        self.assertEqual(failed["dataschema"], "#/services/bill/0.0.0")
        # Whoever says more knows better: a version, or another contract that declares the type.
        new = ("event", "new", "--app", app, "--type", "evt.bill.paid", "--reply-to", asked)
        self.assertEqual(self.ok(*new, "--version", "1.0.0").json()["dataschema"], "#/services/bill/1.0.0")
        other = self.ok(*new, "--dataschema", "#/services/shop/1.0.0").json()
        self.assertEqual((other["source"], other["dataschema"]), ("com.shop.sell", "#/services/shop/1.0.0"))
        self.fails(2, *new, "--dataschema", "#/services/bill/3.0.0", says="#/services/bill/3.0.0")
        self.fails(1, "event", "validate", self.write("e.json", {**other, "dataschema": "#/services/other/1.0.0"}), "--app", app, says="#/services/other/1.0.0")

    def test_pretty_is_the_same_event(self):
        text = self.new("--id", "i", "--time", "2026-01-02T03:04:05Z", "--pretty").out
        self.assertGreater(text.count("\n"), 10)
        self.assertEqual(json.loads(text)["id"], "i")

    def test_validate_says_yes(self):
        path = self.write("e.json", self.new("--id", "i9").out)
        self.assertEqual(self.ok("event", "validate", path).out, "valid: com.test.thing, id i9\n")
        self.assertEqual(self.ok("event", "validate", path, "--json").out, '{"valid":true}\n')
        self.assertEqual(self.ok("event", "validate", "-", "--json", stdin=self.new().out).json(), {"valid": True})

    def test_validate_says_no(self):
        event = self.new().json()
        wrongs = [
            {**event, "type": "nodots"}, {**event, "source": "a b"}, {**event, "specversion": "0.3"}, {**event, "time": "never"},
            {**event, "data": 5}, {**event, "id": ""}, {**event, "subject": None}, {**event, "Upper": 1}, {},
        ]
        for wrong in wrongs:
            with self.subTest(wrong=str(wrong)[:100]):
                path = self.write("e.json", wrong)
                self.fails(1, "event", "validate", path)
                result = self.arvo("event", "validate", path, "--json")
                self.assertEqual((result.code, result.json()["valid"], result.err), (1, False, ""))

    def test_validate_checks_the_data_with_an_app(self):
        app = self.write("app.yaml", COUNTER)
        good = self.write("good.json", self.ok("event", "new", "--app", app, "--type", "arvo.orc.counter", "--source", "com.test.me", "--data", '{"goal": 3}').out)
        self.ok("event", "validate", good, "--app", app)
        with open(good, encoding="utf-8") as file:
            event = json.load(file)
        bad = self.write("bad.json", {**event, "data": {"goal": "x", "parentSubject$$": None}})
        self.ok("event", "validate", bad)
        self.fails(1, "event", "validate", bad, "--app", app, says="goal")

    def test_every_id_is_new(self):
        ids = {self.new().json()["id"] for _ in range(20)}
        self.assertEqual(len(ids), 20)
        self.assertTrue(all(re.match(UUID, one) for one in ids))


if __name__ == "__main__":
    main()
