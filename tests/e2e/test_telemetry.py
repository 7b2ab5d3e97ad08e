#!/usr/bin/env python3
"""Traces as a receiver gets them, and receivers that misbehave: a workflow notices neither."""

import json
import os
import shutil
import socket
import subprocess
import time

from harness import ARVO, ROOT, CounterCase, main
from otlp_receiver import Receiver, answer, attributes

LOAN = os.path.join(ROOT, "tests", "e2e", "apps", "loan")
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-"


class Telemetry(CounterCase):
    GOAL = 3

    def environment(self, url, **more):
        clean = {name: "" for name in os.environ if name.startswith("OTEL_")}
        own = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json", "OTEL_METRICS_EXPORTER": "none"}
        return {**clean, **own, **more}

    def run_counter(self, url, start=None, **more):
        """The workflow does what it does without telemetry, whatever becomes of that."""
        event = start or self.start(self.GOAL)
        began = time.monotonic()
        result = self.arvo("run", self.app, "--event", event, "--follow", "--json", env=self.environment(url, **more))
        self.seconds = time.monotonic() - began
        self.assertEqual(result.code, 0, result)
        *events, last = result.lines()
        self.assertEqual(last["instances"][0]["output"], {"count": self.GOAL})
        self.assertEqual(len(events), 2 * self.GOAL + 2)
        self.events = [line["event"] for line in events]
        return result

    def assertOneTree(self, spans, roots=1):
        ids = {span["spanId"] for span in spans}
        self.assertEqual(len(ids), len(spans))
        self.assertEqual(len({span["traceId"] for span in spans}), 1)
        self.assertEqual(sum("parentSpanId" not in span for span in spans), roots)
        orphans = [span["name"] for span in spans if "parentSpanId" in span and span["parentSpanId"] not in ids]
        self.assertEqual(orphans, [])

    # ---- What arrives ----

    def test_a_workflow_is_one_tree(self):
        with Receiver() as receiver:
            result = self.run_counter(receiver.url, OTEL_SERVICE_NAME="counters", OTEL_RESOURCE_ATTRIBUTES="deployment.environment=a%20test")
            self.assertEqual(result.err, "")
            spans = receiver.spans()
            self.assertEqual({request.path for request in receiver.requests}, {"/v1/traces"})
        self.assertOneTree(spans)
        names = [span["name"] for span in spans]
        self.assertEqual(names.count("Orchestrator<#/orchestrators/counter>@<evt.counter.tick>"), self.GOAL)
        self.assertEqual(names.count("ArvoEventHandler<#/services/tick>"), self.GOAL)
        for phase in ("Lock", "Route", "Resolve Machine", "Validate", "Execute Machine", "Emit", "Commit"):
            self.assertEqual(names.count(phase), self.GOAL + 1, phase)
        root = next(span for span in spans if "parentSpanId" not in span)
        self.assertEqual(root["name"], "Orchestrator<#/orchestrators/counter>@<arvo.orc.counter>")
        self.assertEqual(root["kind"], 4)
        self.assertNotIn("status", root)
        self.assertEqual(root["resource"]["service.name"], "counters")
        self.assertEqual(root["resource"]["deployment.environment"], "a test")
        self.assertEqual(root["scope"], {"name": "arvo-instrumentation", "version": "1.0.0"})
        self.assertEqual(root["plain"]["to_process.0.cloudevents.arvo.event_executionunits"], "N/A")
        self.assertEqual(root["plain"]["to_emit.0.cloudevents.arvo.event_executionunits"], "0")
        self.assertEqual(root["plain"]["messaging.system"], "arvo")
        now_ns = time.time() * 1e9
        for span in spans:
            start, end = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
            self.assertLessEqual(start, end)
            self.assertLess(abs(now_ns - end), 120e9)
        # What an event carries is the span that made it.
        by_id = {span["spanId"]: span for span in spans}
        for event in self.events[1:]:
            _, trace, span, flags = event["traceparent"].split("-")
            self.assertEqual((trace, flags), (root["traceId"], "01"))
            self.assertIn(by_id[span]["name"].split("<")[0], ("Orchestrator", "ArvoEventHandler"))

    def test_what_a_worker_does_is_in_the_tree(self):
        """It has the answers of two processes: who starts the workflow, and the worker that goes on with it."""
        store = "sqlite:worker.db"
        with Receiver() as receiver:
            env = self.environment(receiver.url)
            started = self.arvo("run", self.app, "--event", self.start(self.GOAL), "--store", store, env=env)
            self.assertEqual(started.code, 0, started)
            worked = self.arvo("work", self.app, "--store", store, "--until-idle", env=env)
            self.assertEqual((worked.code, worked.err), (0, ""), worked)
            spans = receiver.spans()
        self.assertOneTree(spans)
        names = [span["name"] for span in spans]
        self.assertEqual(names.count("Orchestrator<#/orchestrators/counter>@<evt.counter.tick>"), self.GOAL)
        self.assertEqual(names.count("ArvoEventHandler<#/services/tick>"), self.GOAL)

    def test_children_are_in_the_tree(self):
        made = self.ok(
            "event", "new", "--init", "--type", "arvo.orc.loan", "--app", LOAN, "--source", "com.web.desk",
            "--data", json.dumps({"applicant": "ada", "amount": 900}),
        )
        event = self.write("loan.json", made.out)
        with Receiver() as receiver:
            result = self.arvo("run", LOAN, "--event", event, "--follow", "--json", env=self.environment(receiver.url))
            self.assertEqual(result.code, 0, result)
            spans = receiver.spans()
        self.assertOneTree(spans)
        orchestrators = {span["name"].split(">")[0] for span in spans if span["name"].startswith("Orchestrator<")}
        self.assertEqual(len(orchestrators), 2, orchestrators)

    def test_a_parent_that_came_with_the_event_is_respected(self):
        for flags, count in (("01", 1), ("00", 0)):
            with self.subTest(flags=flags), Receiver() as receiver:
                event = {**json.loads(open(self.start(self.GOAL), encoding="utf-8").read()), "traceparent": PARENT + flags, "tracestate": "k=v"}
                self.run_counter(receiver.url, start=self.write("traced.json", event))
                spans = receiver.spans()
                self.assertEqual(bool(spans), bool(count))
                self.assertEqual({e["traceparent"][:36] for e in self.events}, {PARENT[:36]})
                self.assertEqual({e["traceparent"][-2:] for e in self.events}, {flags})
                self.assertEqual({e["tracestate"] for e in self.events}, {"k=v"})
                for span in spans:
                    self.assertEqual(span["traceId"], PARENT[3:35])
                    self.assertEqual(span["traceState"], "k=v")

    def test_samplers(self):
        for settings, expected in (
            ({"OTEL_TRACES_SAMPLER": "always_off"}, False),
            ({"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"}, False),
            ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "1"}, True),
            ({"OTEL_SDK_DISABLED": "true"}, False),
            ({"OTEL_TRACES_EXPORTER": "none"}, False),
        ):
            with self.subTest(settings), Receiver() as receiver:
                self.assertEqual(self.run_counter(receiver.url, **settings).err, "")
                self.assertEqual(bool(receiver.requests), expected)

    def test_an_error_is_an_exception(self):
        event = json.loads(open(self.start(self.GOAL), encoding="utf-8").read())
        event["data"]["goal"] = "three"
        with Receiver() as receiver:
            result = self.arvo("run", self.app, "--event", self.write("bad.json", event), "--follow", "--json", env=self.environment(receiver.url))
            self.assertEqual(result.code, 1, result)
            spans = receiver.spans()
        self.assertOneTree(spans)
        root = next(span for span in spans if "parentSpanId" not in span)
        self.assertEqual(root["status"]["code"], 2)
        self.assertIn("goal", root["status"]["message"])
        self.assertEqual(root["plain"]["error.type"], "ContractViolation")
        exception = next(e for e in root["events"] if e["name"] == "exception")
        self.assertEqual(exception["attributes"][0]["value"]["stringValue"], "ContractViolation")
        failed = [span["name"] for span in spans if span.get("status", {}).get("code") == 2]
        self.assertEqual(sorted(failed), sorted([root["name"], "Validate"]))

    def test_gzip_and_headers(self):
        with Receiver() as receiver:
            self.run_counter(
                receiver.url + "/", OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
                OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20a%3Db, x-tenant = t1",
            )
            self.assertOneTree(receiver.spans())
            request = receiver.requests[0]
        self.assertEqual(request.headers["content-encoding"], "gzip")
        self.assertEqual(request.headers["authorization"], "Bearer a=b")
        self.assertEqual(request.headers["x-tenant"], "t1")
        self.assertLess(len(request.body), len(request.content) / 3)

    def test_an_endpoint_for_traces_is_taken_whole(self):
        with Receiver() as receiver:
            self.run_counter("http://127.0.0.1:1", OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=receiver.url + "/here?x=1")
            self.assertEqual([request.path for request in receiver.requests], ["/here?x=1"])

    def test_batches(self):
        with Receiver() as receiver:
            self.run_counter(receiver.url, OTEL_BSP_MAX_EXPORT_BATCH_SIZE="7")
            sizes = [len(request.spans()) for request in receiver.requests]
            self.assertOneTree(receiver.spans())
        self.assertEqual(max(sizes), 7)
        self.assertEqual(set(sizes[:-1]), {7})

    def test_limits(self):
        with Receiver() as receiver:
            self.run_counter(receiver.url, OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT="5", OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT="10")
            spans = receiver.spans()
        root = next(span for span in spans if "parentSpanId" not in span)
        self.assertEqual(len(root["attributes"]), 5)
        self.assertGreater(root["droppedAttributesCount"], 20)
        self.assertTrue(all(len(value) <= 10 for span in spans for value in span["plain"].values()))

    # ---- Metrics ----

    def metrics(self, path):
        found = {}
        with open(path, encoding="utf-8") as file:
            for line in file:
                if not line.startswith("#"):
                    name, value = line.rsplit(" ", 1)
                    self.assertNotIn(name, found)
                    found[name] = float(value)
        return found

    def exported(self, receiver):
        """Of the last request: name -> (kind, unit, [(attributes, point)])."""
        requests = [request for request in receiver.requests if request.path == "/v1/metrics"]
        self.assertTrue(requests)
        found = {}
        for resource in json.loads(requests[-1].content)["resourceMetrics"]:
            self.assertIn("service.name", attributes(resource["resource"]["attributes"]))
            for scope in resource["scopeMetrics"]:
                for metric in scope["metrics"]:
                    kind = next(kind for kind in ("gauge", "sum", "histogram") if kind in metric)
                    self.assertNotIn(metric["name"], found)
                    self.assertEqual(metric[kind].get("aggregationTemporality"), None if kind == "gauge" else 2)
                    points = [(attributes(point.get("attributes", [])), point) for point in metric[kind]["dataPoints"]]
                    found[metric["name"]] = (kind, metric["unit"], points)
        return found

    def test_metrics_are_exported(self):
        with Receiver() as receiver:
            result = self.run_counter(receiver.url, OTEL_METRICS_EXPORTER="otlp", OTEL_TRACES_EXPORTER="none")
            self.assertEqual(result.err, "")
            self.assertEqual({request.path for request in receiver.requests}, {"/v1/metrics"})
            found = self.exported(receiver)
        kind, unit, points = found["arvo_execute_seconds"]
        self.assertEqual((kind, unit, len(points)), ("histogram", "s", 1))
        labels, point = points[0]
        self.assertEqual(labels, {"handler": "arvo.orc.counter"})
        self.assertEqual(int(point["count"]), self.GOAL + 1)
        self.assertEqual(sum(int(count) for count in point["bucketCounts"]), self.GOAL + 1)
        self.assertEqual(len(point["bucketCounts"]), len(point["explicitBounds"]) + 1)
        self.assertGreater(point["sum"], 0)
        self.assertLessEqual(int(point["startTimeUnixNano"]), int(point["timeUnixNano"]))
        self.assertLess(abs(int(point["timeUnixNano"]) - time.time() * 1e9), 120e9)
        kind, _, points = found["arvo_events_in"]
        self.assertEqual((kind, {p[0]["handler"]: int(p[1]["asInt"]) for p in points}), ("sum", {"arvo.orc.counter": self.GOAL + 1, "com.counter.tick": self.GOAL}))
        self.assertEqual(found["arvo_store_up"][2][0][1]["asDouble"], 1)
        self.assertEqual({p[0]["status"]: p[1]["asDouble"] for p in found["arvo_instances"][2]}, {"active": 0, "done": 1, "error": 0})
        self.assertEqual(found["process_resident_memory_bytes"][:2], ("gauge", "By"))
        self.assertEqual(found["arvo_export_dropped"][2][0][0], {"signal": "metrics"})

    def test_metrics_are_exported_now_and_then(self):
        more = {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_METRIC_EXPORT_INTERVAL": "10", "OTEL_EXPORTER_OTLP_METRICS_COMPRESSION": "gzip"}
        with Receiver() as receiver:
            worker = subprocess.Popen(
                [ARVO, "work", self.app, "--store", "sqlite:worker.db"], cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                env={**os.environ, **self.environment(receiver.url, **more)},
            )
            self.addCleanup(worker.kill)
            end = time.monotonic() + 60
            while len(receiver.requests) < 3 and time.monotonic() < end:
                time.sleep(0.01)
            worker.terminate()
            self.assertEqual(worker.communicate()[1], b"")
            self.assertGreater(len(receiver.requests), 3)  # and the last one, at its end
            last = self.exported(receiver)
        self.assertEqual({p[0]["signal"] for p in last["arvo_export_queued"][2]}, {"traces", "metrics"})
        self.assertEqual(last["arvo_worker_threads"][2][0][1]["asDouble"], 0)
        self.assertGreaterEqual(dict((p[0]["signal"], p[1]["asDouble"]) for p in last["arvo_export_requests"][2])["metrics"], 3)

    def test_a_receiver_that_takes_no_metrics(self):
        def behave(connection, request, number):
            del number
            refused = json.dumps({"partialSuccess": {"rejectedDataPoints": "2", "errorMessage": "too many"}}).encode()
            connection.sendall(answer(200, refused) if request.path == "/v1/metrics" else answer())

        with Receiver(behave) as receiver:
            result = self.run_counter(receiver.url, OTEL_METRICS_EXPORTER="otlp")
        lines = result.err.splitlines()
        self.assertIn("it did not take 2 of the data points: too many", lines[0])
        self.assertRegex(lines[1], r"telemetry: 2 of \d+ data points were not exported$")

    def test_a_metrics_receiver_that_hangs_holds_up_no_traces(self):
        def behave(connection, request, number):
            del number
            if request.path == "/v1/metrics":
                receiver.stopped.wait(60)
            connection.sendall(answer())

        with Receiver(behave) as receiver:
            result = self.run_counter(receiver.url, OTEL_METRICS_EXPORTER="otlp")
            self.assertOneTree([span for request in receiver.requests if request.path == "/v1/traces" for span in request.spans()])
        self.assertLess(self.seconds, 30)
        self.assertRegex(result.err, r"(\d+) of \1 data points were not exported")
        self.assertNotIn("spans were not", result.err)

    def test_metrics_file(self):
        event = self.start(self.GOAL)
        for times in (1, 2):
            result = self.ok("run", self.app, "--event", event, "--follow", "--store", "sqlite:counted.db", "--metrics-file", "counted.prom")
            self.assertTrue(result.out)
            found = self.metrics(self.path("counted.prom"))
            orchestrator, service = 'handler="arvo.orc.counter"', 'handler="com.counter.tick"'
            if times == 1:
                self.assertEqual(found[f"arvo_events_in_total{{{orchestrator}}}"], self.GOAL + 1)
                self.assertEqual(found[f"arvo_events_in_total{{{service}}}"], self.GOAL)
                self.assertEqual(found[f'arvo_events_out_total{{{orchestrator},domain="default"}}'], self.GOAL + 1)
                self.assertEqual(found[f"arvo_handler_seconds_count{{{service}}}"], self.GOAL)
                self.assertEqual(found[f"arvo_step_seconds_count{{{orchestrator}}}"], self.GOAL + 1)
            else:
                self.assertEqual(found[f"arvo_events_deduplicated_total{{{orchestrator}}}"], 1)
        total = [value for name, value in found.items() if name.startswith("arvo_execute_seconds_bucket")]
        self.assertEqual(total, sorted(total))
        self.assertGreater(found["process_resident_memory_bytes"], 1e6)
        self.assertLess(abs(found["process_start_time_seconds"] - time.time()), 120)
        self.assertFalse(os.path.exists(self.path("counted.prom.new")))

    def test_metrics_file_that_cannot_be_written(self):
        event = self.start(self.GOAL)
        result = self.arvo("run", self.app, "--event", event, "--follow", "--metrics-file", "no/such/folder/x")
        self.assertEqual(result.code, 0, result)
        self.assertOneLine(result)
        self.assertIn("no/such/folder/x", result.err)

    def test_promtool(self):
        promtool = shutil.which("promtool")
        if promtool is None:
            self.skipTest("promtool is not installed (Debian package prometheus)")
        self.ok("run", self.app, "--event", self.start(self.GOAL), "--follow", "--metrics-file", "x.prom")
        with open(self.path("x.prom"), "rb") as file:
            done = subprocess.run([promtool, "check", "metrics"], stdin=file, capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)

    # ---- Settings that are not understood ----

    def test_settings_that_are_not_understood_are_said_once(self):
        with Receiver() as receiver:
            result = self.run_counter(
                receiver.url, OTEL_TRACES_SAMPLER="sometimes", OTEL_BSP_MAX_QUEUE_SIZE="many", OTEL_EXPORTER_OTLP_PROTOCOL="grpc",
                OTEL_EXPORTER_OTLP_COMPRESSION="zstd", OTEL_RESOURCE_ATTRIBUTES="a=b,nonsense", OTEL_EXPORTER_OTLP_TIMEOUT="-1",
            )
            self.assertEqual(len(receiver.requests), 1)
            self.assertEqual(receiver.requests[0].headers["content-type"], "application/x-protobuf")
        lines = result.err.splitlines()
        for name in (
            "OTEL_TRACES_SAMPLER=sometimes", "OTEL_BSP_MAX_QUEUE_SIZE=many", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc",
            "OTEL_EXPORTER_OTLP_COMPRESSION=zstd", "OTEL_RESOURCE_ATTRIBUTES=a=b,nonsense", "OTEL_EXPORTER_OTLP_TIMEOUT=-1",
        ):
            self.assertEqual(len([line for line in lines if line.startswith(f"arvo: telemetry: {name}: ")]), 1, lines)
        self.assertEqual(len(lines), 6, lines)

    # ---- Receivers that misbehave ----

    def assertDropped(self, result, says):
        lines = result.err.splitlines()
        self.assertEqual(len(lines), 2, result)
        self.assertIn(says, lines[0])
        self.assertRegex(lines[1], r"arvo: telemetry: (\d+) of \1 spans were not exported")
        self.assertNotIn("secret", result.err)

    def test_gone(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            result = self.run_counter(f"http://user:secret@127.0.0.1:{port}")
        self.assertDropped(result, f"http://***@127.0.0.1:{port}/v1/traces: ")
        self.assertLess(self.seconds, 20)

    def test_slow(self):
        def behave(connection, request, number):
            del connection, request, number
            receiver.stopped.wait(60)

        with Receiver(behave) as receiver:
            result = self.run_counter(receiver.url)
            self.assertEqual(len(receiver.requests), 1)
        self.assertRegex(result.err, r"^arvo: telemetry: (\d+) of \1 spans were not exported")
        self.assertLess(self.seconds, 20)

    def test_slow_by_the_byte(self):
        def behave(connection, request, number):
            del request, number
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while not receiver.stopped.wait(0.1):
                connection.sendall(b"x")

        with Receiver(behave) as receiver:
            result = self.run_counter(receiver.url, OTEL_EXPORTER_OTLP_TIMEOUT="500")
        self.assertDropped(result, "Timeout")

    def test_rubbish(self):
        def behave(connection, request, number):
            del request, number
            connection.sendall(b"\x00\xff" * 4000 + b"\r\n\r\n")
            connection.close()

        with Receiver(behave) as receiver:
            self.assertDropped(self.run_counter(receiver.url), receiver.url)

    def test_a_success_that_cannot_be_read_is_one(self):
        for body in (b"\xff\xfe", b'{"partialSuccess":', b"x" * 200000):
            with self.subTest(len(body)), Receiver(lambda c, r, n, body=body: c.sendall(answer(200, body))) as receiver:
                result = self.run_counter(receiver.url)
                self.assertEqual(len(receiver.requests), 1)
                self.assertEqual(len(result.err.splitlines()), 1)
                self.assertIn("cannot be read", result.err)

    def test_half_closed(self):
        def behave(connection, request, number):
            del request, number
            connection.shutdown(socket.SHUT_WR)

        with Receiver(behave) as receiver:
            self.assertDropped(self.run_counter(receiver.url), "")

    def test_retry_after_is_kept(self):
        def behave(connection, request, number):
            del request
            connection.sendall(answer(429, b"", ["Retry-After: 1"]) if number == 0 else answer())

        with Receiver(behave) as receiver:
            result = self.run_counter(receiver.url)
            first, second = receiver.requests
        self.assertEqual(first.content, second.content)
        self.assertGreaterEqual(second.time - first.time, 1.0)
        self.assertIn("status 429", result.err)
        self.assertNotIn("not exported", result.err)

    def test_refused_is_not_repeated(self):
        for code in (400, 401, 404, 500, 301):
            with self.subTest(code), Receiver(lambda c, r, n, code=code: c.sendall(answer(code, b"no"))) as receiver:
                self.assertDropped(self.run_counter(receiver.url), f"status {code}")
                self.assertEqual(len(receiver.requests), 1)

    def test_unavailable_is_repeated(self):
        for code in (502, 503, 504):
            with self.subTest(code):
                behave = lambda c, r, n, code=code: c.sendall(answer(code if n == 0 else 200))  # noqa: E731
                with Receiver(behave) as receiver:
                    result = self.run_counter(receiver.url)
                    self.assertEqual(len(receiver.requests), 2)
                    self.assertNotIn("not exported", result.err)

    def test_partial_success_is_read(self):
        body = json.dumps({"partialSuccess": {"rejectedSpans": "2", "errorMessage": "too old"}}).encode()
        with Receiver(lambda c, r, n: c.sendall(answer(200, body))) as receiver:
            result = self.run_counter(receiver.url)
            self.assertEqual(len(receiver.requests), 1)
        lines = result.err.splitlines()
        self.assertIn("it did not take 2 of the spans: too old", lines[0])
        self.assertIn("telemetry: 2 of ", lines[1])

    def test_a_full_queue_drops_executions_whole(self):
        """The receiver hangs, the queue is small: what is exported in the end has no orphans but those of the drops."""
        def behave(connection, request, number):
            del request, number
            receiver.stopped.wait(60)

        self.GOAL = 50
        with Receiver(behave) as receiver:
            result = self.run_counter(receiver.url, OTEL_BSP_MAX_QUEUE_SIZE="64", OTEL_BSP_MAX_EXPORT_BATCH_SIZE="8")
        self.assertRegex(result.err, r"spans were not exported, and [1-9]\d* executions not recorded")


if __name__ == "__main__":
    main()
