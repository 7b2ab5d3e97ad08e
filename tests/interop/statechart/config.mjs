// `arvo machine export` against XState: the configuration of a random chart is one that createMachine()
// takes, with the same states, and `arvo machine import` brings the document back.
//
//   config.mjs ARVO

import assert from 'node:assert';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMachine } from 'xstate';
import { generate } from './generate.mjs';

const CHARTS = 40;
const arvo = process.argv[2];
const seed = Number(process.env.ARVO_SEED ?? Date.now() % 1000000);
const folder = mkdtempSync(join(tmpdir(), 'arvo-config-'));

function run(action, value) {
  const path = join(folder, `${action}.json`);
  writeFileSync(path, JSON.stringify(value));
  const done = spawnSync(arvo, ['machine', action, path], { encoding: 'utf8', maxBuffer: 1 << 26 });
  return done.status === 0 ? JSON.parse(done.stdout) : { refused: done.stderr.trim() };
}

function ids(document, path, list) {
  list.push(document.id ?? path.join('.'));
  for (const [key, child] of Object.entries(document.states ?? {})) ids(child, [...path, key], list);
  return list;
}

let count = 0;
try {
  for (let i = 0; count < CHARTS && i < 4 * CHARTS; i++) {
    const { machine: document } = generate(seed + i);
    const config = run('export', document);
    if (config.refused) continue; // a chart that the machine refuses
    const made = createMachine(config);
    const states = [...made.idMap.keys()].sort();
    assert.deepStrictEqual(states, ids(document, [document.id], []).sort(), `seed ${seed + i}`);
    assert.deepStrictEqual(run('import', config), document, `seed ${seed + i}`);
    count++;
  }
} finally {
  rmSync(folder, { recursive: true });
}
assert.ok(count >= CHARTS / 2, `${count} charts`);
console.log(`${count} charts from seed ${seed}: XState takes each, and each comes back`);
