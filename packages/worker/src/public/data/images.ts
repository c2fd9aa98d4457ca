import { readdir } from 'node:fs/promises';
import { extname, join, relative, sep } from 'node:path';
import { DataError } from './error.ts';
import { decodeImage, type ImageFit, loadSharp, type Sharp } from './image-decoder.ts';
import { arrayRows, type RowReader, type Rows } from './rows.ts';

export interface ImageOptions {
  /** [height, width] that all are brought to. Without it they must all be as large as the first one. */
  readonly size?: readonly [height: number, width: number];
  /** How images of another size are brought to it. Default: `fill`, which stretches them. */
  readonly fit?: ImageFit;
  /** 1: grey; 3: red, green, blue; 4: with opacity. What is transparent becomes black otherwise. Default: 3. */
  readonly channels?: 1 | 3 | 4;
  /** Decoded images are kept, up to this many bytes, so that only a first epoch has to decode them. Default: 256 MiB. */
  readonly memory?: number;
}

/** The images of a folder. */
export interface Images {
  /** uint8 rows of [height, width, channels]. */
  readonly pixels: Rows;
  /** Which of `classes` each is in, as int32. */
  readonly labels: Rows;
  /** Names of the folders that the images lie in, in order; '' for those in none. */
  readonly classes: readonly string[];
  /** Their paths within the folder, `/`-separated, sorted. */
  readonly files: readonly string[];
}

const KINDS = new Set(['.png', '.jpg', '.jpeg', '.webp', '.gif', '.tif', '.tiff', '.avif']);
const MEMORY = 256 * 2 ** 20;

/**
 * The images of a folder and of the folders in it, which name their classes: `cats/1.png`, `dogs/7.jpg`. They are decoded by
 * sharp, a package that your project installs, in threads of its own.
 * @throws DataError where there are none; when rows are read, for an image that is broken or of another size.
 */
export async function openImages(folder: string, options: ImageOptions = {}): Promise<Images> {
  const { fit = 'fill', channels = 3, memory = MEMORY } = options;
  const files = await listImages(folder);
  const [first] = files;
  if (first === undefined) throw new DataError(folder, `there are no images in it (${[...KINDS].join(', ')})`);
  const sharp = await loadSharp();
  const [height, width] = options.size ?? (await sizeOfFirst(sharp, join(folder, first)));
  const shape = [height, width, channels];
  const bytes = height * width * channels;
  const resize = options.size === undefined ? undefined : { height, width, fit };

  const decode = async (file: string): Promise<Uint8Array> => {
    const { data, info } = await decodeImage(sharp, file, channels, resize).catch((error: unknown) => {
      const why = error instanceof Error ? (error.message.split('\n', 1)[0] ?? '') : String(error);
      throw new DataError(file, `it can't be decoded: ${why}`, { cause: error });
    });
    if (info.width === width && info.height === height && data.length === bytes) return data;
    const found = `${info.width} by ${info.height} pixels`;
    throw new DataError(
      file,
      `it is ${found}, the first one ${width} by ${height}; say the \`size\` that all are to have`,
    );
  };
  const paths = files.map((file) => join(folder, file));
  const pixels: Rows = {
    ...{ count: files.length, shape, dtype: 'uint8' },
    open: opener(paths, bytes, memory, decode),
  };
  const folders = files.map((file) => file.slice(0, Math.max(0, file.lastIndexOf('/'))));
  const classes = [...new Set(folders)].sort();
  const numbers = new Map(classes.map((name, i) => [name, i]));
  const labels = Int32Array.from(folders, (name) => numbers.get(name) ?? 0);
  return { pixels, labels: arrayRows(labels, [labels.length]), classes, files };
}

/** Readers that share what was decoded, as far as memory goes. */
function opener(
  paths: readonly string[],
  bytes: number,
  memory: number,
  decode: (file: string) => Promise<Uint8Array>,
): () => Promise<RowReader> {
  const room = Math.floor(memory / bytes);
  const kept = new Map<number, Uint8Array>();
  const one = async (index: number) => {
    const known = kept.get(index);
    if (known !== undefined) return known;
    const pixels = await decode(paths[index] ?? '');
    if (kept.size < room) kept.set(index, pixels);
    return pixels;
  };
  const read = async (indices: Uint32Array) => {
    const all = new Uint8Array(indices.length * bytes);
    const place = async (index: number, i: number) => all.set(await one(index), i * bytes);
    // All at once: sharp decodes as many side by side as it has threads, also while a step of the training blocks this one.
    await Promise.all(Array.from(indices, place));
    return all;
  };
  return async () => ({ read, close: async () => {} });
}

async function listImages(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory() && KINDS.has(extname(entry.name).toLowerCase()))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort();
}

async function sizeOfFirst(sharp: Sharp, file: string): Promise<[height: number, width: number]> {
  const { height, width } = await sharp(file, { failOn: 'error' })
    .metadata()
    .catch((error: unknown) => {
      throw new DataError(file, `it can't be decoded: ${error instanceof Error ? error.message : error}`, {
        cause: error,
      });
    });
  return [height ?? 0, width ?? 0];
}
