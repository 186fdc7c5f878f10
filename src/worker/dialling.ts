/** Dials endpoints, a few at a time, and remembers for a while which were reached. */

import type { CheckDefinition, CheckId, CheckSpec } from '../shared/domain/check.ts';
import type { Reach } from '../shared/rules/offering.ts';
import type { Clock } from '../shared/runtime/clock.ts';
import type { Probes } from './plan.ts';
import type { Abort, Endpoint } from './probes/probe.ts';

/** Connections attempted at a time. */
const AT_ONCE = 20;
/** What was seen within this is not asked again. */
const FRESH_MS = 60_000;
/** Endpoints that were reached before, dialled to find out if the road from here still works. */
const CONTROLS = 20;
/** One that was reached last before this may be gone for good. */
const CONTROL_MS = 3_600_000;
/** Endpoints remembered; the longest known are forgotten first. */
const MOST_KNOWN = 10_000;
const LONG_AGO = Number.NEGATIVE_INFINITY;

/** Times are monotonic ms. */
interface Known {
  readonly endpoint: Endpoint;
  readonly reach: Reach;
  readonly at: number;
  /** When it was reached last. */
  readonly reachedAt: number;
}

/** An endpoint of a jobset, and the checks that connect to it. */
export interface SharedEndpoint {
  readonly endpoint: Endpoint;
  readonly jobs: CheckId[];
}

/** Without the checks that cannot be carried out. */
export const endpointsOf = (
  definitions: readonly CheckDefinition[],
  probes: Probes,
): readonly SharedEndpoint[] => {
  const prepared = new Map<CheckSpec, unknown>();
  const byOrigin = new Map<string, SharedEndpoint>();
  for (const { id, key, spec } of definitions) {
    const probe = probes[spec.kind];
    if (!prepared.has(spec)) prepared.set(spec, probe.prepare(spec.request));
    const endpoint = probe.endpointOf(key, prepared.get(spec));
    if (endpoint === null) continue;
    const known = byOrigin.get(endpoint.origin);
    if (known) known.jobs.push(id);
    else byOrigin.set(endpoint.origin, { endpoint, jobs: [id] });
  }
  return [...byOrigin.values()];
};

export class Dialling implements Disposable {
  readonly #clock: Clock;
  readonly #known = new Map<string, Known>();
  readonly #stops = new Set<Abort>();
  #isOver = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  wasDialled(origin: string, withinMs: number): boolean {
    const known = this.#known.get(origin);
    return known !== undefined && this.#clock.monotonicMs() - known.at < withinMs;
  }

  /** By origin; those that were dialled just now are not dialled again. */
  dial(endpoints: readonly Endpoint[]): Promise<ReadonlyMap<string, Reach>> {
    return this.#dialAll(endpoints, (endpoint) => this.#freshOf(endpoint));
  }

  /** What others that were reached lately say when they are dialled once more. */
  async dialControls(except: ReadonlySet<string>): Promise<readonly Reach[]> {
    const horizon = this.#clock.monotonicMs() - CONTROL_MS;
    const controls = [...this.#known.values()]
      .filter(({ endpoint, reachedAt }) => reachedAt > horizon && !except.has(endpoint.origin))
      .sort((a, b) => b.reachedAt - a.reachedAt)
      .slice(0, CONTROLS)
      .map(({ endpoint }) => endpoint);
    return [...(await this.#dialAll(controls, () => null)).values()];
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    for (const stop of this.#stops) stop();
    this.#stops.clear();
  }

  async #dialAll(
    endpoints: readonly Endpoint[],
    known: (endpoint: Endpoint) => Reach | null,
  ): Promise<ReadonlyMap<string, Reach>> {
    const waiting = new Map(endpoints.map((endpoint) => [endpoint.origin, endpoint]));
    const reaches = new Map<string, Reach>();
    const lane = async (): Promise<void> => {
      for (const [origin, endpoint] of waiting) {
        waiting.delete(origin);
        reaches.set(origin, known(endpoint) ?? (await this.#reachOf(endpoint)));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
    return reaches;
  }

  #freshOf({ origin }: Endpoint): Reach | null {
    return this.wasDialled(origin, FRESH_MS) ? (this.#known.get(origin)?.reach ?? null) : null;
  }

  async #reachOf(endpoint: Endpoint): Promise<Reach> {
    const reach = this.#isOver ? 'unsure' : await this.#dialOne(endpoint);
    // No evidence, so nothing to remember.
    if (reach !== 'unsure') this.#remember(endpoint, reach);
    return reach;
  }

  #dialOne(endpoint: Endpoint): Promise<Reach> {
    return new Promise((resolve) => {
      const abort = endpoint.reach((reach) => {
        this.#stops.delete(stop);
        resolve(reach);
      });
      const stop = (): void => {
        abort();
        resolve('unsure');
      };
      this.#stops.add(stop);
    });
  }

  #remember(endpoint: Endpoint, reach: Reach): void {
    const { origin } = endpoint;
    const at = this.#clock.monotonicMs();
    const before = this.#known.get(origin)?.reachedAt ?? LONG_AGO;
    this.#known.delete(origin);
    if (this.#known.size >= MOST_KNOWN) {
      const [oldest] = this.#known.keys();
      if (oldest !== undefined) this.#known.delete(oldest);
    }
    this.#known.set(origin, { endpoint, reach, at, reachedAt: reach === 'reached' ? at : before });
  }
}
