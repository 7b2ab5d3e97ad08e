#!/usr/bin/env python3
"""machine import and export: XState's configurations to machine documents and back."""

import json
import os

from harness import COUNTER, PURCHASE, Case, main

DOOR = {
    "id": "door",
    "initial": "shut",
    "types": {},
    "states": {
        "shut": {"on": {"OPEN": [{"target": "open", "guard": {"type": "isFree"}, "actions": [{"type": "ring"}]}]}},
        "open": {"entry": [{"type": "xstate.log", "params": {"value": "creak"}}], "on": {"CLOSE": {"target": "shut"}}},
    },
}


class Import(Case):
    def test_writes_a_document_that_the_other_verbs_read(self):
        config = self.write("door.json", DOOR)
        result = self.arvo("machine", "import", config, "-o", "machine.json")
        self.assertEqual((result.code, result.out), (0, ""), result)
        notes = result.err.splitlines()
        self.assertEqual(len(notes), 3, result)
        self.assertTrue(all(line.startswith("arvo: note: ") for line in notes), result)
        for word in ("/types: for TypeScript only", "guard 'isFree'", "action 'ring'"):
            self.assertTrue(any(word in line for line in notes), result)
        with open(self.path("machine.json"), encoding="utf-8") as file:
            document = json.load(file)
        self.assertEqual((document["kind"], document["id"]), ("machine", "door"))
        self.assertEqual(document["states"]["open"]["entry"], [{"type": "log", "params": {"message": "creak"}}])
        self.assertIn("OPEN [isFree]", self.ok("machine", "diagram", "machine.json").out)
        self.assertEqual(json.loads(self.arvo("machine", "import", config).out), document)

    def test_says_place_by_place_what_has_no_counterpart(self):
        config = self.write("t.json", '{ "id": "t", "initial": "a",\n "states": { "a": {\n "after": { "9": "b" },\n "invoke": {} }, "b": {} } }')
        result = self.arvo("machine", "import", config, "-o", "out.json")
        self.assertEqual((result.code, result.out), (1, ""), result)
        lines = result.err.splitlines()
        self.assertEqual(len(lines), 2, result)
        self.assertIn("t.json:3: /states/a/after: ", lines[0])
        self.assertIn("t.json:4: /states/a/invoke: ", lines[1])
        self.assertFalse(os.path.exists(self.path("out.json")))

    def test_refuses_a_machine_that_would_not_load(self):
        wrong = json.loads(json.dumps(DOOR))
        wrong["states"]["open"]["on"]["CLOSE"]["target"] = "shot"
        del wrong["types"]
        wrong["states"]["shut"]["on"]["OPEN"] = "open"
        self.fails(1, "machine", "import", self.write("w.json", wrong), says=["/states/open/on/CLOSE/target", "shut"])

    def test_wrong_inputs(self):
        self.fails(2, "machine", "import", says="FILE")
        self.fails(2, "machine", "import", "nowhere.json", says="nowhere.json")
        self.fails(2, "machine", "import", self.write("a.json", "[1, 2]"), says="configuration")
        self.fails(2, "machine", "import", self.write("b.json", "{"), says="b.json:1")
        self.fails(2, "machine", "import", self.write("c.json", {"machine": DOOR}), says="createMachine()")
        self.fails(2, "machine", "import", os.path.join(PURCHASE, "quote-1.0.0.yaml"), says="kind")
        plain = self.write("d.json", {"id": "m", "initial": "a", "states": {"a": {}}})
        self.fails(2, "machine", "import", plain, "-o", "no/folder/x.json", says="no/folder/x.json")
        self.fails(2, "machine", "import", plain, "--machine", "m", says="unknown option")


class Export(Case):
    def there_and_back(self, *arguments):
        done = self.arvo("machine", "export", *arguments, "-o", "config.json")
        self.assertEqual((done.code, done.out), (0, ""), done)
        done = self.arvo("machine", "import", "config.json")
        self.assertEqual(done.code, 0, done)
        return done.json()

    def test_the_examples_come_back_whole(self):
        for name, machine in (("purchase-1.0.0", "purchase"), ("purchase-1.1.0", "purchase"), ("quote-1.0.0", "quote")):
            path = os.path.join(PURCHASE, f"{name}.yaml")
            back = self.there_and_back(path)
            self.assertEqual((back["id"], back["version"]), (machine, name[-5:]))
            # In an app, in the place of the file that it came from, it is the same machine.
            self.assertEqual(self.definition(path), self.definition(self.write(f"{name}.json", back)))

    def definition(self, path):
        """What the machine does, in words: every state, transition, guard and action."""
        return self.ok("machine", "diagram", path, "--app", PURCHASE, "--format", "dot").out

    def test_a_machine_among_other_documents(self):
        path = self.write("counter.yaml", COUNTER)
        back = self.there_and_back(path, "--machine", "counter@1.0.0")
        self.assertEqual(back["contracts"], {"self": "#/orchestrators/counter", "services": {"tick": "#/services/tick"}})

    def test_configuration_is_what_xstate_takes(self):
        config = self.arvo("machine", "export", os.path.join(PURCHASE, "quote-1.0.0.yaml")).json()
        self.assertNotIn("kind", config)
        self.assertNotIn("contracts", config)
        self.assertIn("contracts", config["meta"]["arvo"])
        self.assertEqual(config["states"]["asking"]["states"]["north"]["states"]["waiting"]["entry"][0]["type"], "xstate.emit")

    def test_wrong_inputs(self):
        self.fails(2, "machine", "export", "nowhere.yaml", says="nowhere.yaml")
        contract = self.write("c.yaml", COUNTER.split("---")[0])
        self.fails(2, "machine", "export", contract, says="kind: machine")
        self.fails(2, "machine", "export", self.write("m.json", {"kind": "machine", "id": "m", "initial": "x", "states": {"a": {}}}), says="'x'")
        own = self.write("o.json", {"kind": "machine", "id": "m", "entry": "xstate.raise"})
        self.fails(1, "machine", "export", own, says=["/entry", "xstate.raise"])


if __name__ == "__main__":
    main()
