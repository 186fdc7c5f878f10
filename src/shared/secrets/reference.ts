/**
 * How a text refers to a secret: `${env:NAME}` or `${file:PATH}`, anywhere in it, any number of
 * times; and `${sealed:KEY:BOX}`, which only sealing.ts writes. Config only recognises references;
 * the worker resolves them when it uses the text.
 */

export interface SecretReference {
  readonly kind: 'env' | 'file' | 'sealed';
  /** Name of the variable, path of the file, or `KEY:BOX`. */
  readonly name: string;
}

export const REFERENCE_FORMS = '${env:NAME} or ${file:PATH}';

/** The closing brace is part of the form, so that one without it is none. */
const ANY = /\$\{([^}]*\}?)/g;
const FORM =
  /^(?:(env):([A-Za-z_][A-Za-z0-9_]*)|(file):([^\0}]+)|(sealed):([0-9a-f]+:[A-Za-z0-9_-]+))\}$/;

export const formOf = ({ kind, name }: SecretReference): string => `\${${kind}:${name}}`;

export const secretReferences = (text: string): readonly SecretReference[] =>
  inner(text).flatMap((form) => parse(form) ?? []);

/** What is wrong with the `${…}` of a text, or null. */
export const referenceProblem = (text: string): string | null => {
  const odd = inner(text).find((form) => !parse(form));
  return odd === undefined ? null : `"\${${odd}" is not ${REFERENCE_FORMS}`;
};

/** Whether any part of the text is kept elsewhere: nothing else of it is taken for a secret. */
export const hasReference = (text: string): boolean => secretReferences(text).length > 0;

/** Whether any part of the text is what only sealing.ts writes. */
export const hasSealed = (text: string): boolean =>
  secretReferences(text).some(({ kind }) => kind === 'sealed');

const inner = (text: string): readonly string[] =>
  text.includes('${') ? [...text.matchAll(ANY)].map(([, form = '']) => form) : [];

const parse = (form: string): SecretReference | null => {
  const parts = FORM.exec(form)
    ?.slice(1)
    .filter((part) => part !== undefined);
  if (!parts) return null;
  const [kind, name] = parts as [SecretReference['kind'], string];
  return { kind, name };
};
