// What the validators from npm say: Ajv, and where it differs from us Hyperjump's, which decides.

import Ajv from 'ajv';
import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

export class Broken extends Error {}

const validators = new Map();

function validator(draft, formats) {
  const key = `${draft} ${formats}`;
  if (!validators.has(key)) {
    const Validator = draft === 7 ? Ajv : Ajv2020;
    const made = new Validator({ strict: false, validateFormats: formats, logger: false, unicodeRegExp: true });
    if (formats) (addFormats.default ?? addFormats)(made);
    validators.set(key, made);
  }
  return validators.get(key);
}

// true or false for each value, a text where Ajv cannot go on; throws Broken when it takes the schema
// for none.
export function ajv({ draft, formats, schema, values }) {
  const checker = validator(draft, formats);
  try {
    const check = checker.compile(schema);
    return values.map((value) => {
      try {
        return check(value);
      } catch (error) {
        return `failed: ${error.message}`;
      }
    });
  } catch (error) {
    throw new Broken(error.message);
  } finally {
    checker.removeSchema(schema);
  }
}

const DIALECTS = { 7: 'http://json-schema.org/draft-07/schema#', 2020: 'https://json-schema.org/draft/2020-12/schema' };
const modules = {};
let runs = 0;

// The same; what it cannot answer is a text.
export async function hyperjump({ draft, formats, schema, values }) {
  modules.formats ??= await import('@hyperjump/json-schema/formats');
  modules[draft] ??= await import(`@hyperjump/json-schema/draft-${draft === 7 ? '07' : '2020-12'}`);
  const { registerSchema, unregisterSchema, validate, setShouldValidateFormat } = modules[draft];
  setShouldValidateFormat(formats);
  const uri = schema.$id ?? `http://generated.example/${++runs}`;
  try {
    registerSchema(structuredClone(schema), uri, DIALECTS[draft]);
    const check = await validate(uri);
    return values.map((value) => check(value).valid);
  } catch (error) {
    return values.map(() => `failed: ${error.message || error.constructor.name}`);
  } finally {
    unregisterSchema(uri);
  }
}
