/** What a simulated fleet has promised, and whether it has kept it: fleet → figures → **bounds**. */

import { LEASE_TIMING } from '../../src/shared/coordination/heartbeat.ts';
import { TICK_GAP_MS } from './fleet-ticks.ts';

export type FleetFigures = Readonly<Record<FleetFigure, number>>;
export type FleetFigure =
  | 'workers'
  | 'jobsets'
  | 'checks'
  | 'lost_workers'
  | 'vacancies'
  | 'all_owned_ms'
  | 'failed_claims'
  | 'most_moves_a_minute'
  | 'moves'
  | 'moved_back'
  | 'load_least_percent'
  | 'load_most_percent'
  | 'predicted_writes_a_second'
  | 'writes_a_second'
  | 'ticks_run'
  | 'ticks_twice'
  | 'ticks_missed';

/** By then all that the dead have held has an owner. */
export const BOUND_MS = 15_000;
/** Claims, for each vacancy. */
const MOST_FAILED = 1.5;
/** Ticks of a vacancy: what a worker has run since its last beat. */
const MOST_TWICE = Math.ceil(LEASE_TIMING.heartbeatMs / TICK_GAP_MS) + 1;
const MOVED_A_MINUTE = 0.02;
/** By which loads may differ from their mean. */
const LOAD_PERCENT = 30;
const NEAR = 0.2;

/** Which of its promises a fleet has not kept, in words. */
export const brokenBy = (figures: FleetFigures): readonly string[] => {
  const { vacancies, jobsets } = figures;
  const bounds: readonly [FleetFigure, least: number, most: number][] = [
    ['all_owned_ms', 0, BOUND_MS],
    ['failed_claims', 0, MOST_FAILED * vacancies],
    ['most_moves_a_minute', 0, Math.max(1, MOVED_A_MINUTE * jobsets)],
    ['moved_back', 0, 0],
    ['load_least_percent', 100 - LOAD_PERCENT, 100],
    ['load_most_percent', 100, 100 + LOAD_PERCENT],
    ['ticks_missed', 0, 0],
    ['ticks_twice', 0, MOST_TWICE * vacancies],
    ...nearTo('writes_a_second', figures.predicted_writes_a_second),
  ];
  return bounds
    .filter(([name, least, most]) => figures[name] < least || figures[name] > most)
    .map(([name, least, most]) => `${name} is ${figures[name]}, not from ${least} to ${most}`);
};

const nearTo = (name: FleetFigure, predicted: number): [FleetFigure, number, number][] => [
  [name, predicted * (1 - NEAR), predicted * (1 + NEAR)],
];
