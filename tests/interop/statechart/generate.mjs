// Random machine documents and event runs, all from one seed.
//
// Charts are meant to be odd: every construct that the language has, in combinations nobody would
// write, yet such that events mostly find a transition and states are entered and left often.

import { Random } from './random.mjs';

const EVENTS = ['A', 'B', 'a.b', 'a.b.c', 'a.x', 'R', 'S'];
const WILDCARDS = ['*', 'a.*', 'a.b.*', 'a.b.c.*', 'xstate.done.state.*', 'xstate.*'];
// How often; a chart's theme turns one group up.
const DIALS = { parallel: 0.4, history: 0.4, always: 0.1, final: 0.25, within: 0.12, several: 0.12, toHistory: 0.3, initialActions: 0.45, functions: 4, fails: 1, conditions: 5, outputs: 0.6, wild: 0.15 };
const THEMES = {
  balanced: {},
  regions: { parallel: 0.75, within: 0.3, several: 0.5, initialActions: 0.7 },
  history: { history: 0.8, toHistory: 0.5, initialActions: 0.6 },
  eager: { always: 0.45, parallel: 0.55 },
  ends: { final: 0.6, outputs: 0.8, parallel: 0.75 },
  failing: { functions: 14, fails: 8 },
  places: { conditions: 20 },
  wild: { wild: 0.6 },
};
const STATES_MAX = { small: 6, middle: 14, large: 40 };
const DEPTH_MAX = 5;

// A path as a target writes it.
const written = (keys) => keys.map((key) => key.replaceAll('.', '\\.')).join('.');

class Chart {
  constructor(random) {
    this.r = random;
    this.count = 0;
    this.labels = 0;
    this.states_max = STATES_MAX[random.weighted({ small: 4, middle: 7, large: 1 })];
    this.events = random.list(2 + random.below(4), () => random.pick(EVENTS));
    this.theme = random.chance(0.2) ? 'balanced' : random.pick(Object.keys(THEMES));
    this.dials = { ...DIALS, ...THEMES[this.theme] };
    this.all = [];
    this.root = this.#node('m', null);
    this.guards = {};
    this.actions = {};
  }

  // ---- The tree ----

  #node(key, parent) {
    const path = parent ? [...parent.path, key] : [];
    const node = { key, parent, path, type: 'atomic', children: [], id: ['m', ...path].join('.') };
    node.named = parent !== null && this.r.chance(0.15);
    if (node.named) node.id = `id${this.count}`;
    this.count++;
    this.all.push(node);
    const nests = path.length === 0 ? this.r.chance(0.98) : path.length < DEPTH_MAX && this.r.chance(0.5);
    if (nests && this.count < this.states_max) this.#nest(node);
    else if (parent && this.r.chance(this.dials.final)) node.type = 'final';
    return node;
  }

  #nest(node) {
    const { r } = this;
    node.type = r.chance(this.dials.parallel) ? 'parallel' : 'compound';
    const count = node.type === 'parallel' && r.chance(0.03) ? 0 : 1 + r.below(4);
    const are_numbers = r.chance(0.08);
    const are_dotted = r.chance(0.05);
    this.has_dots ||= are_dotted;
    for (let i = 0; i < count && (i === 0 || this.count < this.states_max); i++) {
      const key = are_numbers && r.chance(0.7) ? String(9 - 2 * i + r.below(2)) : `${are_dotted ? 's.' : 's'}${i}`;
      node.children.push(this.#node(key, node));
    }
    if (r.chance(this.dials.history)) this.#history(node);
    // A history state is found by its name in the order of keys, before or behind what it recalls.
    if (r.chance(0.1)) this.#history(node);
  }

  #history(parent) {
    const { r } = this;
    const key = `h${parent.children.length}`;
    const path = [...parent.path, key];
    const node = { key, parent, path, type: 'history', children: [], id: ['m', ...path].join('.') };
    node.named = r.chance(0.2);
    if (node.named) node.id = `hid${this.all.length}`;
    node.history = r.pick(['shallow', 'deep', 'deep', true, undefined]);
    parent.children.splice(r.below(parent.children.length + 1), 0, node);
    this.all.push(node);
  }

  // ---- Targets ----

  #isBelow(node, above) {
    return above.path.length < node.path.length && above.path.every((key, i) => key === node.path[i]);
  }

  target(from, to) {
    if (!to.parent) return '#m';
    const forms = [`#m.${written(to.path)}`];
    if (to.named) forms.push(`#${to.id}`);
    for (let above = to.parent; above; above = above.parent) {
      const below = to.path.slice(above.path.length);
      if (above.named) forms.push(below.length > 0 ? `#${above.id}.${written(below)}` : `#${above.id}`);
    }
    if (this.#isBelow(to, from)) {
      const form = `.${written(to.path.slice(from.path.length))}`;
      forms.push(form, form);
    }
    if (from.parent && this.#isBelow(to, from.parent)) {
      const form = written(to.path.slice(from.parent.path.length));
      forms.push(form, form);
    }
    return this.r.pick(forms);
  }

  // One state in each of several regions of a parallel state; null: there is no such state.
  #severalTargets(from) {
    const { r } = this;
    const regions = (node) => node.children.filter((child) => child.type !== 'history');
    const parallels = this.all.filter((node) => node.type === 'parallel' && regions(node).length > 1);
    if (parallels.length === 0) return null;
    // Best one that `from` is in itself, with its own region first: where it leads decides what is left.
    const around = parallels.filter((node) => this.#isBelow(from, node));
    const parallel = r.pick(around.length > 0 && r.chance(0.6) ? around : parallels);
    const order = regions(parallel);
    if (r.chance(0.5)) order.sort((one) => (one === from || this.#isBelow(from, one) ? -1 : 0));
    const below = order.map((region) => {
      let node = region;
      while (node.children.length > 0 && r.chance(0.6)) node = r.pick(node.children);
      return this.target(from, node);
    });
    return r.chance(0.3) ? below.slice(1) : below;
  }

  #targets(from) {
    const { r } = this;
    const several = r.chance(this.dials.several) ? this.#severalTargets(from) : null;
    if (several) return several;
    const histories = this.all.filter((node) => node.type === 'history');
    let to = r.pick(this.all);
    if (from.parent && r.chance(0.4)) to = r.pick(from.parent.children);
    if (from.children.length > 0 && r.chance(0.15)) to = r.pick(from.children);
    if (r.chance(0.1)) to = from;
    if (histories.length > 0 && r.chance(this.dials.toHistory)) to = r.pick(histories);
    const within = this.#withinOtherRegions(from);
    if (within.length > 0 && r.chance(this.dials.within)) to = r.pick(within);
    if (r.chance(0.0005)) return r.pick(['nowhere', '#nowhere', '.nowhere', '#m.nowhere']); // refused by both
    const one = this.target(from, to);
    return r.chance(0.05) ? [one] : one;
  }

  // States in a region of a parallel state that `from` is outside of: the other regions are filled in.
  #withinOtherRegions(from) {
    return this.all.filter((node) => {
      const region = node.parent;
      return region?.parent?.type === 'parallel' && node.type !== 'history' && !this.#isBelow(from, region.parent);
    });
  }

  // ---- Values ----

  #value() {
    return this.r.pick([
      1,
      'text',
      '${ .context.n }',
      '${ .context.m }',
      '${ .event.type }',
      '${ .event.data.v }',
      '${ .event.output }',
      '${ .event }',
      { v: '${ .context.n + 10 }', list: [true, null, '${ .event.type }'] },
    ]);
  }

  #failingValue() {
    return '${ .context.n.none }'; // n is a number at all times
  }

  // ---- Guards ----

  #stateValue(node) {
    const { r } = this;
    const path = node.path.slice(0, 1 + r.below(node.path.length));
    if (r.chance(0.5)) return written(path);
    let value = r.chance(0.1) ? {} : written(path.slice(-1));
    const above = typeof value === 'string' ? path.slice(0, -1) : path;
    for (const key of above.reverse()) value = { [key]: value };
    return value;
  }

  #stateIn() {
    const { r } = this;
    const node = r.pick(this.all.filter((one) => one.type !== 'history'));
    if (!node.parent) return '#m';
    // A name with a dot in a value is a path for XState, on both sides of the comparison.
    if (this.has_dots || r.chance(0.5)) return node.named && r.chance(0.5) ? `#${node.id}` : `#m.${written(node.path)}`;
    return this.#stateValue(node);
  }

  guard(depth = 0) {
    const { r } = this;
    const { conditions, fails } = this.dials;
    const kinds = { true: 2, false: 2, event: 4, context: 5, data: 1, state: conditions, not: 3, list: 3, named: 2, fails };
    switch (r.weighted(kinds)) {
      case 'true':
        return '${ true }';
      case 'false':
        return r.pick(['${ false }', '${ .context.none }']);
      case 'event':
        return `\${ .event.type == "${r.pick([...this.events, 'xstate.init'])}" }`;
      case 'context':
        return `\${ .context.n < ${r.below(6)} }`;
      case 'data':
        return '${ .event.data.v < 2 }';
      case 'state':
        return { type: 'stateIn', params: { state: this.#stateIn() } };
      case 'not':
        return depth < 2 ? { type: 'not', guard: this.guard(depth + 1) } : '${ .context.n == 1 }';
      case 'list':
        if (depth >= 2) return '${ true }';
        return { type: r.pick(['and', 'or']), guards: r.list(r.below(4), () => this.guard(depth + 1)) };
      case 'named':
        return this.#namedGuard(depth);
      default:
        if (r.chance(0.9)) return '${ .context.n < 3 }';
        return r.pick([{ type: 'fail', params: { message: 'guard' } }, this.#failingValue()]);
    }
  }

  #namedGuard(depth) {
    const { r } = this;
    const name = r.pick(['plain', 'limit']);
    if (name === 'limit') {
      this.guards.limit = '${ .context.n < .params.limit }';
      return { type: 'limit', params: { limit: r.pick([0, 2, '${ .context.m }']) } };
    }
    // Before its own guard is there, so that it cannot refer to itself.
    if (depth > 0) return '${ true }';
    this.guards.plain ??= this.guard(1);
    return r.pick(['plain', { type: 'plain' }]);
  }

  // ---- Actions ----

  #label() {
    return `l${this.labels++}`;
  }

  #log() {
    const label = this.#label();
    const form = this.r.weighted({ event: 6, plain: 2, context: 3, whole: 2 });
    if (form === 'event') return { type: 'log', params: { message: `\${ "${label} " + .event.type }` } };
    if (form === 'plain') return { type: 'log', params: { message: label } };
    if (form === 'context') return { type: 'log', params: { message: [label, '${ .context.n }', '${ .context.m }'] } };
    return { type: 'log', params: { message: { label, event: '${ .event }', context: '${ .context }' } } };
  }

  #logOutput() {
    return { type: 'log', params: { message: [this.#label(), '${ .event.output }'] } };
  }

  // Most events raise others only so often.
  #raise() {
    const raise = this.#raiseAlways();
    if (this.r.chance(0.4)) return raise;
    const guard = `\${ .context.n < ${this.r.below(6)} }`;
    const count = { type: 'assign', params: { n: '${ .context.n + 1 }' } };
    return { type: 'enqueueActions', params: [{ guard, actions: [raise, count] }] };
  }

  #raiseAlways() {
    const { r } = this;
    if (r.chance(0.03)) return { type: 'raise', params: '${ .event }' };
    const event = { type: r.pick(r.chance(0.8) ? this.events : EVENTS) };
    if (r.chance(0.2)) event.data = { v: r.pick([0, 3, '${ .context.n }']) };
    return { type: 'raise', params: event };
  }

  #assign() {
    const { r } = this;
    const form = r.weighted({ count: 6, reset: 1, swap: 2, any: 3, object: 1, same: 1, fails: 1 });
    const params = {
      count: { n: '${ .context.n + 1 }' },
      reset: { n: 0 },
      swap: { n: '${ .context.n + 2 }', m: '${ .context.n }' },
      any: { m: this.#value() },
      object: '${ .context.object }',
      same: { n: '${ .context.n }' },
      fails: r.chance(0.1 * this.dials.fails) ? { m: this.#failingValue() } : { extra: 1 },
    };
    return { type: 'assign', params: params[form] };
  }

  #emit() {
    const { r } = this;
    const params = { type: r.pick(['com.e.one', 'com.e.two', 'com.e.three']) };
    if (r.chance(0.7)) params.data = { v: this.#value() };
    return { type: 'emit', params };
  }

  #function() {
    const { r } = this;
    if (r.chance(0.02 * this.dials.fails)) return { type: 'fail', params: { message: 'action' } };
    return r.chance(0.1) ? 'note' : { type: 'note', params: { at: this.#label(), v: this.#value() } };
  }

  #enqueue(depth) {
    const { r } = this;
    const branch = () => ({
      ...(r.chance(0.6) ? { guard: this.guard(1) } : {}),
      actions: this.actionList(depth + 1),
    });
    const params = r.list(1 + r.below(3), branch);
    // All guards are asked before the first action.
    if (r.chance(0.5)) params.unshift({ actions: { type: 'assign', params: { n: '${ .context.n + 1 }' } } });
    return { type: 'enqueueActions', params };
  }

  #named() {
    const { r } = this;
    const name = r.pick(['remember', 'remember', 'report', 'report', 'tell', 'tell', 'again']);
    const entries = {
      remember: { type: 'assign', params: { m: '${ .params.v }', n: '${ .context.n + 1 }' } },
      report: { type: 'log', params: { message: ['report', '${ .params.v }', '${ .context.n }'] } },
      again: { type: 'raise', params: { type: r.pick(EVENTS), data: { v: '${ .params.count }' } } },
      tell: { type: 'emit', params: { type: 'com.e.named', data: { v: '${ .params.v }' } } },
    };
    this.actions[name] = entries[name];
    return r.chance(0.15) ? name : { type: name, params: { v: this.#value(), count: '${ .context.n }' } };
  }

  action(depth) {
    const kinds = { log: 12, raise: 3, assign: 5, emit: 4, function: this.dials.functions, enqueue: 3, named: 3 };
    switch (this.r.weighted(kinds)) {
      case 'raise':
        return this.#raise();
      case 'assign':
        return this.#assign();
      case 'emit':
        return this.#emit();
      case 'function':
        return this.#function();
      case 'enqueue':
        return depth < 2 ? this.#enqueue(depth) : this.#log();
      case 'named':
        return this.#named();
      default:
        return this.#log();
    }
  }

  actionList(depth = 0) {
    const { r } = this;
    const count = r.below(3);
    if (count === 0 && r.chance(0.3)) return [];
    if (count <= 1 && r.chance(0.5)) return this.action(depth);
    return r.list(Math.max(count, 1), () => this.action(depth));
  }

  // ---- Transitions ----

  transition(from, kind) {
    const { r } = this;
    if (kind === 'on' && r.chance(0.06)) return r.pick([null, {}]); // forbidden
    const made = {};
    if (r.chance(kind === 'always' ? 0.6 : 0.8)) made.target = this.#targets(from);
    const again = { always: 0.9, onDone: 0.3, on: 0 };
    if (r.chance(again[kind])) Object.assign(made, this.#counted());
    else {
      if (r.chance(0.35)) made.guard = this.guard();
      if (r.chance(0.6)) made.actions = this.actionList();
    }
    if (kind === 'onDone' && r.chance(0.8)) made.actions = [this.#logOutput()].concat(made.actions ?? []);
    if (r.chance(0.25)) made.reenter = r.chance(0.9);
    const is_plain = Object.keys(made).length === 1 && typeof made.target === 'string';
    return is_plain && r.chance(0.5) ? made.target : made;
  }

  // What is taken without an event is taken again and again: most of it counts, up to an end.
  #counted() {
    const { r } = this;
    const limit = `\${ .context.n < ${1 + r.below(6)} }`;
    const guard = r.chance(0.4) ? { type: 'and', guards: [this.guard(1), limit] } : limit;
    const count = { type: 'assign', params: { n: '${ .context.n + 1 }' } };
    return { guard, actions: r.chance(0.5) ? count : [this.#log(), count, this.action(1)] };
  }

  transitions(from, kind) {
    const { r } = this;
    if (kind === 'on' && r.chance(0.03)) return [];
    if (r.chance(0.65)) return this.transition(from, kind);
    return r.list(1 + r.below(3), () => this.transition(from, kind));
  }

  #on(node) {
    const { r } = this;
    const on = {};
    for (let i = r.below(4); i > 0; i--) {
      const descriptor = r.chance(this.dials.wild) ? r.pick(WILDCARDS) : r.pick(this.events);
      on[descriptor] = this.transitions(node, 'on');
      if (descriptor === '*' && r.chance(0.7)) on[descriptor] = { ...this.#counted(), target: this.#targets(node) };
    }
    return on;
  }

  // ---- States ----

  #historyState(node) {
    const { r } = this;
    const made = node.named ? { id: node.id } : {};
    if (r.chance(0.5) || !node.history) made.type = 'history';
    if (node.history !== undefined) made.history = node.history;
    if (!r.chance(0.4)) return made;
    const siblings = node.parent.children.filter((child) => child.type !== 'history');
    if (siblings.length > 0 && r.chance(0.7)) made.target = written([r.pick(siblings).key]);
    else if (siblings.length > 0) {
      let to = r.pick(siblings);
      while (to.children.length > 0 && r.chance(0.6)) to = r.pick(to.children);
      const near = written(to.path.slice(node.parent.path.length));
      made.target = r.chance(0.5) ? near : `#m.${written(to.path)}`;
    }
    return made;
  }

  #initial(node, made) {
    const { r } = this;
    const plain = node.children.filter((child) => child.type !== 'history');
    const to = r.pick(r.chance(0.95) && plain.length > 0 ? plain : node.children).key;
    if (node.type === 'parallel') {
      if (r.chance(0.08)) made.initial = { target: to, actions: this.actionList() };
    } else {
      made.initial = r.chance(this.dials.initialActions) ? { target: to, actions: this.actionList() } : to;
    }
  }

  state(node) {
    const { r } = this;
    if (node.type === 'history') return this.#historyState(node);
    const made = node.named ? { id: node.id } : {};
    if (node.type === 'parallel' || node.type === 'final') made.type = node.type;
    else if (r.chance(0.03)) made.type = node.type;
    if (r.chance(0.2)) made.tags = r.pick(['t', 'u', ['t', node.key], []]);
    if (r.chance(0.03)) made.description = 'a state';
    if (r.chance(0.5)) made.entry = r.chance(0.6) ? this.#trace('+', node) : this.actionList();
    if (r.chance(0.5)) made.exit = r.chance(0.6) ? this.#trace('-', node) : this.actionList();
    if (node.children.length > 0) this.#initial(node, made);
    if (node.type !== 'final' || r.chance(0.1)) {
      const on = this.#on(node);
      if (Object.keys(on).length > 0 || r.chance(0.05)) made.on = on;
      if (r.chance(this.dials.always)) made.always = this.transitions(node, 'always');
    }
    if (node.parent && node.children.length > 0 && r.chance(this.dials.outputs)) made.onDone = this.transitions(node, 'onDone');
    if (node.type === 'final' ? r.chance(this.dials.outputs) : !node.parent && r.chance(0.6)) made.output = this.#value();
    if (node.children.length > 0 || node.type === 'parallel') {
      made.states = Object.fromEntries(node.children.map((child) => [child.key, this.state(child)]));
    }
    return made;
  }

  #trace(sign, node) {
    return { type: 'log', params: { message: `${sign}${node.path.join('.')}` } };
  }

  document() {
    const { r } = this;
    const object = { n: 7, z: 1 };
    const context = r.chance(0.3) ? { n: '${ .input.data.n }', m: '${ .input.data.none }', object } : { n: 0, m: 0, object };
    const made = { kind: 'machine', id: 'm', context, ...this.state(this.root) };
    if (Object.keys(this.guards).length > 0) made.guards = this.guards;
    if (Object.keys(this.actions).length > 0) made.actions = this.actions;
    return made;
  }

  // ---- Events ----

  run() {
    const { r } = this;
    return r.list(2 + r.below(9), () => {
      const event = { type: r.pick(r.chance(0.9) ? this.events : EVENTS) };
      if (r.chance(0.2)) event.data = { v: r.below(4) };
      return event;
    });
  }
}

// One case: what to run, and how. `cut`: where the other engine goes on.
export function generate(seed) {
  const random = new Random(seed);
  const chart = new Chart(random);
  const machine = chart.document();
  const one = { name: `seed ${seed}`, machine, input: { data: { n: random.below(4) } }, events: chart.run() };
  // XState forgets the history of states with a dot in their names when it reads a snapshot; we do not.
  if (random.chance(0.5) && !chart.has_dots) one.cut = random.below(one.events.length);
  if (random.chance(0.25) && !chart.has_dots) one.rehydrate = true;
  return one;
}
