// Makes a JSON value small while something about it stays true.

// Each value that is one step smaller.
function* smaller(value) {
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) yield value.filter((_, k) => k !== i);
    for (let i = 0; i < value.length; i++)
      for (const item of smaller(value[i])) yield value.map((old, k) => (k === i ? item : old));
  } else if (value !== null && typeof value === 'object') {
    for (const key of Object.keys(value)) {
      const { [key]: gone, ...rest } = value;
      yield rest;
    }
    for (const key of Object.keys(value)) {
      if (value[key] !== true && typeof value[key] === 'object' && value[key] !== null) yield { ...value, [key]: true };
      for (const item of smaller(value[key])) yield { ...value, [key]: item };
    }
  }
}

export async function shrink(value, stays, tries = 3000) {
  let left = tries;
  for (let again = true; again && left > 0; ) {
    again = false;
    for (const next of smaller(value)) {
      if (left-- <= 0) break;
      if (!(await stays(next))) continue;
      value = next;
      again = true;
      break;
    }
  }
  return value;
}
