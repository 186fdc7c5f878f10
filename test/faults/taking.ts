/** What the doubles have taken, told apart by check and tick. */

import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import type { WebhookSink } from '../../src/shared/domain/sink-settings.ts';
import type { Datum, Entry } from '../support/aws-constraints.ts';
import type { AwsDouble } from '../support/aws-double.ts';
import type { HttpSink, SinkRequest } from '../support/http-sink.ts';
import { Arrivals } from './arrivals.ts';
import type { SinkName } from './sink-names.ts';
import { isChange, numberOfDuration, type Sequence } from './synthetic.ts';

export interface TakingOptions {
  readonly sequence: Sequence;
  /** Whether results come by a check file, too. */
  readonly posts?: boolean;
  /** What the webhook gets: one call each, so that many take their time. Default: every result. */
  readonly hook?: WebhookSink['on'];
}

export interface Servers {
  readonly datadog: HttpSink;
  readonly aws: AwsDouble;
  readonly webhook: HttpSink;
  readonly file: string;
}

/** Whoever takes from a double's lists empties them. */
const taken = <T>(list: readonly T[]): readonly T[] => (list as T[]).splice(0);

export class Taking {
  readonly arrivals: Readonly<Record<SinkName, Arrivals>>;
  /** Lines of the file that a process was killed in. */
  torn = 0;
  readonly #sequence: Sequence;
  readonly #servers: Servers;
  readonly #tail: Tail;
  readonly #refused = new WeakSet<SinkRequest>();

  constructor({ sequence, posts = false, hook = 'every' }: TakingOptions, servers: Servers) {
    this.#sequence = sequence;
    this.#servers = servers;
    this.#tail = new Tail(servers.file);
    const every = () => new Arrivals(sequence);
    const changes = () => new Arrivals(sequence, (n) => isChange(n, sequence));
    this.arrivals = {
      'datadog series': every(),
      'datadog events': changes(),
      'datadog service checks': every(),
      cloudwatch: every(),
      eventbridge: changes(),
      jsonl: every(),
      webhook: hook === 'every' ? every() : changes(),
      post: new Arrivals(sequence, () => posts),
    };
  }

  refuse(request: SinkRequest): void {
    this.#refused.add(request);
  }

  look(): void {
    const { datadog, aws, webhook } = this.#servers;
    taken(datadog.requests);
    taken(aws.requests);
    taken(webhook.requests);
    for (const request of this.#accepted(datadog)) this.#datadog(request);
    for (const request of this.#accepted(webhook)) this.#webhook(request);
    for (const { MetricData } of taken(aws.metrics))
      for (const datum of MetricData) this.#datum(datum);
    for (const entry of taken(aws.entries)) this.#event(entry);
    for (const line of this.#tail.lines()) this.#line(line);
  }

  #accepted(server: HttpSink): readonly SinkRequest[] {
    return taken(server.accepted()).filter((request) => !this.#refused.has(request));
  }

  #datadog({ path: where, text }: SinkRequest): void {
    const body = JSON.parse(text);
    if (where === '/api/v2/series') for (const series of body.series) this.#series(series);
    else if (where === '/api/v1/check_run') for (const one of body) this.#serviceCheck(one);
    else {
      const { tags, date_happened: second } = body;
      this.arrivals['datadog events'].takeTick(checkIn(tags), second * 1000, text);
    }
  }

  #series({ metric, tags, points }: DatadogSeries): void {
    if (metric !== 'watcher.check.duration_ms') return;
    for (const { timestamp, value } of points) {
      const content = `${tags} ${timestamp} ${value}`;
      this.arrivals['datadog series'].takeTick(checkIn(tags), timestamp * 1000, content);
    }
  }

  #serviceCheck(one: { readonly tags: readonly string[]; readonly timestamp: number }): void {
    const { tags, timestamp } = one;
    const { 'datadog service checks': arrivals } = this.arrivals;
    arrivals.takeTick(checkIn(tags), timestamp * 1000, JSON.stringify(one));
  }

  /** A value is the number of the run; how often it came is its count. */
  #datum(datum: Datum): void {
    const { MetricName, Dimensions = [], Values = [], Counts, Timestamp } = datum;
    if (MetricName !== 'watcher.check.duration_ms') return;
    const check = Dimensions.find(({ Name }) => Name === 'check')?.Value ?? '';
    for (const [index, value] of Values.entries())
      for (let times = Counts?.[index] ?? 1; times > 0; times--)
        this.arrivals.cloudwatch.take(
          numberOfDuration(check, value, this.#sequence),
          `${check} ${Timestamp} ${value}`,
        );
  }

  #event({ Detail = '{}', Time }: Entry): void {
    const { check, tick } = JSON.parse(Detail);
    this.arrivals.eventbridge.takeTick(check, Date.parse(tick), `${Detail} ${Time}`);
  }

  #webhook({ path: where, headers, text }: SinkRequest): void {
    const identity = String(headers['idempotency-key']);
    const [check = '', tick] = identity.split('@');
    const arrivals = where === '/post' ? this.arrivals.post : this.arrivals.webhook;
    arrivals.takeTick(check, Number(tick), `${identity} ${text}`);
  }

  #line(line: string): void {
    const { check, tick } = parsed(line) ?? {};
    if (check === undefined) this.torn += 1;
    else this.arrivals.jsonl.takeTick(check, Date.parse(tick), line);
  }
}

interface DatadogSeries {
  readonly metric: string;
  readonly tags: readonly string[];
  readonly points: readonly { readonly timestamp: number; readonly value: number }[];
}

const parsed = (line: string) => {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
};

const CHECK_TAG = 'check:';
const checkIn = (tags: readonly string[]): string =>
  tags.find((tag) => tag.startsWith(CHECK_TAG))?.slice(CHECK_TAG.length) ?? '';

/** Whole lines of a file as it grows. */
class Tail {
  readonly #path: string;
  readonly #chunk = Buffer.alloc(1024 * 1024);
  #at = 0;
  #rest: Buffer = Buffer.alloc(0);

  constructor(file: string) {
    this.#path = file;
  }

  *lines(): Iterable<string> {
    if (!existsSync(this.#path)) return;
    const descriptor = openSync(this.#path, 'r');
    try {
      for (;;) {
        const bytes = readSync(descriptor, this.#chunk, 0, this.#chunk.length, this.#at);
        if (bytes === 0) return;
        this.#at += bytes;
        const text = Buffer.concat([this.#rest, this.#chunk.subarray(0, bytes)]);
        const end = text.lastIndexOf(10) + 1;
        this.#rest = Buffer.from(text.subarray(end));
        yield* text
          .toString('utf8', 0, end)
          .split('\n')
          .filter((line) => line !== '');
      }
    } finally {
      closeSync(descriptor);
    }
  }
}
