import { mkdtempDisposable, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { createSecrets } from '../../../src/shared/secrets/resolve.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const aFolder = () => mkdtempDisposable(path.join(tmpdir(), 'secrets-'));

const withEnv = (env: Readonly<Record<string, string>>) =>
  createSecrets({ clock: new ManualClock(), env });

const messageOf = (act: () => unknown): string => {
  try {
    act();
    return 'no error';
  } catch (error) {
    return String(error);
  }
};

describe('a text with references', () => {
  it('is itself when it has none', () => {
    expect(withEnv({}).resolve('plain $text {a}')).toBe('plain $text {a}');
  });

  it('has variables put in their places', () => {
    const secrets = withEnv({ A: '1', B: '' });
    expect(secrets.resolve('<${env:A}|${env:B}|${env:A}>')).toBe('<1||1>');
  });

  it('is not read again once resolved', () => {
    const secrets = withEnv({ A: '${env:B}', B: 'secret', C: "$& $' $1" });
    expect(secrets.resolve('${env:A} ${env:B}')).toBe('${env:B} secret');
    expect(secrets.resolve('x${env:C}y')).toBe("x$& $' $1y");
  });

  it('has the text of files put in their places, without the last line end', async () => {
    await using folder = await aFolder();
    const file = path.join(folder.path, 'key');
    await writeFile(file, 'two\nlines\n');
    expect(withEnv({}).resolve(`<\${file:${file}}>`)).toBe('<two\nlines>');
  });

  it('has a rotated file in it within seconds', async () => {
    await using folder = await aFolder();
    const file = path.join(folder.path, 'key');
    const clock = new ManualClock();
    const secrets = createSecrets({ clock, env: {} });
    await writeFile(file, 'old');
    expect(secrets.resolve(`\${file:${file}}`)).toBe('old');
    await writeFile(file, 'new');
    expect(secrets.resolve(`\${file:${file}}`)).toBe('old');
    await clock.advance(5_000);
    expect(secrets.resolve(`\${file:${file}}`)).toBe('new');
  });

  it('tells each value to who hides values', () => {
    const values: string[] = [];
    const secrets = createSecrets({
      clock: new ManualClock(),
      env: { A: 'one', B: 'two' },
      onValue: (value) => values.push(value),
    });
    secrets.resolve('${env:A} ${env:B}');
    expect(values).toEqual(['one', 'two']);
  });
});

describe('a reference that leads nowhere', () => {
  it('is named, and no value is', () => {
    const said = messageOf(() => withEnv({ A: 's3cret' }).resolve('${env:A} ${env:MISSING}'));
    expect(said).toContain('${env:MISSING}: the variable is not set');
    expect(said).not.toContain('s3cret');
  });

  it('is no property that every object has', () => {
    expect(messageOf(() => withEnv({}).resolve('${env:constructor}'))).toContain('not set');
  });

  it('may be a file that is not there, a folder, a device or a file too long', async () => {
    await using folder = await aFolder();
    const long = path.join(folder.path, 'long');
    await writeFile(long, 'x'.repeat(65_537));
    const loop = path.join(folder.path, 'loop');
    await symlink(loop, loop);
    const reasons = [
      ['/nowhere/at/all', 'ENOENT'],
      [folder.path, 'not a regular file'],
      ['/dev/zero', 'not a regular file'],
      [long, 'the file is longer than 64 KiB'],
      [loop, 'ELOOP'],
    ];
    for (const [file, why] of reasons) {
      expect(messageOf(() => withEnv({}).resolve(`\${file:${file}}`))).toContain(
        `${file}}: ${why}`,
      );
    }
  });
});
