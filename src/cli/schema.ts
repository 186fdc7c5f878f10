/** `watcher schema`: the JSON Schema of check files, for editors. */

import type { Command } from 'commander';

const HELP = `
Save it and name it in the first line of a check file:
  # yaml-language-server: $schema=watcher.schema.json`;

export const register = (program: Command): void => {
  program
    .command('schema')
    .description('print the JSON Schema of check files, for editors')
    .addHelpText('after', HELP)
    .action(schema);
};

async function schema(): Promise<void> {
  const { jsonSchema } = await import('../shared/config/json-schema.ts');
  process.stdout.write(`${JSON.stringify(jsonSchema(), null, 2)}\n`);
}
