/** The kinds of values that keys of a check file take, each with the sentence that a wrong one gets. */

import { z } from 'zod';
import { REFERENCE_FORMS } from '../secrets/reference.ts';

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/;

/** In milliseconds; null for what is not a duration. */
export const durationMs = (text: string): number | null => {
  const [, amount, unit = ''] = DURATION.exec(text) ?? [];
  return amount === undefined ? null : Math.round(Number(amount) * (UNITS[unit] ?? Number.NaN));
};

interface Field {
  readonly about: string;
  /** What counts where the key is absent: shown in the schema, applied by definition.ts. */
  readonly default?: string | number | boolean | null;
}

const meta = ({ about, default: value }: Field) =>
  value === undefined ? { description: about } : { description: about, default: value };

/** Text, and numbers and booleans by their text: `X-Version: 2` needs no quotes. */
export const text = (field: Field) =>
  z
    .union([z.string(), z.number(), z.boolean()], { error: 'must be text' })
    .transform(String)
    .meta(meta(field));

/** A text that is used, never shown. */
export const secret = (field: Field) =>
  z
    .union([z.string(), z.number(), z.boolean()], {
      error: `must be text, best ${REFERENCE_FORMS}`,
    })
    .transform(String)
    .meta(meta(field));

/** Where workers stand: a name of the pool's own choice. */
const ZONE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

export const zone = (field: Field) => {
  const error = 'must be a name of letters, digits, ".", "_" and "-", 63 at most';
  return z.string({ error }).regex(ZONE, { error }).meta(meta(field));
};

export const duration = (field: Field & { readonly min: number; readonly max: number }) => {
  const error = 'must be a duration such as 500ms, 10s or 1m';
  const range = `must be from ${field.min} ms to ${field.max / 1000} s`;
  return z
    .string({ error })
    .regex(DURATION, { error })
    .transform((written) => durationMs(written) ?? Number.NaN)
    .refine((ms) => !(ms < field.min || ms > field.max), { error: range })
    .meta(meta(field));
};

export const integer = (field: Field & { readonly min: number; readonly max: number }) => {
  const error = `must be a whole number from ${field.min} to ${field.max}`;
  return z.int({ error }).min(field.min, { error }).max(field.max, { error }).meta(meta(field));
};

const DECIMAL = /^-?\d+(?:\.\d+)?$/;

/** `2.0` and `0.50` reach us as texts, since they would not read back as they were written. */
export const decimal = (field: Field) => {
  const error = 'must be a number such as 200 or 0.5';
  return z
    .union([z.number(), z.string().regex(DECIMAL, { error })], { error })
    .transform(Number)
    .meta(meta(field));
};

export const flag = (field: Field) =>
  z.boolean({ error: 'must be true or false' }).meta(meta(field));

export const choice = <const T extends readonly (string | number)[]>(values: T, field: Field) =>
  z.literal(values, { error: `must be one of ${values.join(', ')}` }).meta(meta(field));

/** Anything that JSON can say. */
export const anything = (field: Field) => z.json().meta(meta(field));

export const jsonMap = (field: Field) =>
  z.record(z.string(), z.json(), { error: 'must be a map' }).meta(meta(field));

/** A single one is a list of one. */
export const oneOrMany = <T extends z.ZodType>(item: T, about: string) =>
  z
    .union([z.array(item), item])
    .transform((given): z.output<T>[] => (Array.isArray(given) ? given : [given]))
    .meta({ description: about });
