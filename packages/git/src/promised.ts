/** Runs git. `input` is what it reads. */
type Run = (args: readonly string[], input?: string) => { readonly status: number | null; readonly stdout: Buffer };

/**
 * Brings objects into a partial clone in one go. Git would fetch each by itself when it is read, over a connection of its own.
 * Where that fails nothing is said: whoever reads them hears why.
 * @param remote see `promisorOf`. @param ids full ids; other names are passed over.
 */
export function fetchPromised(run: Run, remote: string, ids: readonly string[]): void {
  const wanted = ids.filter((id) => /^[0-9a-f]{40,64}$/.test(id));
  if (wanted.length < 2) return;
  const here = run(['cat-file', '--batch-all-objects', '--unordered', '--batch-check=%(objectname)']);
  const known = new Set(here.stdout.toString('latin1').split('\n'));
  const missing = wanted.filter((id) => !known.has(id));
  if (missing.length < 2) return;
  const fetch = ['fetch', '-q', '--no-tags', '--no-write-fetch-head', '--recurse-submodules=no', '--filter=blob:none'];
  run(['-c', 'fetch.negotiationAlgorithm=noop', ...fetch, '--stdin', remote], `${missing.join('\n')}\n`);
}

/** The remote that has promised what a partial clone lacks; undefined where a clone is whole. */
export function promisorOf(run: Run): string | undefined {
  const { stdout } = run(['config', '--type=bool', '--get-regexp', '^remote\\..*\\.promisor$']);
  return /^remote\.(.*)\.promisor true$/m.exec(stdout.toString('utf8'))?.[1];
}
