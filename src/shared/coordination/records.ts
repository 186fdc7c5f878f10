/**
 * Records of the ledger ⇄ JSON with a version number. A version from the future is refused for that
 * key alone, so that during an upgrade an old process goes on with all it understands; so is what no
 * watcher has written. Fields that this version does not know are kept and passed over.
 */

import type { JobsetId, WorkerId } from '../domain/check.ts';
import { WatcherError } from '../domain/errors.ts';
import type {
  Beat,
  Capacity,
  Checkpoint,
  Jobset,
  Ownership,
  Progress,
  ScalingRecord,
  SlowHost,
  StoredState,
  Suspects,
  Suspicion,
  Waiting,
  WorkerLoad,
  WorkerProgress,
  WorkerRecord,
} from '../domain/jobset.ts';
import { CHECK_STATUSES } from '../domain/status.ts';
import { type Entry, LIMITS } from './kv.ts';

const VERSION = 1;

/** Which folder the ledger follows, by what its digest looks like from outside. */
interface Followed {
  readonly folder: string;
}

interface Leader {
  readonly id: string;
}

/** Who moved `places` last. */
interface Places {
  readonly nonce: string;
}

/** The record as it is stored: without the id, which is in the key. */
type Stored<T> = Omit<T, 'id'>;
type Check = (value: unknown) => boolean;
/** What each field must be; the compiler asks for each. */
type Shape<T> = { readonly [Field in keyof T]-?: Check };

/** What only a newer watcher can have written. */
export class NewerRecord extends WatcherError {
  constructor(key: string, what: string) {
    super('WCH_RECORD', `${key} ${what}: it was written by a newer watcher`);
  }
}

/** Such a record is nobody's business here: it is left as it is. */
export const isNewerRecord = (error: unknown): boolean => error instanceof NewerRecord;

const encode = (record: object): Buffer => Buffer.from(JSON.stringify({ v: VERSION, ...record }));

/** Of a value that some version of watcher wrote; throws WCH_RECORD for any other. */
export const parseRecord = (key: string, text: string): Readonly<Record<string, unknown>> => {
  let record: unknown;
  try {
    record = JSON.parse(text);
  } catch (cause) {
    throw new WatcherError('WCH_RECORD', `${key} is not a record of watcher`, { cause });
  }
  const version = (record as { v?: unknown } | null)?.v;
  if (version === VERSION) return record as Record<string, unknown>;
  if (typeof version === 'number' && version > VERSION)
    throw new NewerRecord(key, `has version ${version}, this watcher reads version ${VERSION}`);
  throw new WatcherError('WCH_RECORD', `${key} is not a record of watcher: it has no version`);
};

const whole = (text: string): string => text;
const decoder = <T extends object>(shape: Shape<T>, part = whole): ((entry: Entry) => T) => {
  const checks = Object.entries(shape) as [string, Check][];
  return ({ key, value }) => {
    const { v: _, ...record } = parseRecord(key, part(value.toString()));
    for (const [field, isRight] of checks)
      if (!isRight(record[field]))
        throw new WatcherError(
          'WCH_RECORD',
          `${key} is not a record of watcher: look at "${field}"`,
        );
    return record as T;
  };
};

const isText: Check = (value) => typeof value === 'string';
const isNumber: Check = (value) => Number.isFinite(value);
const isAmount: Check = (value) => isNumber(value) && (value as number) >= 0;
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
/** What others divide by. */
const isSome: Check = (value) => isNumber(value) && (value as number) > 0;
const isIn =
  (...values: readonly unknown[]): Check =>
  (value) =>
    values.includes(value);
const isNullOr =
  (isRight: Check): Check =>
  (value) =>
    value === null || isRight(value);
const isListOf =
  (isRight: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(isRight);
const isMapOf =
  (isRight: Check): Check =>
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every(isRight);
const isShaped = <T>(shape: Shape<T>): Check => {
  const checks = Object.entries(shape) as [string, Check][];
  return (value) =>
    typeof value === 'object' &&
    value !== null &&
    checks.every(([field, isRight]) => isRight((value as Record<string, unknown>)[field]));
};

const WAITING: Shape<Waiting> = {
  reason: isIn('late', 'full', 'quarantined'),
  since: isNumber,
  by: isText,
  load: isAmount,
};
/** Who should run a jobset, says its record. */
export type Placement = Pick<Jobset, 'zone' | 'avoid' | 'waiting' | 'moveTo'>;
const PLACEMENT: Shape<Placement> = {
  zone: isNullOr(isText),
  avoid: isListOf(isText),
  waiting: isNullOr(isShaped(WAITING)),
  moveTo: isNullOr(isText),
};
const JOBSET = decoder<Stored<Jobset>>({
  source: isIn('folder', 'api'),
  jobs: isListOf(isText),
  digest: isText,
  // As many as one transaction can write.
  chunks: (value) => isCount(value) && (value as number) <= LIMITS.operations,
  ...PLACEMENT,
});
export const encodeJobset = ({ id: _, ...stored }: Jobset): Buffer => encode(stored);
export const decodeJobset = (id: JobsetId, entry: Entry): Jobset => ({ id, ...JOBSET(entry) });

const JOBS = '"jobs":[';
/** No id has a quotation mark that is not escaped, so the list ends here and nowhere before. */
const AFTER_JOBS = '],"digest":';
const withoutJobs = (text: string): string => {
  const from = text.indexOf(JOBS);
  const to = text.indexOf(AFTER_JOBS, from);
  return from < 0 || to < 0 ? text : text.slice(0, from + JOBS.length) + text.slice(to);
};
const PLACED = decoder(PLACEMENT, withoutJobs);
/**
 * Each worker reads it of every jobset, and the list of jobs of few: it is most of a record, and is neither
 * parsed nor checked here.
 */
export const decodePlacement = (entry: Entry): Placement => {
  const { zone, avoid, waiting, moveTo } = PLACED(entry);
  return { zone, avoid, waiting, moveTo };
};

const WORKER = decoder<Stored<WorkerRecord>>({
  state: isIn('up', 'full', 'draining'),
  capacity: isShaped<Capacity>({
    places: isSome,
    jobs: isNullOr((value) => isCount(value) && isSome(value)),
  }),
  host: isText,
  version: isText,
  zone: isNullOr(isText),
  listen: isNullOr(isText),
  started: isNumber,
});
export const encodeWorker = ({ id: _, ...stored }: WorkerRecord): Buffer => encode(stored);
export const decodeWorker = (id: WorkerId, entry: Entry): WorkerRecord => ({
  id,
  ...WORKER(entry),
});

const SLOW_HOST: Shape<SlowHost> = { host: isText, load: isAmount, waiting: isCount };
const LOAD: Shape<WorkerLoad> = {
  places: isAmount,
  loop: isAmount,
  behind: isCount,
  latenessP99Ms: isNullOr(isNumber),
  overdueMs: isAmount,
  slowHosts: isListOf(isShaped(SLOW_HOST)),
};
export const encodeBeat = (beat: Beat): Buffer => encode(beat);
export const decodeBeat = decoder<Beat>({
  seq: isCount,
  at: isNumber,
  owned: isCount,
  checks: isCount,
  load: isShaped(LOAD),
});

const PROGRESS: Shape<Progress> = {
  through: isNumber,
  open: isListOf(
    (run) => Array.isArray(run) && run.length === 2 && isText(run[0]) && isNumber(run[1]),
  ),
};
export const encodeProgress = (progress: WorkerProgress): Buffer => encode(progress);
export const decodeProgress = decoder<WorkerProgress>({
  ...PROGRESS,
  left: isMapOf(isShaped(PROGRESS)),
});

const STATE: Shape<StoredState> = {
  status: isIn(...CHECK_STATUSES),
  since: isNumber,
  bad: isCount,
};
export const encodeCheckpoint = (checkpoint: Checkpoint): Buffer => encode(checkpoint);
export const decodeCheckpoint = decoder<Checkpoint>({
  worker: isNullOr(isText),
  progress: isNullOr(isShaped(PROGRESS)),
  states: isMapOf(isShaped(STATE)),
  waited: isIn(undefined, true),
});

const SUSPICION: Shape<Suspicion> = {
  deaths: isCount,
  at: isNumber,
  isTried: isIn(true, false),
};
export const encodeSuspects = (suspects: Suspects): Buffer => encode(suspects);
export const decodeSuspects = decoder<Suspects>({ by: isText, jobs: isMapOf(isShaped(SUSPICION)) });

export const encodeOwnership = (ownership: Ownership): Buffer => encode(ownership);
export const decodeOwnership = decoder<Ownership>({
  worker: isNullOr(isText),
  nonce: isText,
  holdMs: isNumber,
});

export const encodeLeader = (leader: Leader): Buffer => encode(leader);
export const decodeLeader = decoder<Leader>({ id: isText });

export const encodePlaces = (places: Places): Buffer => encode(places);
export const decodePlaces = decoder<Places>({ nonce: isText });

export const encodeFollowed = (followed: Followed): Buffer => encode(followed);
export const decodeFollowed = decoder<Followed>({ folder: isText });

const EPISODE: Shape<NonNullable<ScalingRecord['episode']>> = {
  id: isText,
  raisedAt: isNumber,
  jobs: isCount,
};
const FUTILE: Shape<NonNullable<ScalingRecord['futile']>> = {
  why: isIn('slow_target', 'per_host_cap'),
  hosts: isListOf(isText),
};
export const encodeScaling = (scaling: ScalingRecord): Buffer => encode(scaling);
export const decodeScaling = decoder<ScalingRecord>({
  at: isNumber,
  workers: isCount,
  desiredWorkers: isCount,
  capacityUtilization: isNumber,
  waitingJobs: isCount,
  oldestWaitingMs: isNumber,
  latenessP99Ms: isNullOr(isNumber),
  futile: isNullOr(isShaped(FUTILE)),
  episode: isNullOr(isShaped(EPISODE)),
});
