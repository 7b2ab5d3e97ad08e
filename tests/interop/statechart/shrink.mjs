// Makes a case that differs as small as it gets: takes parts away while it still differs.

import { differenceOf } from './compare.mjs';

const PASSES_MAX = 10;

const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);

// Every place in a JSON value, the outer before the inner.
function places(value, path = []) {
  if (value === null || typeof value !== 'object') return [];
  return Object.keys(value).flatMap((key) => [[...path, key], ...places(value[key], [...path, key])]);
}

function at(value, path) {
  return path.reduce((inner, key) => inner?.[key], value);
}

// A copy in which `change` was applied to what holds the last key of `path`.
function changed(one, path, change) {
  const copy = structuredClone(one);
  const holder = at(copy, path.slice(0, -1));
  if (holder === undefined || holder === null || !(path.at(-1) in holder)) return null;
  change(holder, path.at(-1));
  return copy;
}

function remove(holder, key) {
  if (Array.isArray(holder)) holder.splice(Number(key), 1);
  else delete holder[key];
}

// What could stand in the place of `value` and is less.
function lesser(value, key) {
  if (Array.isArray(value)) return value.length === 1 ? [value[0]] : [];
  if (!isObject(value)) return [];
  if (value.type === 'not') return [value.guard];
  if (value.type === 'and' || value.type === 'or') return value.guards;
  if (value.type === 'enqueueActions') return value.params.map((branch) => branch.actions).filter((a) => !Array.isArray(a));
  if (key === 'initial' && typeof value.target === 'string') return [value.target];
  return [];
}

// Changes to try, as functions of the case, so that a list holds no copies.
function changes(one) {
  const list = ['rehydrate', 'cut', 'input'].filter((key) => key in one).map((key) => (it) => changed(it, [key], remove));
  // Later events first: the earlier ones lead to where it differs.
  for (let i = one.events.length; i-- > 0;) {
    list.push((it) => {
      const copy = changed(it, ['events', i], remove);
      if (copy.cut > i) copy.cut--;
      return copy;
    });
  }
  for (const path of places(one.machine)) {
    if (path.length === 1 && ['kind', 'id'].includes(path[0])) continue;
    list.push((it) => changed(it, ['machine', ...path], remove));
    for (const less of lesser(at(one.machine, path), path.at(-1))) {
      list.push((it) => changed(it, ['machine', ...path], (holder, key) => (holder[key] = less)));
    }
  }
  return list;
}

// What XState itself throws at when it is asked for a machine's run is no case.
async function differsSo(candidate, kind, engine) {
  try {
    return (await differenceOf(candidate, engine))?.kind === kind;
  } catch {
    return false;
  }
}

// Once through all changes; what still differs after one is gone on with from there.
async function pass(one, kind, engine) {
  let small = one;
  let list = changes(small);
  for (let i = 0; i < list.length;) {
    const candidate = list[i](small);
    if (candidate && (await differsSo(candidate, kind, engine))) {
      small = candidate;
      list = changes(small);
    } else {
      i++;
    }
  }
  return small;
}

export async function shrink(one, found, engine) {
  let small = structuredClone(one);
  for (let i = 0; i < PASSES_MAX; i++) {
    const next = await pass(small, found.kind, engine);
    if (next === small) break;
    small = next;
  }
  return { ...small, name: `${one.name}, made small` };
}
