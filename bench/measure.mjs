// What the peers' programs share: CPU time, and the median of five runs after one that is not counted.

import { readFileSync } from 'node:fs';

const RUNS = 5;
const RUN_MS = 200;

/** CPU time of the main thread, so that neither other programs nor V8's helper threads count; else the clock. */
function now() {
  try {
    return BigInt(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'ascii').split(' ')[0]);
  } catch {
    return process.hrtime.bigint();
  }
}

/** Of one round of `work(rounds)`. */
export function nanoseconds(work, rounds) {
  const begin = now();
  work(rounds);
  return Number(now() - begin) / rounds;
}

/** Nanoseconds per round, as a text with one digit after the point. */
export function median(work) {
  let rounds = 100;
  for (let ns = nanoseconds(work, rounds); ns * rounds < RUN_MS * 1e6; ns = nanoseconds(work, rounds)) rounds *= 2;
  const runs = Array.from({ length: RUNS }, () => nanoseconds(work, rounds)).sort((a, b) => a - b);
  return runs[RUNS >> 1].toFixed(1);
}
