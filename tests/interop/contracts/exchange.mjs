// Random contracts of npm's arvo-core, exchanged with ours:
//
//   1. what toJsonSchema() prints is read, and printed again as it was;
//   2. turned into our document and back it is still the same;
//   3. our examples are valid for zod, and what we make to break a rule is refused by zod;
//   4. all of them as AsyncAPI 3 are without an error for @asyncapi/parser.
//
//   node exchange.mjs ARVO [--contracts N] [--seed N]

import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";

import { Parser } from "@asyncapi/parser";
import { createArvoContract, createArvoOrchestratorContract } from "arvo-core";
import { z } from "zod";

const arvo = process.argv[2];
const option = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
};
const count = option("contracts", 12);
const seed = option("seed", Number(process.env.ARVO_SEED ?? Math.floor(Math.random() * 2 ** 31)));

// ---- Random zod schemas ----

let state = seed >>> 0;
function below(n) {
  state = (state + 0x6d2b79f5) >>> 0; // mulberry32
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) % n;
}
const pick = (list) => list[below(list.length)];

function text() {
  return pick([
    () => z.string(),
    () => z.string().min(2).max(12),
    () => z.string().email(),
    () => z.string().uuid(),
    () => z.string().url(),
    () => z.string().datetime(),
    () => z.string().regex(/^[A-Z]{2}-[0-9]{3}$/),
    () => z.enum(["red", "green", "blue"]),
    () => z.literal("fixed"),
  ])();
}

function number() {
  return pick([
    () => z.number(),
    () => z.number().int().min(1).max(9),
    () => z.number().positive(),
    () => z.number().multipleOf(0.5).max(20),
    () => z.number().int().lt(0),
  ])();
}

function object(depth) {
  const shape = {};
  for (const key of ["alpha", "beta", "gamma", "delta"].slice(0, below(4) + 1)) shape[key] = field(depth);
  return z.object(shape);
}

function value(depth) {
  if (depth === 0) return pick([text, number, () => z.boolean()])();
  return pick([
    text,
    number,
    () => z.boolean(),
    () => object(depth - 1),
    () => z.array(value(depth - 1)).min(below(2)).max(3),
    () => z.record(z.string(), value(depth - 1)),
    () => z.union([z.string().max(5), z.number()]),
    () => z.tuple([z.string(), z.number()]),
    () =>
      z.discriminatedUnion("kind", [
        z.object({ kind: z.literal("a"), one: value(depth - 1) }),
        z.object({ kind: z.literal("b"), two: z.string() }),
      ]),
  ])();
}

function field(depth) {
  const inner = value(depth);
  return pick([() => inner, () => inner, () => inner.optional(), () => inner.nullable(), () => z.string().default("d")])();
}

function contract(i) {
  if (i % 5 === 4)
    return createArvoOrchestratorContract({
      uri: `#/orchestrators/o${i}`,
      name: `o${i}`,
      versions: { "1.0.0": { init: object(2), complete: object(1) } },
    });
  const versions = {};
  for (const version of ["1.0.0", "1.1.0"].slice(0, below(2) + 1))
    versions[version] = { accepts: object(3), emits: { [`evt.s${i}.do.ne`]: object(2) } };
  return createArvoContract({ uri: `#/services/s${i}`, type: `com.s${i}.do`, description: "A | service", versions });
}

// ---- Running ours ----

const folder = mkdtempSync(join(tmpdir(), "arvo-exchange-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const run = (...words) => execFileSync(arvo, words, { encoding: "utf8" });

function file(name, content) {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

let failures = 0;
function check(what, holds, ...more) {
  if (holds) return;
  failures++;
  console.log(`FAILED: ${what}`, ...more.map((item) => JSON.stringify(item).slice(0, 1500)));
}

// What Arvo adds to every contract is described in arvo-core's own words.
function without(form) {
  const copy = JSON.parse(JSON.stringify(form));
  for (const version of copy.versions) {
    for (const property of Object.values(version.systemError.schema.properties)) delete property.description;
    const parent = version.accepts.schema.properties?.["parentSubject$$"];
    if (parent !== undefined) version.accepts.schema.properties["parentSubject$$"] = "a subject or null";
  }
  return copy;
}

let valid = 0;
let invalid = 0;

function examples(path, type, version, schema) {
  const where = ["--type", type, "--version", version];
  for (const more of [[], ["--minimal"], ["--seed", "5"]]) {
    const data = JSON.parse(run("contract", "example", path, ...where, ...more));
    const parsed = schema.safeParse(data);
    valid++;
    check(`example of ${type} is valid for zod`, parsed.success, data, parsed.error?.issues);
  }
  for (const item of JSON.parse(run("contract", "example", path, ...where, "--invalid", "--json")).invalid) {
    if (item.data === undefined) continue;
    invalid++;
    check(`${item.rule} of ${type} is refused by zod`, !schema.safeParse(item.data).success, item);
  }
}

const all = [];
for (let i = 0; i < count; i++) {
  const theirs = contract(i);
  const form = JSON.parse(JSON.stringify(theirs.toJsonSchema()));
  const path = file(`c${i}.json`, JSON.stringify(form));
  all.push(path);
  const printed = JSON.parse(run("contract", "export", path));
  check(`export of ${form.uri}`, isDeepStrictEqual(without(printed), without(form)), printed, form);
  const document = file(`d${i}.json`, run("contract", "import", path));
  const again = JSON.parse(run("contract", "export", document));
  check(`import and export of ${form.uri}`, isDeepStrictEqual(without(again), without(form)), again, form);
  const diff = spawnSync(arvo, ["contract", "diff", "--json", path, document], { encoding: "utf8" });
  check(`diff of ${form.uri} and its import`, JSON.parse(diff.stdout).same > 0 && JSON.parse(diff.stdout).changes.length === 0, diff.stdout);
  for (const { version } of form.versions) {
    const versioned = theirs.version(version);
    examples(path, versioned.accepts.type, version, versioned.accepts.schema);
    for (const [type, schema] of Object.entries(versioned.emits)) examples(path, type, version, schema);
  }
}

const parsed = await new Parser().parse(run("contract", "export", "--asyncapi", ...all));
const errors = parsed.diagnostics.filter((item) => item.severity === 0);
check("AsyncAPI", parsed.document !== undefined && errors.length === 0, errors);

console.log(
  `${count} contracts of arvo-core exchanged (seed ${seed}): ${valid} examples, ${invalid} broken rules, ` +
    `${parsed.document?.messages().length ?? 0} AsyncAPI messages; ${failures} failures`,
);
process.exitCode = failures > 0 ? 1 : 0;
