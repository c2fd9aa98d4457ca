import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** As much of sharp as decoding needs. */
export interface Sharp {
  (file: string, options: { failOn: 'error' }): SharpImage;
  /** Threads within one image; several images are decoded side by side instead. */
  concurrency(threads: number): unknown;
  cache(on: boolean): unknown;
}

interface SharpImage {
  metadata(): Promise<{ width?: number; height?: number }>;
  resize(width: number, height: number, options: { fit: ImageFit }): SharpImage;
  flatten(options: { background: string }): SharpImage;
  ensureAlpha(): SharpImage;
  toColourspace(name: 'b-w' | 'srgb'): SharpImage;
  raw(): SharpImage;
  toBuffer(options: { resolveWithObject: true }): Promise<{ data: Buffer; info: ImageInfo }>;
}

export interface ImageInfo {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
}

/** How an image is brought to a size: `fill` stretches it, `cover` cuts it, `contain` borders it. */
export type ImageFit = 'fill' | 'cover' | 'contain';

/** Loads sharp, from the project's own packages. @throws Error that says how to get it. */
export async function loadSharp(): Promise<Sharp> {
  const folders = [process.cwd(), process.env['DAG_ROOT'] ?? ''].filter((folder) => folder !== '');
  let main: string | undefined;
  for (const folder of folders) {
    try {
      main ??= createRequire(join(folder, 'images.js')).resolve('sharp');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
    }
  }
  if (main === undefined)
    throw new Error('images are decoded by the package sharp, which is not installed: npm install sharp');
  const { default: sharp }: { default: Sharp } = await import(pathToFileURL(main).href);
  sharp.concurrency(1);
  sharp.cache(false);
  return sharp;
}

/** Decodes an image into bytes, row by row, `channels` of them a pixel: 1 is grey, 3 is red, green and blue, 4 has opacity. */
export async function decodeImage(
  sharp: Sharp,
  file: string,
  channels: 1 | 3 | 4,
  resize: { readonly width: number; readonly height: number; readonly fit: ImageFit } | undefined,
): Promise<{ data: Buffer; info: ImageInfo }> {
  let image = sharp(file, { failOn: 'error' });
  if (resize !== undefined) image = image.resize(resize.width, resize.height, { fit: resize.fit });
  image = channels === 4 ? image.ensureAlpha() : image.flatten({ background: '#000' });
  return await image
    .toColourspace(channels === 1 ? 'b-w' : 'srgb')
    .raw()
    .toBuffer({ resolveWithObject: true });
}
