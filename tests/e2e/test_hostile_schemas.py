#!/usr/bin/env python3
"""Hostile schemas and contracts: each ends with one clear error or an answer, soon, in bounded memory."""

import json
import resource
import time

from harness import Case, main

# Each takes milliseconds to a second; a machine may be busy, and sanitizers slow it down.
SECONDS = 30
KILOBYTES = 1024 * 1024

DONE = {"com.a.done": {"type": "object", "properties": {"n": {"type": "number"}}}}


def contract(versions):
    return {"kind": "contract", "uri": "#/services/a", "type": "com.a.ask", "versions": versions}


def one_version(schema):
    return contract({"1.0.0": {"accepts": {"type": "object", "properties": {"x": schema}}, "emits": DONE}})


class Hostile(Case):
    def setUp(self):
        super().setUp()
        self.started = time.monotonic()

    def tearDown(self):
        self.assertLess(time.monotonic() - self.started, SECONDS)
        self.assertLess(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, KILOBYTES)
        super().tearDown()

    def validate(self, schema, value, code, says):
        self.fails(code, "schema", "validate", self.write("s.json", schema), self.write("v.json", json.dumps(value)), says=says)


class Schemas(Hostile):
    def test_patterns_that_backtrack(self):
        for pattern in (r"^(a+)+$", r"^(a|aa)+$", r"^(?:a*)*b", r"(?=.*c)", r"[^c]*c.", r"(.*)(.*)[cd]", r"^(\w+\s?)*$"):
            with self.subTest(pattern=pattern):
                self.validate({"pattern": pattern}, "a" * 1_000_000 + "!", 1, "takes a regular expression too long")

    def test_patterns_that_backtrack_in_keys(self):
        schema = {"patternProperties": {"^(a+)+$": {}}}
        self.validate(schema, {"a" * 10_000 + "!": 1}, 1, "takes a regular expression too long")
        self.validate({"propertyNames": {"pattern": "(a*)*[bc]"}}, {"a" * 10_000: 1}, 1, "takes a regular expression too long")

    def test_many_texts_that_backtrack_a_little(self):
        schema = {"items": {"not": {"pattern": "^(a+)+[bc]$"}}}
        self.validate(schema, ["a" * 13] * 100_000, 1, "takes more than 4000000 steps")

    def test_patterns_of_a_megabyte(self):
        self.validate({"pattern": "(a|b)*" * 180_000}, "a", 2, "a regular expression of more than 65536 bytes")
        self.validate({"patternProperties": {"x" * 1_000_000: {}}}, {}, 2, "a regular expression of more than 65536 bytes")
        self.validate({"pattern": "(" * 60_000 + ")" * 5_000}, "a", 2, ["/pattern", "not a regular expression"])
        self.validate({"allOf": [{"pattern": f"((a{{1,100}}){{1,20}}b){{1,20}}{i}"} for i in range(4000)]}, "a", 2, "the regular expressions of one schema take")

    def test_references_to_themselves(self):
        for schema in (
            {"$ref": "#"},
            {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
            {"allOf": [{"anyOf": [{"$ref": "#"}]}]},
            {"if": {"$ref": "#"}, "then": True},
            {"dependentSchemas": {"a": {"$ref": "#"}}},
        ):
            with self.subTest(schema=schema):
                self.validate(schema, 1, 2, "refers to itself without looking into the value")

    def test_references_that_only_a_value_ends(self):
        deep = 1
        for _ in range(200):
            deep = [deep]
        self.validate({"items": {"$ref": "#"}, "type": ["array", "null"]}, deep, 1, "")

    def test_all_of_that_doubles(self):
        defs = {f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(60)}
        defs["d60"] = {}
        self.validate({"$ref": "#/$defs/d0", "$defs": defs}, 1, 1, "takes more than 4000000 steps")
        bomb = "{}"
        for _ in range(18):
            bomb = '{"allOf":[%s,%s]}' % (bomb, bomb)
        self.validate(bomb, 1, 2, "a schema of more than 200000 parts")

    def test_any_of_that_doubles(self):
        defs = {f"d{i}": {"anyOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(60)}
        defs["d60"] = {"type": "string"}
        self.validate({"$ref": "#/$defs/d0", "$defs": defs}, 1, 1, "takes more than 4000000 steps")

    def test_nesting(self):
        schema = "true"
        for _ in range(1000):
            schema = '{"not":%s}' % schema
        self.validate(schema, 1, 2, "")

    def test_documents_elsewhere_are_not_fetched(self):
        for uri in ("http://127.0.0.1:9/s.json", "https://json-schema.org/nothing", "file:///etc/passwd", "s2.json", "//host/s.json", "data:,true"):
            with self.subTest(uri=uri):
                self.validate({"$ref": uri}, 1, 2, ["documents are read from mapped folders only"])
        self.validate({"$schema": "http://127.0.0.1:9/dialect"}, 1, 2, "http://127.0.0.1:9/dialect")

    def test_items_that_are_all_different(self):
        schema = self.write("s.json", {"uniqueItems": True})
        self.ok("schema", "validate", schema, self.write("v.json", [[i, str(i)] for i in range(100_000)]))


class Contracts(Hostile):
    def versions(self, count, kind="string"):
        schema = {"type": "object", "properties": {"a": {"type": kind}}}
        return {f"{i // 10000}.{i // 100 % 100}.{i % 100}": {"accepts": schema, "emits": DONE} for i in range(1, count + 1)}

    def test_ten_thousand_versions(self):
        old = self.write("old.json", contract(self.versions(10_000)))
        new = self.write("new.json", contract(self.versions(10_000, "integer")))
        checked = self.ok("contract", "check", old, "--json").json()
        self.assertEqual(len(checked["contracts"][0]["versions"]), 10_000)
        self.assertIn("20000 unchanged", self.ok("contract", "diff", old, old).out)
        self.assertEqual(self.arvo("contract", "diff", old, new).code, 1)
        self.ok("contract", "docs", old)
        self.fails(2, "contract", "check", self.write("more.json", contract(self.versions(10_001))), says=["/versions", "more than 10000 versions"])

    def test_a_diff_of_long_lists(self):
        """Values of an enum are tried on the other schema, whose items must differ."""
        items = list(range(200_000))
        old = self.write("old.json", one_version({"uniqueItems": True, "enum": [items, items[1:]]}))
        new = self.write("new.json", one_version({"uniqueItems": True, "enum": [items]}))
        self.assertEqual(self.arvo("contract", "diff", old, new).code, 1)

    def test_a_diff_of_schemas_that_double(self):
        def doubling(leaf):
            schema = leaf
            for _ in range(14):
                schema = {"anyOf": [{"allOf": [schema]}, {"not": {"not": schema}}]}
            return schema
        old = self.write("old.json", one_version(doubling({"type": "integer"})))
        new = self.write("new.json", one_version(doubling({"type": "number"})))
        result = self.arvo("contract", "diff", old, new)
        self.assertIn(result.code, (0, 1), result)


class Machines(Hostile):
    def test_a_transition_with_very_many_targets(self):
        regions = {f"r{i}": {"initial": "a", "states": {"a": {}, "b": {}}} for i in range(3000)}
        targets = [f"#m.r{i % 3000}.b" for i in range(200_000)]
        regions["r0"]["states"]["a"] = {"on": {"E": {"target": targets}}}
        chart = {"kind": "machine", "id": "m", "type": "parallel", "states": regions}
        self.ok("machine", "simulate", self.write("m.json", chart), "--events", self.write("e.json", [{"type": "E"}]))
        targets[-1] = "#m.r2999.a"
        self.fails(1, "machine", "check", self.write("m.json", chart), says="cannot be active together")


if __name__ == "__main__":
    main()
