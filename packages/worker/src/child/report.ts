import { isMetricName } from '@dag/model';
import type { WorkerContext, WorkerImage } from '../public.ts';
import { histogramOf } from './histogram.ts';
import { openImageFolder } from './image-folder.ts';
import { openMetricFile } from './metric-file.ts';
import { encodePng, type Pixels, shapeOf } from './png.ts';

/** What a context has for reporting. */
type Report = Pick<WorkerContext, 'metric' | 'histogram' | 'image'>;

/**
 * Writes what a module reports into the files of its run.
 * @param file absolute path of the metrics file.
 */
export function openReport(file: string, complain: (text: string) => void): Report {
  const metrics = openMetricFile(file, complain);
  const images = openImageFolder(file.replace(/\.metrics\.ndjson$/, '.images'), complain);
  return {
    metric: (name, value, step) => {
      if (typeof value !== 'number') throw new TypeError(`metric ${name} is not a number: ${String(value)}`);
      metrics.append({ ...reported('metric', name, step), value });
    },
    histogram: (name, values, step) => {
      const head = reported('histogram', name, step);
      if (typeof values !== 'object' || typeof values?.length !== 'number')
        throw new TypeError(`histogram ${name} needs a list or typed array`);
      const histogram = histogramOf(values);
      if (histogram !== undefined) metrics.append({ ...head, histogram });
    },
    image: (name, image, step) => {
      const head = reported('image', name, step);
      const { bytes, ending, width, height, channels } = encoded(name, image);
      const file = images.add(bytes, ending);
      if (file !== undefined) metrics.append({ ...head, image: file, width, height, channels });
    },
  };
}

function reported(kind: string, name: string, step: number | undefined) {
  if (!isMetricName(name))
    throw new TypeError(`the name of a ${kind} is a text of 1 to 200 characters: ${JSON.stringify(name)}`);
  if (step !== undefined && !Number.isFinite(step))
    throw new TypeError(`the step of ${kind} ${name} is no number: ${step}`);
  return { name, ...(step === undefined ? {} : { step }), at: Date.now() / 1000 };
}

function encoded(name: string, image: WorkerImage) {
  if (image instanceof Uint8Array) {
    const shape = shapeOf(image);
    if (shape === undefined) throw new TypeError(`image ${name}: these bytes are neither PNG nor JPEG`);
    return { bytes: image, ...shape };
  }
  if (!Array.isArray(image?.pixels) && !ArrayBuffer.isView(image?.pixels)) {
    throw new TypeError(`image ${name} is neither the bytes of a file nor { width, height, channels, pixels }`);
  }
  const { width, height, channels } = image;
  const pixels = bytePixels(image);
  const isSize = [width, height].every((one) => Number.isSafeInteger(one) && one > 0 && one <= 65_535);
  if (!isSize || ![1, 2, 3, 4].includes(channels) || pixels.length !== width * height * channels) {
    throw new TypeError(`image ${name}: ${width} × ${height} × ${channels} does not fit ${pixels.length} numbers`);
  }
  return { bytes: encodePng({ width, height, channels, pixels }), ending: 'png' as const, width, height, channels };
}

/** Floats run from 0 to 1, as tensors of images do; all others from 0 to 255. */
function bytePixels({ pixels }: Exclude<WorkerImage, Uint8Array>): Pixels['pixels'] {
  if (pixels instanceof Uint8Array || pixels instanceof Uint8ClampedArray) return pixels;
  const scale = pixels instanceof Float32Array || pixels instanceof Float64Array ? 255 : 1;
  return Uint8ClampedArray.from(pixels, (value) => value * scale);
}
