/**
 * What a spec becomes once a worker holds it: compiled once, shared by all checks with that spec.
 * definition → **plan** → scheduler, runner.
 */

import type { CheckSpec } from '../shared/domain/check.ts';
import type { Answer, Verdict } from '../shared/domain/result.ts';
import { compileJudge } from '../shared/rules/assertions.ts';
import type { Probe } from './probes/probe.ts';

export interface Plan {
  readonly spec: CheckSpec;
  readonly probe: Probe;
  /** The probe's own compiled form of the request. */
  readonly prepared: unknown;
  readonly judge: (answer: Answer) => Verdict;
}

export type Probes = { readonly [K in CheckSpec['kind']]: Probe };

/** Shares plans among equal specs for as long as a check uses them. */
export class Plans {
  readonly #probes: Probes;
  readonly #byText = new Map<string, { readonly plan: Plan; users: number }>();
  /** A decoded chunk shares its specs, so most look-ups never serialise one. */
  readonly #textOf = new WeakMap<CheckSpec, string>();

  constructor(probes: Probes) {
    this.#probes = probes;
  }

  get size(): number {
    return this.#byText.size;
  }

  acquire(spec: CheckSpec): Plan {
    const text = this.#text(spec);
    let entry = this.#byText.get(text);
    if (!entry) {
      entry = { plan: this.#compile(spec), users: 0 };
      this.#byText.set(text, entry);
      this.#textOf.set(entry.plan.spec, text);
    }
    entry.users++;
    return entry.plan;
  }

  release(plan: Plan): void {
    const text = this.#text(plan.spec);
    const entry = this.#byText.get(text);
    if (entry && --entry.users === 0) this.#byText.delete(text);
  }

  #text(spec: CheckSpec): string {
    const known = this.#textOf.get(spec);
    if (known !== undefined) return known;
    const text = JSON.stringify(spec);
    this.#textOf.set(spec, text);
    return text;
  }

  #compile(spec: CheckSpec): Plan {
    const probe = this.#probes[spec.kind];
    return { spec, probe, prepared: probe.prepare(spec.request), judge: compileJudge(spec) };
  }
}
