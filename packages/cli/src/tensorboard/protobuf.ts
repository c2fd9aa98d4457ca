/**
 * Fields of a Protocol Buffers message, as bytes to be joined. https://protobuf.dev/programming-guides/encoding/
 * Nothing here writes a field twice or orders them: messages are written field by field, as their reader wants them.
 */

/** A signed integer of 64 bits; what stands behind the point is dropped. */
export function int64(field: number, value: number): Buffer {
  return Buffer.concat([tag(field, 0), varint(BigInt.asUintN(64, BigInt(Math.trunc(value))))]);
}

export function double(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return Buffer.concat([tag(field, 1), bytes]);
}

export function float(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return Buffer.concat([tag(field, 5), bytes]);
}

/** Bytes, or a message. */
export function bytes(field: number, value: Uint8Array): Buffer {
  return Buffer.concat([tag(field, 2), varint(BigInt(value.length)), value]);
}

export function text(field: number, value: string): Buffer {
  return bytes(field, Buffer.from(value));
}

export function packedDoubles(field: number, values: readonly number[]): Buffer {
  const packed = Buffer.alloc(8 * values.length);
  for (const [at, value] of values.entries()) packed.writeDoubleLE(value, 8 * at);
  return bytes(field, packed);
}

function tag(field: number, wireType: number): Buffer {
  return varint(BigInt((field << 3) | wireType));
}

function varint(value: bigint): Buffer {
  const out: number[] = [];
  let rest = value;
  for (; rest > 0x7fn; rest >>= 7n) out.push(Number(rest & 0x7fn) | 0x80);
  out.push(Number(rest));
  return Buffer.from(out);
}
