/** Who may import whom. Each rule's comment is for whoever trips it. */

const only = (name, comment, from, allowed) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from },
  to: { path: '^src/', pathNot: [from, ...allowed] },
});

/** Each npm package has one owner, so that replacing it is one file's work. */
const OWNERS = {
  'cron-parser': '^src/shared/rules/schedule\\.ts$',
  'jsonpath-plus': '^src/shared/rules/jsonpath\\.ts$',
  re2js: '^src/shared/rules/pattern\\.ts$',
  yaml: '^src/shared/config/',
  zod: '^src/shared/config/',
  chokidar: '^src/shared/config/folder-watch\\.ts$',
  undici: '^src/(worker/probes/|cli/|shared/sinks/http/undici-transport\\.ts$)',
  bottleneck: '^src/shared/runtime/limiter\\.ts$',
  '@aws-sdk/client-cloudwatch': '^src/shared/sinks/aws/',
  '@aws-sdk/client-eventbridge': '^src/shared/sinks/aws/',
  etcd3: '^src/shared/coordination/(etcd/|kv-etcd\\.ts$)',
  '@grpc/grpc-js': '^src/shared/coordination/etcd/',
  cockatiel: '^src/shared/coordination/etcd/members\\.ts$',
  pino: '^src/shared/runtime/log\\.ts$',
  'prom-client': '^src/shared/runtime/',
  fastify: '^src/shared/http/',
  commander: '^src/(cli\\.ts$|cli/)',
};

const owner = ([name, path]) => ({
  name: `${name}-has-one-owner`,
  comment: `Only ${path} may import ${name}: go through what that exports.`,
  severity: 'error',
  from: { path: '^src/', pathNot: [path] },
  to: { path: `node_modules/${name}/`, dependencyTypesNot: ['type-only'] },
});

module.exports = {
  forbidden: [
    only('domain-is-a-leaf', 'The nouns know nothing of the rest.', '^src/shared/domain/', []),
    {
      name: 'domain-is-pure',
      comment: 'Nouns do no input or output.',
      severity: 'error',
      from: { path: '^src/shared/domain/' },
      to: { dependencyTypes: ['core', 'npm'] },
    },
    only(
      'rules-are-pure',
      'Rules follow from the nouns alone; time comes in as an argument.',
      '^src/shared/rules/',
      ['^src/shared/domain/'],
    ),
    {
      name: 'rules-do-no-io',
      comment:
        'A rule that needs node: is an action; node:net BlockList and node:url are data structures.',
      severity: 'error',
      from: { path: '^src/shared/rules/' },
      to: { dependencyTypes: ['core'], pathNot: ['^(node:)?(net|url)$'] },
    },
    only(
      'runtime-is-below',
      'What the process stands on knows only the nouns.',
      '^src/shared/runtime/',
      ['^src/shared/domain/'],
    ),
    only('config-reads', 'Config turns text into nouns, by rules.', '^src/shared/config/', [
      '^src/shared/(domain|rules|runtime|secrets)/',
    ]),
    only(
      'secrets-are-a-leaf',
      'References, resolving, sealing: no role, no config.',
      '^src/shared/secrets/',
      ['^src/shared/(domain|runtime)/'],
    ),
    only(
      'coordination-is-below-the-roles',
      'The store and the ledger know no role.',
      '^src/shared/coordination/',
      ['^src/shared/(domain|runtime|rules)/'],
    ),
    only(
      'sinks-are-below-the-roles',
      'Sinks take results; they never ask for them.',
      '^src/shared/sinks/',
      ['^src/shared/(domain|runtime|rules|secrets)/'],
    ),
    only(
      'http-is-below-the-roles',
      'Roles give routes to the server, not the other way round.',
      '^src/shared/http/',
      ['^src/shared/(domain|runtime|rules)/'],
    ),
    only('worker-knows-no-admin', 'Roles meet in the ledger only.', '^src/worker/', [
      '^src/shared/',
    ]),
    only('admin-knows-no-worker', 'Roles meet in the ledger only.', '^src/admin/', [
      '^src/shared/',
    ]),
    {
      name: 'roles-know-no-adapter',
      comment: 'Only src/app.ts and the files beside it join roles to adapters: take the port.',
      severity: 'error',
      from: { path: '^src/(worker|admin)/' },
      to: {
        path: '^src/shared/(config/|coordination/(kv-|etcd/)|sinks/(?!sink\\.ts))',
      },
    },
    {
      name: 'cli-through-app',
      comment: 'A command calls the app or config; it does not reach into the roles.',
      severity: 'error',
      from: { path: '^src/cli(/|\\.ts$)' },
      to: { path: '^src/((worker|admin)/|(?!app|outlets|cli)[^/]+\\.ts$)' },
    },
    {
      name: 'nobody-imports-the-app',
      comment: 'The composition root, with the files it is split into, is the top.',
      severity: 'error',
      from: { path: '^src/(shared|worker|admin)/' },
      to: { path: '^src/[^/]+\\.ts$' },
    },
    {
      name: 'src-knows-no-test',
      comment: 'Production code does not know that it is tested.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^test/' },
    },
    {
      name: 'no-cycles',
      comment: 'A cycle means that two files are one, or that a third is missing.',
      severity: 'error',
      from: { path: '^src/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-orphans',
      comment: 'Nobody imports this file: delete it.',
      severity: 'error',
      from: { path: '^src/', orphan: true, pathNot: ['^src/cli\\.ts$'] },
      to: {},
    },
    {
      name: 'no-dev-dependency',
      comment: 'A package that src imports belongs to dependencies.',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'unknown', 'undetermined'] },
    },
    ...Object.entries(OWNERS).map(owner),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
    },
  },
};
