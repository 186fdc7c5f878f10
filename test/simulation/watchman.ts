/** Looks at a whole world once a second: what is owed by then by whoever had nothing to complain of. */

import type { WorkerProcess } from './processes.ts';
import { Vacancies } from './vacancies.ts';
import { ADMINS, type World } from './world.ts';

export class Watchman {
  readonly #world: World;
  readonly #vacancies: Vacancies;
  /** Since when nothing has been wrong with the store and the admins. */
  ledSince = 0;

  constructor(world: World) {
    const { ownership, strain } = world;
    this.#world = world;
    this.#vacancies = new Vacancies(ownership, strain.mode, (rule, what) =>
      world.report(rule, what),
    );
  }

  begin(): void {
    this.#world.clock.after(1000, () => this.begin());
    this.#look();
  }

  #look(): void {
    const { now, workers, circumstances, shortage, strain } = this.#world;
    for (const { name, worker, clock } of workers.values()) {
      if (worker.tally.unaccounted !== 0)
        this.#world.report(
          'I10',
          `${worker.tally.unaccounted} ticks of ${name} are unaccounted for`,
        );
      if (Math.abs(clock.wallOffsetMs) > 500) circumstances.distort();
    }
    if (!this.#isLed()) this.ledSince = now;
    shortage.look(this.#world.pool);
    const sound = this.#soundWorkers();
    const haveRoom = sound.some(({ name }) => strain.hasRoom(name));
    const { ledSince } = this;
    const { isRoomSaid } = strain;
    this.#vacancies.look({ now, areSound: sound.length > 0, haveRoom, isRoomSaid, ledSince });
  }

  /** None while the store does not serve. */
  #soundWorkers(): WorkerProcess[] {
    const { etcd, workers, health } = this.#world;
    if (etcd.isDown || etcd.isFull) return [];
    return [...workers.values()].filter((process) => !process.isLeaving && health.isSound(process));
  }

  #isLed(): boolean {
    const { etcd, admins, health } = this.#world;
    if (etcd.isDown || etcd.isFull || admins.size < ADMINS) return false;
    return [...admins.values()].every((process) => health.isSound(process));
  }
}
