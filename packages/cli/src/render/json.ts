/** One JSON document on one line. Maps become objects, integers beyond 2^53 keep their digits. */
export function jsonLine(value: unknown): string {
  return `${jsonText(value)}\n`;
}

function jsonText(value: unknown): string {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Map) return jsonText(Object.fromEntries(value));
  if (value instanceof Set) return jsonText([...value]);
  if (Array.isArray(value)) return `[${value.map((item) => (item === undefined ? 'null' : jsonText(item))).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${jsonText(member)}`).join(',')}}`;
}
