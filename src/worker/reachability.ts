/**
 * Finds out which endpoints of what was claimed cannot be reached from here, and offers their jobs to
 * other workers: claimer, runner → preflight → decision (rules/offering.ts) → **move** → ledger.
 *
 * NOTICED → DIALLED → KEPT | SUSPECTED (again in a minute) | SET ASIDE → MOVED | PUT BACK
 *
 * Checks run and are reported as usual all the while; those that are offered stop only for the moment
 * between their last run here and their first one elsewhere. A worker that is alone dials nothing.
 */

import { isAway } from '../shared/coordination/backoff.ts';
import { pause } from '../shared/coordination/heartbeat.ts';
import type { Ledger } from '../shared/coordination/ledger.ts';
import { type Content, readContent } from '../shared/coordination/splitting.ts';
import type { CheckId, JobsetId } from '../shared/domain/check.ts';
import type { WorkerRecord } from '../shared/domain/jobset.ts';
import { type Finding, offerees, offerOf, suspectsSelf } from '../shared/rules/offering.ts';
import type { Clock } from '../shared/runtime/clock.ts';
import type { Log } from '../shared/runtime/log.ts';
import { Dialling, endpointsOf } from './dialling.ts';
import { FailureNews, NO_NEWS_MS } from './failure-news.ts';
import type { Moving } from './moving.ts';
import type { Plan, Probes } from './plan.ts';

export interface ReachabilityOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly ledger: Pick<Ledger, 'store' | 'keys' | 'random'>;
  readonly worker: WorkerRecord;
  readonly members: { readonly live: readonly WorkerRecord[] };
  readonly probes: Probes;
  readonly moving: Moving;
  /** Whether the runs say already that the network here is at fault. */
  readonly doubts: () => boolean;
  /** Said once an episode. */
  readonly onSuspicion: (change: 'entered' | 'left') => void;
  /** So many jobs were offered to other workers. */
  readonly onOffered: (jobs: number) => void;
}

/** Claims that follow each other are looked at together: one alone says little about this worker. */
const GATHER_MS = 1_000;
/** Jobsets looked at together at most. */
const MOST_TOGETHER = 50;
/** After a suspicion of oneself, or a move that something came in between. */
const AGAIN_MS = 60_000;

interface Examined {
  readonly content: Content;
  readonly findings: readonly (Finding & { readonly origin: string })[];
}

export class Reachability implements Disposable {
  readonly #options: ReachabilityOptions;
  readonly #dialling: Dialling;
  readonly #news: FailureNews;
  readonly #stopping = new AbortController();
  readonly #noticed = new Set<JobsetId>();
  /** Those that could not be judged because this worker suspects itself. */
  readonly #undecided = new Set<JobsetId>();
  /** Those that are looked at again in a while. */
  readonly #later = new Set<JobsetId>();
  #isLooking = false;
  #suspects = false;

  constructor(options: ReachabilityOptions) {
    this.#options = options;
    this.#dialling = new Dialling(options.clock);
    this.#news = new FailureNews(options.clock, options.members);
  }

  /** Call it after each claim. */
  onHeld(id: JobsetId): void {
    if (!this.#isAlone) this.#notice(id);
  }

  /**
   * Call it for each result that may be the road's fault (`suggestsUnreachable`); `hasTurned`: the one
   * before was another.
   */
  onUnreachable(id: JobsetId, key: string, { probe, prepared }: Plan, hasTurned: boolean): void {
    if (this.#isAlone || this.#options.moving.movable(id) === null) return;
    const origin = probe.endpointOf(key, prepared)?.origin;
    if (origin === undefined || this.#dialling.wasDialled(origin, NO_NEWS_MS)) return;
    if (this.#news.isNews(origin, hasTurned)) this.#notice(id);
  }

  /** Nothing is offered from now on. */
  [Symbol.dispose](): void {
    this.#stopping.abort();
    this.#dialling[Symbol.dispose]();
  }

  get #isAlone(): boolean {
    const { members, worker } = this.#options;
    return members.live.every(({ id }) => id === worker.id);
  }

  #notice(id: JobsetId): void {
    this.#noticed.add(id);
    if (this.#isLooking) return;
    this.#isLooking = true;
    this.#look().catch((err) => {
      this.#isLooking = false;
      this.#options.log.error('unreachable endpoints are not looked for', { err });
    });
  }

  #noticeAgain(id: JobsetId): void {
    if (this.#later.has(id)) return;
    this.#later.add(id);
    const { signal } = this.#stopping;
    void pause(this.#options.clock, AGAIN_MS, signal).then(() => {
      this.#later.delete(id);
      if (!signal.aborted) this.#notice(id);
    });
  }

  /** One round after the other, as long as there is something to look at. */
  async #look(): Promise<void> {
    const { signal } = this.#stopping;
    while (this.#noticed.size > 0) {
      await pause(this.#options.clock, GATHER_MS, signal);
      if (signal.aborted) return;
      const ids = [...this.#noticed].slice(0, MOST_TOGETHER);
      for (const id of ids) this.#noticed.delete(id);
      await this.#lookAt(ids);
    }
    this.#isLooking = false;
  }

  async #lookAt(ids: readonly JobsetId[]): Promise<void> {
    const contents: Content[] = [];
    for (const id of ids) {
      this.#undecided.delete(id);
      const content = await this.#contentOf(id);
      if (content !== null) contents.push(content);
    }
    const examined = await this.#examine(contents);
    if (this.#stopping.signal.aborted) return;
    for (const { reach, origin } of examined.flatMap(({ findings }) => findings)) {
      if (reach === 'unsure') this.#news.forget(origin);
    }
    const hit = examined.filter(({ findings }) =>
      findings.some(({ reach }) => reach === 'unreached'),
    );
    const suspects = hit.length > 0 && (await this.#suspectsSelf(examined));
    for (const { content, findings } of hit) {
      if (suspects) this.#postpone(content.claim.jobset);
      else this.#decide(content, findings);
    }
    this.#tell();
  }

  #postpone(id: JobsetId): void {
    this.#undecided.add(id);
    this.#noticeAgain(id);
  }

  /** Null for what is not to be offered to anybody. */
  async #contentOf(id: JobsetId): Promise<Content | null> {
    const { moving, ledger, members, worker, log } = this.#options;
    const claim = moving.movable(id);
    if (claim === null) return null;
    try {
      const content = await readContent(ledger, claim);
      if (content === null) this.#noticeAgain(id);
      else if (offerees(worker.id, content.jobset, members.live).length > 0) return content;
    } catch (err) {
      if (isAway(err)) this.#noticeAgain(id);
      // The claimer finds the same and does something about it.
      else log.debug('a jobset cannot be read', { jobset: id, err });
    }
    return null;
  }

  async #examine(contents: readonly Content[]): Promise<Examined[]> {
    const { probes } = this.#options;
    const shared = contents.map(({ definitions }) => endpointsOf(definitions, probes));
    const reaches = await this.#dialling.dial(shared.flat().map(({ endpoint }) => endpoint));
    return contents.map((content, i) => ({
      content,
      findings: (shared[i] ?? []).map(({ endpoint: { origin }, jobs }) => ({
        origin,
        reach: reaches.get(origin) ?? 'unsure',
        jobs,
      })),
    }));
  }

  /** Others that were reached before are dialled once more: if they are gone, too, it is the road. */
  async #suspectsSelf(examined: readonly Examined[]): Promise<boolean> {
    if (this.#options.doubts()) return true;
    const dialled = examined.flatMap(({ findings }) => findings.map(({ origin }) => origin));
    const controls = await this.#dialling.dialControls(new Set(dialled));
    // What others could not reach either says little about this worker.
    const jobsets = examined
      .filter(({ content }) => content.jobset.avoid.length === 0)
      .map(({ findings }) => findings);
    return suspectsSelf([...jobsets, ...controls.map((reach) => [{ reach }])]);
  }

  /** Once an episode, which lasts as long as anything is undecided. */
  #tell(): void {
    const suspects = this.#undecided.size > 0;
    if (this.#suspects === suspects) return;
    this.#suspects = suspects;
    const { log, onSuspicion } = this.#options;
    onSuspicion(suspects ? 'entered' : 'left');
    if (suspects)
      log.error('most endpoints cannot be reached from here: none is offered to others');
    else log.info('endpoints can be reached from here again');
  }

  #decide(content: Content, findings: readonly Finding[]): void {
    const { worker, members, log } = this.#options;
    const { jobset } = content;
    const offer = offerOf(worker.id, jobset, { workers: members.live, findings });
    if (offer.kind === 'keep') return;
    const jobs = offer.kind === 'split' ? offer.jobs : new Set(jobset.jobs);
    this.#offer(content, jobs).catch((err) => {
      log.error('jobs are not offered to other workers', { jobset: jobset.id, err });
    });
  }

  async #offer({ claim }: Content, jobs: ReadonlySet<CheckId>): Promise<void> {
    const { moving, worker, log, onOffered } = this.#options;
    const { jobset } = claim;
    if (!(await moving.move(claim, jobs, { avoid: worker.id }))) return this.#noticeAgain(jobset);
    log.info('offered to others: not reached from here', { jobset, checks: jobs.size });
    onOffered(jobs.size);
  }
}
