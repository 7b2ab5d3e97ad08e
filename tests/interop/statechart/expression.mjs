// The few expressions that generated charts use, as functions: what jq makes of them, in JavaScript.
//
//   expression = operand [("+" | "<" | "==") operand]
//   operand    = path | number | "string" | true | false | null
//   path       = "." name {"." name}

const TOKEN = /\s*(?:(\.[A-Za-z_][\w.]*)|(-?\d+)|("(?:[^"\\]|\\.)*")|(true|false|null)|(==|[+<]))/y;

function tokens(text) {
  const list = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.trimEnd().length) {
    const from = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (!match) throw new Error(`expression not understood: ${text.slice(from)}`);
    list.push({ path: match[1], literal: match[2] ?? match[3] ?? match[4], operator: match[5] });
  }
  return list;
}

function kind(value) {
  if (value === null || value === undefined) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

// What is absent is null; what has no members fails.
function follow(value, names) {
  for (const name of names) {
    const is = kind(value);
    if (is !== 'null' && is !== 'object') throw new Error(`cannot index ${is} with "${name}"`);
    value = is === 'object' && Object.hasOwn(value, name) ? value[name] : null;
  }
  return value === undefined ? null : value;
}

const ORDER = ['null', 'false', 'true', 'number', 'string', 'array', 'object'];

function rank(value) {
  return ORDER.indexOf(kind(value) === 'boolean' ? String(value) : kind(value));
}

function add(a, b) {
  if (a === null) return b;
  if (b === null) return a;
  if (kind(a) !== kind(b) || !['number', 'string'].includes(kind(a))) {
    throw new Error(`${kind(a)} and ${kind(b)} cannot be added`);
  }
  return a + b;
}

function less(a, b) {
  if (rank(a) !== rank(b)) return rank(a) < rank(b);
  if (['array', 'object'].includes(kind(a))) throw new Error('no order of lists and objects here');
  return a < b;
}

const OPERATORS = {
  '+': add,
  '<': less,
  '==': (a, b) => rank(a) === rank(b) && JSON.stringify(a) === JSON.stringify(b),
};

function operand(token) {
  if (token?.path) {
    const names = token.path.slice(1).split('.');
    return (scope) => follow(scope, names);
  }
  if (token?.literal === undefined) throw new Error('an operand is missing');
  const value = JSON.parse(token.literal);
  return () => value;
}

function expression(text) {
  const list = tokens(text);
  const left = operand(list[0]);
  if (list.length === 1) return left;
  const apply = OPERATORS[list[1].operator];
  if (!apply || list.length !== 3) throw new Error(`expression not understood: ${text}`);
  const right = operand(list[2]);
  // jq takes the right side first.
  return (scope) => {
    const b = right(scope);
    return apply(left(scope), b);
  };
}

export function isExpression(value) {
  return typeof value === 'string' && value.startsWith('${') && value.endsWith('}');
}

// A template: expressions anywhere in objects and lists.
export function template(value) {
  if (isExpression(value)) return expression(value.slice(2, -1));
  if (Array.isArray(value)) {
    const items = value.map(template);
    return (scope) => items.map((item) => item(scope));
  }
  if (value !== null && typeof value === 'object') {
    const members = Object.entries(value).map(([key, member]) => [key, template(member)]);
    return (scope) => Object.fromEntries(members.map(([key, member]) => [key, member(scope)]));
  }
  return () => value;
}
