#!/usr/bin/env python3
"""machine check against what happens: on random charts, a state said to be unreachable is never entered, one said to
be a dead end never left, a circle of `always` never rests, and a shadowed transition never taken."""

import json
import os
import random

from harness import Case, main

CHARTS = int(os.environ.get("ARVO_CHECK_CHARTS", "60"))
SEED = int(os.environ.get("ARVO_CHECK_SEED", "3"))
EVENTS = ["A", "B", "C"]


class Chart:
    """A random machine: hierarchy, regions, history, final states, guards that events decide."""

    def __init__(self, rng, number):
        self.rng, self.names = rng, []
        self.root = {"kind": "machine", "id": f"m{number}", **self.compound("", 0)}
        self.fill(self.root, [])

    def state(self, name, depth):
        self.names.append(name)
        roll = self.rng.random()
        if depth < 3 and roll < 0.3:
            return {"id": name, **self.compound(name, depth)}
        if depth < 3 and roll < 0.42:
            regions = {f"{name}r{i}": self.state(f"{name}r{i}", depth + 1) for i in range(2)}
            return {"id": name, "type": "parallel", "states": regions}
        if roll < 0.55:
            return {"id": name, "type": "final"}
        return {"id": name}

    def compound(self, name, depth):
        children = [f"{name}s{i}" for i in range(self.rng.randint(2, 4))]
        states = {child: self.state(child, depth + 1) for child in children}
        if self.rng.random() < 0.25:
            states[f"{name}h"] = {"type": "history", "history": self.rng.choice(["shallow", "deep"]), "id": f"{name}h"}
            self.names.append(f"{name}h")
        return {"initial": self.rng.choice(children), "states": states}

    def transition(self):
        one = {"target": "#" + self.rng.choice(self.names)}
        if self.rng.random() < 0.4:
            one["guard"] = self.rng.choice(["${ .event.n > 1 }", "${ .event.n == 0 }"])
        if self.rng.random() < 0.3:
            one["actions"] = [{"type": "log", "params": {"message": "x"}}]
        return one

    def fill(self, state, path):
        kind = state.get("type")
        if kind in ("final", "history"):
            return
        if path and self.rng.random() < 0.55:
            chosen = self.rng.sample(EVENTS, self.rng.randint(1, 2))
            state["on"] = {event: [self.transition() for _ in range(self.rng.randint(1, 3))] for event in chosen}
        if path and self.rng.random() < 0.15:
            state["always"] = [self.transition() for _ in range(self.rng.randint(1, 2))]
        if path and state.get("states") and self.rng.random() < 0.5:
            state["onDone"] = self.transition()
        for name, child in state.get("states", {}).items():
            self.fill(child, path + [name])

    def ends(self, path):
        """Of a state with final children those, for it is stuck when it is done; else the state."""
        state = self.root
        for name in path.split("."):
            state = state["states"][name]
        final = [f"{path}.{name}" for name, child in state.get("states", {}).items() if child.get("type") == "final"]
        return final or [path]

    def mark(self):
        """Every transition that is taken says where it is written."""

        def walk(state, pointer):
            lists = [(f"{pointer}/on/{event}", value) for event, value in state.get("on", {}).items()]
            lists += [(f"{pointer}/always", state["always"])] if "always" in state else []
            for where, items in lists:
                for i, one in enumerate(items):
                    one["actions"] = [{"type": "log", "params": {"message": f"{where}/{i}"}}]
            for name, child in state.get("states", {}).items():
                walk(child, f"{pointer}/states/{name}")

        walk(self.root, "")


def active(value):
    """Paths of the states in a state value."""
    if isinstance(value, str):
        return {value}
    found = set()
    for name, inner in value.items():
        found.add(name)
        found |= {f"{name}.{path}" for path in active(inner)}
    return found


class Random(Case):
    def steps(self, chart, rng):
        events = [{"type": rng.choice(EVENTS), "n": rng.randint(0, 3)} for _ in range(12)]
        result = self.arvo("machine", "simulate", self.write("m.json", chart.root), "--events", "-", stdin=json.dumps(events))
        self.assertIn(result.code, (0, 1), result)
        return result.lines()

    def compare(self, chart, findings, steps):
        places = {rule: {f["state"] for f in findings if f["rule"] == rule} for rule in ("unreachable-state", "dead-end", "endless-always")}
        shadowed = {f["pointer"] for f in findings if f["rule"] == "shadowed-transition"}
        dead = {leaf for path in places["dead-end"] for leaf in chart.ends(path)}
        stuck = set()
        for step in steps:
            if step.get("error"):
                return
            now = active(step["value"])
            self.assertEqual(now & places["unreachable-state"], set(), step)
            self.assertEqual(now & places["endless-always"], set(), step)
            self.assertLessEqual(stuck, now, f"left {stuck - now} at {step}")
            self.assertEqual(set(step["log"]) & shadowed, set(), step)
            stuck |= now & dead

    def test_what_is_found_is_so(self):
        rng = random.Random(SEED)
        counts = {}
        for number in range(CHARTS):
            chart = Chart(rng, number)
            chart.mark()
            listed = self.arvo("machine", "check", self.write("m.json", chart.root), "--json").json()
            if not listed["ok"]:
                continue  # a history state that leads to itself, say
            for finding in listed["findings"]:
                counts[finding["rule"]] = counts.get(finding["rule"], 0) + 1
            with self.subTest(seed=SEED, chart=json.dumps(chart.root)):
                for _ in range(2):
                    self.compare(chart, listed["findings"], self.steps(chart, rng))
        print(f"{CHARTS} charts: {counts}")
        for rule in ("unreachable-state", "dead-end", "shadowed-transition"):
            self.assertGreater(counts.get(rule, 0), 5, counts)


if __name__ == "__main__":
    main()
