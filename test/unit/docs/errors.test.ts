import { describe, expect, it } from 'vitest';
import { EXIT, exitCodeOf } from '../../../src/cli/exit-codes.ts';
import { type ErrorCode, WatcherError } from '../../../src/shared/domain/errors.ts';
import { REASONS } from '../../../src/shared/domain/reasons.ts';
import { expectSection, markdownTable } from '../../support/generated-section.ts';

describe('docs/errors.md', () => {
  it('lists every reason', async () => {
    const rows = Object.entries(REASONS).map(([code, [fault, isNetwork, meaning]]) => [
      `\`${code}\``,
      isNetwork ? `${fault}, network` : fault,
      meaning,
    ]);
    await expectSection(
      'docs/errors.md',
      'reasons',
      markdownTable(['reason', 'fault', 'meaning'], rows),
    );
  });

  it('lists every code of an error of watcher itself, with its exit code', async () => {
    const meaning: Record<ErrorCode, readonly [string, string]> = {
      WCH_USAGE: ['the command line is wrong', 'what it says; `--help` of the command'],
      WCH_SETTINGS: [
        'a setting, a variable or a file that one names cannot be used',
        'mend the setting that it names ([settings.md](settings.md))',
      ],
      WCH_STORE_UNAVAILABLE: [
        'etcd does not answer, refuses this user, or is another cluster than before',
        'the reason stands in the message ([pool.md](pool.md#etcd))',
      ],
      WCH_STORE_LIMIT: [
        'one change is larger than etcd takes',
        'shorter bodies and posts in the checks that it names',
      ],
      WCH_STORE_FULL: [
        'etcd has no room left and takes no writes',
        'compact, defragment, disarm ([pool.md](pool.md#etcd))',
      ],
      WCH_STORE_COMPACTED: [
        'what was asked for has been compacted away; watcher lists anew',
        'nothing',
      ],
      WCH_LEASE_LOST: ['a lease has ended; watcher joins anew', 'nothing, unless it repeats'],
      WCH_RECORD: [
        'a key of the ledger is damaged, or was written by a newer watcher',
        'upgrade this process, or look at the key that it names; all others go on',
      ],
      WCH_SECRET: [
        'a secret cannot be read, opened or sealed',
        'the reference that it names; `pool_key` of each process',
      ],
      WCH_NOT_REACHABLE: ['no watcher answers at that address', 'start it, or give `--address`'],
    };
    const rows = Object.entries(meaning).map(([code, [what, remedy]]) => {
      const exit = exitCodeOf(new WatcherError(code as ErrorCode, what));
      return [`\`${code}\``, what, remedy, String(exit)];
    });
    expect(exitCodeOf(new Error('a defect'))).toBe(EXIT.defect);
    await expectSection(
      'docs/errors.md',
      'codes',
      markdownTable(['code', 'what happened', 'what to do', 'exit code'], rows),
    );
  });
});
