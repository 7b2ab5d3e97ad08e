// XState's side of bench_statechart: the same charts, the same work, one line per figure.
//
//   node bench/statechart.mjs
//
// prints `NAME live NS` and `NAME bytes NS` per chart, ns per event, the median of five runs after one that is not
// counted (the JIT compiles then).

import { assign, createActor, createMachine, stateIn } from 'xstate';

import { median } from './measure.mjs';

const toggle = createMachine({
  id: 'toggle',
  initial: 'off',
  states: { off: { on: { flip: 'on' } }, on: { on: { flip: 'off' } } },
});

const light = createMachine({
  id: 'light',
  context: { cycles: 0, waiting: false },
  type: 'parallel',
  states: {
    cars: {
      initial: 'green',
      states: {
        green: { on: { tick: { target: 'yellow', guard: ({ context }) => context.cycles >= 0 } } },
        yellow: { on: { tick: 'red' } },
        red: {
          on: { tick: { target: 'green', actions: assign({ cycles: ({ context }) => context.cycles + 1 }) } },
        },
      },
    },
    people: {
      initial: 'wait',
      states: {
        wait: { on: { tick: { target: 'walk', guard: stateIn('cars.yellow') } } },
        walk: { on: { tick: { target: 'wait', guard: ({ context }) => !context.waiting } } },
      },
    },
  },
});

/** A ring of `count` states, ten levels deep: bench_statechart.c builds the same. */
function ring(count) {
  const states = {};
  for (let i = 0; i < count; i++) states[`s${i}`] = { on: { next: `s${(i + 1) % count}` } };
  let node = { initial: 's0', states };
  for (let i = 0; i < 9; i++) node = { initial: 'in', states: { in: { ...node, tags: 't' } } };
  return createMachine({ id: 'ring', ...node });
}

function live(machine, event) {
  const actor = createActor(machine).start();
  return (rounds) => {
    for (let i = 0; i < rounds; i++) actor.send(event);
  };
}

function throughBytes(machine, event) {
  let bytes = JSON.stringify(createActor(machine).start().getPersistedSnapshot());
  return (rounds) => {
    for (let i = 0; i < rounds; i++) {
      const actor = createActor(machine, { snapshot: JSON.parse(bytes) }).start();
      actor.send(event);
      bytes = JSON.stringify(actor.getPersistedSnapshot());
    }
  };
}

const charts = [
  ['toggle', toggle, { type: 'flip' }],
  ['light', light, { type: 'tick' }],
  ['ring15', ring(15), { type: 'next' }],
  ['ring150', ring(150), { type: 'next' }],
  ['ring1500', ring(1500), { type: 'next' }],
];

for (const [name, machine, event] of charts) {
  console.log(`${name} live ${median(live(machine, event))}`);
  console.log(`${name} bytes ${median(throughBytes(machine, event))}`);
}
