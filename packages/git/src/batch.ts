/**
 * Reads what `git cat-file --batch` answers: a line `ID TYPE SIZE`, the content, a line end; or `NAME missing`.
 * @param asked what was asked for, in order; results are filed under these names.
 */
export function parseBatch(answer: Buffer, asked: readonly string[], found: Map<string, Buffer>): void {
  let at = 0;
  for (const name of asked) {
    const end = answer.indexOf(0x0a, at);
    if (end === -1) return;
    const header = answer.toString('utf8', at, end);
    at = end + 1;
    const size = /^[0-9a-f]+ [a-z]+ (\d+)$/.exec(header)?.[1];
    if (size === undefined) continue;
    found.set(name, answer.subarray(at, at + Number(size)));
    at += Number(size) + 1;
  }
}
