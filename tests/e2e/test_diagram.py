#!/usr/bin/env python3
"""machine diagram: pictures of machines, and what is said when there is none."""

import json
import os
import re
import shutil
import subprocess
import unittest
import xml.etree.ElementTree as xml

from harness import ARVO, COUNTER, PURCHASE, PURCHASE_EVENTS, Case, main

DOOR = """
kind: machine
id: door
initial: closed
states:
  closed: { on: { OPEN: { target: open, guard: isFree, actions: ring } } }
  open: { on: { CLOSE: closed } }
"""


class Diagram(Case):
    def setUp(self):
        super().setUp()
        self.door = self.write("door.yaml", DOOR)

    def svg(self, *arguments, name="out.svg"):
        """The picture, or a skip where the library was built without Graphviz."""
        result = self.arvo("machine", "diagram", *arguments, "-o", name)
        if result.code == 2 and "libgraphviz-dev" in result.err:
            raise unittest.SkipTest("built without Graphviz")
        self.assertEqual((result.code, result.err, result.out), (0, "", ""), result)
        with open(self.path(name), encoding="utf-8") as file:
            text = file.read()
        return text, xml.fromstring(text)

    def test_formats_by_name_and_by_option(self):
        self.assertTrue(self.ok("machine", "diagram", self.door).out.startswith("stateDiagram-v2\n"))
        self.assertTrue(self.ok("machine", "diagram", self.door, "--format", "dot").out.startswith("digraph"))
        for name, begin in (("a.dot", "digraph"), ("a.gv", "digraph"), ("a.mmd", "stateDiagram-v2")):
            self.ok("machine", "diagram", self.door, "-o", name)
            with open(self.path(name), encoding="utf-8") as file:
                self.assertTrue(file.read().startswith(begin), name)
        self.ok("machine", "diagram", self.door, "--output", "plain", "--format", "mermaid", "--direction", "LR")
        with open(self.path("plain"), encoding="utf-8") as file:
            self.assertIn("    direction LR\n", file.read())

    def test_svg_names_states_and_services(self):
        text, root = self.svg(PURCHASE, "--machine", "purchase@1.1.0")
        self.assertTrue(root.tag.endswith("svg"))
        for word in ("quoting", "reserving", "com.stock.reserve", "needsApproval", "prefers-color-scheme"):
            self.assertIn(word, text)
        self.assertRegex(text, r"emit arvo\.orc\.quote → quote")
        self.assertNotIn("active", re.sub(r"<style>.*</style>", "", text, flags=re.DOTALL))

    def test_svg_without_the_standard_files(self):
        self.svg(self.door)  # or a skip
        closed = subprocess.run(
            ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", ARVO, "machine", "diagram", self.door, "-o", self.path("closed.svg")],
            cwd=self.folder, check=False, timeout=60,
        )
        self.assertEqual(closed.returncode, 0)
        with open(self.path("closed.svg"), encoding="utf-8") as file, open(self.path("out.svg"), encoding="utf-8") as usual:
            self.assertEqual(file.read(), usual.read())

    def test_svg_of_names_that_mean_something_to_others(self):
        hostile = 'a"]<b>&\\N --> %% "\n{x}'
        path = self.write("h.json", {
            "kind": "machine", "id": "m", "initial": hostile,
            "states": {hostile: {"on": {"x\\l\"<&;": "b", "${ evil }": {"target": "b"}}, "entry": {"type": "raise", "params": {"type": "]];"}}}, "b": {}},
        })
        _, root = self.svg(path)
        titles = {e.text for e in root.iter("{http://www.w3.org/2000/svg}text")}
        self.assertTrue(any('a"]<b>&\\\u200bN --> %% " {x}' == title for title in titles), titles)

    def test_dot_is_read_by_graphviz(self):
        if not shutil.which("dot"):
            raise unittest.SkipTest("graphviz is not installed")
        for machine in ("purchase@1.0.0", "purchase@1.1.0", "quote"):
            dot = self.ok("machine", "diagram", PURCHASE, "--machine", machine, "--format", "dot").out
            done = subprocess.run(["dot", "-Tplain"], input=dot.encode(), capture_output=True, check=False, timeout=60)
            self.assertEqual((done.returncode, done.stderr), (0, b""), machine)

    def test_services_are_named_where_contracts_are_at_hand(self):
        file = os.path.join(PURCHASE, "purchase-1.1.0.yaml")
        alone = self.ok("machine", "diagram", file).out
        self.assertIn("emit com.stock.reserve\n", alone)
        self.assertIn("emit com.stock.reserve → reserve\n", self.ok("machine", "diagram", file, "--app", PURCHASE).out)
        counter = self.write("counter.yaml", COUNTER)
        self.assertIn("→ tick", self.ok("machine", "diagram", counter).out)

    def test_snapshot_of_simulate_is_lit_up(self):
        events = self.write("events.json", [{"type": "CLOSE"}])
        plain = self.write("plain.yaml", DOOR.replace("guard: isFree, actions: ring", ""))
        last = self.ok("machine", "simulate", plain, "--events", events, "--persist").out.splitlines()[-1]
        for name, content in (("line.json", last), ("bare.json", json.dumps(json.loads(last)["snapshot"]))):
            out = self.ok("machine", "diagram", plain, "--snapshot", self.write(name, content)).out
            self.assertIn("class s1 active", out)
            self.assertNotIn("class s2 active", out)

    def test_stored_instance_is_lit_up_in_its_own_machine(self):
        event = os.path.join(PURCHASE_EVENTS, "start-big.json")
        self.arvo("run", PURCHASE, "--event", event, "--store", "sqlite:o.db", "--follow")
        instances = self.ok("ps", "--store", "sqlite:o.db", "--json").lines()
        order = next(i for i in instances if i["orchestrator"] == "arvo.orc.purchase")
        out = self.ok("machine", "diagram", PURCHASE, "--store", "sqlite:o.db", "--subject", order["subject"]).out
        self.assertIn('state "purchase 1.1.0" as s0', out)
        number = re.search(r'state "approving" as (s\d+)', out).group(1)
        self.assertIn(f"class {number} active", out)
        self.fails(1, "machine", "diagram", PURCHASE, "--store", "sqlite:o.db", "--subject", "nobody", says="nobody")
        self.fails(2, "machine", "diagram", PURCHASE, "--subject", "nobody", says="--store")
        self.fails(2, "machine", "diagram", PURCHASE, "--store", "sqlite:o.db", "--subject", "x", "--snapshot", "y", says="not both")

    def test_wrong_inputs(self):
        self.fails(2, "machine", "diagram", says="FILE")
        self.fails(2, "machine", "diagram", "nowhere.yaml", says="nowhere.yaml")
        self.fails(2, "machine", "diagram", self.write("list.json", [1]), says="no machine")
        contract = self.write("c.yaml", COUNTER.split("---")[0])
        self.fails(2, "machine", "diagram", contract, says="kind: machine")
        self.fails(2, "machine", "diagram", self.write("bad.yaml", DOOR.replace("target: open", "target: opne")), says=["bad.yaml:6", "opne"])
        self.fails(2, "machine", "diagram", self.door, "-o", "x.pdf", says=[".svg, .dot or .mmd"])
        self.fails(2, "machine", "diagram", self.door, "-o", "x", says="x")
        self.fails(2, "machine", "diagram", self.door, "--format", "png", says="mermaid")
        self.fails(2, "machine", "diagram", self.door, "--direction", "up", says="LR")
        self.fails(2, "machine", "diagram", self.door, "-o", "no/such/folder/x.dot", says="no/such/folder/x.dot")
        self.fails(2, "machine", "diagram", self.door, "-o", says="--output needs a value")
        self.fails(2, "machine", "diagram", self.door, "-x", says="unknown option -x")
        self.fails(2, "machine", "diagram", PURCHASE, says=["several machines", "purchase@1.0.0", "--machine"])
        self.fails(2, "machine", "diagram", PURCHASE, "--machine", "purchase", says=["purchase@1.0.0, purchase@1.1.0"])
        self.fails(2, "machine", "diagram", PURCHASE, "--machine", "purchase@9.9.9", says=["no machine purchase@9.9.9", "quote@1.0.0"])
        self.fails(2, "machine", "diagram", self.door, "--machine", "gate", says=["gate", "door"])
        self.assertFalse(os.path.exists(self.path("x.pdf")))

    def test_snapshots_that_do_not_fit(self):
        for content, code in (({"value": "ajar"}, 3), ({"value": {"open": {}, "x": 1}}, 3), ({"status": "active"}, 2), ([], 2)):
            path = self.write("s.json", content)
            result = self.fails(code, "machine", "diagram", self.door, "--snapshot", path)
            self.assertEqual(result.out, "")
        self.fails(2, "machine", "diagram", self.door, "--snapshot", "nowhere.json", says="nowhere.json")

    def test_a_chart_of_150_states_is_drawn(self):
        phase = {
            "initial": "s0",
            "states": {f"s{i}": {"on": {"NEXT": f"s{i + 1}", "sys.com.a.b.error": "#m.failed"}} for i in range(13)} | {"s13": {"type": "final"}},
        }
        states = {f"p{i}": {**phase, "onDone": f"p{i + 1}"} for i in range(10)}
        path = self.write("big.json", {"kind": "machine", "id": "m", "initial": "p0", "states": {**states, "p10": {"type": "final"}, "failed": {"type": "final"}}})
        text, root = self.svg(path)
        nodes = [e for e in root.iter() if e.get("class", "").split(" ")[:2] in (["node", "state"], ["node", "final"])]
        self.assertEqual(len(nodes), 142)
        # The state for failures has no thicket of arrows: each state says where it goes.
        self.assertEqual(len(re.findall(r">→ failed: sys\.com\.a\.b\.error<", text)), 130)
        self.assertNotIn('class="edge error"', text)


if __name__ == "__main__":
    main()
