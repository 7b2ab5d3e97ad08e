// A workflow with a child and services, exported as protobuf and as JSON to a receiver here; both are read with the
// definitions of @opentelemetry/otlp-transformer, and must be one tree with every parent present, and the same tree.
// So are the metrics of it, which must be the same metrics.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";

const require = createRequire(import.meta.url);
const { opentelemetry } = require("./node_modules/@opentelemetry/otlp-transformer/build/src/generated/root.js");
const { ExportTraceServiceRequest, ExportTraceServiceResponse } = opentelemetry.proto.collector.trace.v1;
const { ExportMetricsServiceRequest } = opentelemetry.proto.collector.metrics.v1;

const arvo = process.argv[2];
const loan = join(process.env.ARVO_SOURCE_ROOT, "tests", "e2e", "apps", "loan");
const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), "arvo-otlp-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

/** Export one run of the app; gives the requests' bodies. */
async function requestsOf(event, settings, response) {
  const bodies = [];
  const server = createServer((request, out) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks);
      bodies.push({ type: request.headers["content-type"], body: request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body });
      out.writeHead(200, { "Content-Type": request.headers["content-type"] });
      out.end(response);
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const env = { ...process.env, OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${server.address().port}`, OTEL_METRICS_EXPORTER: "none", ...settings };
  const done = await run(arvo, ["run", loan, "--event", event, "--follow", "--json"], { env });
  await new Promise((resolve) => {
    server.closeAllConnections?.();
    server.close(resolve);
  });
  return { bodies, err: done.stderr };
}

/** Nothing that the definitions do not know: written again from what was read, it is the same length. */
function decode(body, Request = ExportTraceServiceRequest) {
  const message = Request.decode(body);
  assert.equal(Request.verify(message), null);
  assert.equal(Request.encode(message).finish().length, body.length);
  return Request.toObject(message, { longs: String, bytes: (bytes) => Buffer.from(bytes).toString("hex"), enums: Number });
}

const hex = (value) => (typeof value === "string" ? value : Buffer.from(value).toString("hex"));

function spansOf(messages) {
  return messages.flatMap((message) =>
    message.resourceSpans.flatMap((resource) => {
      assert.ok(resource.resource.attributes.some((a) => a.key === "service.name"));
      return resource.scopeSpans.flatMap((scope) => {
        assert.deepEqual({ ...scope.scope }, { name: "arvo-instrumentation", version: "1.0.0" });
        return scope.spans;
      });
    }),
  );
}

function checkTree(spans) {
  const ids = new Set(spans.map((span) => hex(span.spanId)));
  assert.equal(ids.size, spans.length);
  assert.equal(new Set(spans.map((span) => hex(span.traceId))).size, 1);
  assert.equal(hex(spans[0].traceId).length, 32);
  const roots = spans.filter((span) => !span.parentSpanId || hex(span.parentSpanId) === "");
  assert.equal(roots.length, 1);
  for (const span of spans)
    if (span !== roots[0]) assert.ok(ids.has(hex(span.parentSpanId)), `${span.name}: its parent is missing`);
  for (const span of spans) assert.ok(BigInt(span.startTimeUnixNano) <= BigInt(span.endTimeUnixNano));
  return roots[0];
}

/** What does not differ from run to run. */
const shape = (spans) =>
  spans
    .map((span) => JSON.stringify([span.name, span.kind, (span.attributes ?? []).map((a) => [a.key, Object.keys(a.value)]), (span.events ?? []).map((e) => e.name), span.status?.code ?? null, span.flags]))
    .sort();

const made = await run(arvo, ["event", "new", "--init", "--type", "arvo.orc.loan", "--app", loan, "--source", "com.web.desk", "--data", '{"applicant":"ada","amount":900}']);
const event = join(folder, "event.json");
writeFileSync(event, made.stdout);

const binary = await requestsOf(event, { OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf", OTEL_EXPORTER_OTLP_COMPRESSION: "gzip" }, "");
assert.equal(binary.err, "");
assert.ok(binary.bodies.every((body) => body.type === "application/x-protobuf"));
const spans = spansOf(binary.bodies.map((body) => decode(body.body)));
const root = checkTree(spans);
assert.equal(root.name, "Orchestrator<#/orchestrators/loan>@<arvo.orc.loan>");
assert.equal(root.kind, 4);
const orchestrators = new Set(spans.filter((s) => s.name.startsWith("Orchestrator<")).map((s) => s.name.split(">")[0]));
assert.ok(orchestrators.size >= 2, "the child is there");
assert.ok(spans.some((span) => span.name.startsWith("ArvoEventHandler<")), "the services are there");
console.log(`protobuf: ${spans.length} spans, one tree`);

const text = await requestsOf(event, { OTEL_EXPORTER_OTLP_PROTOCOL: "http/json" }, "{}");
const jsonSpans = spansOf(text.bodies.map((body) => JSON.parse(body.body)));
checkTree(jsonSpans);
assert.deepEqual(shape(jsonSpans), shape(spans));
console.log(`json: ${jsonSpans.length} spans, the same tree`);

const partial = ExportTraceServiceResponse.encode({ partialSuccess: { rejectedSpans: 3, errorMessage: "no room" } }).finish();
const refused = await requestsOf(event, { OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf" }, Buffer.from(partial));
assert.match(refused.err, /it did not take 3 of the spans: no room/);
console.log("partial success: read");

// ---- Metrics ----

const onlyMetrics = { OTEL_METRICS_EXPORTER: "otlp", OTEL_TRACES_EXPORTER: "none" };

/** What does not differ from run to run: names, kinds, units, labels, and the values of what counts events. */
function metricsShape(message) {
  const shapes = [];
  for (const resource of message.resourceMetrics)
    for (const scope of resource.scopeMetrics)
      for (const metric of scope.metrics) {
        const kind = ["gauge", "sum", "histogram"].find((name) => metric[name]);
        assert.equal(Number(metric[kind].aggregationTemporality ?? 0), kind === "gauge" ? 0 : 2, metric.name);
        assert.equal(metric[kind].isMonotonic ?? false, kind === "sum", metric.name);
        for (const point of metric[kind].dataPoints) {
          assert.ok(BigInt(point.timeUnixNano) > 0n);
          const labels = (point.attributes ?? []).map((a) => `${a.key}=${a.value.stringValue}`);
          const value = kind === "histogram" ? String(point.count) : metric.name.startsWith("arvo_events") ? String(point.asInt) : "";
          if (kind === "histogram") assert.equal(point.bucketCounts.reduce((sum, n) => sum + Number(n), 0), Number(point.count));
          if (kind === "histogram") assert.equal(point.explicitBounds.length + 1, point.bucketCounts.length);
          shapes.push([metric.name, kind, metric.unit, metric.description, ...labels, value].join(" "));
        }
      }
  return shapes.sort();
}

const measured = await requestsOf(event, { ...onlyMetrics, OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf" }, "");
assert.equal(measured.err, "");
assert.equal(measured.bodies.length, 1);
const binaryMetrics = metricsShape(decode(measured.bodies[0].body, ExportMetricsServiceRequest));
assert.ok(binaryMetrics.some((line) => line.startsWith("arvo_execute_seconds histogram s ")));
const measuredText = await requestsOf(event, { ...onlyMetrics, OTEL_EXPORTER_OTLP_PROTOCOL: "http/json" }, "{}");
assert.deepEqual(metricsShape(JSON.parse(measuredText.bodies[0].body)), binaryMetrics);
console.log(`metrics: ${binaryMetrics.length} data points, the same in both forms`);
