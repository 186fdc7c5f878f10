#!/usr/bin/env -S node --max-semi-space-size=8
/**
 * The command `watcher`. It imports nothing by itself, so that an old Node gets as far as the one
 * sentence that tells what is wrong.
 */

const OLDEST = 24;

if (Number.parseInt(process.versions.node, 10) < OLDEST) {
  process.stderr.write(`watcher needs Node ${OLDEST} or newer; this is ${process.versions.node}\n`);
  process.exitCode = 2;
} else {
  const { main } = await import('./cli/main.ts');
  await main(process.argv);
}
