/** One JSON document on one line. Maps become objects, integers beyond 2^53 keep their digits. */
export function jsonLine(value: unknown): string {
  return `${jsonText(value)}\n`;
}

/** Whether JSON.stringify, ten times faster, says the same. */
function isPlain(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return typeof value !== 'bigint' && value !== undefined;
  if (Array.isArray(value)) return value.every((item) => item === undefined || isPlain(item));
  if (value instanceof Map || value instanceof Set || 'toJSON' in value) return false;
  for (const key in value) {
    const member = (value as Record<string, unknown>)[key];
    if (member !== undefined && !isPlain(member)) return false;
  }
  return true;
}

/** JSON without a line end. */
export function jsonText(value: unknown): string {
  if (isPlain(value)) return JSON.stringify(value);
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
