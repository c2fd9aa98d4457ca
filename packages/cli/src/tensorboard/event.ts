import type { Histogram, MetricLine } from '@dag/model';
import { bytes, double, float, int64, packedDoubles, text } from './protobuf.ts';
import { tfRecord } from './record.ts';

/** The first record of an event file: what it is. @param at seconds since 1970. */
export function versionRecord(at: number): Buffer {
  return tfRecord(Buffer.concat([double(EVENT.wallTime, at), text(EVENT.fileVersion, 'brain.Event:2')]));
}

/**
 * A record of an event file: one value of a scalar, a histogram or an image.
 * @param at seconds since 1970.
 * @param image the bytes of the file that an image's line names.
 */
export function eventRecord(line: MetricLine, { at, step, image }: { at: number; step: number; image?: Uint8Array }) {
  const value = Buffer.concat([text(VALUE.tag, line.name), valueFields(line, image)]);
  const summary = bytes(1, value);
  return tfRecord(Buffer.concat([double(EVENT.wallTime, at), int64(EVENT.step, step), bytes(EVENT.summary, summary)]));
}

/** Field numbers of tensorflow/core/util/event.proto. */
const EVENT = { wallTime: 1, step: 2, fileVersion: 3, summary: 5 } as const;

/** Of `Summary.Value` and `Summary.Image` in tensorflow/core/framework/summary.proto. */
const VALUE = { tag: 1, simpleValue: 2, image: 4, histogram: 5 } as const;
const IMAGE = { height: 1, width: 2, colourSpace: 3, encoded: 4 } as const;

/** Of `HistogramProto` in the same file (tsl/protobuf/histogram.proto). */
const HISTOGRAM = { min: 1, max: 2, count: 3, sum: 4, squares: 5, limits: 6, counts: 7 } as const;

function valueFields(line: MetricLine, image: Uint8Array | undefined): Buffer {
  if ('value' in line) return float(VALUE.simpleValue, line.value);
  if ('histogram' in line) return bytes(VALUE.histogram, histogramMessage(line.histogram));
  const { width, height, channels } = line;
  return bytes(
    VALUE.image,
    Buffer.concat([
      int64(IMAGE.height, height),
      int64(IMAGE.width, width),
      int64(IMAGE.colourSpace, channels),
      bytes(IMAGE.encoded, image ?? new Uint8Array()),
    ]),
  );
}

function histogramMessage({ min, max, count, sum, squares, limits, counts }: Histogram): Buffer {
  return Buffer.concat([
    double(HISTOGRAM.min, min),
    double(HISTOGRAM.max, max),
    double(HISTOGRAM.count, count),
    double(HISTOGRAM.sum, sum),
    double(HISTOGRAM.squares, squares),
    packedDoubles(HISTOGRAM.limits, limits),
    packedDoubles(HISTOGRAM.counts, counts),
  ]);
}
