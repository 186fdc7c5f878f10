/**
 * Tells somebody that workers are missing, once an episode: event → **hook** → the command, the webhook of
 * the settings. At most once: what was begun is never begun again, neither by this admin nor by the next
 * that leads, whatever became of it. Who must not miss it follows the level instead.
 */

import { spawn } from 'node:child_process';
import { eventIdOf, type ScalingEvent } from './shared/domain/delivery.ts';
import type { ScalingSettings } from './shared/domain/pool-settings.ts';
import { missingWorkers, scalingBody } from './shared/rules/scaling-text.ts';
import { type Clock, isoTime } from './shared/runtime/clock.ts';
import type { Log } from './shared/runtime/log.ts';
import type { Meter } from './shared/runtime/meter.ts';
import type { Secrets } from './shared/secrets/resolve.ts';
import type { Outcome } from './shared/sinks/destination.ts';
import { outcomeOf, outcomeOfFailure } from './shared/sinks/http/outcome.ts';
import type { HttpTransport } from './shared/sinks/http/transport.ts';

export interface ScalingHookOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  readonly settings: Pick<ScalingSettings, 'pool' | 'command' | 'webhook'>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly secrets: Secrets;
  /** Closed with the hook. */
  readonly http: HttpTransport;
  /** Takes secrets out of what others have said. */
  readonly redact: (text: string) => string;
}

const COMMAND_MS = 30_000;
/** From the polite signal to the other one. */
const KILL_MS = 2_000;
/** The receiver knows a repeat by its key, so that one lost connection need not be the end. */
const POST_PAUSES_MS = [1_000, 5_000];
/** At the end of the process a command is waited for so long, and then left to itself. */
const END_MS = 5_000;

/** What a command of one's own may need; whatever else this process was given may be secret. */
const PASSED_ON = ['PATH', 'HOME', 'USER', 'LANG', 'TZ', 'TMPDIR'];

type Reason = string | null;

/** The transport has a deadline of its own. */
const NEVER = new AbortController().signal;

export class ScalingHook implements AsyncDisposable {
  readonly #options: ScalingHookOptions;
  readonly #ending = new AbortController();
  readonly #running = new Set<Promise<void>>();

  constructor(options: ScalingHookOptions) {
    this.#options = options;
  }

  /** Returns at once; what goes wrong is logged and counted. */
  run(event: ScalingEvent): void {
    const { command, webhook } = this.#options.settings;
    if (command !== null) this.#follow('command', event, this.#execute(command, event));
    if (webhook !== null) this.#follow('webhook', event, this.#post(webhook, event));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { clock, http } = this.#options;
    this.#ending.abort();
    const over = new AbortController();
    const waited = clock.sleep(END_MS, over.signal).catch(() => undefined);
    await Promise.race([Promise.all(this.#running), waited]);
    over.abort();
    await http[Symbol.asyncDispose]();
  }

  /** The hook resolves with what went wrong, or null. */
  #follow(hook: 'command' | 'webhook', event: ScalingEvent, ended: Promise<Reason>): void {
    const { log, meter, redact } = this.#options;
    const { episode } = event;
    const told = ended.catch(String).then((problem) => {
      const outcome = problem === null ? 'ok' : 'failed';
      meter.counter('watcher.scaling.hooks', { outcome }).add();
      if (problem === null) log.info('scaling hook ran', { hook, episode });
      else
        log.error('scaling hook failed, and does not run again in this episode', {
          hook,
          episode,
          reason: redact(problem),
        });
      this.#running.delete(told);
    });
    this.#running.add(told);
  }

  #execute(command: string, event: ScalingEvent): Promise<Reason> {
    const { clock, env, settings } = this.#options;
    return new Promise((resolve) => {
      // What it prints stands with the log. A group of its own ends with all that it has started.
      const child = spawn('/bin/sh', ['-c', command], {
        env: { ...passedOn(env), ...variablesOf(settings.pool, event) },
        stdio: ['pipe', 2, 2],
        detached: true,
      });
      const signal = (name: 'SIGTERM' | 'SIGKILL') => {
        try {
          if (child.pid !== undefined) process.kill(-child.pid, name);
        } catch {
          // It has just ended.
        }
      };
      const timer = clock.after(COMMAND_MS, () => {
        signal('SIGTERM');
        // Also when the shell has obeyed: what it has started may not.
        clock.after(KILL_MS, () => signal('SIGKILL'));
        resolve(`it took longer than ${COMMAND_MS / 1000} s`);
      });
      child.on('error', ({ message }) => resolve(message));
      child.on('exit', (code, by) => {
        timer.cancel();
        resolve(code === 0 ? null : `it ended with ${by ?? `exit code ${code}`}`);
      });
      // A command that does not read what it is told has closed its end.
      child.stdin?.on('error', () => {});
      child.stdin?.end(bodyText(settings.pool, event));
    });
  }

  async #post(webhook: string, event: ScalingEvent): Promise<Reason> {
    const { clock } = this.#options;
    for (const pauseMs of POST_PAUSES_MS) {
      const outcome = await this.#send(webhook, event);
      if (outcome.kind === 'delivered') return null;
      if (outcome.kind !== 'retry' || this.#ending.signal.aborted) return reasonIn(outcome);
      await clock.sleep(pauseMs, this.#ending.signal).catch(() => undefined);
    }
    return reasonIn(await this.#send(webhook, event));
  }

  async #send(webhook: string, event: ScalingEvent): Promise<Outcome> {
    const { clock, http, secrets, settings } = this.#options;
    try {
      const url = secrets.resolve(webhook);
      const headers = {
        'content-type': 'application/json',
        'idempotency-key': eventIdOf(event),
      };
      const body = bodyText(settings.pool, event);
      const call = { method: 'POST', url, headers, body } as const;
      return outcomeOf(await http.call(call, NEVER), clock.now());
    } catch (error) {
      return outcomeOfFailure(error);
    }
  }
}

const bodyText = (pool: string, event: ScalingEvent): string =>
  JSON.stringify(scalingBody(pool, event, isoTime));

const reasonIn = (outcome: Outcome): Reason =>
  outcome.kind === 'delivered' ? null : 'reason' in outcome ? outcome.reason : 'no clear answer';

const passedOn = (env: ScalingHookOptions['env']): Record<string, string> =>
  Object.fromEntries(
    PASSED_ON.flatMap((name) => {
      const value = env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );

const variablesOf = (pool: string, event: ScalingEvent): Record<string, string> => ({
  WATCHER_SCALING_POOL: pool,
  WATCHER_SCALING_EPISODE: event.episode,
  WATCHER_SCALING_RAISED_AT: isoTime(event.raisedAt),
  WATCHER_SCALING_WORKERS: String(event.workers),
  WATCHER_SCALING_DESIRED_WORKERS: String(event.desiredWorkers),
  WATCHER_SCALING_MISSING_WORKERS: String(missingWorkers(event)),
  WATCHER_SCALING_WAITING_JOBS: String(event.waitingJobs),
});
