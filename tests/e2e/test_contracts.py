#!/usr/bin/env python3
"""contract example, diff, docs, export and import."""

import json
import os

from harness import PURCHASE, Case, main

PAYMENT = """
kind: contract
uri: "#/services/payment"
type: com.payment.charge
versions:
  1.0.0:
    accepts:
      type: object
      properties:
        orderId: { type: string, minLength: 3 }
        amount: { type: number, exclusiveMinimum: 0 }
        currency: { enum: [EUR, USD], default: EUR }
      required: [orderId, amount, currency]
    emits:
      evt.payment.charge.success:
        type: object
        properties: { paymentId: { type: string } }
        required: [paymentId]
      evt.payment.charge.never: { type: object, properties: { a: { type: string, pattern: "(?=b)a" } }, required: [a] }
      evt.payment.charge.nothing: false
"""

TYPE = "com.payment.charge"


class Example(Case):
    def setUp(self):
        super().setUp()
        self.contract = self.write("payment.yaml", PAYMENT)

    def test_data_is_valid(self):
        for more in ([], ["--minimal"], ["--seed", "7"]):
            data = self.ok("contract", "example", self.contract, "--type", TYPE, *more).out
            self.ok("contract", "validate", self.contract, "--type", TYPE, stdin=data)
        answer = self.ok("contract", "example", self.contract, "--type", TYPE, "--json").json()
        self.assertEqual(answer["dataschema"], "#/services/payment/1.0.0")
        self.assertEqual(set(answer["data"]), {"orderId", "amount", "currency"})

    def test_the_seed_decides(self):
        def made(seed):
            return self.ok("contract", "example", self.contract, "--type", TYPE, "--seed", str(seed)).out

        self.assertEqual(made(3), made(3))
        self.assertGreater(len({made(seed) for seed in range(1, 9)}), 3)

    def test_every_rule_is_broken_once(self):
        answer = self.ok("contract", "example", self.contract, "--type", TYPE, "--invalid", "--json").json()
        rules = [(item["rule"], item.get("key")) for item in answer["invalid"]]
        for rule in (
            ("/type", None),
            ("/required", "orderId"),
            ("/properties/orderId/minLength", None),
            ("/properties/amount/exclusiveMinimum", None),
            ("/properties/currency/enum", None),
        ):
            self.assertIn(rule, rules)
        # A key with a default may be absent.
        self.assertNotIn(("/required", "currency"), rules)
        for item in answer["invalid"]:
            self.assertTrue(item["named"], item)
            self.fails_validation(item["data"], item["keyword"])

    def fails_validation(self, data, keyword):
        result = self.arvo("contract", "validate", self.contract, "--type", TYPE, "--json", stdin=json.dumps(data))
        self.assertEqual(result.code, 1, result)
        self.assertIn(keyword, [issue["keyword"] for issue in result.json()["issues"]])

    def test_people_see_rule_reason_and_data(self):
        text = self.ok("contract", "example", self.contract, "--type", TYPE, "--invalid").out
        self.assertIn("/properties/orderId/minLength\n  /orderId: expected 3 characters at least", text)

    def test_orchestrators_have_examples(self):
        data = self.ok("contract", "example", PURCHASE, "--type", "arvo.orc.purchase").out
        self.ok("contract", "validate", PURCHASE, "--type", "arvo.orc.purchase", stdin=data)

    def test_what_cannot_be_made_is_said(self):
        self.fails(
            1, "contract", "example", self.contract, "--type", "evt.payment.charge.never", says=["no value was found", "examples"]
        )
        self.fails(1, "contract", "example", self.contract, "--type", "evt.payment.charge.nothing", says=["no value at all"])

    def test_wrong_usage(self):
        self.fails(2, "contract", "example", self.contract, says=["--type"])
        self.fails(2, "contract", "example", self.contract, "--type", "com.no.such", says=["com.no.such"])
        self.fails(2, "contract", "example", self.contract, "--type", TYPE, "--version", "9.0.0", says=["9.0.0"])
        self.fails(2, "contract", "example", self.path("absent.yaml"), "--type", TYPE, says=["absent.yaml"])
        self.fails(2, "contract", "example", self.contract, "--type", TYPE, "--seed", "x", says=["seed"])
        self.fails(2, "contract", "example", says=["example"])


SHIPPING = """
kind: contract
uri: "#/services/shipping"
type: com.shipping.ship
versions:
  1.0.0:
    accepts: { type: object, properties: { orderId: { type: string }, weight: { type: number } }, required: [orderId] }
    emits:
      evt.shipping.sent: { type: object, properties: { trackingId: { type: string } }, required: [trackingId] }
"""


class Diff(Case):
    def setUp(self):
        super().setUp()
        self.old = self.write("old.yaml", SHIPPING)

    def new(self, *changes):
        text = SHIPPING
        for was, is_now in changes:
            self.assertIn(was, text)
            text = text.replace(was, is_now)
        return self.write("new.yaml", text)

    def diff(self, code, new, *more):
        result = self.arvo("contract", "diff", self.old, new, *more)
        self.assertEqual(result.code, code, result)
        self.assertEqual(result.err, "", result)
        return result

    def test_no_change(self):
        text = self.diff(0, self.new()).out
        self.assertEqual(text, "0 breaking, 0 unknown, 0 compatible, 2 unchanged\n")
        self.assertIn("same", self.diff(0, self.new(), "--all").out)
        # A folder is compared with a file as well.
        self.write("folder/shipping.yaml", SHIPPING)
        self.diff(0, self.path("folder"))

    def test_accepts_may_loosen(self):
        answer = self.diff(0, self.new(("required: [orderId]", "required: []")), "--json").json()
        self.assertTrue(answer["compatible"])
        (change,) = answer["changes"]
        self.assertEqual((change["part"], change["change"], change["verdict"]), ("accepts", "loosened", "compatible"))
        self.assertEqual(change["witness"]["acceptedBy"], "new")

    def test_accepts_must_not_tighten(self):
        new = self.new(("weight: { type: number }", "weight: { type: number, maximum: 30 }"))
        text = self.diff(1, new).out
        self.assertIn("breaking    1.0.0 accepts com.shipping.ship: tightened", text)
        self.assertIn("put the change into a new one (2.0.0)", text)
        answer = self.diff(1, new, "--json").json()
        self.shows(answer["changes"][0], "com.shipping.ship", new)

    def test_emits_must_not_loosen(self):
        new = self.new(("required: [trackingId]", "required: []"))
        answer = self.diff(1, new, "--json").json()
        (change,) = answer["changes"]
        self.assertEqual((change["part"], change["change"]), ("emits", "loosened"))
        self.assertEqual(change["needsVersion"], "2.0.0")
        self.shows(change, "evt.shipping.sent", new)

    def shows(self, change, event, new):
        """The witness is accepted by the one side and refused by the other."""
        data = json.dumps(change["witness"]["data"])
        sides = {"old": self.old, "new": new}
        accepting = change["witness"]["acceptedBy"]
        for name, path in sides.items():
            code = 0 if name == accepting else 1
            result = self.arvo("contract", "validate", path, "--type", event, stdin=data)
            self.assertEqual(result.code, code, (name, result))

    def test_a_new_version_may_be_anything(self):
        new = self.write("new.yaml", SHIPPING + "  2.0.0: { accepts: { type: object } }\n")
        self.assertIn("2.0.0 version: added", self.diff(0, new).out)
        new = self.write("new.yaml", SHIPPING.replace("orderId: { type: string }", "orderId: { type: integer }") + "  2.0.0: { accepts: true }\n")
        self.assertIn("put the change into a new one (2.0.0)", self.diff(1, new).out)

    def test_a_contract_that_goes_breaks_its_users(self):
        other = self.write("other.yaml", PAYMENT)
        text = self.diff(1, other).out
        self.assertIn("1.0.0 version: removed", text)
        self.assertIn("keep the contract as long as anybody uses it", text)

    def test_markdown_is_a_table(self):
        new = self.new(("weight: { type: number }", "weight: { enum: [1, '|`x`'] }"))
        lines = self.diff(1, new, "--markdown").out.splitlines()
        rows = [line for line in lines if line.startswith("|")]
        self.assertEqual(len(rows), 3)
        for row in rows:
            self.assertEqual(row.replace("\\|", "").count("|"), 7, row)
        self.assertIn("**breaking**", rows[2])

    def test_what_is_unknown_is_loud(self):
        self.old = self.write("old.yaml", SHIPPING.replace("orderId: { type: string }", 'orderId: { type: string, pattern: "(?=a)b" }'))
        new = self.write("new.yaml", SHIPPING.replace("orderId: { type: string }", 'orderId: { type: string, pattern: "(?=a)c" }'))
        text = self.diff(0, new).out
        self.assertIn("UNKNOWN: 1 could not be decided", text)
        self.diff(1, new, "--strict")
        answer = self.diff(0, new, "--json").json()
        self.assertFalse(answer["compatible"])
        self.assertEqual(answer["unknown"], 1)

    def test_the_purchase_example_is_itself(self):
        self.old = PURCHASE
        self.assertIn(" 0 compatible", self.diff(0, PURCHASE).out)

    def test_wrong_usage(self):
        self.fails(2, "contract", "diff", self.old, says=["diff"])
        self.fails(2, "contract", "diff", self.old, self.path("absent.yaml"), says=["absent.yaml"])
        self.fails(2, "contract", "diff", self.path("absent.yaml"), self.old, says=["absent.yaml"])
        broken = self.write("broken.yaml", SHIPPING.replace("type: com", "typ: com"))
        self.fails(2, "contract", "diff", self.old, broken, says=["broken.yaml"])
        self.fails(2, "contract", "diff", self.old, self.old, "--json", "--markdown", says=["--markdown"])


ORDER = """
kind: orchestrator-contract
uri: "#/orchestrators/order"
name: order
description: Orders things.
domain: shop
metadata: { team: a }
versions:
  1.0.0:
    init: { type: object, properties: { a: { type: string }, b: { type: object, properties: { c: { type: integer } } } }, required: [a] }
    complete: { type: object, properties: { pair: { type: array, prefixItems: [{ type: string }] } } }
"""


class Convert(Case):
    def setUp(self):
        super().setUp()
        self.order = self.write("order.yaml", ORDER)
        self.shipping = self.write("shipping.yaml", SHIPPING)

    def test_export_has_the_form_of_arvo_core(self):
        form = self.ok("contract", "export", self.shipping).json()
        self.assertEqual(list(form), ["uri", "description", "metadata", "versions"])
        (version,) = form["versions"]
        self.assertEqual(list(version), ["version", "accepts", "systemError", "emits", "metadata"])
        self.assertEqual(version["accepts"]["type"], "com.shipping.ship")
        schema = version["accepts"]["schema"]
        self.assertEqual(schema["$schema"], "http://json-schema.org/draft-07/schema#")
        self.assertIs(schema["additionalProperties"], False)
        self.assertEqual(version["systemError"]["type"], "sys.com.shipping.ship.error")

    def test_a_round_trip_changes_no_contract(self):
        for path in (self.shipping, self.order):
            there = self.write("there.json", self.ok("contract", "export", path).out)
            back = self.write("back.json", self.ok("contract", "import", there).out)
            for other in (there, back):
                answer = self.ok("contract", "diff", path, other, "--json").json()
                self.assertEqual((answer["compatible"], answer["changes"]), (True, []), answer)
            again = self.ok("contract", "export", back).json()
            self.assertEqual(again, json.load(open(there, encoding="utf-8")))

    def test_import_prints_our_document(self):
        there = self.write("there.json", self.ok("contract", "export", self.order).out)
        document = self.ok("contract", "import", there).json()
        self.assertEqual(list(document), ["kind", "uri", "name", "description", "domain", "metadata", "versions"])
        self.assertEqual((document["kind"], document["name"]), ("orchestrator-contract", "order"))
        self.assertEqual(document["metadata"], {"team": "a"})
        init = document["versions"]["1.0.0"]["init"]
        self.assertEqual(init["required"], ["a"])
        self.assertEqual(list(init["properties"]), ["a", "b"])
        self.assertNotIn("additionalProperties", init)
        self.assertNotIn("additionalProperties", init["properties"]["b"])

    def test_newer_keywords_keep_their_draft(self):
        form = self.ok("contract", "export", self.order).json()
        emits = form["versions"][0]["emits"][0]["schema"]
        self.assertEqual(emits["$schema"], "https://json-schema.org/draft/2020-12/schema")

    def test_what_the_form_cannot_say_is_warned_of(self):
        strict = self.write("strict.yaml", SHIPPING.replace("required: [orderId]", "required: [orderId], additionalProperties: false"))
        result = self.arvo("contract", "export", strict)
        self.assertEqual(result.code, 0)
        self.assertIn("refuses unknown keys", result.err)
        self.assertIn("com.shipping.ship", result.err)

    def test_several_contracts_are_a_stream(self):
        text = self.ok("contract", "export", PURCHASE).out
        stream = self.write("all.yaml", text)
        self.assertEqual(text.count("\n---\n"), 7)
        self.ok("contract", "check", stream)
        one = self.ok("contract", "export", PURCHASE, "--uri", "#/services/payment").json()
        self.assertEqual(one["uri"], "#/services/payment")

    def test_asyncapi_names_everything(self):
        document = self.ok("contract", "export", "--asyncapi", self.shipping, self.order).json()
        self.assertEqual(document["asyncapi"], "3.0.0")
        self.assertEqual(
            set(document["channels"]),
            {"com.shipping.ship", "evt.shipping.sent", "sys.com.shipping.ship.error", "arvo.orc.order", "arvo.orc.order.done", "sys.arvo.orc.order.error"},
        )
        for operation in document["operations"].values():
            self.resolve(document, operation["channel"]["$ref"])
            message = self.resolve(document, self.resolve(document, operation["messages"][0]["$ref"])["$ref"])
            self.assertIn("payload", message)
        accepts = document["operations"]["com.shipping.ship-1.0.0-receive-com.shipping.ship"]
        self.assertEqual(accepts["action"], "receive")

    def resolve(self, document, reference):
        for part in reference.removeprefix("#/").split("/"):
            document = document[part]
        return document

    def test_wrong_usage(self):
        self.fails(2, "contract", "export", self.shipping, "--uri", "#/none", says=["#/none"])
        self.fails(2, "contract", "export", self.shipping, "--asyncapi", "--uri", "#/services/shipping", says=["--asyncapi"])
        self.fails(2, "contract", "import", self.path("absent.json"), says=["absent.json"])
        self.fails(2, "contract", "import", self.write("wrong.json", {"uri": "#/a", "versions": [{}]}), says=["wrong.json"])
        self.fails(2, "contract", "import", self.write("list.json", "[1]"), says=["list.json"])


class Remotes(Case):
    """Contracts whose schemas refer to documents of a mapped folder."""

    URL = "https://shop.example"

    def setUp(self):
        super().setUp()
        self.write("app/schemas/money", {
            "type": "object", "required": ["amount", "currency"],
            "properties": {"amount": {"type": "integer", "minimum": 1}, "currency": {"$ref": "codes.json#/$defs/currency"}},
        })
        self.write("app/schemas/codes.json", {"$defs": {"currency": {"enum": ["EUR", "USD"], "default": "EUR"}}})
        self.write("app/pay.json", self.contract({"price": {"$ref": f"{self.URL}/money"}}))
        self.app = self.path("app")
        self.mapped = ("--remotes", f"{self.path('app/schemas')}={self.URL}")

    @staticmethod
    def contract(properties):
        accepts = {"type": "object", "properties": properties, "required": list(properties)}
        return {"kind": "contract", "uri": "#/services/payment", "type": TYPE, "versions": {"1.0.0": {"accepts": accepts}}}

    def test_every_verb_of_contracts(self):
        data = '{"price": {"amount": 3, "more": 1}}'
        valid = self.ok("contract", "validate", self.app, "--type", TYPE, "--json", *self.mapped, stdin=data).json()
        self.assertEqual(valid["data"], {"price": {"amount": 3, "currency": "EUR"}})
        refused = self.fails(1, "contract", "validate", self.app, "--type", TYPE, *self.mapped, stdin='{"price": {"amount": 0}}')
        self.assertIn("/price/amount: expected a number at least 1", refused.err)
        made = self.ok("contract", "example", self.app, "--type", TYPE, *self.mapped).out
        self.ok("contract", "validate", self.app, "--type", TYPE, *self.mapped, stdin=made)
        broken = self.ok("contract", "example", self.app, "--type", TYPE, "--invalid", "--json", *self.mapped).json()
        rules = {item["rule"] for item in broken["invalid"] if "data" in item}
        self.assertIn("/$defs/https:~1~1shop.example~1money/properties/amount/minimum", rules)
        self.assertIn("price.amount", self.ok("contract", "docs", self.app, *self.mapped).out)
        self.ok("contract", "check", self.app, *self.mapped)
        self.ok("machine", "check", self.app, *self.mapped)
        event = self.ok("event", "new", "--app", self.app, "--type", TYPE, "--source", "t", "--subject", "s", "--data", data, *self.mapped)
        self.assertEqual(event.json()["data"], {"price": {"amount": 3, "currency": "EUR"}})

    def test_what_is_printed_stands_alone(self):
        for verb in ("export", "import"):
            alone = self.write(f"{verb}.json", self.ok("contract", verb, self.app, *self.mapped).out)
            same = self.ok("contract", "diff", alone, self.app, "--all", *self.mapped)
            self.assertIn("unchanged", same.out)
            self.ok("contract", "check", alone)

    def test_a_change_in_the_folder_is_a_change(self):
        self.write("next/money", {"type": "object", "properties": {"amount": {"type": "integer", "minimum": 5}}})
        stricter = self.write("stricter.json", self.contract({"price": {"$ref": "https://next.example/money"}}))
        result = self.arvo(
            "contract", "diff", self.app, stricter, "--json", *self.mapped, "--remotes", f"{self.path('next')}=https://next.example"
        )
        self.assertEqual(result.code, 1)
        answer = result.json()
        self.assertEqual(answer["breaking"], 1)
        self.assertLess(answer["changes"][0]["witness"]["data"]["price"]["amount"], 5)

    def test_a_document_that_is_not_there(self):
        os.rename(self.path("app/schemas"), self.path("schemas"))
        self.fails(
            1, "contract", "check", self.app,
            says=["pay.json:", "https://shop.example/money", "which is not there", "--remotes DIR=https://shop.example"],
        )
        mapped = f"{self.path('schemas')}=https://other.example"
        self.fails(1, "contract", "check", self.app, "--remotes", mapped, says=["--remotes DIR=https://shop.example"])
        self.fails(2, "contract", "check", self.app, "--remotes", "nowhere=https://shop.example", says=["nowhere: no such folder"])
        self.fails(2, "run", self.app, "--remotes", "nowhere", says=["must be DIR=URL"])

    def test_a_folder_that_is_not_mapped_is_searched(self):
        self.fails(1, "contract", "check", self.app, says=["codes.json", "kind must be"])

    def test_documents_that_cannot_be_moved_are_still_read(self):
        self.write("app/schemas/money", {"$ref": "#m", "$defs": {"m": {"$anchor": "m", "type": "integer"}}})
        self.ok("contract", "validate", self.app, "--type", TYPE, *self.mapped, stdin='{"price": 3}')
        self.fails(1, "contract", "validate", self.app, "--type", TYPE, *self.mapped, stdin='{"price": "3"}')


class Docs(Case):
    def test_markdown(self):
        text = self.ok("contract", "docs", PURCHASE).out
        for line in (
            "| `com.payment.charge` | accepted | `#/services/payment` | 1.0.0 |",
            '    c6 -->|"1.1.0 to 1.0.0"| c7',
            "## `#/services/payment`",
            "Used by purchase 1.0.0, purchase 1.1.0.",
            "#### accepts com.payment.charge",
        ):
            self.assertIn(line + "\n", text)

    def test_fields_examples_and_odd_texts(self):
        odd = self.write("odd.yaml", PAYMENT.replace("type: string, minLength: 3", 'type: string, minLength: 3, description: "a|b <i>*c*"'))
        text = self.ok("contract", "docs", odd).out
        self.assertIn("| `orderId` | string, minLength 3 | yes |  | a\\|b \\<i\\>\\*c\\* |", text)
        self.assertIn('| `currency` | "EUR" or "USD" |  | `"EUR"` |  |', text)
        self.assertIn("No example: no value was found", text)
        page = self.ok("contract", "docs", odd, "--html").out
        self.assertTrue(page.startswith("<!DOCTYPE html>"))
        self.assertNotIn("<i>", page)

    def test_a_schema_of_itself_ends(self):
        tree = self.write(
            "tree.yaml",
            SHIPPING.replace(
                "weight: { type: number }",
                "t: { $ref: '#/$defs/t' } }, $defs: { t: { type: object, properties: { v: { type: string }, in: { type: array, items: { $ref: '#/$defs/t' } } } }",
            ),
        )
        text = self.ok("contract", "docs", tree).out
        self.assertIn("| `t.in[].v` | string |", text)

    def test_to_a_file(self):
        self.assertEqual(self.ok("contract", "docs", PURCHASE, "-o", self.path("a.html")).out, "")
        with open(self.path("a.html"), encoding="utf-8") as file:
            self.assertTrue(file.read().startswith("<!DOCTYPE html>"))
        self.fails(2, "contract", "docs", PURCHASE, "-o", self.path("no/such/a.md"), says=["no/such"])
        self.fails(2, "contract", "docs", PURCHASE, "-o", "/dev/full", says=["/dev/full"])
        self.assertEqual(self.ok("contract", "docs", PURCHASE, "-o", "-").out, self.ok("contract", "docs", PURCHASE).out)
        self.fails(2, "contract", "docs", self.path("absent"), says=["absent"])


if __name__ == "__main__":
    main()
