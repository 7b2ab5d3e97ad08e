// XState running our machine documents: translates one into a configuration with functions, runs
// it as the driver of our machine does, and gives the same answer.

import { createActor, createMachine } from 'xstate';
import { assign, emit, enqueueActions, log, raise } from 'xstate/actions';
import { and, not, or, stateIn } from 'xstate/guards';

import { isExpression, template } from './expression.mjs';

const MICROSTEPS_MAX = 60; // as in driver.c

const list = (value) => (Array.isArray(value) ? value : [value]);
const mapValues = (object, map) => Object.fromEntries(Object.entries(object).map(([k, v]) => [k, map(v)]));
const plain = (value) => (value === undefined ? null : JSON.parse(JSON.stringify(value)));

// What an expression sees; params are there in named guards and actions only.
function scoped(value) {
  const fill = template(value);
  return (args, params) => fill({ context: args.context, event: args.event, params: params ?? null });
}

// ---- Guards and actions ----

// Whatever refers to a named entry or a function, with its params as a function.
function reference(json) {
  if (typeof json === 'string') return json;
  return 'params' in json ? { type: json.type, params: scoped(json.params) } : { type: json.type };
}

function guard(json) {
  if (isExpression(json)) {
    const holds = scoped(json);
    return (args, params) => {
      const value = holds(args, params);
      return value !== null && value !== false;
    };
  }
  switch (json.type) {
    case 'and':
      return and(json.guards.map(guard));
    case 'or':
      return or(json.guards.map(guard));
    case 'not':
      return not(guard(json.guard));
    case 'stateIn':
      return stateIn(json.params.state);
    default:
      return reference(json);
  }
}

function assignment(params) {
  if (isExpression(params)) return assign(scoped(params));
  return assign(mapValues(params, scoped));
}

// Our branches are all decided first, then done; so are XState's checks when they come first.
function enqueue(branches) {
  const made = branches.map((branch) => ({
    guard: branch.guard === undefined ? null : guard(branch.guard),
    actions: list(branch.actions).map(action),
  }));
  return enqueueActions(({ enqueue: add, check }) => {
    const held = made.map((branch) => branch.guard === null || check(branch.guard));
    made.forEach((branch, i) => held[i] && branch.actions.forEach((one) => add(one)));
  });
}

function action(json) {
  switch (json.type) {
    case 'log':
      return log(scoped(json.params.message));
    case 'raise':
      return raise(scoped(json.params));
    case 'emit':
      return emit(scoped(json.params));
    case 'assign':
      return assignment(json.params);
    case 'enqueueActions':
      return enqueue(json.params);
    default:
      return reference(json);
  }
}

const actions = (json) => (Array.isArray(json) ? json.map(action) : action(json));

// ---- Charts ----

function transition(json) {
  if (json === null) return undefined;
  if (Array.isArray(json)) return json.map(transition);
  if (typeof json === 'string') return json;
  const made = { ...json };
  if ('guard' in json) made.guard = guard(json.guard);
  if ('actions' in json) made.actions = actions(json.actions);
  return made;
}

function state(json) {
  const made = { ...json };
  for (const key of ['entry', 'exit']) if (key in json) made[key] = actions(json[key]);
  for (const key of ['always', 'onDone']) if (key in json) made[key] = transition(json[key]);
  if ('on' in json) made.on = mapValues(json.on, transition);
  if ('states' in json) made.states = mapValues(json.states, state);
  if ('output' in json) made.output = scoped(json.output);
  if (json.initial?.actions) made.initial = { ...json.initial, actions: actions(json.initial.actions) };
  return made;
}

function failing(_, params) {
  throw new Error(params.message);
}

function build(document, logged) {
  const { kind, version, guards, actions: named, context, ...chart } = document;
  const made = state(chart);
  if (context !== undefined) {
    const fill = template(context);
    made.context = ({ input }) => fill({ context: {}, input: input ?? null, event: { type: 'xstate.init' } });
  }
  return createMachine(
    { ...made, options: { maxIterations: MICROSTEPS_MAX } },
    {
      guards: { ...mapValues(guards ?? {}, guard), fail: failing },
      actions: {
        ...mapValues(named ?? {}, action),
        note: (_, params) => logged.push(JSON.stringify(params ?? null)),
        fail: failing,
      },
    },
  );
}

// ---- Runs ----

class Run {
  constructor(machine, logged, input, snapshot) {
    this.logged = logged;
    this.emitted = [];
    this.error = null;
    this.actor = createActor(machine, {
      input,
      snapshot,
      logger: (message) => logged.push(typeof message === 'string' ? message : JSON.stringify(message)),
    });
    this.actor.on('*', (event) => this.emitted.push(plain(event)));
    this.actor.subscribe({ error: (error) => (this.error = String(error?.message ?? error)) });
  }

  // Everything that `act` makes the actor do.
  step(act) {
    this.logged.length = 0;
    this.emitted.length = 0;
    this.error = null;
    act(this.actor);
    const snapshot = this.actor.getSnapshot();
    const { status, output, error, value, historyValue, context, children } = this.actor.getPersistedSnapshot();
    return {
      state: plain({ status, output, error: error && String(error.message ?? error), value, historyValue, context, children }),
      tags: [...snapshot.tags],
      log: [...this.logged],
      emitted: [...this.emitted],
      error: this.error,
    };
  }
}

export class Oracle {
  constructor(one) {
    this.one = one;
    this.logged = [];
    this.machine = build(one.machine, this.logged);
  }

  #run(snapshot) {
    return new Run(this.machine, this.logged, this.one.input, snapshot);
  }

  // As the driver's: from the start, or with `events` from a persisted snapshot.
  #steps(events, snapshot) {
    const rehydrate = this.one.rehydrate === true;
    let run = this.#run(plain(snapshot) ?? undefined);
    const steps = snapshot ? [] : [run.step((actor) => actor.start())];
    let is_started = !snapshot;
    for (const event of events) {
      if (rehydrate && steps.length > 0) {
        run = this.#run(plain(steps.at(-1).state));
        is_started = false;
      }
      steps.push(
        run.step((actor) => {
          if (!is_started) actor.start();
          actor.send(event);
        }),
      );
      is_started = true;
    }
    return steps;
  }

  steps() {
    return this.#steps(this.one.events, null);
  }

  resume(at, state) {
    return this.#steps(this.one.events.slice(at), state);
  }
}
