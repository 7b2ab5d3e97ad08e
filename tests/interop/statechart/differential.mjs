// Runs random charts in XState and in our machine, and the kept cases of cases/.
//
//   node differential.mjs DRIVER [--charts N] [--seed N] [--replay FILE...]
//
// The seed comes from --seed, else from ARVO_SEED, else from the clock, and is printed. Chart i of a
// run has the seed SEED + i, so that any chart can be run alone: --seed SEED+i --charts 1. A chart
// that differs is made as small as it gets, printed, and written to a file for --replay.
// Exit code: 0 no difference, 1 a difference, 2 usage.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { difference, differenceOf, expect } from './compare.mjs';
import { Engine } from './engine.mjs';
import { generate } from './generate.mjs';
import { shrink } from './shrink.mjs';

const CHARTS_DEFAULT = 2000;
const ASKED_AT_ONCE = 64;
const FAILURES_MAX = 3; // then it is time to look
const CASES = new URL('cases/', import.meta.url);

function usage(text) {
  console.error(`${text}\nusage: differential.mjs DRIVER [--charts N] [--seed N] [--replay FILE...]`);
  process.exit(2);
}

function number(text, what) {
  if (!/^\d{1,10}$/.test(text ?? '')) usage(`${what} needs a number`);
  return Number(text);
}

function options(args) {
  const found = { charts: CHARTS_DEFAULT, seed: process.env.ARVO_SEED, replay: null };
  const [driver, ...rest] = args;
  if (!driver || driver.startsWith('-')) usage('which driver?');
  for (let i = 0; i < rest.length; i++) {
    if (found.replay) found.replay.push(rest[i]);
    else if (rest[i] === '--charts') found.charts = number(rest[++i], '--charts');
    else if (rest[i] === '--seed') found.seed = rest[++i];
    else if (rest[i] === '--replay') found.replay = [];
    else usage(`unknown argument ${rest[i]}`);
  }
  found.seed = found.seed === undefined ? Date.now() % 2 ** 31 : number(found.seed, 'a seed');
  return { driver, ...found };
}

function show(one, found) {
  console.log(`DIFFERENT: ${one.name}: ${found.what}${found.step === undefined ? '' : ` of step ${found.step}`}` +
    `${found.phase ? `, ${found.phase}` : ''}\n  ours:   ${found.ours}\n  XState: ${found.theirs}`);
}

async function report(one, found, engine) {
  show(one, found);
  const small = await shrink(one, found, engine);
  const file = join(process.env.MESON_BUILD_ROOT ?? tmpdir(), `statechart-${one.name.replace(/\W+/g, '-')}.json`);
  writeFileSync(file, `${JSON.stringify(small, null, 2)}\n`);
  const again = await differenceOf(small, engine);
  console.log(again ? 'made small:' : 'made small, and not different when it ran alone:');
  if (again) show(small, again);
  console.log(`${JSON.stringify(small, null, 2)}\nwritten to ${file}; again: --replay ${file}`);
}

class Tally {
  agreed = 0;
  refused = 0;
  by_decision = 0;
  steps = 0;
  reacted = 0;
  resumed = 0;
  errors = 0;
  done = 0;

  count(expected, found) {
    if (found?.agreed === 'refused') this.refused++;
    else if (found?.agreed) this.by_decision++;
    else {
      this.agreed++;
      this.steps += expected.steps.length;
      this.reacted += expected.steps.filter((step, i) => i > 0 && step.log.length > 0).length;
      this.errors += expected.steps.at(-1).state.status === 'error' ? 1 : 0;
      this.done += expected.steps.at(-1).state.status === 'done' ? 1 : 0;
      this.resumed += expected.question.resume ? 1 : 0;
    }
  }

  toString() {
    return `${this.agreed} agreed in ${this.steps} steps (${this.reacted} with actions logged; ${this.done} charts done, ` +
      `${this.errors} failed, ${this.resumed} went on in the other engine), ${this.refused} refused by both, ` +
      `${this.by_decision} refused by decision`;
  }
}

// XState and our machine work at the same time: some charts ahead are asked for.
async function runCharts({ seed, charts }, engine) {
  console.log(`seed ${seed}, ${charts} charts`);
  const tally = new Tally();
  const failures = [];
  const pending = [];
  const settle = async () => {
    const { one, expected, answer } = pending.shift();
    const found = difference(one, expected, await answer);
    if (found && !found.agreed) failures.push({ one, found });
    else tally.count(expected, found);
  };
  for (let i = 0; i < charts && failures.length < FAILURES_MAX; i++) {
    if (i > 0 && i % 10000 === 0) console.log(`${i} charts: ${failures.length} different, ${tally}`);
    const one = generate(seed + i);
    const expected = expect(one);
    pending.push({ one, expected, answer: engine.ask(expected.question) });
    if (pending.length > ASKED_AT_ONCE) await settle();
  }
  while (pending.length > 0) await settle();
  for (const { one, found } of failures) await report(one, found, engine);
  console.log(`${failures.length} different, ${tally}`);
  return failures.length === 0;
}

async function replay(files, engine) {
  let failures = 0;
  for (const file of files) {
    const one = JSON.parse(readFileSync(file, 'utf8'));
    const found = await differenceOf(one, engine);
    if (found) show(one, found);
    failures += found ? 1 : 0;
  }
  console.log(`${files.length} kept cases, ${failures} different`);
  return failures === 0;
}

const chosen = options(process.argv.slice(2));
const engine = new Engine(chosen.driver);
const kept = readdirSync(CASES).filter((name) => name.endsWith('.json')).map((name) => new URL(name, CASES));
let is_right = await replay(chosen.replay ?? kept, engine);
if (!chosen.replay) is_right = (await runCharts(chosen, engine)) && is_right;
engine.end();
process.exitCode = is_right ? 0 : 1;
