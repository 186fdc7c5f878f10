/** What must hold of a whole pool at one moment, and of each commit that it makes. */

import type { Commit, LeaseId, Write } from '../../src/shared/coordination/kv.ts';
import type { WorkerId } from '../../src/shared/domain/check.ts';
import type { CommitCall } from './link.ts';
import type { World } from './world.ts';

/** What must be true once nothing has been wrong for a while. */
export const requireSettled = (world: World): void => {
  for (const { name, worker } of world.workers.values())
    if (!worker.attached) world.report('I12', `${name} is not attached in calm`);
  requireOwners(world);
  requirePlaces(world);
  if (world.ownership.waitingJobs > 0)
    world.report('W29', `${world.ownership.waitingJobs} jobs wait in calm`);
};

/**
 * Each jobset has an owner that lives and runs it, and nobody runs anything else. One that the leader has just
 * ordered to somebody is on its way: how long that may take is judged by how long it is free.
 */
const requireOwners = (world: World): void => {
  const owned = new Map<string, number>();
  const standing = [...world.ownership.jobsets].filter(([, { exists }]) => exists);
  const { moving = [], resting = [] } = Object.groupBy(standing, ([, { moveTo }]) =>
    moveTo === null ? 'resting' : 'moving',
  );
  const busy = new Set(moving.flatMap(([, { moveTo, term }]) => [moveTo, term?.worker]));
  for (const [id, { jobs, term }] of resting) {
    if (term === null || !world.workers.has(term.worker))
      world.report('I6', `${id} is owned by ${term?.worker ?? 'nobody'} in calm`);
    else owned.set(term.worker, (owned.get(term.worker) ?? 0) + jobs.length);
  }
  for (const { id, worker } of world.workers.values())
    if (!busy.has(id) && worker.held !== (owned.get(id) ?? 0))
      world.report('I7', `${id} holds ${worker.held} checks and owns ${owned.get(id) ?? 0}`);
};

/** Each check of the folder stands in one jobset, and nothing else does. */
const requirePlaces = (world: World): void => {
  const { ownership, folder } = world;
  const places = new Map<string, number>();
  for (const { exists, jobs } of ownership.jobsets.values())
    for (const job of exists ? jobs : []) places.set(job, (places.get(job) ?? 0) + 1);
  for (const id of folder.checks.keys())
    if (places.get(id) !== 1) world.report('I7', `${id} stands in ${places.get(id) ?? 0} jobsets`);
  if (places.size > folder.checks.size)
    world.report('I7', `${places.size} checks stand where the folder has ${folder.checks.size}`);
};

export interface InspectedCommit {
  /** Of the process that made it. */
  readonly name: string;
  readonly lease: LeaseId | null;
  readonly call: CommitCall;
  readonly outcome: Commit;
}

/** What no commit may do, whatever its process believes. */
export const inspectCommit = (world: World, commit: InspectedCommit): void => {
  const writes = commit.call.then.filter(({ kind }) => kind === 'put' || kind === 'delete');
  for (const write of writes as Write[]) {
    if (commit.outcome.succeeded) inspectWrite(world, commit, write);
    else if (isClaim(world, write)) world.failedClaims += 1;
  }
  if (commit.outcome.succeeded) requireSameJobs(world, commit, writes as Write[]);
};

/**
 * Where jobs are moved, by whoever: they stand in other jobsets afterwards, all of them and no others.
 * Only publishing brings jobs and takes them away: it alone writes definitions and no owner.
 */
const requireSameJobs = (
  world: World,
  { name, call }: InspectedCommit,
  writes: readonly Write[],
): void => {
  const { keys, ownership, workers } = world;
  const has = (prefix: string) => writes.some(({ key }) => key.startsWith(prefix));
  const puts = writes.filter(({ kind, key }) => kind === 'put' && key.startsWith(keys.jobsets));
  if (puts.length === 0 || (has(keys.allDefinitions) && !has(keys.owners) && !workers.has(name)))
    return;
  const before: string[] = [];
  const after: string[] = [];
  for (const put of puts as Extract<Write, { kind: 'put' }>[]) {
    const { contents } = ownership.of(keys.jobsetOf(put.key));
    const seen = call.when.find(({ key }) => key === put.key)?.modRevision;
    if (seen === undefined) world.report('I2', `${name} wrote ${put.key} whatever stood there`);
    before.push(...(contents.get(seen ?? 0) ?? []));
    after.push(...JSON.parse(put.value.toString()).jobs);
  }
  if (before.sort().join() !== after.sort().join())
    world.report('I7', `${name} made [${after}] of [${before}]`);
};

const isClaim = ({ keys }: World, write: Write): boolean =>
  write.kind === 'put' && write.lease !== undefined && write.key.startsWith(keys.owners);

const inspectWrite = (world: World, commit: InspectedCommit, { key }: Write): void => {
  const { keys, ownership, circumstances } = world;
  const { name, lease, call } = commit;
  const id = name as WorkerId;
  if (key === keys.progress(id))
    circumstances.witnesses.get(id)?.beats.push({ sentAt: call.sentAt, at: world.now });
  const isAdmins = key.startsWith(keys.jobsets) && world.admins.has(name);
  if (isAdmins && ownership.leader?.lease !== lease)
    world.report('I15', `${name} wrote ${key} without leading`);
  if (isAdmins && !call.when.some((condition) => condition.key === keys.leader))
    world.report('I15', `${name} wrote ${key} whoever leads`);
  if (key.startsWith(keys.checkpoints) && world.workers.has(name))
    requireOwner(world, commit, key.slice(keys.checkpoints.length));
};

/** Of a checkpoint: it tells the next owner what to run, so only the owner, or who hands over, writes it. */
const requireOwner = (world: World, { name, call }: InspectedCommit, jobset: string): void => {
  const own = world.keys.owners + jobset;
  const isNew = call.when.some(({ key, modRevision }) => key.endsWith(jobset) && modRevision === 0);
  if (!isNew && !call.when.some(({ key }) => key === own))
    world.report('I2', `${name} wrote the checkpoint of ${jobset} without its token`);
};
