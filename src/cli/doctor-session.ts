/** One `watcher doctor`: settings and check files → tests → one line each, and the exit code. */

import { isIP } from 'node:net';
import { namedDestinations } from '../outlets.ts';
import { count } from '../shared/config/diagnostics.ts';
import type { CheckDefinition } from '../shared/domain/check.ts';
import { refuseExposed } from '../shared/http/listen.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import { createSecrets } from '../shared/secrets/resolve.ts';
import type { Verification } from '../shared/sinks/destination.ts';
import { testDescriptors, testListener, testNames, testNode, testState } from './doctor-tests.ts';
import { findingLine, summaryLine } from './doctor-text.ts';
import { examine, type Finding, type Test } from './examination.ts';
import { EXIT } from './exit-codes.ts';
import { listenerOf } from './listener.ts';
import { RUN_DEFAULTS } from './run-options.ts';
import { openSession, type Session } from './session.ts';
import { loadPaths, type Specs } from './spec-paths.ts';
import { plural } from './text.ts';

/** A sink that takes longer is not one that results reach in time. */
const LIMIT_MS = 10_000;

export interface DoctorFlags {
  readonly settings?: string;
  readonly json?: true;
}

/** The exit code. */
export async function doctorSession(paths: readonly string[], flags: DoctorFlags): Promise<number> {
  const { stdout, stderr } = process;
  const session = await openSession({ flags: { ...flags }, defaults: RUN_DEFAULTS, stderr });
  const specs = paths.length > 0 ? await loadPaths(paths) : await specsOf(session);
  const sinks = sinkTests(session, specs);
  const tests = [...machineTests(session, specs), ...sinks.tests];
  const nameWidth = Math.max(...tests.map(({ name }) => name.length));
  const show = (finding: Finding): void => {
    if (flags.json) return;
    const line = findingLine(finding, { nameWidth, stream: stdout });
    stdout.write(`${session.redactor.apply(line)}\n`);
  };
  const findings = await examine(tests, {
    clock: systemClock,
    limitMs: LIMIT_MS,
    onFinding: show,
    inOrder: !stdout.isTTY,
  });
  await sinks.close();
  const isOk = findings.every(({ state }) => state !== 'failed');
  const report = { status: isOk ? 'ok' : 'failed', findings };
  const text = flags.json ? JSON.stringify(report) : summaryLine(findings);
  stdout.write(`${session.redactor.apply(text)}\n`);
  return isOk ? EXIT.ok : EXIT.bad;
}

/** Null: the folder of the settings cannot be read, which is a finding like others. */
const specsOf = ({ settings }: Session): Promise<Specs | null> =>
  loadPaths([settings.config]).catch(() => null);

const machineTests = (session: Session, specs: Specs | null): readonly Test[] => {
  const { config, state, dns, concurrency } = session.settings;
  const test = (name: string, run: () => Promise<Verification>): Test => ({
    name,
    usedBy: '',
    run,
  });
  return [
    test('node', async () => testNode(process.versions.node)),
    test('check files', async () => specsFinding(specs, config)),
    test('state folder', () => testState(state)),
    test('listener', async () => {
      const listener = await listenerOf(session);
      refuseExposed(listener.listen, listener);
      return testListener(listener.listen, { isTls: listener.tls !== undefined });
    }),
    test('name servers', () => testNames(dns, nameIn(specs?.definitions ?? []))),
    test('open files', () => testDescriptors(concurrency)),
  ];
};

const specsFinding = (specs: Specs | null, config: string): Verification => {
  if (specs === null)
    return { state: 'failed', message: `there is no folder ${config}: see --config` };
  const { files, definitions, diagnostics } = specs;
  const errors = count(diagnostics, 'error');
  const what = `${plural(files, 'file')}, ${plural(definitions.length, 'check')}`;
  return errors === 0
    ? { state: 'ok', message: what }
    : { state: 'failed', message: `${what}, ${plural(errors, 'error')}: see watcher validate` };
};

/** A name that a name server must know. */
const nameIn = (definitions: readonly CheckDefinition[]): string | undefined => {
  for (const { key, spec } of definitions) {
    const host = URL.parse(spec.request.url ?? `${spec.request.scheme}://${key}`)?.hostname ?? '';
    const isAddress = isIP(host.replace(/^\[|\]$/g, '')) > 0;
    if (host !== '' && host !== 'localhost' && !isAddress) return host;
  }
  return undefined;
};

const sinkTests = (
  { settings, redactor }: Session,
  specs: Specs | null,
): { readonly tests: readonly Test[]; readonly close: () => Promise<void> } => {
  const { sinks, connectTo } = settings;
  const secrets = createSecrets({
    clock: systemClock,
    env: process.env,
    onValue: (value) => redactor.register(value),
  });
  const { definitions = [], selves = [] } = specs ?? {};
  const from = { definitions, selves };
  const { all, close } = namedDestinations({ clock: systemClock, secrets, connectTo }, sinks, from);
  const tests = all.map(
    ({ destination, usedBy }): Test => ({
      name: destination.label,
      usedBy,
      run: (signal) => destination.verify(signal),
    }),
  );
  return { tests, close };
};
