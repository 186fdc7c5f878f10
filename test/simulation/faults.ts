/** What can go wrong, how it is chosen from the seed, and how it is done to a world. */

import type { Random } from '../../src/shared/runtime/random.ts';
import { BLIND_MS } from './circumstances.ts';
import type { SimulatedProcess, WorkerProcess } from './processes.ts';
import type { World } from './world.ts';

export interface Fault {
  /** World time, ms. */
  readonly at: number;
  readonly kind: FaultKind;
  readonly forMs: number;
  /** In [0, 1): whom it hits. */
  readonly whom: number;
  /** In [0, 1): how hard. */
  readonly how: number;
}

type Strike = (world: World, fault: Fault) => void | Promise<void>;

const pick = <T>(list: readonly T[], luck: number): T | undefined =>
  list[Math.floor(luck * list.length)];

const aWorker = (world: World, { whom }: Fault): WorkerProcess | undefined =>
  pick([...world.workers.values()], whom);

/** A worker or, one time in four, an admin. */
const aProcess = (world: World, fault: Fault): SimulatedProcess | undefined =>
  fault.how * 4 < 1 ? pick([...world.admins.values()], fault.whom) : aWorker(world, fault);

/** Ends by itself, unless the world is healed before. */
const during = (
  world: World,
  { forMs }: Fault,
  process: SimulatedProcess | undefined,
  [begin, end]: readonly [(process: SimulatedProcess) => void, (process: SimulatedProcess) => void],
): void => {
  if (process === undefined || process.clock.isDead) return;
  begin(process);
  world.health.sicken(process, forMs);
  world.clock.after(forMs, () => {
    if (process.clock.isDead) return;
    end(process);
    world.cameBack(process);
  });
};

/** A dead process is replaced by another one some time later. */
const replaceLater = (world: World, process: SimulatedProcess, { forMs }: Fault): void => {
  const isWorker = process.name.startsWith('w');
  world.clock.after(forMs, () => {
    if (isWorker && world.workers.size < world.size) world.startWorker();
    if (!isWorker && world.admins.size < 2) world.startAdmin();
  });
};

const halt =
  (how: 'stop' | 'suspend'): Strike =>
  (world, fault) => {
    during(world, fault, aProcess(world, fault), [
      ({ clock }) => clock[how](),
      ({ clock }) => clock.resume(world.random.next() < 0.7),
    ]);
  };

const link =
  (begin: (process: SimulatedProcess, fault: Fault) => void): Strike =>
  (world, fault) => {
    during(world, fault, aProcess(world, fault), [(process) => begin(process, fault), heal]);
  };

const heal = ({ link }: SimulatedProcess): void => {
  link.cut = null;
  link.flaky = null;
  link.lies = false;
  link.watchDelayMs = 0;
  link.doubled = 0;
  link.skipped = 0;
  link.dieAt = null;
  link.overdueMs = null;
  link.flush();
};

const endLease = async (world: World, process: SimulatedProcess | undefined): Promise<void> => {
  const lease = process?.link.granted ?? null;
  if (process === undefined || lease === null) return;
  world.health.sicken(process, 3000);
  world.cameBack(process);
  world.ownership.endedEarly.add(lease);
  await world.etcd.endEarly(lease);
};

const STRIKES = {
  kill: (world, fault) => {
    const process = aProcess(world, fault);
    if (process === undefined) return;
    world.kill(process);
    replaceLater(world, process, fault);
  },
  dieAtCall: (world, fault) => {
    const process = aProcess(world, fault);
    if (process === undefined) return;
    const when = fault.how < 0.5 ? 'before' : 'after';
    process.link.dieAt = { calls: 1 + Math.floor(fault.how * 8), when };
    replaceLater(world, process, fault);
  },
  drain: (world, fault) => {
    const process = aProcess(world, fault);
    if (process === undefined || !process.clock.isRunning) return;
    world.health.sicken(process, 60_000);
    if (fault.how < 0.7 && process.name.startsWith('w')) world.startWorker();
    world.leave(process);
    replaceLater(world, process, fault);
  },
  stop: halt('stop'),
  suspend: halt('suspend'),
  stepWall: (world, fault) => {
    const ms = (fault.how - 0.5) ** 3 * 8 * 3_600_000;
    during(world, fault, aWorker(world, fault), [
      (process) => {
        process.clock.stepWall(ms);
        world.circumstances.distort();
        world.cameBack(process);
      },
      ({ clock }) => {
        clock.stepWall(-clock.wallOffsetMs);
        world.circumstances.distort();
      },
    ]);
  },
  cut: link(({ link }, { how }) => {
    link.cut = how < 0.5 ? 'refused' : 'silent';
  }),
  flaky: link(({ link }, { how }) => {
    const share = 0.05 + how * 0.3;
    link.flaky = { request: share / 3, answer: share, repeated: share / 2, slow: share };
  }),
  lateWatch: link(({ link }, { how }) => {
    link.watchDelayMs = 200 + how * 8000;
  }),
  doubledWatch: link(({ link }, { how }) => {
    link.doubled = how;
  }),
  lossyWatch: (world, fault) => {
    const process = aProcess(world, fault);
    during(world, fault, process, [
      ({ link }) => {
        link.skipped = fault.how / 2;
      },
      heal,
    ]);
    if (process !== undefined) world.health.blind(process, fault.forMs);
    world.circumstances.blind.push({ from: world.now, to: world.now + fault.forMs + BLIND_MS });
  },
  gap: (world, fault) => aProcess(world, fault)?.link.loseWatches(),
  endLease: (world, fault) => endLease(world, aProcess(world, fault)),
  lie: async (world, fault) => {
    const process = aProcess(world, fault);
    during(world, fault, process, [
      ({ link }) => {
        link.lies = true;
      },
      heal,
    ]);
    await endLease(world, process);
  },
  restartLeases: (world) => world.etcd.restartLeases(),
  outage: (world, { forMs }) => {
    world.etcd.goDown();
    world.clock.after(forMs, () => comeBack(world));
  },
  full: (world, { forMs }) => {
    world.etcd.fill();
    world.clock.after(forMs, () => {
      world.etcd.isFull = false;
    });
  },
  compact: (world) => world.etcd.compact(),
  restore: async (world, { how }) => {
    const back = Math.floor(how * Math.min(300, world.etcd.revision / 2));
    for (const process of [...world.workers.values(), ...world.admins.values()]) {
      world.health.sicken(process, 8000);
      world.cameBack(process);
    }
    world.circumstances.restoredAt.push(world.now);
    await world.etcd.restore(world.etcd.revision - back);
    world.restarted((await world.etcd.snapshot('')).entries);
  },
  addCheck: (world) => {
    world.folder.add();
    world.offerFolder();
  },
  removeCheck: (world) => {
    const removed = world.folder.remove();
    if (removed !== null) world.accounts.forget(removed.definition.id);
    world.offerFolder();
  },
  editCheck: (world) => {
    world.folder.edit();
    world.offerFolder();
  },
  slowTargets: (world, { forMs, how }) => {
    for (const { definition } of world.folder.checks.values())
      if (world.random.next() < 0.3) world.targets.slow.set(definition.key, how * 25_000);
    world.clock.after(forMs, () => world.targets.slow.clear());
  },
  /** So that places are scarce, where there are few; until the storm is over. */
  overload: (world, { how }) => {
    for (const { definition } of world.folder.checks.values())
      if (world.random.next() < 0.7) world.targets.slow.set(definition.key, 6000 + how * 14_000);
  },
  /** Its process dies of each of its runs. */
  poison: (world, { whom }) => {
    const check = pick([...world.folder.checks.values()], whom);
    if (check !== undefined) world.targets.poison.add(check.definition.key);
  },
  /** It seems to stand still, and is evicted. */
  seemsStuck: link(({ link }, { how }) => {
    link.overdueMs = 15_001 + how * 60_000;
  }),
  /** The leader dies when it says who is to run what, or right after it. */
  dieSteering: (world, { how, forMs }) => {
    for (const process of world.admins.values()) {
      const when = how < 0.5 ? 'before' : 'after';
      const prefix = how * 10 - Math.floor(how * 10) < 0.3 ? world.keys.owners : world.keys.jobsets;
      process.link.dieAt = { calls: 1 + Math.floor(how * 4), when, prefix };
    }
    world.clock.after(forMs, () => {
      while (world.admins.size < 2) world.startAdmin();
    });
  },
  oneMore: (world) => {
    if (world.workers.size < world.size + 2) world.startWorker();
  },
} as const satisfies Record<string, Strike>;

export type FaultKind = keyof typeof STRIKES;
export const FAULT_KINDS = Object.keys(STRIKES) as FaultKind[];

const comeBack = (world: World): Promise<void> => {
  for (const process of world.workers.values()) {
    world.health.sicken(process, 0);
    world.cameBack(process);
  }
  const back = world.etcd.comeBack();
  for (const { link } of [...world.workers.values(), ...world.admins.values()]) link.flush();
  return back;
};

export const strike = async (world: World, fault: Fault): Promise<void> => {
  const act: Strike = STRIKES[fault.kind];
  await act(world, fault);
};

/** Everything works again, and there are as many processes as there should be. */
export const healAll = async (world: World): Promise<void> => {
  world.targets.heal();
  world.etcd.isFull = false;
  if (world.etcd.isDown) await comeBack(world);
  for (const process of [...world.workers.values(), ...world.admins.values()]) {
    heal(process);
    if (!process.clock.isRunning) process.clock.resume(true);
    if (Math.abs(process.clock.wallOffsetMs) > 500) {
      process.clock.stepWall(-process.clock.wallOffsetMs);
      world.circumstances.distort();
    }
    world.health.sicken(process, 0);
    world.cameBack(process);
  }
  const staying = [...world.workers.values()].filter(({ isLeaving }) => !isLeaving).length;
  for (let n = staying; n < world.size; n += 1) world.startWorker();
  for (let n = world.admins.size; n < 2; n += 1) world.startAdmin();
  world.release();
};

/** The faults of one storm: only some kinds, so that each kind also has storms nearly of its own. */
export const aStorm = (
  random: Random,
  from: number,
  kinds: readonly FaultKind[],
): readonly Fault[] => {
  const chosen = kinds.filter(() => random.next() < 0.35);
  const mine = chosen.length > 0 ? chosen : kinds;
  const count = 3 + Math.floor(random.next() * 5);
  const faults: Fault[] = [];
  let at = from;
  for (let n = 0; n < count; n += 1) {
    at += 500 + random.next() ** 2 * 40_000;
    const kind = pick(mine, random.next()) as FaultKind;
    const forMs = 200 + random.next() ** 2 * 40_000;
    faults.push({ at, kind, forMs, whom: random.next(), how: random.next() });
  }
  return faults;
};
