/** Every form in which a secret may leave a process: the canary's eyes. */

import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';

/** Raw, URL-encoded, base64 at each of three alignments, hex, JSON-escaped. */
export const formsOf = (secret: string): readonly string[] => {
  const bytes = Buffer.from(secret);
  const base64 = [0, 1, 2].map((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64');
    return text.slice(shift === 0 ? 0 : shift + 1, -4);
  });
  const forms = [
    secret,
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
    bytes.toString('hex'),
    bytes.toString('hex').toUpperCase(),
    ...base64,
    ...base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
  ];
  return [...new Set(forms)].filter((form) => form.length >= 6);
};

/** `place: form` for each form of each secret that a text holds. */
export const hitsIn = (
  secrets: readonly string[],
  texts: Readonly<Record<string, string>>,
): readonly string[] =>
  secrets.flatMap((secret) =>
    formsOf(secret).flatMap((form) =>
      Object.entries(texts)
        .filter(([, text]) => text.includes(form))
        .map(([place]) => `${place}: ${form}`),
    ),
  );

/** All files below a folder, as they stand, byte by byte. */
export const textsBelow = (folder: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .map((name) => path.join(folder, name))
      .filter((file) => statSync(file).isFile())
      .map((file) => [file, readFileSync(file, 'latin1')]),
  );
