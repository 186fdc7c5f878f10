/**
 * Folder → **catalogue**, again and again. A file is parsed when its content has changed; one that
 * has gone bad is told of while its last good version stands in, so that a slip costs no check.
 */

import { hash } from 'node:crypto';
import { join } from 'node:path';
import type { Catalogue } from '../domain/catalogue.ts';
import { type Clock, systemClock } from '../runtime/clock.ts';
import { assemble } from './assembly.ts';
import { type CheckFile, DEFAULTS_FILE, type InlineSecrets, unreadable } from './check-file.ts';
import type { CheckInput } from './check-schema.ts';
import { hasErrors, type Problem, WHOLE_FILE } from './diagnostics.ts';
import { type Parse, ParsePool, parseHere } from './parse-pool.ts';
import { listSpecs, nearMiss, readSpecs, type SpecFile } from './spec-folder.ts';

export interface FolderOptions {
  readonly clock?: Clock;
  /** These files and no others, whatever they are called; defaults.yml counts all the same. */
  readonly only?: readonly string[];
  /** Up to this much is parsed without threads, at the price of an event loop that stands still. */
  readonly inlineBytes?: number;
  /** `refuse` keeps a file with a secret in it out, as any other error does. */
  readonly inlineSecrets?: InlineSecrets;
}

/** What is known of one file. */
interface Known {
  readonly name: string;
  /** Of the content, and of the defaults that it was read with. */
  readonly version: string;
  readonly latest: CheckFile;
  /** What stands in while the latest version has errors. */
  readonly good: CheckFile | null;
}

/** Some 10 ms of parsing: no check is late for it. */
const INLINE_BYTES = 16 * 1024;

export class FolderLoader {
  readonly #dir: string;
  readonly #clock: Clock;
  readonly #only: readonly string[] | null;
  readonly #inlineBytes: number;
  readonly #inlineSecrets: InlineSecrets;
  #known: ReadonlyMap<string, Known> = new Map();
  #last: { readonly signature: string; readonly catalogue: Catalogue } | null = null;
  #loading: Promise<unknown> = Promise.resolve();

  constructor(dir: string, options: FolderOptions = {}) {
    const { clock = systemClock, only, inlineBytes = INLINE_BYTES } = options;
    this.#dir = dir;
    this.#clock = clock;
    this.#only = only ?? null;
    this.#inlineBytes = inlineBytes;
    this.#inlineSecrets = options.inlineSecrets ?? 'allow';
  }

  /** Never rejects for what is in the folder, nor for a folder that is gone. One load at a time. */
  load(): Promise<Catalogue> {
    const loaded = this.#loading.then(() => this.#load());
    this.#loading = loaded.catch(() => {});
    return loaded;
  }

  async #load(): Promise<Catalogue> {
    try {
      const { names, nearMisses } = await this.#list();
      const files = await readSpecs(this.#dir, names, { confined: this.#only === null });
      this.#known = await this.#read(files);
      return await this.#catalogue(nearMisses.map(nearMiss));
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === undefined) throw error;
      return this.#catalogue([{ code: 'E301', place: WHOLE_FILE, message }]);
    }
  }

  async #list() {
    if (this.#only === null) return listSpecs(this.#dir);
    const { names } = await listSpecs(this.#dir);
    const defaults = names.filter((name) => name === DEFAULTS_FILE);
    return { names: [...new Set([...defaults, ...this.#only])], nearMisses: [] };
  }

  async #read(files: readonly SpecFile[]): Promise<Map<string, Known>> {
    using pool = new ParsePool(this.#clock);
    const isSmall = bytesToParse(files, this.#known) <= this.#inlineBytes;
    const parse = isSmall ? parseHere : pool.parse;
    const first = files.filter(({ name }) => name === DEFAULTS_FILE);
    const [own] = await Promise.all(first.map((file) => this.#readOne(file, {}, parse)));
    const defaults = (own?.good ?? own?.latest)?.defaults ?? {};
    const known = await Promise.all(
      files.map((file) => (own?.name === file.name ? own : this.#readOne(file, defaults, parse))),
    );
    return new Map(known.map((file) => [file.name, file]));
  }

  async #readOne(
    { name, path, content, problem }: SpecFile,
    defaults: CheckInput,
    parse: Parse,
  ): Promise<Known> {
    const before = this.#known.get(name);
    const version = content ? `${content.hash} ${JSON.stringify(defaults)}` : `${problem?.message}`;
    if (before?.version === version) return before;
    const inlineSecrets = this.#inlineSecrets;
    const latest = content
      ? await parse({ file: path, name, bytes: content.bytes, defaults, inlineSecrets })
      : unreadable(path, problem ? [problem] : []);
    const good = hasErrors(latest.diagnostics) ? (before?.good ?? null) : latest;
    return { name, version, latest, good };
  }

  /** The one from before when nothing has changed. */
  async #catalogue(ofFolder: readonly Problem[]): Promise<Catalogue> {
    const files = [...this.#known.values()];
    const versions = files.map(({ name, version }) => [name, version]);
    const signature = hash('sha256', JSON.stringify([versions, ofFolder]));
    if (this.#last?.signature === signature) return this.#last.catalogue;
    const parts = files.map(({ name, latest, good }) => ({
      file: join(this.#dir, name),
      counts: good ?? latest,
      diagnostics: latest.diagnostics,
    }));
    const whole = { dir: this.#dir, files: parts, problems: ofFolder };
    const catalogue = await assemble(whole, this.#clock);
    this.#last = { signature, catalogue };
    return catalogue;
  }
}

const bytesToParse = (files: readonly SpecFile[], known: ReadonlyMap<string, Known>): number =>
  files.reduce((total, { name, content }) => {
    const isNew = content && !known.get(name)?.version.startsWith(content.hash);
    return total + (isNew ? content.bytes.length : 0);
  }, 0);
