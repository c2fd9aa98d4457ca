import { spawnSync } from 'node:child_process';
import type { ImageCompare } from '@dag/engine';

/**
 * Runs in a process of its own, so that what decodes images is the project's to install, and can't harm this one. Reads
 * `{before, after, bound}` from standard input; prints `{size: [text, text]}` where that differs, else how the channels do.
 */
const SCRIPT = `
const sharp = require(require.resolve('sharp', { paths: [process.cwd()] }));
const raw = async (file) => {
  const image = sharp(file, { limitInputPixels: false });
  const { depth } = await image.metadata();
  const is16 = depth === 'ushort';
  const { data, info } = await image.ensureAlpha().raw({ depth: is16 ? 'ushort' : 'uchar' }).toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  const values = is16 ? new Uint16Array(data.buffer, data.byteOffset, data.length / 2) : data;
  return { values, width, channels, size: width + 'x' + height + ', ' + channels + ' channels of ' + (is16 ? 16 : 8) + ' bit' };
};
const main = async () => {
  const { before, after, bound } = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
  const [a, b] = [await raw(before), await raw(after)];
  if (a.size !== b.size) return { size: [a.size, b.size] };
  const result = { of: a.values.length, differing: 0, absolute: 0, relative: 0 };
  for (let i = 0; i < a.values.length; i++) {
    const off = Math.abs(a.values[i] - b.values[i]);
    if (off === 0) continue;
    result.differing++;
    result.absolute = Math.max(result.absolute, off);
    result.relative = Math.max(result.relative, a.values[i] === 0 ? Infinity : off / a.values[i]);
    const most = bound === null ? 0 : bound.kind === 'absolute' ? bound.most : bound.most * a.values[i];
    if (off <= most || result.first !== undefined) continue;
    const pixel = Math.floor(i / a.channels);
    const colour = ({ values }) => [...values.slice(pixel * a.channels, (pixel + 1) * a.channels)];
    result.first = { x: pixel % a.width, y: Math.floor(pixel / a.width), before: colour(a), after: colour(b) };
  }
  return { ...result, relative: Number.isFinite(result.relative) ? result.relative : null };
};
main().then((result) => console.log(JSON.stringify(result)), (error) => { console.error(error.message); process.exit(1); });
`;

interface Found {
  readonly size?: readonly [string, string];
  readonly of: number;
  readonly differing: number;
  readonly absolute: number;
  /** Null for infinity. */
  readonly relative: number | null;
  readonly first?: { readonly x: number; readonly y: number; readonly before: number[]; readonly after: number[] };
}

/** Compares images by their pixels, channel by channel, as the `sharp` of a project decodes them: PNG, JPEG and what else it knows. */
export function imagesOf(root: string): ImageCompare {
  return (before, after, check) => {
    const input = JSON.stringify({ before, after, bound: check?.tolerance ?? null });
    const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', SCRIPT], {
      cwd: root,
      input,
      encoding: 'utf8',
    });
    if (status !== 0) {
      const isMissing = /Cannot find module 'sharp'/.test(stderr);
      const [reason = ''] = stderr.trim().split('\n').slice(-1);
      return { problem: isMissing ? MISSING : `it can't be compared as an image: ${reason}` };
    }
    const { size, first, relative, ...rest } = JSON.parse(stdout) as Found;
    if (size !== undefined) {
      return { verdict: 'different', difference: { kind: 'part', part: 'size', before: size[0], after: size[1] } };
    }
    const deviation = { ...rest, relative: relative ?? Number.POSITIVE_INFINITY };
    if (first !== undefined) return { verdict: 'different', difference: { kind: 'pixel', ...first }, deviation };
    return deviation.differing === 0 ? { verdict: 'canonical' } : { verdict: 'tolerated', deviation };
  };
}

const MISSING = "images are compared by pixel where the project has 'sharp': npm install --save-dev sharp";
