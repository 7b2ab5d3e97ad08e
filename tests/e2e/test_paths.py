#!/usr/bin/env python3
"""machine paths: the shortest events to every state and transition."""

from harness import PURCHASE, Case, main

DOOR = """
kind: machine
id: door
initial: closed
states:
  closed: { on: { OPEN: { target: open, guard: isFree } } }
  open: { on: { CLOSE: closed, OPEN: { target: .in, guard: isFree } }, initial: out, states: { out: {}, in: {} } }
  lost: { on: { FOUND: closed } }
"""


class Paths(Case):
    def setUp(self):
        super().setUp()
        self.door = self.write("door.yaml", DOOR)

    def test_table_for_people(self):
        lines = [line.split() for line in self.ok("machine", "paths", self.door).out.splitlines()]
        self.assertIn(["door.open.in", "OPEN", "[isFree],", "OPEN", "[isFree]"], lines)
        self.assertIn(["door.lost", "unreachable"], lines)
        self.assertIn(["door.lost:", "FOUND", "->", "closed", "unreachable"], lines)
        self.assertEqual(lines[-1][:9], "5 of 6 states and 3 of 4 transitions".split())

    def test_json_for_programs(self):
        out = self.ok("machine", "paths", self.door, "--json").json()
        self.assertEqual((out["machine"], out["version"], out["complete"], out["computedRaises"]), ("door", None, True, False))
        states = {s["state"]: s["path"] for s in out["states"]}
        start = {"event": None, "guards": []}
        self.assertEqual(states["door.open"], [start, {"event": "OPEN", "guards": ["isFree"]}])
        self.assertIsNone(states["door.lost"])
        close = next(t for t in out["transitions"] if t["event"] == "CLOSE")
        self.assertEqual((close["state"], close["guard"], close["target"], close["pointer"]), ("door.open", None, "closed", "/states/open/on/CLOSE"))
        self.assertEqual([step["event"] for step in close["path"]], [None, "OPEN", "CLOSE"])

    def test_all_of_the_examples_can_be_reached(self):
        for machine in ("purchase@1.0.0", "purchase@1.1.0", "quote"):
            out = self.ok("machine", "paths", PURCHASE, "--machine", machine, "--json").json()
            self.assertTrue(out["complete"])
            unreached = [g["pointer"] for g in out["states"] + out["transitions"] if g["path"] is None]
            self.assertEqual(unreached, [], machine)

    def test_wrong_inputs(self):
        self.fails(2, "machine", "paths", says="FILE")
        self.fails(2, "machine", "paths", "nowhere.yaml", says="nowhere.yaml")
        self.fails(2, "machine", "paths", PURCHASE, says="several machines")
        self.fails(2, "machine", "paths", self.write("bad.yaml", DOOR.replace("CLOSE: closed", "CLOSE: closet")), says=["bad.yaml:7", "closet"])


if __name__ == "__main__":
    main()
