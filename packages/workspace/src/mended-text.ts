/** What `WorkOptions.onMended` told, in words. */
export function mendedText(path: string, quarantined: string | undefined): string {
  const where = quarantined === undefined ? '' : ` (its bad bytes are in ${quarantined})`;
  return `the cache's copy of '${path}' was damaged: it was stored anew from the workspace${where}`;
}
