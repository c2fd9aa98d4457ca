import { compress, decompress, init } from '@bokuweb/zstd-wasm';
import { CODEC } from '../format/entry.ts';

/** Smaller content is stored as it is: what could be spared is less than the work. */
const WORTH_TRYING = 4 * 1024;
const LEVEL = 1;
/** After content that did not shrink, up to so many pieces are stored as they are before another is tried. */
const PATIENCE = 32;

let ready: Promise<void> | undefined;

/** Loads zstd; to be awaited once before the functions here are called. */
export async function prepareCodec(): Promise<void> {
  ready ??= init();
  await ready;
}

export interface Encoded {
  readonly codec: number;
  readonly stored: Uint8Array;
}

/** Decides for each piece whether compression pays: what lies together is mostly alike. */
export class Encoder {
  #wait = 0;
  #misses = 0;

  encode(content: Uint8Array): Encoded {
    const plain = { codec: CODEC.none, stored: content };
    if (content.length < WORTH_TRYING || this.#wait-- > 0) return plain;
    const smaller = compress(content as Buffer, LEVEL);
    if (smaller.length > content.length * 0.9) {
      this.#misses++;
      this.#wait = Math.min(PATIENCE, 2 ** this.#misses);
      return plain;
    }
    this.#misses = 0;
    this.#wait = 0;
    return { codec: CODEC.zstd, stored: smaller };
  }
}

/**
 * The content of an entry; undefined where the stored bytes are not what they should be.
 * @param atMost no more than that is ever written.
 */
export function decode(codec: number, stored: Uint8Array, atMost: number): Uint8Array | undefined {
  if (codec === CODEC.none) return stored.length <= atMost ? stored : undefined;
  const size = frameSize(stored);
  if (size === undefined || size > atMost) return undefined;
  try {
    const content = decompress(stored as Buffer);
    return content.length === size ? content : undefined;
  } catch {
    return undefined;
  }
}

/** What a zstd frame says that its content measures (RFC 8878, 3.1.1.1); undefined where it says nothing, or is none. */
function frameSize(frame: Uint8Array): number | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (frame.length < 18 || view.getUint32(0, true) !== 0xfd2fb528) return undefined;
  const descriptor = view.getUint8(4);
  const isSingle = (descriptor & 0x20) !== 0;
  const dictionary = [0, 1, 2, 4][descriptor & 3] as number;
  const at = 5 + (isSingle ? 0 : 1) + dictionary;
  switch (descriptor >>> 6) {
    case 0:
      return isSingle ? view.getUint8(at) : undefined;
    case 1:
      return view.getUint16(at, true) + 256;
    case 2:
      return view.getUint32(at, true);
    default:
      return Number(view.getBigUint64(at, true));
  }
}
