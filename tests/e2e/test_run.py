#!/usr/bin/env python3
"""run, ps, show, history: the purchase example, an app of the test's own, and what programs read."""

import fcntl
import json
import os
import pty
import re
import shlex
import struct
import subprocess
import termios

from harness import ARVO, COUNTER, PURCHASE, PURCHASE_EVENTS, Case, CounterCase, main


def purchase_event(name):
    return os.path.join(PURCHASE_EVENTS, name + ".json")


class Purchase(Case):
    def follow(self, event, store="sqlite:orders.db", code=0):
        result = self.arvo("run", PURCHASE, "--event", event, "--store", store, "--follow", "--json")
        self.assertEqual(result.code, code, result)
        lines = result.lines()
        return lines[:-1], lines[-1]["instances"]

    def types(self, lines):
        return [line["event"]["type"] for line in lines]

    def test_a_small_order_runs_through(self):
        lines, instances = self.follow(purchase_event("start-small"))
        self.assertEqual(
            self.types(lines),
            [
                "arvo.orc.purchase", "arvo.orc.quote", "com.supplier.north.quote", "com.supplier.south.quote",
                "evt.supplier.north.quote", "evt.supplier.south.quote", "arvo.orc.quote.done", "com.stock.reserve",
                "evt.stock.reserve.success", "com.payment.charge", "evt.payment.charge.success", "arvo.orc.purchase.done",
            ],
        )
        handlers = [line["handledBy"] for line in lines]
        self.assertEqual(handlers[0], "orchestrator:arvo.orc.purchase@1.1.0")
        self.assertEqual(handlers[1], "orchestrator:arvo.orc.quote@1.0.0")
        self.assertEqual(handlers[2], "mock:com.supplier.north.quote")
        self.assertIsNone(handlers[-1])
        self.assertEqual({tuple(line["domains"]) for line in lines}, {("default",)})
        for line in lines:
            self.assertEqual(list(line), ["event", "domains", "handledBy"])
        self.assertEqual([list(instance) for instance in instances], [["subject", "orchestrator", "version", "status", "value", "context", "output"]] * 2)
        self.assertEqual([(i["orchestrator"], i["status"], i["value"]) for i in instances], [
            ("arvo.orc.purchase", "done", "completed"), ("arvo.orc.quote", "done", "chosen")])
        done = lines[-1]["event"]
        self.assertEqual(done["data"], {"orderId": "A-1001", "status": "completed", "total": 118.5, "paymentId": "pay-A-1001", "reason": None})
        self.assertEqual(done["data"], instances[0]["output"])
        self.assertEqual(done["to"], "com.shop.web")

    def test_the_child_has_a_subject_of_its_own(self):
        lines, instances = self.follow(purchase_event("start-small"))
        by_type = {line["event"]["type"]: line["event"] for line in lines}
        parent, child = (instance["subject"] for instance in instances)
        self.assertEqual(by_type["arvo.orc.purchase"]["subject"], parent)
        self.assertEqual(by_type["arvo.orc.quote"]["subject"], child)
        self.assertEqual(by_type["evt.supplier.north.quote"]["subject"], child)
        self.assertEqual(by_type["arvo.orc.quote.done"]["subject"], parent)
        self.assertEqual(by_type["arvo.orc.quote.done"]["to"], "arvo.orc.purchase")
        rows = self.ok("ps", "--store", "sqlite:orders.db", "--json").lines()
        parents = {row["subject"]: row["parentSubject"] for row in rows}
        self.assertEqual(parents, {parent: None, child: parent})

    def test_a_big_order_waits_for_a_person(self):
        lines, instances = self.follow(purchase_event("start-big"))
        self.assertEqual(self.types(lines)[-1], "com.approval.request")
        self.assertEqual((lines[-1]["domains"], lines[-1]["handledBy"]), (["external"], None))
        self.assertEqual((instances[0]["status"], instances[0]["value"]), ("active", "approving"))
        self.assertIsNone(instances[0]["output"])

        lines, instances = self.follow(purchase_event("approval-granted"))
        self.assertEqual(self.types(lines)[0], "evt.approval.granted")
        self.assertEqual(self.types(lines)[-1], "arvo.orc.purchase.done")
        self.assertEqual((instances[0]["status"], instances[0]["context"]["approvedBy"]), ("done", "ann"))
        self.assertEqual(instances[0]["output"]["total"], 1580)

    def test_a_denied_order_is_rejected(self):
        self.follow(purchase_event("start-big"))
        _, instances = self.follow(purchase_event("approval-denied"))
        self.assertEqual(instances[0]["output"]["status"], "rejected")
        self.assertEqual(instances[0]["output"]["reason"], "too dear")

    def test_a_declined_card_gives_the_goods_back(self):
        lines, instances = self.follow(purchase_event("start-declined"))
        types = self.types(lines)
        self.assertIn("sys.com.payment.charge.error", types)
        self.assertLess(types.index("sys.com.payment.charge.error"), types.index("com.stock.release"))
        self.assertEqual((instances[0]["status"], instances[0]["value"]), ("done", "failed"))
        self.assertEqual(instances[0]["output"]["reason"], "the card was declined")

    def test_what_nobody_sells_is_rejected(self):
        _, instances = self.follow(purchase_event("start-unobtainable"))
        self.assertEqual(instances[0]["output"]["status"], "rejected")
        self.assertEqual(instances[1]["output"], {"supplier": None, "price": None})

    def test_versions_run_side_by_side(self):
        _, old = self.follow(purchase_event("start-1.0.0"))
        _, new = self.follow(purchase_event("start-small"))
        self.assertEqual((old[0]["version"], new[0]["version"]), ("1.0.0", "1.1.0"))
        self.assertEqual([i["output"]["status"] for i in (old[0], new[0])], ["completed", "completed"])

    def test_the_trace_tells_an_operator_how_to_go_on(self):
        trace = self.ok("run", PURCHASE, "--event", purchase_event("start-big"), "--store", "sqlite:orders.db", "--follow").out
        for word in ("arvo.orc.purchase@1.1.0", "approving", "mock", "left for external", "log: best price: 39.5 from south"):
            self.assertIn(word, trace)
        commands = [line.strip() for line in trace.splitlines() if " event new " in line]
        self.assertEqual(len(commands), 2)
        granted = next(line for line in commands if "evt.approval.granted" in line)
        done = subprocess.run(["sh", "-c", granted], cwd=self.folder, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("completed [done]", done.stdout)
        # The reply names the event that it answers.
        words = shlex.split(granted)
        parent = words[words.index("--parentid") + 1]
        history = self.ok("history", "order-big", "--store", "sqlite:orders.db", "--json").lines()
        asked = [line["event"]["id"] for line in history if line["event"]["type"] == "com.approval.request"]
        self.assertEqual(asked, [parent])

    def test_the_same_event_again_changes_nothing(self):
        first, _ = self.follow(purchase_event("start-small"))
        before = self.ok("history", "order-small", "--store", "sqlite:orders.db").out
        again, instances = self.follow(purchase_event("start-small"))
        self.assertEqual(self.types(again), ["arvo.orc.purchase"])
        self.assertEqual(instances[0]["status"], "done")
        self.assertEqual(self.ok("history", "order-small", "--store", "sqlite:orders.db").out, before)
        # One step again gives the recorded events.
        step = self.ok("run", PURCHASE, "--event", purchase_event("start-small"), "--store", "sqlite:orders.db", "--json").json()
        self.assertEqual(step["events"], [first[1]["event"]])

    def test_ps_show_and_history(self):
        self.follow(purchase_event("start-big"))
        self.follow(purchase_event("start-small"))
        store = ("--store", "sqlite:orders.db")
        rows = self.ok("ps", *store, "--json").lines()
        self.assertEqual(len(rows), 4)
        for row in rows:
            self.assertEqual(list(row), ["subject", "orchestrator", "version", "status", "value", "parentSubject", "updated"])
        self.assertEqual(len(self.ok("ps", *store, "--json", "--status", "active").lines()), 1)
        self.fails(2, "ps", *store, "--status", "weird", says=["weird", "active"])
        self.assertEqual(len(self.ok("ps", *store, "--json", "--orchestrator", "arvo.orc.quote").lines()), 2)
        self.assertEqual(self.ok("ps", *store, "--json", "--orchestrator", "arvo.orc.other").out, "")
        table = self.ok("ps", *store).out
        self.assertIn("order-big", table)
        self.assertIn("approving", table)
        self.assertEqual(len(table.splitlines()), 5)

        shown = self.ok("show", "order-big", *store).out
        for word in ("com.shop.web", "approving", '"total": 1580'):
            self.assertIn(word, shown)
        subject = self.ok("show", "order-b", *store, "--json").json()["subject"]
        self.assertEqual(self.ok("show", subject, *store, "--json").json()["value"], "approving")

        history = self.ok("history", subject, *store, "--json").lines()
        self.assertEqual([list(line) for line in history], [["seq", "direction", "domains", "event"]] * len(history))
        self.assertEqual([(line["direction"], line["event"]["type"]) for line in history], [
            ("consumed", "arvo.orc.purchase"), ("produced", "arvo.orc.quote"),
            ("consumed", "arvo.orc.quote.done"), ("produced", "com.approval.request")])
        self.assertEqual(history[-1]["domains"], ["external"])
        sequence = [line["seq"] for line in history]
        self.assertEqual(sequence, sorted(set(sequence)))
        self.assertIn("com.approval.request", self.ok("history", "order-big", *store).out)

    def on_a_terminal(self, columns, *arguments, **env):
        """What the command prints on a terminal of that width."""
        try:
            reader, terminal = pty.openpty()
        except OSError as why:
            self.skipTest(f"no terminal to be had here: {why}")
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
        process = subprocess.Popen([ARVO, *arguments], cwd=self.folder, stdout=terminal, env={**environment, "TERM": "xterm", **env})
        os.close(terminal)
        text = b""
        while True:
            try:
                part = os.read(reader, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            text += part
        os.close(reader)
        self.assertEqual(process.wait(timeout=60), 0)
        return text.decode().replace("\r\n", "\n")

    def test_colours_on_a_terminal_only(self):
        self.follow(purchase_event("start-big"))
        for verb in (["ps"], ["show", "order-big"], ["history", "order-big"]):
            command = [*verb, "--store", "sqlite:orders.db"]
            self.assertIn("\033[1m", self.on_a_terminal(100, *command))
            self.assertNotIn("\033", self.on_a_terminal(100, *command, NO_COLOR="1"))
            self.assertNotIn("\033", self.on_a_terminal(100, *command, TERM="dumb"))
            self.assertNotIn("\033", self.ok(*command).out)
        self.assertNotIn("\033", self.on_a_terminal(100, "ps", "--store", "sqlite:orders.db", "--json"))

    def test_tables_fit_the_terminal(self):
        self.follow(purchase_event("start-big"))
        command = ["history", "order-big", "--store", "sqlite:orders.db"]
        narrow = re.sub(r"\033\[\d*m", "", self.on_a_terminal(95, *command))
        self.assertTrue(any(line.endswith("…") for line in narrow.splitlines()), narrow)
        for line in narrow.splitlines():
            self.assertLessEqual(len(line), 95)
        self.assertNotIn("…", self.on_a_terminal(300, *command))
        self.assertNotIn("…", self.ok(*command).out)

    def test_looking_for_what_is_not_there(self):
        self.follow(purchase_event("start-small"))
        store = ("--store", "sqlite:orders.db")
        with open(purchase_event("start-big"), encoding="utf-8") as file:
            elsewhere = json.load(file)["subject"]
        for verb in ("show", "history"):
            self.fails(1, verb, elsewhere, *store, says="no")
            self.fails(1, verb, "order-nothing", *store, says="order-nothing")
        self.follow(purchase_event("start-big"))
        self.fails(1, "show", "order-", *store, says="2 instances")


class Steps(CounterCase):
    def test_one_step_prints_the_result_object(self):
        result = self.ok("run", self.app, "--event", self.start(2), "--json").json()
        self.assertEqual(list(result), ["events", "allEventDomains", "domainedEvents"])
        self.assertEqual([event["type"] for event in result["events"]], ["com.counter.tick"])
        self.assertEqual(result["allEventDomains"], ["default"])
        self.assertEqual(result["domainedEvents"]["default"], result["events"])
        self.assertEqual(result["domainedEvents"]["all"], result["events"])

    def test_one_step_prints_for_people(self):
        text = self.ok("run", self.app, "--event", self.start(2)).out
        for word in ("arvo.orc.counter@1.0.0", "counting", "com.counter.tick", "default"):
            self.assertIn(word, text)

    def test_steps_by_hand_reach_the_end(self):
        store = "sqlite:s.db"
        event = self.start(1)
        asked = self.ok("run", self.app, "--event", event, "--store", store, "--json").json()["events"][0]
        reply = self.ok(
            "event", "new", "--app", self.app, "--type", "evt.counter.tick", "--reply-to", self.write("asked.json", asked), "--data", '{"next": 1}',
        ).out
        done = self.ok("run", self.app, "--event", "-", "--store", store, "--json", stdin=reply).json()["events"]
        self.assertEqual([(event["type"], event["data"]) for event in done], [("arvo.orc.counter.done", {"count": 1})])

    def test_an_event_may_be_yaml_or_come_from_standard_input(self):
        with open(self.start(0), encoding="utf-8") as file:
            event = json.load(file)
        self.ok("run", self.app, "--event", "-", "--json", stdin=json.dumps(event))
        yaml = "".join(f"{key}: {json.dumps(value)}\n" for key, value in event.items())
        self.ok("run", self.app, "--event", self.write("start.yaml", yaml), "--json")

    def test_an_event_that_no_orchestrator_takes(self):
        with open(self.start(1), encoding="utf-8") as file:
            event = json.load(file)
        event["to"] = "com.somebody.else"
        nothing = {"events": [], "allEventDomains": [], "domainedEvents": {"all": []}}
        for more in ([], ["--json"]):
            result = self.fails(1, "run", self.app, "--event", "-", *more, stdin=json.dumps(event), says=["arvo.orc.counter", "com.somebody.else", "no orchestrator"])
            self.assertEqual(result.out, json.dumps(nothing, separators=(",", ":")) + "\n" if more else "")

        # A request of a workflow's: its subject is the workflow's, but it is for the service.
        store = ("--store", "sqlite:s.db")
        asked = self.ok("run", self.app, "--event", self.start(1), *store, "--json").json()["events"][0]
        self.fails(1, "run", self.app, "--event", "-", *store, stdin=json.dumps(asked), says=["com.counter.tick", "--follow", "mock"])

        # With --follow nobody takes it either.
        result = self.arvo("run", self.app, "--event", "-", "--follow", "--json", stdin=json.dumps(event))
        self.assertEqual((result.code, result.lines()[0]["handledBy"]), (1, None), result)
        self.assertIn("com.somebody.else", result.err)

    def test_an_event_for_another_workflow_is_ignored(self):
        with open(self.start(1), encoding="utf-8") as file:
            event = json.load(file)
        event["subject"] = self.ok("subject", "new", "--name", "arvo.orc.other", "--version", "1.0.0", "--initiator", "com.test.user").out.strip()
        result = self.ok("run", self.app, "--event", "-", "--json", stdin=json.dumps(event)).json()
        self.assertEqual(result, {"events": [], "allEventDomains": [], "domainedEvents": {"all": []}})
        lines = self.ok("run", self.app, "--event", "-", "--follow", "--json", stdin=json.dumps(event)).lines()
        self.assertEqual(lines[0]["handledBy"], "orchestrator:arvo.orc.counter")

    def test_waiting_names_what_services_send(self):
        raised = COUNTER.replace("    on:\n", "    on:\n      internal.only.raised: {}\n")
        self.assertIn("internal.only.raised", raised)
        app = self.write("raised.yaml", "---".join(part for part in raised.split("---") if "kind: mock" not in part))
        text = self.ok("run", app, "--event", self.start(1), "--follow").out
        self.assertIn("evt.counter.tick", text)
        self.assertNotIn("internal.only.raised", text)
        for descriptor, waits in (("evt.counter.*", True), ('"*"', True), ("evt.count.*", False)):
            app = self.write("raised.yaml", "---".join(part for part in raised.replace("evt.counter.tick:\n        target", descriptor + ":\n        target").split("---") if "kind: mock" not in part))
            text = self.ok("run", app, "--event", self.start(1), "--follow").out
            self.assertEqual("evt.counter.tick" in text, waits, text)
            self.assertEqual("for nothing that its services send" in text, not waits, text)

    def test_follow_says_when_nobody_serves_the_event(self):
        other = self.ok("event", "new", "--type", "com.nobody.here", "--source", "com.test.me", "--subject", "s").out
        result = self.arvo("run", self.app, "--event", "-", "--follow", "--json", stdin=other)
        self.assertEqual(result.code, 1, result)
        self.assertIn("com.nobody.here", result.err)
        self.assertEqual([line.get("handledBy", "none") for line in result.lines()], [None, "none"])
        self.assertEqual(result.lines()[-1], {"instances": []})

    def test_a_workflow_error_is_exit_code_one(self):
        with open(self.start(1), encoding="utf-8") as file:
            event = json.load(file)
        event["data"]["goal"] = "many"
        bad = self.write("bad.json", event)
        result = self.arvo("run", self.app, "--event", bad, "--json")
        self.assertEqual(result.code, 1, result)
        self.assertEqual([e["type"] for e in result.json()["events"]], ["sys.arvo.orc.counter.error"])
        self.assertEqual(result.json()["events"][0]["to"], "com.test.user")
        followed = self.arvo("run", self.app, "--event", bad, "--follow", "--json")
        self.assertEqual(followed.code, 1, followed)
        self.assertEqual([line["event"]["type"] for line in followed.lines()[:-1]], ["arvo.orc.counter", "sys.arvo.orc.counter.error"])
        self.assertEqual(followed.lines()[-1]["instances"][0]["status"], "error")

    def test_a_failure_delivered_again_says_what_failed(self):
        with open(self.start(1), encoding="utf-8") as file:
            event = json.load(file)
        event["data"]["goal"] = "many"
        command = ("run", self.app, "--event", self.write("bad.json", event), "--store", "sqlite:s.db")
        for more in ([], ["--follow"]):
            for words in (["failed ContractViolation", "/goal"], ["handled before, and failed ContractViolation", "/goal"]):
                result = self.arvo(*command, *more)
                self.assertEqual(result.code, 1, result)
                for word in words[1:] if more else words:
                    self.assertIn(word, result.out)
        self.assertIn("handled before, and failed", result.out)

    def test_violations_can_be_returned(self):
        with open(self.start(1), encoding="utf-8") as file:
            event = json.load(file)
        event["data"]["goal"] = "many"
        bad = self.write("bad.json", event)
        store = ("--store", "sqlite:v.db")
        self.fails(1, "run", self.app, "--event", bad, *store, "--violations", "return", "--json", says="goal")
        self.assertEqual(self.ok("ps", *store, "--json").out, "")
        self.fails(2, "run", self.app, "--event", bad, "--violations", "ignore", says="event or return")
        # No machine ran; the version is the one that the subject asks for.
        lines = self.arvo("run", self.app, "--event", bad, *store, "--violations", "return", "--follow", "--json").lines()
        self.assertEqual(lines[0]["handledBy"], "orchestrator:arvo.orc.counter@1.0.0")

    def test_a_bad_subject_is_a_transaction_error(self):
        with open(self.start(1), encoding="utf-8") as file:
            event = json.load(file)
        event["subject"] = "garbage"
        self.fails(3, "run", self.app, "--event", "-", "--json", stdin=json.dumps(event), says="subject")

    def test_follow_without_an_event_finishes_what_was_left(self):
        store = ("--store", "sqlite:s.db")
        self.ok("run", self.app, "--event", self.start(3), *store, "--json")
        lines = self.ok("run", self.app, *store, "--follow", "--json").lines()
        self.assertEqual(lines[0]["event"]["type"], "com.counter.tick")
        self.assertEqual(lines[-1]["instances"][0]["output"], {"count": 3})
        self.assertEqual(self.ok("run", self.app, *store, "--follow", "--json").lines(), [{"instances": []}])
        self.assertEqual(self.ok("run", self.app, *store, "--follow").out.splitlines()[-1], "nothing to do")

    def test_memory_is_the_default(self):
        lines = self.ok("run", self.app, "--event", self.start(2), "--follow", "--json").lines()
        self.assertEqual(lines[-1]["instances"][0]["output"], {"count": 2})
        self.assertEqual(os.listdir(self.folder), sorted(os.listdir(self.folder)))
        self.assertEqual([name for name in os.listdir(self.folder) if "db" in name], [])

    def test_bench_counts(self):
        for more in ((), (self.app, "--event", self.start(3))):
            result = self.ok("bench", *more, "--events", "50", "--json").json()
            self.assertEqual(list(result), ["events", "seconds", "eventsPerSecond", "p50us", "p99us", "p999us"])
            self.assertGreaterEqual(result["events"], 50)
            self.assertGreater(result["eventsPerSecond"], 0)
        self.assertIn("events/s", self.ok("bench", "--events", "10").out)
        self.fails(2, "bench", self.app, says="--event")


LOAN = """
kind: contract
uri: "#/services/credit"
type: com.bureau.score
versions:
  1.0.0:
    accepts:
      type: object
      properties: { customer: { type: string } }
      required: [customer]
    emits:
      evt.bureau.score.success:
        type: object
        properties: { score: { type: integer, minimum: 0, maximum: 1000 } }
        required: [score]
---
kind: contract
uri: "#/services/underwriter"
type: com.underwriter.review
versions:
  1.0.0:
    accepts:
      type: object
      properties: { customer: { type: string }, amount: { type: number } }
      required: [customer, amount]
    emits:
      evt.underwriter.review.done:
        type: object
        properties: { approve: { type: boolean } }
        required: [approve]
---
kind: contract
uri: "#/services/customer"
type: com.customer.inform
versions:
  1.0.0:
    accepts: { type: object, properties: { text: { type: string } }, required: [text] }
    emits:
      com.customer.withdraw: { type: object, properties: {} }
---
kind: orchestrator-contract
uri: "#/orchestrators/loan"
name: loan
versions:
  2.0.0:
    init:
      type: object
      properties: { customer: { type: string }, amount: { type: number, exclusiveMinimum: 0 } }
      required: [customer, amount]
    complete:
      type: object
      properties: { decision: { enum: [approved, declined, withdrawn] }, reviews: { type: integer } }
      required: [decision, reviews]
---
kind: machine
id: loan
version: 2.0.0
contracts:
  self: "#/orchestrators/loan"
  services: { credit: "#/services/credit", underwriter: "#/services/underwriter", customer: "#/services/customer" }
context: { customer: "${ .input.data.customer }", amount: "${ .input.data.amount }", score: null, decision: null, reviews: 0 }
initial: working
guards:
  good: "${ .context.score >= 700 }"
  small: "${ .context.amount < 10000 }"
states:
  working:
    initial: scoring
    on:
      com.customer.withdraw:
        target: finished
        actions: { type: assign, params: { decision: withdrawn } }
    states:
      scoring:
        entry: { type: emit, params: { type: com.bureau.score, data: { customer: "${ .context.customer }" } } }
        on:
          evt.bureau.score.success:
            - guard: "${ .event.data.score < 300 }"
              target: "#loan.finished"
              actions: { type: assign, params: { score: "${ .event.data.score }", decision: declined } }
            - { target: judging, actions: { type: assign, params: { score: "${ .event.data.score }" } } }
      judging:
        always:
          - { guard: { type: and, guards: [good, small] }, target: "#loan.finished", actions: { type: assign, params: { decision: approved } } }
          - { target: reviewing }
      reviewing:
        entry:
          - { type: assign, params: { reviews: "${ .context.reviews + 1 }" } }
          - type: emit
            params: { type: com.underwriter.review, domains: [human, audit], data: { customer: "${ .context.customer }", amount: "${ .context.amount }" } }
        on:
          evt.underwriter.review.done:
            target: "#loan.finished"
            actions: { type: assign, params: { decision: "${ if .event.data.approve then \\"approved\\" else \\"declined\\" end }" } }
  finished: { type: final }
output: { decision: "${ .context.decision }", reviews: "${ .context.reviews }" }
---
kind: mock
type: com.bureau.score
replies:
  - { guard: "${ .event.data.customer == \\"poor\\" }", type: evt.bureau.score.success, data: { score: 100 } }
  - { guard: "${ .event.data.customer == \\"broken\\" }", type: evt.bureau.score.success, data: { score: 5000 } }
  - { type: evt.bureau.score.success, data: { score: 750 } }
"""


class Loan(Case):
    """An app that is not in the repository, written from docs/documents.md."""

    def setUp(self):
        super().setUp()
        self.app = self.write("loan.yaml", LOAN)

    def apply(self, customer, amount, code=0):
        event = self.ok(
            "event", "new", "--app", self.app, "--type", "arvo.orc.loan", "--source", "com.bank.branch",
            "--data", json.dumps({"customer": customer, "amount": amount}),
        ).out
        result = self.arvo("run", self.app, "--event", "-", "--store", "sqlite:loans.db", "--follow", "--json", stdin=event)
        self.assertEqual(result.code, code, result)
        return result.lines()[:-1], result.lines()[-1]["instances"][0]

    def answer(self, subject, kind, data, *more):
        event = self.ok("event", "new", "--type", kind, "--subject", subject, "--to", "arvo.orc.loan", "--data", json.dumps(data), *more).out
        return self.ok("run", self.app, "--event", "-", "--store", "sqlite:loans.db", "--follow", "--json", stdin=event).lines()[-1]["instances"][0]

    def test_a_small_loan_is_approved_at_once(self):
        _, loan = self.apply("rich", 500)
        self.assertEqual(loan["output"], {"decision": "approved", "reviews": 0})

    def test_a_poor_customer_is_declined(self):
        _, loan = self.apply("poor", 500)
        self.assertEqual(loan["output"]["decision"], "declined")

    def test_a_big_loan_is_reviewed_by_a_person(self):
        lines, loan = self.apply("rich", 50000)
        self.assertEqual(lines[-1]["domains"], ["human", "audit"])
        self.assertEqual(loan["value"], {"working": "reviewing"})
        done = self.answer(loan["subject"], "evt.underwriter.review.done", {"approve": False}, "--app", self.app)
        self.assertEqual(done["output"], {"decision": "declined", "reviews": 1})

    def test_a_customer_withdraws(self):
        _, loan = self.apply("rich", 50000)
        done = self.answer(loan["subject"], "com.customer.withdraw", {}, "--source", "com.bank.branch")
        self.assertEqual(done["output"], {"decision": "withdrawn", "reviews": 1})

    def test_a_reply_that_breaks_its_contract(self):
        event = self.write("broken.json", self.ok(
            "event", "new", "--app", self.app, "--type", "arvo.orc.loan", "--source", "com.bank.branch",
            "--data", '{"customer": "broken", "amount": 5}',
        ).out)
        command = ("run", self.app, "--event", event, "--store", "sqlite:loans.db", "--follow", "--json")
        result = self.fails(1, *command, says=["com.bureau.score", "/score"])
        self.assertEqual(result.lines()[-1]["instances"][0]["value"], {"working": "scoring"})
        # The question is still in the store; with the mock mended, the same command finishes the work.
        self.write("loan.yaml", LOAN.replace("score: 5000", "score: 200"))
        done = self.ok(*command).lines()[-1]["instances"][0]
        self.assertEqual(done["output"]["decision"], "declined")


if __name__ == "__main__":
    main()
