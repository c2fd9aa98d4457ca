import { crc32, deflateSync } from 'node:zlib';

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** A grey picture of 8 bits a pixel as PNG (ISO/IEC 15948), ink on transparent paper: value 0 is see-through, 255 opaque black. */
export function encodeGreyPng(ink: Uint8Array, width: number, height: number): Buffer {
  if (ink.length !== width * height) throw new Error(`${ink.length} pixels are not ${width} by ${height}`);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 8;
  header[9] = GREY_ALPHA;
  // Each row starts with its filter, 0 for none; each pixel is grey, then alpha.
  const rows = Buffer.alloc(height * (1 + 2 * width));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) rows[y * (1 + 2 * width) + 2 + 2 * x] = ink[y * width + x] ?? 0;
  }
  return Buffer.concat([SIGNATURE, chunk('IHDR', header), chunk('IDAT', deflateSync(rows)), chunk('IEND')]);
}

const GREY_ALPHA = 4;

function chunk(type: string, data: Uint8Array = new Uint8Array()): Buffer {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const framed = Buffer.alloc(named.length + 8);
  framed.writeUInt32BE(data.length, 0);
  named.copy(framed, 4);
  framed.writeUInt32BE(crc32(named), named.length + 4);
  return framed;
}
