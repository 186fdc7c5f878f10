/**
 * Programs that tests and benchmarks run against. One that is not on the PATH is fetched with apt
 * and unpacked under node_modules/.cache, without root, so that no daemon starts on the machine.
 */

import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Debian's and Ubuntu's names differ for some: the first package that holds the program counts. */
const PROGRAMS = {
  etcd: { file: 'usr/bin/etcd', packages: ['etcd-server'] },
  nginx: { file: 'usr/sbin/nginx', packages: ['nginx', 'nginx-core', 'nginx-light'] },
  'prometheus-blackbox-exporter': {
    file: 'usr/bin/prometheus-blackbox-exporter',
    packages: ['prometheus-blackbox-exporter'],
  },
  prometheus: { file: 'usr/bin/prometheus', packages: ['prometheus'] },
  promtool: { file: 'usr/bin/promtool', packages: ['prometheus'] },
  'systemd-analyze': { file: 'usr/bin/systemd-analyze', packages: ['systemd'] },
} as const;

export type ProgramName = keyof typeof PROGRAMS;
export const PROGRAM_NAMES = Object.keys(PROGRAMS) as readonly ProgramName[];

export interface Program {
  readonly file: string;
  /** To be added to the environment: where the libraries lie that the machine lacks. */
  readonly env: Readonly<Record<string, string>>;
}

const CACHE = path.resolve(import.meta.dirname, '../../node_modules/.cache/debian');
/** Daemons live in sbin, which is not on every user's PATH. */
const SYSTEM_FOLDERS = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin'];

/**
 * The program, or null where it cannot be had: then the suite that needs it skips, and one line
 * has said so. With CI=true that is an error instead.
 */
export async function programOf(name: ProgramName): Promise<Program | null> {
  try {
    return (await installed(name)) ?? (await fetched(name));
  } catch (cause) {
    const message = `${name} is neither installed nor to be had from apt`;
    if (process.env['CI'] === 'true') throw new Error(message, { cause });
    console.warn(`skipped: ${message} (${firstLineOf(cause)})`);
    return null;
  }
}

async function installed(name: ProgramName): Promise<Program | null> {
  for (const folder of SYSTEM_FOLDERS) {
    const file = path.join(folder, name);
    if (await isExecutable(file)) return { file, env: {} };
  }
  return null;
}

async function fetched(name: ProgramName): Promise<Program> {
  const { file, packages } = PROGRAMS[name];
  const root = path.join(CACHE, name);
  const program = path.join(root, file);
  if (!(await isExecutable(program))) await unpack(packages, file, root);
  return { file: program, env: await libraryPath(root) };
}

/** Unpacks beside the goal and renames: two test files may ask for one program at a time. */
async function unpack(packages: readonly string[], file: string, root: string): Promise<void> {
  await mkdir(CACHE, { recursive: true });
  const partial = await mkdtemp(`${root}-`);
  try {
    const owner = await firstThatHolds(packages, file, partial);
    await addMissingLibraries(owner, path.join(partial, file), partial);
    await rename(partial, root).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

async function firstThatHolds(
  packages: readonly string[],
  file: string,
  root: string,
): Promise<string> {
  const failures: unknown[] = [];
  for (const name of packages) {
    await download([name], root).catch((error: unknown) => failures.push(error));
    if (await isExecutable(path.join(root, file))) return name;
  }
  throw new AggregateError(failures, `none of the packages ${packages.join(', ')} holds ${file}`);
}

/** Programs in Go need none; nginx needs those that a machine without it may lack. */
async function addMissingLibraries(owner: string, program: string, root: string): Promise<void> {
  const env = { ...process.env, ...(await libraryPath(root)) };
  const { stdout } = await run('ldd', [program], { env }).catch(() => ({ stdout: '' }));
  if (!stdout.includes('not found')) return;
  const depends = await apt('apt-cache', ['depends', '--important', owner]);
  const libraries = [...depends.matchAll(/Depends: (lib\S+)/g)].map((match) => match[1] ?? '');
  await download([...new Set(libraries)], root);
}

async function download(names: readonly string[], root: string): Promise<void> {
  const folder = await mkdtemp(path.join(root, 'packages-'));
  await apt('apt-get', ['download', ...names], folder);
  for (const archive of await readdir(folder)) {
    await run('dpkg-deb', ['-x', path.join(folder, archive), root]);
  }
  await rm(folder, { recursive: true });
}

/** The machine's own package lists if they serve, else lists of our own, which need no root. */
async function apt(
  command: 'apt-get' | 'apt-cache',
  args: readonly string[],
  cwd = CACHE,
): Promise<string> {
  try {
    return (await run(command, args, { cwd })).stdout;
  } catch {
    const lists = path.join(CACHE, 'apt');
    await mkdir(path.join(lists, 'lists/partial'), { recursive: true });
    await mkdir(path.join(lists, 'archives/partial'), { recursive: true });
    const own = [
      ...['-o', `Dir::State::lists=${lists}/lists`],
      ...['-o', `Dir::Cache=${lists}`],
      ...['-o', 'Debug::NoLocking=1'],
    ];
    await run('apt-get', [...own, 'update'], { cwd });
    return (await run(command, [...own, ...args], { cwd })).stdout;
  }
}

async function libraryPath(root: string): Promise<Record<string, string>> {
  const folders: string[] = [];
  for (const parent of ['lib', 'usr/lib']) {
    const entries = await readdir(path.join(root, parent)).catch(() => []);
    const multiarch = entries.filter((entry) => entry.endsWith('-linux-gnu'));
    const libraries = multiarch.map((entry) => path.join(root, parent, entry));
    // systemd keeps its own in a folder of theirs.
    folders.push(...libraries, ...libraries.map((folder) => path.join(folder, 'systemd')));
  }
  return folders.length === 0 ? {} : { LD_LIBRARY_PATH: folders.join(':') };
}

const isExecutable = (file: string): Promise<boolean> =>
  access(file, constants.X_OK).then(
    () => true,
    () => false,
  );

const firstLineOf = (cause: unknown): string =>
  String(cause instanceof Error ? cause.message : cause).split('\n')[0] ?? '';
