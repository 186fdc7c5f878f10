/**
 * How a text refers to a secret: `${env:NAME}` or `${file:PATH}`, anywhere in it, any number of
 * times. Config only recognises references; the worker resolves them when it uses the text.
 */

export interface SecretReference {
  readonly kind: 'env' | 'file';
  /** Name of the variable, or path of the file. */
  readonly name: string;
}

export const REFERENCE_FORMS = '${env:NAME} or ${file:PATH}';

/** The closing brace is part of the form, so that one without it is none. */
const ANY = /\$\{([^}]*\}?)/g;
const FORM = /^(?:(env):([A-Za-z_][A-Za-z0-9_]*)|(file):([^\0}]+))\}$/;

export const secretReferences = (text: string): readonly SecretReference[] =>
  inner(text).flatMap((form) => parse(form) ?? []);

/** What is wrong with the `${…}` of a text, or null. */
export const referenceProblem = (text: string): string | null => {
  const odd = inner(text).find((form) => !parse(form));
  return odd === undefined ? null : `"\${${odd}" is not ${REFERENCE_FORMS}`;
};

/** Whether any part of the text is kept elsewhere: nothing else of it is taken for a secret. */
export const hasReference = (text: string): boolean => secretReferences(text).length > 0;

const inner = (text: string): readonly string[] =>
  text.includes('${') ? [...text.matchAll(ANY)].map(([, form = '']) => form) : [];

const parse = (form: string): SecretReference | null => {
  const match = FORM.exec(form);
  if (!match) return null;
  const [, env, variable = '', , path = ''] = match;
  return env ? { kind: 'env', name: variable } : { kind: 'file', name: path };
};
