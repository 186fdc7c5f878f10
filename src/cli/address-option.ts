/** `--address`, which every command takes that asks a running watcher. */

import { Option } from 'commander';

export const addressOption = (): Option =>
  new Option('--address <url>', 'where the running watcher listens')
    .env('WATCHER_ADDRESS')
    .default('http://127.0.0.1:9464');
