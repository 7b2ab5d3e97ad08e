#!/usr/bin/env python3
"""contract, schema and machine: documents checked, data validated, charts simulated."""

import json
import os

from harness import COUNTER, PURCHASE, Case, main

PAYMENT = """
kind: contract
uri: "#/services/payment"
type: com.payment.charge
versions:
  1.0.0:
    accepts:
      type: object
      properties: { orderId: { type: string }, amount: { type: number } }
      required: [orderId, amount]
    emits:
      evt.payment.charge.success:
        type: object
        properties: { paymentId: { type: string } }
        required: [paymentId]
  2.0.0:
    accepts:
      type: object
      properties: { orderId: { type: string }, amount: { type: number }, currency: { type: string, default: EUR } }
      required: [orderId, amount]
    emits: {}
"""

DOOR = """
kind: machine
id: door
context: { opened: 0 }
initial: closed
states:
  closed:
    on:
      OPEN:
        target: open
        actions:
          - { type: assign, params: { opened: "${ .context.opened + 1 }" } }
          - { type: log, params: { message: "${ \\"by \\" + .event.who }" } }
          - { type: emit, params: { type: com.door.opened, data: { times: "${ .context.opened }" } } }
  open:
    on: { CLOSE: closed, BREAK: broken }
  broken: { type: final }
output: { opened: "${ .context.opened }" }
"""


class Contracts(Case):
    def setUp(self):
        super().setUp()
        self.contract = self.write("payment.yaml", PAYMENT)

    def test_check_lists_what_is_there(self):
        text = self.ok("contract", "check", self.contract).out
        for word in ("#/services/payment", "1.0.0", "2.0.0", "com.payment.charge", "evt.payment.charge.success"):
            self.assertIn(word, text)
        listed = self.ok("contract", "check", self.contract, "--json").json()
        self.assertTrue(listed["ok"])
        self.assertEqual(
            listed["contracts"],
            [{
                "uri": "#/services/payment", "type": "com.payment.charge", "orchestrator": False,
                "versions": [
                    {"version": "1.0.0", "accepts": "com.payment.charge", "emits": ["evt.payment.charge.success"]},
                    {"version": "2.0.0", "accepts": "com.payment.charge", "emits": []},
                ],
            }],
        )

    def test_check_says_no_with_file_and_line(self):
        wrong = self.write("wrong.yaml", PAYMENT.replace("type: number", "type: numbre", 1))
        result = self.fails(1, "contract", "check", wrong, says=["wrong.yaml:", "numbre"])
        self.assertEqual(result.out, "")
        result = self.arvo("contract", "check", wrong, "--json")
        self.assertEqual(result.code, 1)
        self.assertFalse(result.json()["ok"])
        self.assertIn("numbre", result.json()["error"])

    def test_check_names_unknown_keys(self):
        wrong = self.write("wrong.yaml", PAYMENT.replace("type: com.payment", "tpye: com.payment"))
        self.fails(1, "contract", "check", wrong, says=["wrong.yaml:", "tpye"])

    def test_validate_prints_the_normalised_data(self):
        result = self.ok(
            "contract", "validate", self.contract, "--type", "com.payment.charge", "--json",
            stdin='{"amount": 5, "orderId": "o", "noise": 1}',
        )
        self.assertEqual(
            result.out,
            '{"valid":true,"dataschema":"#/services/payment/2.0.0","data":{"orderId":"o","amount":5,"currency":"EUR"}}\n',
        )

    def test_validate_accepts_what_a_workflow_accepts(self):
        accepts = {"type": "object", "properties": {"a": {"default": 1}, "b": {"type": "integer"}}, "required": ["a", "b"]}
        contract = self.write("d.json", {"kind": "contract", "uri": "#/d", "type": "com.a.b", "versions": {"1.0.0": {"accepts": accepts}}})
        valid = self.ok("contract", "validate", contract, "--type", "com.a.b", "--json", stdin='{"b": 2}').json()
        self.assertEqual(valid["data"], {"a": 1, "b": 2})
        self.fails(1, "contract", "validate", contract, "--type", "com.a.b", stdin="{}", says="/b: is missing")

    def test_validate_goes_by_the_version(self):
        data = self.write("data.yaml", "orderId: o\namount: 5\n")
        result = self.ok("contract", "validate", self.contract, "--type", "com.payment.charge", "--version", "1.0.0", "--data", data)
        self.assertIn("valid", result.out)
        self.assertNotIn("EUR", result.out)
        # An emitted type, of the latest version that has it.
        emitted = self.ok("contract", "validate", self.contract, "--type", "evt.payment.charge.success", "--json", stdin='{"paymentId": "p"}')
        self.assertEqual(emitted.json()["dataschema"], "#/services/payment/1.0.0")

    def test_validate_says_no_with_every_issue(self):
        result = self.arvo("contract", "validate", self.contract, "--type", "com.payment.charge", stdin='{"amount": "five"}')
        self.assertEqual(result.code, 1)
        self.assertIn("/amount", result.err)
        self.assertIn("orderId", result.err)
        result = self.arvo("contract", "validate", self.contract, "--type", "com.payment.charge", "--json", stdin='{"amount": "five"}')
        self.assertEqual(result.code, 1)
        issues = result.json()["issues"]
        self.assertEqual({issue["keyword"] for issue in issues}, {"type", "required"})
        for issue in issues:
            self.assertEqual(set(issue), {"path", "keyword", "message", "schema"})

    def test_validate_wants_a_known_type(self):
        self.fails(2, "contract", "validate", self.contract, "--type", "com.other.thing", stdin="{}", says="com.other.thing")
        self.fails(2, "contract", "validate", self.contract, "--type", "com.payment.charge", "--version", "9.0.0", stdin="{}", says="9.0.0")


class Schemas(Case):
    def test_validate(self):
        schema = self.write("s.json", {"type": "object", "properties": {"n": {"type": "integer", "default": 3}}, "required": ["m"]})
        good = self.write("good.yaml", "m: 1\nextra: 2\n")
        bad = self.write("bad.json", {"n": "x"})
        self.assertEqual(self.ok("schema", "validate", schema, good).out, "valid\n")
        self.assertEqual(self.ok("schema", "validate", schema, good, "--json").out, '{"valid":true}\n')
        result = self.arvo("schema", "validate", schema, bad, "--json")
        self.assertEqual(result.code, 1)
        self.assertEqual({issue["keyword"] for issue in result.json()["issues"]}, {"required", "type"})

    def test_the_draft_can_be_told(self):
        schema = self.write("s.json", {"items": [{"type": "string"}]})
        instance = self.write("i.json", [1])
        self.assertEqual(self.arvo("schema", "validate", schema, instance, "--draft", "7").code, 1)
        self.fails(2, "schema", "validate", schema, instance, "--draft", "5", says="--draft 5")

    def test_formats_refuse_when_asked(self):
        schema = self.write("s.json", {"format": "date"})
        instance = self.write("i.json", '"2023-02-29"')
        self.ok("schema", "validate", schema, instance)
        self.fails(1, "schema", "validate", schema, instance, "--format", says="expected a date (2024-05-31)")

    def test_documents_come_from_mapped_folders(self):
        self.write("far/a/word.json", {"type": "string", "minLength": 2})
        schema = self.write("s.json", {"$id": "http://x.example/root.json", "items": {"$ref": "a/word.json"}})
        good, bad = self.write("good.json", ["ab"]), self.write("bad.json", ["ab", "c", 1])
        self.fails(2, "schema", "validate", schema, good, says=["s.json:1: /items/$ref", "http://x.example/a/word.json"])
        mapped = ["--remotes", self.path("far") + "=http://x.example/"]
        self.ok("schema", "validate", schema, good, *mapped)
        result = self.arvo("schema", "validate", schema, bad, *mapped)
        self.assertEqual(result.code, 1)
        self.assertEqual(result.err, "arvo: /1: expected 2 characters at least, got 1\narvo: /2: expected string, got 1\n")
        self.fails(2, "schema", "validate", schema, good, "--remotes", "far", says="DIR=URL")
        self.fails(2, "schema", "validate", schema, good, "--remotes", "gone=http://x.example", says="no such folder")
        self.fails(2, "schema", "validate", schema, good, "--remotes", "far=x", says="absolute URL")

    def test_the_output_formats_of_the_standard(self):
        schema = self.write("s.json", {
            "$id": "http://x.example/s", "$defs": {"n": {"type": "integer", "minimum": 0}},
            "properties": {"a": {"$ref": "#/$defs/n"}, "b": {"$ref": "#/$defs/n"}}, "required": ["c"],
        })
        bad = self.write("bad.json", {"a": -1, "b": "x"})
        good = self.write("good.json", {"c": 1})
        for form in ("flag", "basic", "detailed"):
            self.assertEqual(self.ok("schema", "validate", schema, good, "--output", form).json(), {"valid": True})
        out = {form: self.arvo("schema", "validate", schema, bad, "--output", form).json() for form in ("flag", "basic", "detailed")}
        self.assertEqual(out["flag"], {"valid": False})
        place = {"valid": False, "keywordLocation": "/properties/a/$ref/minimum",
                 "absoluteKeywordLocation": "http://x.example/s#/$defs/n/minimum", "instanceLocation": "/a"}
        units = out["basic"]["errors"]
        self.assertEqual({**place, "error": "expected a number at least 0, got -1"}, units[0])
        self.assertEqual([unit["instanceLocation"] for unit in units], ["/a", "/b", ""])
        self.assertEqual(units[2]["keywordLocation"], "/required")
        detailed = out["detailed"]
        self.assertEqual((detailed["keywordLocation"], detailed["instanceLocation"]), ("", ""))
        properties, required = detailed["errors"]
        self.assertEqual((properties["keywordLocation"], len(properties["errors"])), ("/properties", 2))
        self.assertEqual(properties["errors"][0], units[0])
        self.assertEqual(required, units[2])
        self.fails(2, "schema", "validate", schema, good, "--output", "verbose", says="flag, basic or detailed")

    def test_unknown_keywords_are_warned_about(self):
        schema = self.write("s.json", {"requird": ["a"], "x-note": 1})
        instance = self.write("i.json", "{}")
        result = self.arvo("schema", "validate", schema, instance)
        self.assertEqual((result.code, result.out), (0, "valid\n"))
        self.assertIn(f'warning: {schema}:1: the keyword "requird" is not known', result.err)
        self.assertIn('did you mean "required"?', result.err)
        self.assertNotIn("x-note", result.err)
        contract = self.write("c.yaml", "kind: contract\nuri: '#/c'\ntype: com.a.b\nversions:\n  1.0.0:\n    accepts: {tipe: object}\n    emits: {}\n")
        result = self.arvo("contract", "check", contract)
        self.assertEqual(result.code, 0, result)
        self.assertIn("c.yaml:6: /versions/1.0.0/accepts: the keyword", result.err)

    def test_a_wrong_schema_is_a_bad_input(self):
        schema = self.write("s.json", {"type": "strin"})
        instance = self.write("i.json", '"x"')
        self.fails(2, "schema", "validate", schema, instance, says=["s.json", "strin"])


class Machines(Case):
    def test_check_lists_the_app(self):
        app = self.write("counter.yaml", COUNTER)
        text = self.ok("machine", "check", app).out
        for word in ("counter", "1.0.0", "arvo.orc.counter", "#/services/tick/1.0.0", "1 machines, 2 contracts, 1 mocks"):
            self.assertIn(word, text)
        listed = self.ok("machine", "check", app, "--json").json()
        self.assertTrue(listed["ok"])
        self.assertEqual(listed["machines"][0]["orchestrator"], "arvo.orc.counter")
        self.assertEqual(listed["mocks"], ["com.counter.tick"])

    def test_check_takes_directories(self):
        listed = self.ok("machine", "check", PURCHASE, "--json").json()
        self.assertEqual(
            sorted((machine["id"], machine["version"]) for machine in listed["machines"]),
            [("purchase", "1.0.0"), ("purchase", "1.1.0"), ("quote", "1.0.0")],
        )

    def test_check_says_what_is_wrong_and_where(self):
        wrongs = {
            "target: deciding": ("target: decidng", "decidng"),
            "initial: deciding": ("initial: nowhere", "nowhere"),
            "type: com.counter.tick, data": ("type: com.counter.tock, source: x, data", "source"),
            '"#/services/tick" }': ('"#/services/tock" }', "#/services/tock"),
            "count >= .context": ("count >=> .context", "count"),
            "type: final": ("type: final, after: { \"10\": done }", "after"),
        }
        for good, (bad, word) in wrongs.items():
            with self.subTest(bad=bad):
                self.assertIn(good, COUNTER)
                app = self.write("app.yaml", COUNTER.replace(good, bad, 1))
                self.fails(1, "machine", "check", app, says=["app.yaml:", word])

    def test_check_counts_an_unreadable_file_as_usage(self):
        self.fails(2, "machine", "check", self.path("nothing.yaml"), says="nothing.yaml")
        self.fails(2, "machine", "check", self.write("bad.json", '{"kind": '), says="bad.json:1")


class Simulate(Case):
    def setUp(self):
        super().setUp()
        self.door = self.write("door.yaml", DOOR)

    def test_one_object_per_step(self):
        events = self.write("events.json", [{"type": "OPEN", "who": "ann"}, "CLOSE", "NOTHING", {"type": "OPEN", "who": "bob"}, "BREAK", "OPEN"])
        steps = self.ok("machine", "simulate", self.door, "--events", events).lines()
        self.assertEqual([list(step) for step in steps], [["event", "value", "status", "context", "log", "emitted", "output", "error"]] * 7)
        self.assertEqual(
            steps[0], {"event": None, "value": "closed", "status": "active", "context": {"opened": 0}, "log": [], "emitted": [], "output": None, "error": None}
        )
        self.assertEqual(steps[1]["event"], {"type": "OPEN", "who": "ann"})
        self.assertEqual(steps[1]["log"], ["by ann"])
        self.assertEqual(steps[1]["emitted"], [{"type": "com.door.opened", "data": {"times": 1}}])
        self.assertEqual(steps[2]["event"], "CLOSE")
        self.assertEqual([step["value"] for step in steps], ["closed", "open", "closed", "closed", "open", "broken", "broken"])
        self.assertEqual(steps[5]["status"], "done")
        self.assertEqual(steps[5]["output"], {"opened": 2})
        self.assertEqual(steps[6]["context"], {"opened": 2})

    def test_events_come_as_lines_list_or_yaml(self):
        lines = "\n".join(['"CLOSE"', "", '{"type": "OPEN", "who": "x"}', '"CLOSE"', ""])
        forms = {
            "lines": lines,
            "list": '["CLOSE", {"type": "OPEN", "who": "x"}, "CLOSE"]',
            "yaml": "- CLOSE\n- { type: OPEN, who: x }\n- CLOSE\n",
        }
        outputs = {}
        for form, text in forms.items():
            outputs[form] = self.ok("machine", "simulate", self.door, "--events", "-", stdin=text).out
        self.assertEqual(outputs["lines"], outputs["list"])
        self.assertEqual(outputs["yaml"], outputs["list"])
        self.assertEqual(len(outputs["list"].splitlines()), 4)

    def test_a_snapshot_goes_on(self):
        events = [{"type": "OPEN", "who": "a"}, "CLOSE", {"type": "OPEN", "who": "b"}, "BREAK"]
        whole = self.ok("machine", "simulate", self.door, "--events", self.write("all.json", events), "--persist").out.splitlines()
        half = self.ok("machine", "simulate", self.door, "--events", self.write("half.json", events[:2]), "--persist").out.splitlines()
        snapshot = self.write("snapshot.json", half[-1])
        rest = self.ok("machine", "simulate", self.door, "--snapshot", snapshot, "--events", self.write("rest.json", events[2:]), "--persist").out.splitlines()
        self.assertEqual(json.loads(rest[0])["event"], None)
        self.assertEqual(json.loads(rest[0])["value"], "closed")
        self.assertEqual(rest[1:], whole[3:])
        self.assertEqual(set(json.loads(whole[-1])["snapshot"]), {"status", "output", "value", "historyValue", "context", "children"})

    def test_input_is_the_start_event(self):
        app = self.write("counter.yaml", COUNTER)
        start = self.write("start.json", {"type": "arvo.orc.counter", "data": {"goal": 2}})
        steps = self.ok("machine", "simulate", app, "--input", start).lines()
        self.assertEqual(steps[0]["context"], {"count": 0, "goal": 2})
        self.assertEqual(steps[0]["emitted"], [{"type": "com.counter.tick", "data": {"at": 0}}])

    def test_contracts_may_come_from_an_app(self):
        machine = os.path.join(PURCHASE, "purchase-1.1.0.yaml")
        start = self.write("start.json", {"type": "arvo.orc.purchase", "subject": "s", "data": {"orderId": "o", "item": "i", "quantity": 1, "card": "c"}})
        steps = self.ok("machine", "simulate", machine, "--app", PURCHASE, "--input", start).lines()
        self.assertEqual(steps[0]["value"], "quoting")
        self.fails(2, "machine", "simulate", machine, "--input", start, says="#/orchestrators/purchase")

    def test_a_failing_step_is_a_step(self):
        chart = self.write("m.yaml", "kind: machine\nid: m\ninitial: a\nstates:\n  a:\n    on:\n      E: { guard: '${ error(\"boom\") }', target: b }\n  b: {}\n")
        result = self.arvo("machine", "simulate", chart, "--events", "-", stdin='["E"]')
        self.assertEqual(result.code, 1, result)
        step = result.lines()[1]
        self.assertEqual((step["value"], step["status"]), ("a", "error"))
        self.assertIn("boom", step["error"])

    def test_what_cannot_be_built_is_a_bad_input(self):
        self.fails(2, "machine", "simulate", self.write("m.yaml", "kind: machine\nid: m\ninitial: b\nstates: { a: {} }\n"), says=["m.yaml:", "b"])
        self.fails(2, "machine", "simulate", self.write("n.yaml", PAYMENT), says="holds no machine")
        self.fails(2, "machine", "simulate", self.write("two.yaml", DOOR + "---" + DOOR), says="several machines")

    def test_events_must_be_events(self):
        self.fails(2, "machine", "simulate", self.door, "--events", "-", stdin="[1]", says="event 1")
        self.fails(2, "machine", "simulate", self.door, "--events", "-", stdin='{"no": "type"}', says="event 1")
        self.fails(2, "machine", "simulate", self.door, "--events", "-", stdin="[", says="-:1")
        self.assertEqual(len(self.ok("machine", "simulate", self.door, "--events", "-", stdin="[]").lines()), 1)

    def test_a_foreign_snapshot_is_refused(self):
        snapshot = self.write("s.json", {"status": "active", "value": "elsewhere", "historyValue": {}, "context": {}, "children": {}})
        result = self.fails(3, "machine", "simulate", self.door, "--snapshot", snapshot, "--events", "-", stdin='["OPEN"]', says="elsewhere")
        self.assertEqual(result.out, "")
        # Without an event, too, and when it is no snapshot at all.
        self.fails(3, "machine", "simulate", self.door, "--snapshot", snapshot, says="elsewhere")
        self.fails(3, "machine", "simulate", self.door, "--snapshot", self.write("e.json", {}), says="status")


if __name__ == "__main__":
    main()
