/** The grammar of check files as JSON Schema draft-07, for editors (`watcher schema`). */

import { z } from 'zod';
import { checkSchema, selfSchema } from './check-schema.ts';

const fileSchema = z
  .object({
    self: z.union([selfSchema, z.array(selfSchema)]).optional(),
    defaults: checkSchema.optional(),
  })
  .catchall(checkSchema)
  .meta({
    title: 'Check file of watcher',
    description:
      'A map from what is checked to how: `host[:port]/path`, or any name for a check with a url.',
  });

export const jsonSchema = (): object =>
  z.toJSONSchema(fileSchema, {
    io: 'input',
    target: 'draft-7',
    // zod leaves the defaults of whatever is transformed out; ours are in the words of the file.
    override: ({ zodSchema, jsonSchema: schema }) => {
      const value = z.globalRegistry.get(zodSchema as z.core.$ZodType)?.['default'];
      if (value !== undefined) schema.default = value as string;
    },
  });
