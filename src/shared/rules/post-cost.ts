/** What the `post_*` of check files cost: checks and `self` blocks → **a row a destination**. */

import type {
  CheckId,
  PostEndpoint,
  PostService,
  PostSettings,
  SelfDefinition,
} from '../domain/check.ts';
import { CHECK_METRICS } from '../domain/sink-settings.ts';
import { BATCHING, callsOf, DATUMS_PER_CALL } from './batching.ts';
import type { DestinationCost, ScheduledCheck } from './cost-report.ts';
import { type Month, type Scheduled, scheduledOf } from './month.ts';

interface Poster {
  readonly scheduled: Scheduled;
  /** A `self` block: each process posts its own. */
  readonly isSelf: boolean;
  /** Dimension of its metrics, as the file says it. */
  readonly source: string;
}

type Kind = 'post_endpoint' | 'cloudwatch posts' | 'eventbridge posts';

export interface PostDestination {
  readonly sink: Kind;
  readonly where: string;
  readonly posters: Poster[];
}

/** Distinct by address and key, as the deliveries are. */
export const postDestinations = (
  checks: readonly ScheduledCheck[],
  selves: readonly SelfDefinition[],
): readonly PostDestination[] => {
  const found = new Map<string, PostDestination>();
  const add = (poster: Omit<Poster, 'source'>, posts: PostSettings): void => {
    for (const { key, sink, where } of destinationsOf(posts)) {
      const destination = found.get(key) ?? { sink, where, posters: [] };
      destination.posters.push({ ...poster, source: posts.service?.source ?? '' });
      found.set(key, destination);
    }
  };
  for (const { definition, scheduled } of checks) {
    const { posts } = definition.spec;
    if (posts) add({ scheduled, isSelf: false }, posts);
  }
  for (const { schedule, posts } of selves)
    add({ scheduled: scheduledOf(schedule, 'self' as CheckId), isSelf: true }, posts);
  return [...found.values()];
};

interface Named extends Omit<PostDestination, 'posters'> {
  readonly key: string;
}

const destinationsOf = ({ endpoint, service }: PostSettings): readonly Named[] => [
  ...(endpoint ? [endpointOf(endpoint)] : []),
  ...(service ? servicesOf(service) : []),
];

const endpointOf = ({ url, apiKey }: PostEndpoint): Named => ({
  key: JSON.stringify([url, apiKey]),
  sink: 'post_endpoint',
  where: originOf(url),
});

const servicesOf = ({
  service,
  region,
  key,
  source,
  detailType,
}: PostService): readonly Named[] => {
  const named = (sink: Kind): Named => ({
    key: JSON.stringify([sink, region, key]),
    sink,
    where: region,
  });
  const hasEvent =
    service !== 'aws-cloudwatch-metrics' && detailType !== undefined && source !== undefined;
  return [
    ...(service === 'aws-eventbridge' ? [] : [named('cloudwatch posts')]),
    ...(hasEvent ? [named('eventbridge posts')] : []),
  ];
};

/** Paths and queries may hold a secret; a reference holds none. */
export const originOf = (url: string): string => {
  const [origin] = /^https?:\/\/(?:\$\{[^}]*\}|[^/?#$@])+(?=[/?#]|$)/i.exec(url) ?? [];
  return origin ?? /^\$\{[^}]*\}/.exec(url)?.[0] ?? 'a URL';
};

interface Circumstances {
  readonly month: Month;
  readonly workers: number;
  /** Metrics of one process about itself. */
  readonly own: number;
}

export const postCost = (
  { sink, where, posters }: PostDestination,
  circumstances: Circumstances,
): DestinationCost => {
  const checks = posters.filter(({ isSelf }) => !isSelf).length;
  const calls = CALLS[sink](posters, circumstances);
  const customMetrics = sink === 'cloudwatch posts' ? metricsOf(posters, circumstances) : 0;
  return { sink, where, checks, customMetrics, calls, bytes: null };
};

type Calls = (posters: readonly Poster[], circumstances: Circumstances) => number;

/** An endpoint takes one post a call; the others gather, each process by itself. */
const CALLS: Readonly<Record<Kind, Calls>> = {
  post_endpoint: (posters, { month, workers }) =>
    posters.reduce(
      (sum, { scheduled, isSelf }) => sum + month.runs(scheduled) * (isSelf ? workers : 1),
      0,
    ),
  'eventbridge posts': (posters, { month, workers }) =>
    callsOf(month.load(schedulesOf(posters)).seconds, BATCHING['eventbridge posts']) * workers,
  'cloudwatch posts': (posters, circumstances) => {
    const { month, workers } = circumstances;
    const most = metricsOf(posters, { ...circumstances, workers: 1 });
    const calls = month
      .load(schedulesOf(posters))
      .minutes.reduce((sum, runs) => sum + (runs > 0 ? Math.ceil(most / DATUMS_PER_CALL) : 0), 0);
    return calls * workers;
  },
};

const schedulesOf = (posters: readonly Poster[]): readonly Scheduled[] =>
  posters.map(({ scheduled }) => scheduled);

/** Checks with the same source share their metrics; without one it is the process's host. */
const metricsOf = (posters: readonly Poster[], { workers, own }: Circumstances): number => {
  const sources = (isSelf: boolean): number => {
    const distinct = new Set(
      posters.filter((one) => one.isSelf === isSelf).map(({ source }) => source),
    );
    return distinct.size + (distinct.has('') ? workers - 1 : 0);
  };
  return sources(false) * Object.keys(CHECK_METRICS).length + sources(true) * own;
};
