// Whether the differential test would notice: each planted bug of mutants.json must differ from XState
// within the first charts.
//
//   node mutants.mjs BUILD_DIR TARGET [--seed N] [--charts N] [--only TEXT]
//
// A mutant is one source file with one text replaced. It is compiled as the build folder compiles that
// file, and linked into a driver of its own, before the library that has the sound one. A mutant whose
// text is not there exactly once fails the test: the list has to follow the source. BUILD_DIR must be
// built; TARGET is the driver's name there.

import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';

import { difference, expect } from './compare.mjs';
import { Engine } from './engine.mjs';
import { generate } from './generate.mjs';

const SOURCE = new URL('../../../', import.meta.url).pathname;
// Not fresh: this is about the list, and must not fail once in a while. On any seed the rarest bugs show
// within some 400 charts.
const SEED = 17001;
const CHARTS = 200;
const AT_ONCE = 2;
const ASKED_AT_ONCE = 16;

function options(args) {
  const found = { build: args[0], target: args[1], seed: SEED, charts: CHARTS, only: '' };
  for (let i = 2; i < args.length; i += 2) {
    const key = args[i].slice(2);
    if (!['--seed', '--charts', '--only'].includes(args[i]) || args[i + 1] === undefined) return null;
    found[key] = key === 'only' ? args[i + 1] : Number(args[i + 1]);
  }
  return found.target ? found : null;
}

// ---- Building ----

// What the build folder does for the driver, one command a line.
function commandsOf({ build, target }) {
  const text = execFileSync('ninja', ['-C', build, '-t', 'commands', target], { encoding: 'utf8', maxBuffer: 1 << 28 });
  return text.split('\n');
}

function compileCommand(commands, mutant, from, to) {
  const found = commands.find((command) => command.includes('libarvo-machine') && command.endsWith(`/${mutant.file}`));
  if (!found) throw new Error(`nothing compiles ${mutant.file}`);
  return found
    .replace(/ -M[DQF]( [^ -]\S*)?/g, '')
    .replace(/ -Werror| -O\d/g, '')
    .replace(/ -o \S+ -c \S+$/, ` -w -O0 -o '${to}' -c '${from}'`);
}

function linkCommand(commands, target, object, to) {
  const found = commands.find((command) => command.includes(` -o ${target} `));
  if (!found) throw new Error(`nothing links ${target}`);
  return found.replace(` -o ${target} `, ` -o '${to}' '${object}' `);
}

function shell(command, cwd) {
  return new Promise((done, failed) => {
    const child = spawn('sh', ['-c', command], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (said += data));
    child.on('close', (code) => (code === 0 ? done() : failed(new Error(`${command}\n${said}`))));
  });
}

// The path of a driver with the bug in it.
async function plant(mutant, number, commands, chosen, folder) {
  const text = readFileSync(join(SOURCE, mutant.file), 'utf8');
  const [find, replace] = [mutant.find.join('\n'), mutant.replace.join('\n')];
  const count = text.split(find).length - 1;
  if (count !== 1) throw new Error(`its text is ${count} times in ${mutant.file}: bring mutants.json up to date`);
  const base = join(folder, `${number}-${basename(mutant.file, '.c')}`);
  writeFileSync(`${base}.c`, text.replace(find, () => replace));
  await shell(compileCommand(commands, mutant, `${base}.c`, `${base}.o`), chosen.build);
  await shell(linkCommand(commands, chosen.target, `${base}.o`, base), chosen.build);
  return base;
}

// ---- Running ----

// XState is asked once for all mutants.
function casesOf({ seed, charts }) {
  return Array.from({ length: charts }, (_, i) => {
    const one = generate(seed + i);
    return { one, expected: expect(one) };
  });
}

// The first case that differs.
async function caughtBy(driver, cases) {
  const engine = new Engine(driver);
  try {
    for (let from = 0; from < cases.length; from += ASKED_AT_ONCE) {
      const some = cases.slice(from, from + ASKED_AT_ONCE);
      const answers = await Promise.all(some.map(({ expected }) => engine.ask(expected.question)));
      for (let i = 0; i < some.length; i++) {
        const found = difference(some[i].one, some[i].expected, answers[i]);
        if (found && !found.agreed) return { chart: from + i + 1, ...found };
      }
    }
    return null;
  } finally {
    engine.end();
  }
}

async function tryMutant(mutant, number, shared) {
  try {
    const driver = await plant(mutant, number, shared.commands, shared.chosen, shared.folder);
    const found = await caughtBy(driver, shared.cases);
    if (!found) return { text: `not caught in ${shared.cases.length} charts` };
    const where = found.step === undefined ? '' : ` of step ${found.step}`;
    return { is_caught: true, text: `chart ${found.chart}: ${found.what}${where}` };
  } catch (error) {
    return { text: error.message };
  }
}

async function main(chosen) {
  chosen.build = resolve(chosen.build);
  const mutants = JSON.parse(readFileSync(new URL('mutants.json', import.meta.url), 'utf8'));
  const wanted = mutants.filter((mutant) => mutant.name.includes(chosen.only));
  const folder = mkdtempSync(join(tmpdir(), 'arvo-mutants-'));
  const shared = { chosen, folder, commands: commandsOf(chosen), cases: casesOf(chosen) };
  let missed = 0;
  let next = 0;
  const work = async () => {
    while (next < wanted.length) {
      const number = next++;
      const result = await tryMutant(wanted[number], number, shared);
      missed += result.is_caught ? 0 : 1;
      console.log(`[${result.is_caught ? '       OK ' : '  FAILED  '}] ${wanted[number].name.replace(/\W+/g, '_')}: ${result.text}`);
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  } finally {
    rmSync(folder, { recursive: true });
  }
  console.log(`${wanted.length - missed} of ${wanted.length} planted bugs caught`);
  return missed === 0 && wanted.length > 0;
}

const chosen = options(process.argv.slice(2));
if (!chosen) {
  console.error('usage: mutants.mjs BUILD_DIR TARGET [--seed N] [--charts N] [--only TEXT]');
  process.exit(2);
}
process.exitCode = (await main(chosen)) ? 0 : 1;
