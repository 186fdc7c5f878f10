/**
 * Keeps secrets out of whatever leaves the process as text. Resolved secrets are registered once;
 * the log passes each line through here, the one place where all its lines meet.
 */

const MASK = '[redacted]';
/** A shorter value would blank out ordinary words, and is no secret worth the name. */
const SHORTEST = 4;

export class Redactor {
  /** Longest first, so that a secret that contains another goes as a whole. */
  #forms: readonly string[] = [];
  /** A value is registered each time that it is resolved, which is once a run. */
  readonly #known = new Set<string>();

  /** `value` and its URL-encoded, base64 and JSON-escaped forms never leave from now on. */
  register(value: string): void {
    if (value.length < SHORTEST || this.#known.has(value)) return;
    this.#known.add(value);
    const forms = new Set([...this.#forms, ...formsOf(value)]);
    this.#forms = [...forms].sort((a, b) => b.length - a.length);
  }

  apply(text: string): string {
    let clean = text;
    for (const form of this.#forms) clean = clean.replaceAll(form, MASK);
    return clean;
  }
}

const formsOf = (value: string): readonly string[] => {
  const bytes = Buffer.from(value);
  const base64 = [0, 1, 2].map((shift) => base64Within(bytes, shift));
  const forms = [
    value,
    encodeURIComponent(value),
    new URLSearchParams({ value }).toString().slice('value='.length),
    JSON.stringify(value).slice(1, -1),
    ...base64,
    ...base64.map((form) => form.replaceAll('+', '-').replaceAll('/', '_')),
  ];
  return forms.filter((form) => form.length >= SHORTEST);
};

/**
 * The base64 digits that depend on the value alone when it stands `shift` bytes into what is
 * encoded, as a password does in `user:password`.
 */
const base64Within = (bytes: Buffer, shift: number): string => {
  const digits = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64');
  const from = Math.ceil((shift * 8) / 6);
  return digits.slice(from, Math.floor(((shift + bytes.length) * 8) / 6));
};
