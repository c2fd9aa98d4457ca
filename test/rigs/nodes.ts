import { execFileSync } from 'node:child_process';

/** The versions of Node that dag promises to run on. */
const PROMISED = ['20', '22', '24'];

/** Programs by Node's major version: the one that runs the tests, and those that DAG_TEST_NODES names, with colons between. */
export function testNodes(): ReadonlyMap<string, string> {
  const others = (process.env['DAG_TEST_NODES'] ?? '').split(':').filter((path) => path !== '');
  return new Map([process.execPath, ...others].map((path) => [majorOf(path), path]));
}

/** Why not all promised versions can be tested; undefined where they can. */
export function missingNodes(): string | undefined {
  const there = testNodes();
  const missing = PROMISED.filter((version) => !there.has(version));
  return missing.length === 0
    ? undefined
    : `Node ${missing.join(' and ')} not in DAG_TEST_NODES (npm install --prefix FOLDER node@${missing[0]})`;
}

function majorOf(path: string): string {
  return execFileSync(path, ['-p', 'process.versions.node.split(".")[0]'], { encoding: 'utf8' }).trim();
}
