/**
 * The one list of commands, in the order of the help text. A module registers a command and
 * imports what the command needs inside its action, so that `watcher --help` is quick.
 */

import type { Command } from 'commander';
import { register as admin } from './admin.ts';
import { register as doctor } from './doctor.ts';
import { register as fmt } from './fmt.ts';
import { register as jobs } from './jobs.ts';
import { register as ledger } from './ledger.ts';
import { register as once } from './once.ts';
import { register as reload } from './reload.ts';
import { register as run } from './run.ts';
import { register as scaling } from './scaling.ts';
import { register as schema } from './schema.ts';
import { register as self } from './self.ts';
import { register as status } from './status.ts';
import { register as validate } from './validate.ts';
import { register as version } from './version.ts';
import { register as worker } from './worker.ts';
import { register as workers } from './workers.ts';

export const COMMANDS: readonly ((program: Command) => void)[] = [
  run,
  once,
  worker,
  admin,
  validate,
  fmt,
  schema,
  status,
  self,
  ledger,
  workers,
  jobs,
  scaling,
  doctor,
  reload,
  version,
];
