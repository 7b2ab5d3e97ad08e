// Asks zod and our normaliser about random object schemas: the same value, or both refuse.
//
//   node normal.mjs DRIVER [--pairs N] [--seed N]
//
// The schema is made as zod code and exported by zod-to-json-schema, as arvo-core does. The seed comes
// from --seed, else from ARVO_SEED, else from the clock, and is printed.
// Exit code: 0 no difference, 1 a difference, 2 usage.

import { z } from 'zod';
import { zodToJsonSchema } from 'zod-to-json-schema';

import { Engine } from '../statechart/engine.mjs';
import { Random } from '../statechart/random.mjs';

const PAIRS_DEFAULT = 2000;
const VALUES_EACH = 5;
const ASKED_AT_ONCE = 64;
const FAILURES_MAX = 3;
const KEYS = ['a', 'b', 'c', 'd', 'long key', 'é'];
const STRINGS = ['', 'a', 'ab', 'abcd', '12', 'é'];
const NUMBERS = [-1, 0, 1, 1.5, 2, 7, 1e21];

function usage(text) {
  console.error(`${text}\nusage: normal.mjs DRIVER [--pairs N] [--seed N]`);
  process.exit(2);
}

function options([driver, ...rest]) {
  const found = { driver, pairs: PAIRS_DEFAULT, seed: process.env.ARVO_SEED ?? Date.now() % 2 ** 31 };
  if (!driver || driver.startsWith('-')) usage('which driver?');
  for (let i = 0; i < rest.length; i += 2) {
    if (!/^\d{1,10}$/.test(rest[i + 1] ?? '')) usage(`${rest[i]} needs a number`);
    if (rest[i] === '--pairs') found.pairs = Number(rest[i + 1]);
    else if (rest[i] === '--seed') found.seed = rest[i + 1];
    else usage(`unknown argument ${rest[i]}`);
  }
  found.seed = Number(found.seed);
  return found;
}

// A schema of zod and a maker of values that come near to it.
class Maker {
  constructor(random) {
    this.random = random;
  }

  scalar() {
    const r = this.random;
    return r.pick([null, true, false, r.pick(NUMBERS), r.pick(NUMBERS), r.pick(STRINGS), r.pick(STRINGS)]);
  }

  any(depth) {
    const r = this.random;
    if (depth > 0 && r.chance(0.2)) return r.list(r.below(3), () => this.any(depth - 1));
    if (depth > 0 && r.chance(0.3)) return this.members(() => this.any(depth - 1), r.below(3));
    return this.scalar();
  }

  members(make, count) {
    return Object.fromEntries(this.random.list(count, () => [this.random.pick(KEYS), make()]));
  }

  keys(count) {
    return [...new Set(this.random.list(count, () => this.random.pick(KEYS)))];
  }

  make(depth) {
    const r = this.random;
    const kind = r.weighted({
      string: 4, number: 3, boolean: 1, null: 1, anything: 1, literal: 1, enum: 1, nullable: 1, object: depth > 0 ? 6 : 0,
      array: depth > 0 ? 3 : 0, tuple: depth > 0 ? 1 : 0, record: depth > 0 ? 2 : 0, union: depth > 0 ? 2 : 0,
      tagged: depth > 0 ? 1 : 0, intersection: depth > 0 ? 1 : 0, lazy: depth > 0 ? 1 : 0,
    });
    return this[kind](depth);
  }

  string() {
    const r = this.random;
    const schema = r.pick([z.string(), z.string(), z.string().min(1), z.string().max(2), z.string().regex(/^a/), z.string().length(2)]);
    return { schema, value: () => r.pick(STRINGS) };
  }

  number() {
    const r = this.random;
    const schema = r.pick([z.number(), z.number(), z.number().int(), z.number().min(0), z.number().max(2), z.number().positive()]);
    return { schema, value: () => r.pick(NUMBERS) };
  }

  boolean() {
    return { schema: z.boolean(), value: () => this.random.chance(0.5) };
  }

  null() {
    return { schema: z.null(), value: () => null };
  }

  anything() {
    return { schema: z.any(), value: () => this.any(2) };
  }

  literal() {
    const value = this.random.pick(['a', 1, true]);
    return { schema: z.literal(value), value: () => value };
  }

  enum() {
    return { schema: z.enum(['a', 'ab', '12']), value: () => this.random.pick(['a', 'ab', '12']) };
  }

  nullable() {
    const inner = this.make(0);
    return { schema: inner.schema.nullable(), value: () => (this.random.chance(0.4) ? null : inner.value()) };
  }

  array(depth) {
    const r = this.random;
    const item = this.make(depth - 1);
    const schema = r.pick([z.array(item.schema), z.array(item.schema).min(1), z.array(item.schema).max(2)]);
    return { schema, value: () => r.list(r.below(4), () => this.near(item)) };
  }

  tuple(depth) {
    const items = this.random.list(1 + this.random.below(2), () => this.make(depth - 1));
    return { schema: z.tuple(items.map((item) => item.schema)), value: () => items.map((item) => this.near(item)) };
  }

  record(depth) {
    const item = this.make(depth - 1);
    return { schema: z.record(item.schema), value: () => this.members(() => this.near(item), this.random.below(3)) };
  }

  union(depth) {
    const r = this.random;
    const parts = r.list(2 + r.below(2), () => this.make(depth - 1));
    return { schema: z.union(parts.map((part) => part.schema)), value: () => this.near(r.pick(parts)) };
  }

  tagged(depth) {
    const r = this.random;
    const parts = ['x', 'y'].map((tag) => {
      const rest = this.object(depth, { kind: { schema: z.literal(tag), value: () => tag } });
      return rest;
    });
    return { schema: z.discriminatedUnion('kind', parts.map((part) => part.schema)), value: () => r.pick(parts).value() };
  }

  intersection(depth) {
    const left = this.object(depth, {}, ['a', 'b']);
    const right = this.object(depth, {}, ['c', 'd']);
    return { schema: z.intersection(left.schema, right.schema), value: () => ({ ...left.value(), ...right.value() }) };
  }

  // An object that holds others of its kind.
  lazy(depth) {
    const r = this.random;
    const part = this.property(depth - 1);
    let shape = null;
    const self = z.lazy(() => shape);
    const inner = (levels) => ({ a: this.near(part), ...(levels > 0 && r.chance(0.7) ? { next: wrap(levels - 1) } : {}) });
    const [link, wrap] = r.pick([
      [self.optional(), inner],
      [z.array(self).optional(), (levels) => r.list(r.below(3), () => inner(levels))],
      [self.nullable().optional(), (levels) => (r.chance(0.3) ? null : inner(levels))],
      [z.union([z.string(), self]).optional(), (levels) => (r.chance(0.3) ? 'a' : inner(levels))],
      [z.record(self).optional(), (levels) => this.members(() => inner(levels), r.below(3))],
    ]);
    shape = z.object(r.chance(0.5) ? { a: part.schema, next: link } : { next: link, a: part.schema });
    this.recursive = true;
    return { schema: self, value: () => inner(3), recursive: true };
  }

  // A property: plain, optional, with a default.
  property(depth) {
    const r = this.random;
    const inner = this.make(depth - 1);
    if (r.chance(0.25)) return { schema: inner.schema.optional(), value: inner.value, optional: true };
    // The exporter writes a default where the references inside lead, so it would be theirs too.
    if (r.chance(0.25) && !inner.recursive) {
      const value = this.plain(inner);
      if (value !== undefined) return { schema: inner.schema.default(value), value: inner.value, optional: true };
    }
    return inner;
  }

  // A default is of the schema's own values.
  plain(inner) {
    for (let i = 0; i < 5; i++) {
      const parsed = inner.schema.safeParse(inner.value());
      if (parsed.success) return parsed.data;
    }
    return undefined;
  }

  object(depth, more = {}, keys = this.keys(this.random.below(5))) {
    const r = this.random;
    const properties = { ...more };
    for (const key of keys) properties[key] = this.property(depth);
    const plain = z.object(Object.fromEntries(Object.entries(properties).map(([key, { schema }]) => [key, schema])));
    const is_part = Object.keys(more).length > 0;
    const schema = !is_part && r.chance(0.25) ? plain.passthrough() : plain;
    return {
      schema,
      value: () => {
        const value = {};
        for (const key of r.chance(0.7) ? Object.keys(properties) : Object.keys(properties).reverse())
          if (!properties[key].optional || r.chance(0.6)) value[key] = this.near(properties[key]);
        if (r.chance(0.3)) value[r.pick(KEYS)] ??= this.any(1);
        return value;
      },
    };
  }

  // Now and then something else, or nothing.
  near(part) {
    return this.random.chance(0.04) ? this.any(1) : part.value();
  }
}

function generate(seed) {
  const random = new Random(seed);
  const maker = new Maker(random);
  const made = maker.object(3);
  // Without references the exporter has no word for recursion.
  const inPlace = random.chance(0.5) && !maker.recursive;
  const schema = zodToJsonSchema(made.schema, { $refStrategy: inPlace ? 'none' : 'root' });
  return { seed, zod: made.schema, schema, values: random.list(VALUES_EACH, () => maker.near(made)) };
}

const text = (value) => JSON.stringify(value);

async function run({ pairs, seed, driver }) {
  const engine = new Engine(driver);
  const total = { same: 0, refused: 0, changed: 0, schemas: 0, different: 0 };
  const pending = [];
  const settle = async () => {
    const { one, reply } = pending.shift();
    const { answers, ...other } = await reply;
    one.values.forEach((value, i) => {
      const parsed = one.zod.safeParse(value);
      const theirs = parsed.success ? { value: parsed.data } : false;
      const ours = answers ? answers[i] : other;
      if (text(ours) === text(theirs)) {
        total.same++;
        total.refused += parsed.success ? 0 : 1;
        total.changed += parsed.success && text(parsed.data) !== text(value) ? 1 : 0;
        return;
      }
      if (total.different++ < FAILURES_MAX)
        console.log(`DIFFERENT: seed ${one.seed}\n${text(one.schema)}\n${text(value)}\n  ours ${text(ours)}\n  zod  ${text(theirs)}`);
    });
  };
  for (let asked = 0; asked < pairs && total.different < FAILURES_MAX; total.schemas++) {
    const one = generate((seed + total.schemas) >>> 0);
    asked += one.values.length;
    const { schema, values } = one;
    const question = { schema, values, draft: 7, zod: true, normalise: true };
    // On a busy machine an answer may come too late; then it is asked again.
    const reply = engine.ask(question).then((found) => (found.broken ? engine.ask(question) : found));
    pending.push({ one, reply });
    if (pending.length > ASKED_AT_ONCE) await settle();
  }
  while (pending.length > 0) await settle();
  engine.end();
  console.log(`seed ${seed}: ${total.schemas} schemas, ${total.same} values the same (${total.refused} refused by both, ` +
    `${total.changed} changed by both), ${total.different} different`);
  return total.different === 0;
}

process.exitCode = (await run(options(process.argv.slice(2)))) ? 0 : 1;
