// Random schemas, and values that come near to fitting them.

import { Random } from '../statechart/random.mjs';

const KEYS = ['a', 'b', 'c', 'aa', 'ab', 'é'];
const STRINGS = ['', 'a', 'ab', 'abc', 'é', '😀', 'a1', '12', 'x y', 'A'];
const NUMBERS = [-2, -1, 0, 1, 1.5, 2, 2.5, 3, 4, 10, 1e21, -0.5];
const PATTERNS = ['^a', 'b$', '^.$', '^\\p{L}+$', '\\d', '^$', '[^a]', '^(a|b)+$', 'a.?b', '^\\S*$'];
const TYPES = ['null', 'boolean', 'integer', 'number', 'string', 'array', 'object'];
const NAMES = ['one', 'two', 'three']; // of definitions

// Texts whose verdict nobody doubts; each is tried with each format.
const FORMAT_TEXTS = [
  '2024-02-29', '2023-02-29', '2024-13-01', '12:30:00Z', '25:00:00Z', '12:30:00+01:00', '2024-05-31T12:00:00Z',
  '2024-05-31T12:00:00', 'P1DT2H', 'P', 'P4W', 'a@example.com', '@example.com', 'example.com', '-a.com', '127.0.0.1',
  '256.0.0.1', '::1', '1::2::3', 'http://example.com/a?b#c', 'http://a b', '/a/b', '../a', '/a/~0', '/a/~2', '0/a', '1#',
  '01234567-89ab-cdef-0123-456789abcdef', '01234567', '^a+$', '(', '',
];
const FORMATS = ['date', 'time', 'date-time', 'duration', 'email', 'hostname', 'ipv4', 'ipv6', 'uri', 'uri-reference',
  'json-pointer', 'relative-json-pointer', 'uuid', 'regex', 'made-up'];

class Maker {
  constructor(random, draft, formats) {
    this.random = random;
    this.draft = draft;
    this.formats = formats;
    this.definitions = draft === 7 ? 'definitions' : '$defs';
    this.anchors = random.chance(0.3);
    this.dynamic = draft !== 7 && random.chance(0.15);
    this.rank = 0; // of the definition being made: it may refer in place to those behind it only
  }

  number() {
    return this.random.pick(NUMBERS);
  }

  count() {
    return this.random.below(4);
  }

  value(depth) {
    const r = this.random;
    switch (r.weighted({ scalar: 6, array: depth > 0 ? 2 : 0, object: depth > 0 ? 3 : 0 })) {
      case 'array':
        return r.list(r.below(4), () => this.value(depth - 1));
      case 'object':
        return Object.fromEntries(r.list(r.below(4), () => [r.pick(KEYS), this.value(depth - 1)]));
      default:
        return r.pick([null, true, false, this.number(), this.number(), r.pick(STRINGS), r.pick(STRINGS)]);
    }
  }

  // A name and the reference to it.
  reference(in_place) {
    const r = this.random;
    const from = in_place ? this.rank : 0;
    if (from >= NAMES.length) return null;
    const name = NAMES[from + r.below(NAMES.length - from)];
    if (this.dynamic && !in_place && r.chance(0.3)) return { $dynamicRef: '#node' };
    if (!in_place && r.chance(0.15)) return { $ref: '#' };
    if (this.anchors && r.chance(0.5)) return { $ref: `#${name}` };
    if (this.anchors && r.chance(0.3)) return { $ref: `${this.base}#/${this.definitions}/${name}` };
    return { $ref: `#/${this.definitions}/${name}` };
  }

  // in_place: about the same value as what holds it
  schema(depth, in_place) {
    const r = this.random;
    if (depth <= 0 || r.chance(0.08)) return r.pick([true, true, false, {}, { type: r.pick(TYPES) }]);
    if (r.chance(0.12)) {
      const reference = this.reference(in_place);
      if (reference && this.draft === 7) return reference; // it stands alone
      if (reference) return r.chance(0.5) ? reference : { ...reference, ...this.keywords(depth, 2) };
    }
    return this.keywords(depth, 1 + r.below(4));
  }

  map(depth, in_place, keys = KEYS) {
    return Object.fromEntries(this.random.list(1 + this.random.below(3), () => [this.random.pick(keys), this.schema(depth - 1, in_place)]));
  }

  schemas(depth, in_place) {
    return this.random.list(1 + this.random.below(3), () => this.schema(depth - 1, in_place));
  }

  unique(make, count) {
    return [...new Set(this.random.list(count, make))];
  }

  keywords(depth, count) {
    const schema = {};
    for (let i = 0; i < count; i++) this.keyword(schema, depth);
    return schema;
  }

  keyword(schema, depth) {
    const r = this.random;
    const later = this.draft !== 7;
    const below = () => this.schema(depth - 1, false);
    const same = () => this.schema(depth - 1, true);
    const name = r.weighted({
      type: 5, properties: 6, required: 3, additionalProperties: 3, patternProperties: 2, propertyNames: 1, minProperties: 1,
      maxProperties: 1, dependent: 2, items: 4, tuple: 3, contains: 3, minItems: 1, maxItems: 1, uniqueItems: 1, minLength: 1,
      maxLength: 1, pattern: 2, minimum: 1, maximum: 1, exclusiveMinimum: 1, exclusiveMaximum: 1, multipleOf: 1, enum: 2, const: 2,
      allOf: 3, anyOf: 4, oneOf: 3, not: 2, if: 3, unevaluatedProperties: later ? 4 : 0, unevaluatedItems: later ? 3 : 0,
      format: this.formats ? 6 : 0, remark: 1,
    });
    switch (name) {
      case 'type':
        schema.type = r.chance(0.7) ? r.pick(TYPES) : this.unique(() => r.pick(TYPES), 2);
        break;
      case 'properties':
        schema.properties = this.map(depth, false);
        break;
      case 'required':
        schema.required = this.unique(() => r.pick(KEYS), r.below(3));
        break;
      case 'patternProperties':
        schema.patternProperties = this.map(depth, false, PATTERNS);
        break;
      case 'additionalProperties':
      case 'unevaluatedProperties':
      case 'unevaluatedItems':
        schema[name] = r.chance(0.6) ? false : below();
        break;
      case 'propertyNames':
        schema.propertyNames = r.chance(0.5) ? { pattern: r.pick(PATTERNS) } : below();
        break;
      case 'minProperties':
      case 'maxProperties':
      case 'minItems':
      case 'maxItems':
      case 'minLength':
      case 'maxLength':
        schema[name] = this.count();
        break;
      case 'dependent':
        if (!later) schema.dependencies = r.chance(0.5) ? this.map(depth, true) : { [r.pick(KEYS)]: [r.pick(KEYS)] };
        else if (r.chance(0.5)) schema.dependentSchemas = this.map(depth, true);
        else schema.dependentRequired = { [r.pick(KEYS)]: [r.pick(KEYS)] };
        break;
      case 'items':
        schema.items = below();
        break;
      case 'tuple':
        schema[later ? 'prefixItems' : 'items'] = this.schemas(depth, false);
        if (!later && r.chance(0.6)) schema.additionalItems = below();
        break;
      case 'contains':
        schema.contains = below();
        if (later && r.chance(0.4)) schema.minContains = this.count();
        if (later && r.chance(0.3)) schema.maxContains = this.count();
        break;
      case 'uniqueItems':
        schema.uniqueItems = r.chance(0.9);
        break;
      case 'pattern':
        schema.pattern = r.pick(PATTERNS);
        break;
      case 'minimum':
      case 'maximum':
      case 'exclusiveMinimum':
      case 'exclusiveMaximum':
        schema[name] = this.number();
        break;
      case 'multipleOf':
        schema.multipleOf = r.pick([0.5, 1, 2, 3]);
        break;
      case 'enum':
        schema.enum = [...new Map(r.list(1 + r.below(4), () => this.value(1)).map((v) => [JSON.stringify(v), v])).values()];
        break;
      case 'const':
        schema.const = this.value(2);
        break;
      case 'allOf':
      case 'anyOf':
      case 'oneOf':
        schema[name] = this.schemas(depth, true);
        break;
      case 'not':
        schema.not = same();
        break;
      case 'if':
        schema.if = same();
        if (r.chance(0.7)) schema.then = same();
        if (r.chance(0.7)) schema.else = same();
        break;
      case 'format':
        schema.format = r.pick(FORMATS);
        break;
      default:
        schema[r.pick(['title', 'description', '$comment'])] = 'a remark';
    }
  }

  whole() {
    const r = this.random;
    this.base = 'http://generated.example/root';
    const named = {};
    for (let i = 0; i < NAMES.length; i++) {
      this.rank = i + 1;
      const made = this.schema(2, true);
      named[NAMES[i]] = this.anchored(made, NAMES[i]);
    }
    this.rank = 0;
    let root = this.keywords(3, 2 + r.below(4));
    if (this.draft === 7 && root.$ref) root = { allOf: [root] };
    root[this.definitions] = named;
    if (this.anchors) root.$id = this.base;
    if (this.dynamic) root.$dynamicAnchor = 'node';
    return root;
  }

  anchored(schema, name) {
    if (!this.anchors) return schema;
    if (this.draft === 7) return { $id: `#${name}`, allOf: [schema] };
    return typeof schema === 'object' ? { $anchor: name, ...schema } : { $anchor: name, allOf: [schema] };
  }

  // A value that follows some of what the schema says.
  fitting(schema, root, depth) {
    const r = this.random;
    if (typeof schema !== 'object' || depth <= 0 || r.chance(0.1)) return this.value(Math.max(depth, 0));
    if (schema.$ref?.includes('/')) {
      const name = schema.$ref.split('/').at(-1);
      if (root[this.definitions]?.[name] !== undefined) return this.fitting(root[this.definitions][name], root, depth - 1);
    }
    if ('const' in schema && r.chance(0.8)) return schema.const;
    if (schema.enum && r.chance(0.8)) return r.pick(schema.enum);
    if (schema.format && r.chance(0.9)) return r.pick(FORMAT_TEXTS);
    const parts = [...(schema.allOf ?? []), ...(schema.anyOf ?? []), ...(schema.oneOf ?? []), schema.if, schema.then, schema.else]
      .filter((part) => part !== undefined);
    const own = this.own(schema, root, depth);
    if (parts.length === 0) return own;
    const other = this.fitting(r.pick(parts), root, depth - 1);
    const mixes = [own, other].every((v) => v && typeof v === 'object' && !Array.isArray(v));
    return mixes ? { ...own, ...other } : r.pick([own, other]);
  }

  own(schema, root, depth) {
    const r = this.random;
    const looks_at = (names) => names.some((name) => name in schema);
    const type = Array.isArray(schema.type) ? r.pick(schema.type) : schema.type;
    const part = (sub) => this.fitting(sub, root, depth - 1);
    if (type === 'object' || (!type && looks_at(['properties', 'required', 'patternProperties', 'additionalProperties',
      'unevaluatedProperties', 'propertyNames', 'dependentSchemas', 'dependentRequired', 'dependencies', 'minProperties', 'maxProperties']))) {
      const value = {};
      for (const key of schema.required ?? []) value[key] = this.value(1);
      for (const [key, sub] of Object.entries(schema.properties ?? {})) if (r.chance(0.7)) value[key] = part(sub);
      for (const sub of Object.values(schema.patternProperties ?? {})) if (r.chance(0.5)) value[r.pick(KEYS)] = part(sub);
      for (const key of Object.keys(schema.dependentSchemas ?? schema.dependencies ?? {})) if (r.chance(0.4)) value[key] = this.value(1);
      if (r.chance(0.3)) value[r.pick(KEYS)] = part(schema.additionalProperties ?? schema.unevaluatedProperties ?? true);
      return value;
    }
    if (type === 'array' || (!type && looks_at(['items', 'prefixItems', 'contains', 'unevaluatedItems', 'uniqueItems', 'minItems', 'maxItems']))) {
      const tuple = schema.prefixItems ?? (Array.isArray(schema.items) ? schema.items : []);
      const value = tuple.slice(0, r.below(tuple.length + 2)).map(part);
      const rest = Array.isArray(schema.items) ? schema.additionalItems : schema.items;
      for (let i = r.below(3); i > 0; i--) value.push(part(r.pick([rest ?? true, schema.contains ?? true, schema.unevaluatedItems ?? true])));
      return value;
    }
    if (type === 'string' || (!type && looks_at(['pattern', 'minLength', 'maxLength']))) return r.pick(STRINGS);
    if (type === 'integer' || type === 'number' || (!type && looks_at(['minimum', 'maximum', 'multipleOf']))) return this.number();
    if (type === 'null') return null;
    if (type === 'boolean') return r.chance(0.5);
    return this.value(depth);
  }
}

// One schema and some values; the same for the same seed and draft.
export function generate(seed, draft) {
  const random = new Random(seed);
  const formats = random.chance(0.15);
  const maker = new Maker(random, draft, formats);
  const schema = maker.whole();
  const values = random.list(5, () => maker.fitting(schema, schema, 4));
  values.push(maker.value(3));
  return { name: `draft ${draft}, seed ${seed}`, draft, formats, schema, values };
}
