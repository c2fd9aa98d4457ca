import { createHash } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { RandomPosition } from '../../public/random.ts';

// One checkpoint is one file (FORMAT.md beside this): a line that says what it is, the length of a header, the header, tensors and
// state as the header lists them, and a SHA-256 over all that.

export const MAGIC = Buffer.from('dag checkpoint 1\n');
export const DIGEST_BYTES = 32;
/** Written and hashed side by side, piece by piece. */
const PIECE = 16 * 1024 * 1024;
export const HEADER_MOST = 64 * 1024 * 1024;

/** The values of one tensor, as bytes. */
export interface StoredTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** All that a checkpoint holds. */
export interface Content {
  readonly step: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly tensors: readonly StoredTensor[];
  /** Numbers of optimizers that are no tensors, by name. */
  readonly numbers: Readonly<Record<string, number>>;
  /** Where random streams stood, by name and order. */
  readonly random: Readonly<Record<string, readonly RandomPosition[]>>;
  /** The state as `v8.serialize` writes it. */
  readonly state: Uint8Array;
}

interface Header extends Omit<Content, 'tensors' | 'state'> {
  readonly tensors: readonly (Omit<StoredTensor, 'bytes'> & { readonly bytes: number })[];
  readonly state: number;
}

/** The file is not what was written. */
export class DamagedError extends Error {}

/**
 * Writes beside, syncs, renames, syncs the folder: under its name there is a whole checkpoint or none. @returns its bytes.
 * @throws where the disk refuses; nothing is left of it then.
 */
export async function writeCheckpoint(file: string, content: Content): Promise<number> {
  const beside = `${file}.tmp`;
  try {
    const bytes = await writeWhole(beside, content);
    await rename(beside, file);
    await syncFolder(dirname(file));
    return bytes;
  } catch (error) {
    await rm(beside, { force: true }).catch(() => {});
    throw error;
  }
}

async function writeWhole(file: string, { tensors, state, ...rest }: Content): Promise<number> {
  const header: Header = {
    ...rest,
    tensors: tensors.map(({ bytes, ...tensor }) => ({ ...tensor, bytes: bytes.length })),
    state: state.length,
  };
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  const hash = createHash('sha256');
  let size = 0;
  const handle = await open(file, 'w');
  try {
    const put = async (bytes: Uint8Array, hashed = true) => {
      for (let at = 0; at < bytes.length; at += PIECE) {
        const piece = bytes.subarray(at, at + PIECE);
        const written = writeFully(handle, piece);
        if (hashed) hash.update(piece);
        await written;
      }
      size += bytes.length;
    };
    await put(Buffer.concat([MAGIC, length, text]));
    for (const { bytes } of tensors) await put(bytes);
    await put(state);
    await put(hash.digest(), false);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return size;
}

async function writeFully(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await handle.write(bytes, at)).bytesWritten;
}

/** Some file systems can't sync a folder; the rename is theirs to keep then. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } catch (error) {
    if (!['EINVAL', 'EPERM', 'EISDIR', 'ENOTSUP'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  } finally {
    await handle.close();
  }
}

/**
 * Reads a checkpoint, every byte checked.
 * @throws DamagedError where it is not whole; what the disk says where it can't be read.
 */
export async function readCheckpoint(file: string): Promise<Content> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const hash = createHash('sha256');
    const take = async (length: number, hashed = true): Promise<Buffer> => {
      const bytes = Buffer.from(new ArrayBuffer(length));
      for (let at = 0; at < length; ) {
        const { bytesRead } = await handle.read(bytes, at, Math.min(PIECE, length - at));
        if (bytesRead === 0) throw new DamagedError('it is cut off');
        if (hashed) hash.update(bytes.subarray(at, at + bytesRead));
        at += bytesRead;
      }
      return bytes;
    };
    if (size < MAGIC.length + 4 + DIGEST_BYTES) throw new DamagedError('it is cut off');
    if (!(await take(MAGIC.length)).equals(MAGIC)) throw new DamagedError('it is no checkpoint of this version');
    const headerBytes = (await take(4)).readUInt32LE();
    const left = size - MAGIC.length - 4 - DIGEST_BYTES - headerBytes;
    if (left < 0 || headerBytes > HEADER_MOST) throw new DamagedError('it is cut off');
    const header = parseHeader(await take(headerBytes));
    const { tensors: listed, state: stateBytes, ...rest } = header;
    const named = listed.reduce((sum, { bytes }) => sum + bytes, stateBytes);
    if (named !== left) throw new DamagedError(named > left ? 'it is cut off' : 'its header is damaged');
    const tensors: StoredTensor[] = [];
    for (const tensor of listed) tensors.push({ ...tensor, bytes: await take(tensor.bytes) });
    const state = await take(stateBytes);
    const digest = await take(DIGEST_BYTES, false);
    if (!hash.digest().equals(digest)) throw new DamagedError('its bytes are not those that were written');
    return { ...rest, tensors, state };
  } finally {
    await handle.close();
  }
}

/**
 * What the digest has yet to vouch for: only sizes are relied on before it has.
 * @throws DamagedError where it is none.
 */
export function parseHeader(bytes: Buffer): Header {
  try {
    const header = JSON.parse(bytes.toString('utf8')) as Header;
    const sizes = [...header.tensors.map((tensor) => tensor.bytes), header.state];
    if (sizes.every((size) => Number.isSafeInteger(size) && size >= 0)) return header;
  } catch {
    // Said below.
  }
  throw new DamagedError('its header is damaged');
}
