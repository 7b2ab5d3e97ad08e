// Ajv's and zod's side of bench_contract: the schemas and data of contract.json, one line per figure.
//
//   node bench/contract.mjs
//
// prints, ns per call, the median of five runs after one that is not counted (the JIT compiles then):
//
//   NAME bytes NS     an event's bytes through JSON.parse, its data through the function that Ajv generated
//   NAME check NS     that function alone, on a parsed value
//   NAME zod NS       zod's parse of a parsed value, which fills in, drops and orders keys
//   compile ajv NS    one schema compiled

import { readFileSync } from 'node:fs';

import { Ajv2020 } from 'ajv/dist/2020.js';
import { z } from 'zod';

import { median, nanoseconds } from './measure.mjs';

const { event, cases } = JSON.parse(readFileSync(new URL('contract.json', import.meta.url)));

const order = z.object({
  orderId: z.string().min(1),
  customer: z.object({
    id: z.string(),
    email: z.string().max(200),
    tier: z.enum(['basic', 'silver', 'gold']).optional(),
  }),
  items: z
    .array(z.object({ sku: z.string(), quantity: z.number().int().min(1), price: z.number().min(0) }))
    .min(1),
  amount: z.number().min(0),
  currency: z.string().default('EUR'),
  note: z.string().nullable().optional(),
});

/** The schemas of contract.json as zod says them. */
const zods = {
  charge: z.object({ orderId: z.string(), amount: z.number(), currency: z.string().optional() }),
  order,
  untidy: order,
  booking: z.object({
    reference: z.string().regex(/^[A-Z]{2}[0-9]{6}$/u),
    legs: z.array(
      z.union([
        z.object({ kind: z.literal('train'), from: z.string(), to: z.string(), seat: z.string().default('any') }).strict(),
        z.object({ kind: z.literal('hotel'), city: z.string(), nights: z.number().int().min(1).max(30) }).strict(),
      ]),
    ),
    extras: z.record(z.number()).optional(),
  }),
};

function repeat(once) {
  return (rounds) => {
    for (let i = 0; i < rounds; i++) if (!once()) throw new Error('refused');
  };
}

for (const { name, schema, of, data } of cases) {
  const source = schema ?? cases.find((other) => other.name === of).schema;
  const check = new Ajv2020({ strict: false }).compile(source);
  const bytes = Buffer.from(JSON.stringify({ ...event, data }));
  const zod = zods[name];
  console.log(`${name} bytes ${median(repeat(() => check(JSON.parse(bytes.toString()).data)))}`);
  console.log(`${name} check ${median(repeat(() => check(data)))}`);
  console.log(`${name} zod ${median(repeat(() => zod.parse(data)))}`);
}

const COMPILED = 100;
const text = JSON.stringify(cases.find(({ name }) => name === 'order').schema);
const ajv = new Ajv2020({ strict: false });
function compile(rounds) {
  for (let i = 0; i < rounds; i++) ajv.compile(JSON.parse(text));
}
compile(COMPILED / 10);
console.log(`compile ajv ${nanoseconds(compile, COMPILED).toFixed(0)}`);
