/** One JSON document on one line. Maps become objects, integers beyond 2^53 keep their digits. */
export function jsonLine(value: unknown): string {
  return `${jsonText(value)}\n`;
}

function jsonText(value: unknown): string {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Map) return jsonText(Object.fromEntries(value));
  if (value instanceof Set) return jsonText([...value]);
  if (Array.isArray(value)) {
    let items = '';
    for (const item of value) items += `${items === '' ? '' : ','}${item === undefined ? 'null' : jsonText(item)}`;
    return `[${items}]`;
  }
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  let members = '';
  for (const [key, member] of Object.entries(value)) {
    if (member !== undefined) members += `${members === '' ? '' : ','}${JSON.stringify(key)}:${jsonText(member)}`;
  }
  return `{${members}}`;
}
