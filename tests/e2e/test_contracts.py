#!/usr/bin/env python3
"""contract example and diff: data made from contracts, and contracts compared."""

import json

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


if __name__ == "__main__":
    main()
