/**
 * Loaded into a worker (`--import`): a run of one check does to its process what a defect in a parser, a
 * native library or a memory limit would do. Which check and what, say two variables.
 */

import { subscribe } from 'node:diagnostics_channel';

const { POISON_PATH, POISON_DEED } = process.env;
const LEAK_MS = 5;
/** 16 MB each time: all of it is gone long before the run could end. */
const LEAK_LENGTH = 2_000_000;

const DEEDS: Readonly<Record<string, () => void>> = {
  abort: () => process.abort(),
  spin: () => {
    for (;;) Math.sqrt(2);
  },
  leak: () => {
    const kept: number[][] = [];
    setInterval(() => kept.push(new Array<number>(LEAK_LENGTH).fill(Math.random())), LEAK_MS);
  },
};

subscribe('undici:request:create', (message) => {
  const { request } = message as { readonly request: { readonly path: string } };
  if (request.path === POISON_PATH) DEEDS[POISON_DEED ?? '']?.();
});
