// Asks Ajv and our validator about random schemas and values, and about the kept cases of cases/.
//
//   node differential.mjs DRIVER [--pairs N] [--draft 7|2020] [--seed N]
//
// A pair is a schema and a value; N of each draft. The seed comes from --seed, else from ARVO_SEED,
// else from the clock, and is printed. Where Ajv says something else than we do, Hyperjump's
// validator decides: a pair in which both disagree with us is made small, printed, and ends in exit
// code 1. Exit code: 0 no difference, 1 a difference, 2 usage.

import { readdirSync, readFileSync } from 'node:fs';

import { Engine } from '../statechart/engine.mjs';
import { generate } from './generate.mjs';
import { ajv, Broken, hyperjump } from './peers.mjs';
import { shrink } from './shrink.mjs';

const PAIRS_DEFAULT = 2000;
const ASKED_AT_ONCE = 64;
const FAILURES_MAX = 3; // then it is time to look
const CASES = new URL('cases/', import.meta.url);

function usage(text) {
  console.error(`${text}\nusage: differential.mjs DRIVER [--pairs N] [--draft 7|2020] [--seed N]`);
  process.exit(2);
}

function options([driver, ...rest]) {
  const found = { driver, pairs: PAIRS_DEFAULT, drafts: [7, 2020], seed: process.env.ARVO_SEED ?? Date.now() % 2 ** 31 };
  if (!driver || driver.startsWith('-')) usage('which driver?');
  for (let i = 0; i < rest.length; i += 2) {
    if (!/^\d{1,10}$/.test(rest[i + 1] ?? '')) usage(`${rest[i]} needs a number`);
    if (rest[i] === '--pairs') found.pairs = Number(rest[i + 1]);
    else if (rest[i] === '--draft') found.drafts = [Number(rest[i + 1])];
    else if (rest[i] === '--seed') found.seed = rest[i + 1];
    else usage(`unknown argument ${rest[i]}`);
  }
  found.seed = Number(found.seed);
  return found;
}

function ajv_answers(one) {
  try {
    return ajv(one);
  } catch (error) {
    if (error instanceof Broken) return one.values.map(() => `refused: ${error.message}`);
    throw error;
  }
}

// What we say of each value; a refused schema is a text.
const ours_of = (one, reply) => reply.answers ?? one.values.map(() => `refused: ${reply.refused ?? reply.broken}`);

// On a busy machine an answer may come too late; only a question that is not answered alone is hard.
async function ask(one, engine) {
  const reply = await engine.ask(one);
  return reply.broken ? engine.ask(one) : reply;
}

// The values that we and both others see differently, and who was wrong where one is with us.
async function compare(one, reply) {
  const ours = ours_of(one, reply);
  const theirs = ajv_answers(one);
  const found = { agreed: 0, ajv_alone: 0, different: [] };
  let third = null;
  for (let i = 0; i < one.values.length; i++) {
    if (ours[i] === theirs[i]) {
      found.agreed++;
      continue;
    }
    third ??= await hyperjump(one);
    if (ours[i] === third[i]) found.ajv_alone++;
    else found.different.push({ value: one.values[i], ours: ours[i], ajv: theirs[i], hyperjump: third[i] });
  }
  return found;
}

async function report(one, difference, engine) {
  const still = async ({ schema, value }) => {
    const small = { ...one, schema, values: [value] };
    const found = await compare(small, await engine.ask(small));
    const kind = found.different[0];
    return kind !== undefined && typeof kind.ours === typeof difference.ours && typeof kind.ajv === typeof difference.ajv &&
      typeof kind.hyperjump === typeof difference.hyperjump;
  };
  const small = await shrink({ schema: one.schema, value: difference.value }, async (next) =>
    'schema' in next && 'value' in next && next.schema !== null && typeof next.schema === 'object' && (await still(next)));
  const shown = { draft: one.draft, formats: one.formats, schema: small.schema, values: [small.value] };
  const again = await compare({ ...one, ...shown }, await engine.ask(shown));
  console.log(`DIFFERENT: ${one.name}\n${JSON.stringify(shown)}\n${JSON.stringify(again.different)}`);
}

async function run(draft, { pairs, seed }, engine) {
  const total = { agreed: 0, valid: 0, ajv_alone: 0, different: 0, schemas: 0 };
  const pending = [];
  const settle = async () => {
    const { one, reply } = pending.shift();
    const answer = await reply;
    const found = await compare(one, answer);
    total.agreed += found.agreed;
    total.ajv_alone += found.ajv_alone;
    total.valid += ours_of(one, answer).filter((is) => is === true).length;
    if (found.different.length === 0) return;
    total.different++;
    await report(one, found.different[0], engine);
  };
  for (let asked = 0; asked < pairs && total.different < FAILURES_MAX; total.schemas++) {
    const one = generate((seed + total.schemas) >>> 0, draft);
    asked += one.values.length;
    pending.push({ one, reply: ask(one, engine) });
    if (pending.length > ASKED_AT_ONCE) await settle();
  }
  while (pending.length > 0) await settle();
  console.log(`draft ${draft}: ${total.schemas} schemas, ${total.agreed} pairs agreed (${total.valid} valid), ` +
    `${total.ajv_alone} where Ajv is alone, ${total.different} different`);
  return total.different === 0;
}

// Where Ajv is wrong, with what is right.
async function replay(engine) {
  const names = readdirSync(CASES).filter((name) => name.endsWith('.json'));
  let wrong = 0;
  for (const name of names) {
    const one = JSON.parse(readFileSync(new URL(name, CASES), 'utf8'));
    const ours = ours_of(one, await engine.ask(one));
    if (JSON.stringify(ours) === JSON.stringify(one.valid)) continue;
    wrong++;
    console.log(`DIFFERENT: ${name}: ${JSON.stringify(ours)}`);
  }
  console.log(`${names.length} kept cases, ${wrong} different`);
  return wrong === 0;
}

const chosen = options(process.argv.slice(2));
const engine = new Engine(chosen.driver);
let is_right = await replay(engine);
console.log(`seed ${chosen.seed}`);
for (const draft of chosen.drafts) is_right = (await run(draft, chosen, engine)) && is_right;
engine.end();
process.exitCode = is_right ? 0 : 1;
