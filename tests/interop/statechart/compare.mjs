// One case in both engines: null when they agree, else what differs.

import { Oracle } from './oracle.mjs';

// Charts that XState takes and we refuse when they are loaded, by decision.
const REFUSED_BY_DECISION = [
  /never ends: a history state on the way leads back to it/, // XState recurses until its stack ends
  /the default of a history state must not be the history state/, // XState makes the latter active
];

const PARTS = ['value', 'status', 'context', 'output', 'historyValue', 'children'];

function differs(what, ours, theirs) {
  const [a, b] = [ours, theirs].map((value) => JSON.stringify(value));
  return a === b ? null : { what, ours: a ?? 'none', theirs: b ?? 'none' };
}

// Of an error, that there is one: the texts are each engine's own.
function differingStep(ours, theirs) {
  if (ours === undefined || ours.failed) return { what: 'step', ours: ours?.failed ?? 'none', theirs: 'a step' };
  const parts = [
    ...['log', 'emitted', 'tags'].map((key) => [key, ours[key], theirs[key]]),
    ...PARTS.map((key) => [key, ours.state[key], theirs.state[key]]),
    ['stored error', 'error' in ours.state, theirs.state.error !== undefined && theirs.state.error !== null],
  ];
  const error = differs('error', ours.error !== null, theirs.error !== null);
  if (error) return { ...error, ours: ours.error ?? 'none', theirs: theirs.error ?? 'none' };
  for (const [what, a, b] of parts) {
    const found = differs(what, a, b);
    if (found) return found;
  }
  return null;
}

function differingSteps(ours, theirs, from, phase) {
  for (let i = 0; i < theirs.length; i++) {
    const found = differingStep(ours[i], theirs[i]);
    if (found) return { kind: 'run', phase, step: from + i, ...found };
  }
  return differs('number of steps', ours.length, theirs.length);
}

function oracleOf(one) {
  try {
    return { oracle: new Oracle(one) };
  } catch (error) {
    return { refused: String(error.message) };
  }
}

// The answer that XState gives, with what is needed to ask our machine the same.
export function expect(one) {
  const { oracle, refused } = oracleOf(one);
  if (refused !== undefined) return { refused, question: one };
  const steps = oracle.steps();
  if (one.cut === undefined || one.cut >= one.events.length) return { oracle, steps, question: one };
  return { oracle, steps, question: { ...one, resume: { at: one.cut, state: steps[one.cut].state } } };
}

function differingCreation(expected, answer) {
  if (answer.refused !== undefined && expected.refused !== undefined) return { agreed: 'refused' };
  if (answer.refused !== undefined) {
    if (REFUSED_BY_DECISION.some((reason) => reason.test(answer.refused))) return { agreed: 'refused by decision' };
    // Shrinking keeps to the same reason: the message without place and names.
    const reason = answer.refused.replace(/^\S+ /, '').replace(/'[^']*'/g, "''");
    return { kind: `refused: ${reason}`, what: 'creation', ours: answer.refused, theirs: 'a machine' };
  }
  if (expected.refused === undefined) return null;
  return { kind: 'accepted', what: 'creation', ours: 'a machine', theirs: expected.refused };
}

// `answer`: what our machine said to expected.question.
export function difference(one, expected, answer) {
  if (answer.broken) return { kind: 'broken', what: 'driver', ours: answer.broken, theirs: 'an answer' };
  const created = differingCreation(expected, answer);
  if (created) return created;
  const found = differingSteps(answer.steps, expected.steps, 0, 'from the start');
  if (found || !expected.question.resume) return found;
  // Both go on in the other's place: XState from our snapshot, our machine from XState's.
  const theirs = expected.oracle.resume(one.cut, answer.steps[one.cut].state);
  return differingSteps(answer.resumed, theirs, one.cut + 1, "from the other's snapshot");
}

export async function differenceOf(one, engine) {
  const expected = expect(one);
  const found = difference(one, expected, await engine.ask(expected.question));
  return found?.agreed ? null : found;
}
