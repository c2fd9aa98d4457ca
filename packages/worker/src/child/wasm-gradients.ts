import type { Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import type { TensorFlow } from './backend.ts';

/**
 * Registers the gradient kernels that the WebAssembly backend lacks (tfjs 4.22: those of convolutions, and of `gather`),
 * composed from kernels that it has, and replaces the one that is wrong. A kernel that the backend has by then, or that is
 * right by then, is left alone. The backend must be the current one. NHWC, float32.
 */
export function registerWasmGradients(tf: TensorFlow): void {
  const composed = { Conv2DBackpropFilter, DepthwiseConv2dNativeBackpropFilter, DepthwiseConv2dNativeBackpropInput };
  if (!maxPoolGradIsRight(tf)) tf.unregisterKernel('MaxPoolGrad', 'wasm');
  for (const [kernelName, gradient] of Object.entries({ ...composed, UnsortedSegmentSum, MaxPoolGrad })) {
    if (tf.getKernel(kernelName, 'wasm') != null) continue;
    tf.registerKernel({
      kernelName,
      backendName: 'wasm',
      kernelFunc: ({ inputs, attrs }) =>
        tf.tidy(() => gradient(tf, inputs as Inputs, (attrs ?? {}) as unknown as Attributes)),
    });
  }
}

type Inputs = Record<string, Tensor>;
type Gradient = (tf: TensorFlow, inputs: Inputs, attributes: Attributes) => Tensor;
type Size4 = [number, number, number, number];

/** What tfjs's kernels are called with; each has some of them. */
interface Attributes {
  readonly strides: [number, number] | number;
  readonly pad: 'same' | 'valid' | number;
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
  readonly dataFormat?: string;
  readonly filterShape: Size4;
  readonly inputShape: Size4;
  readonly numSegments: number;
  readonly filterSize: [number, number] | number;
}

/**
 * The gradient of a convolution by its filter is itself a convolution: of the input, with channels in the place of images,
 * by the output's gradient, with images in the place of channels; the stride becomes the dilation.
 */
const Conv2DBackpropFilter: Gradient = (tf, inputs, attributes) => {
  const { x, dy } = pick(inputs, 'x', 'dy');
  const info = geometry(tf, x.shape as Size4, attributes.filterShape, attributes, false);
  const images = tf.transpose(padded(tf, x as Tensor4D, info), [3, 1, 2, 0]);
  const filter = tf.transpose(dy as Tensor4D, [1, 2, 0, 3]);
  const full = tf.conv2d(images, filter, 1, 'valid', 'NHWC', [info.strideHeight, info.strideWidth]);
  // Rows and columns of the input that no window reached add a remainder at the end.
  const { inChannels, filterHeight, filterWidth, outChannels } = info;
  return tf.transpose(tf.slice(full, [0, 0, 0, 0], [inChannels, filterHeight, filterWidth, outChannels]), [1, 2, 0, 3]);
};

/** For each place in the filter: the part of the input that it saw, times the output's gradient, summed. */
const DepthwiseConv2dNativeBackpropFilter: Gradient = (tf, inputs, attributes) => {
  const { x, dy } = pick(inputs, 'x', 'dy');
  const info = geometry(tf, x.shape as Size4, attributes.filterShape, attributes, true);
  const { batchSize, outHeight, outWidth, inChannels, filterHeight, filterWidth, strideHeight, strideWidth } = info;
  const multiplier = attributes.filterShape[3];
  const input = padded(tf, x as Tensor4D, info);
  const parts = channelParts(tf, dy as Tensor4D, inChannels, multiplier);
  const cells: Tensor[] = [];
  for (let row = 0; row < filterHeight; row++) {
    for (let column = 0; column < filterWidth; column++) {
      const end = [batchSize, row + (outHeight - 1) * strideHeight + 1, column + (outWidth - 1) * strideWidth + 1];
      const seen = tf.stridedSlice(input, [0, row, column, 0], [...end, inChannels], [1, strideHeight, strideWidth, 1]);
      cells.push(
        tf.stack(
          parts.map((part) => tf.sum(tf.mul(seen, part), [0, 1, 2]), 1),
          1,
        ),
      );
    }
  }
  return tf.reshape(tf.stack(cells), [filterHeight, filterWidth, inChannels, multiplier]);
};

/** The output's gradient, spread out by the stride and bordered with zeros, convolved with the filter turned by 180°. */
const DepthwiseConv2dNativeBackpropInput: Gradient = (tf, inputs, attributes) => {
  const { dy, filter } = pick(inputs, 'dy', 'filter');
  const info = geometry(tf, attributes.inputShape, filter.shape as Size4, attributes, true);
  const { filterHeight, filterWidth, inChannels, inHeight, inWidth, padInfo } = info;
  const multiplier = filter.shape[3] ?? 1;
  const turned = tf.reverse(filter as Tensor4D, [0, 1]);
  const parts = channelParts(tf, dy as Tensor4D, inChannels, multiplier).map((part, m) => {
    const spread = spreadOut(tf, part, info.strideHeight, info.strideWidth);
    const rows: [number, number] = [filterHeight - 1, filterHeight - 1];
    const columns: [number, number] = [filterWidth - 1, filterWidth - 1];
    const bordered = tf.pad(spread, [[0, 0], rows, columns, [0, 0]]);
    const oneFilter = tf.slice(turned, [0, 0, 0, m], [filterHeight, filterWidth, inChannels, 1]);
    return tf.depthwiseConv2d(bordered, oneFilter as Tensor4D, 1, 'valid');
  });
  const full = tf.addN(parts);
  const [, height = 0, width = 0] = full.shape;
  const missingRows = Math.max(0, padInfo.top + inHeight - height);
  const missingColumns = Math.max(0, padInfo.left + inWidth - width);
  const whole = tf.pad(full, [
    [0, 0],
    [0, missingRows],
    [0, missingColumns],
    [0, 0],
  ]);
  return tf.slice(whole, [0, padInfo.top, padInfo.left, 0], [info.batchSize, inHeight, inWidth, inChannels]);
};

/** Sums of rows by their segment: a scatter, which adds where indices meet. */
const UnsortedSegmentSum: Gradient = (tf, inputs, { numSegments }) => {
  const { x, segmentIds } = pick(inputs, 'x', 'segmentIds');
  const rows = segmentIds.size;
  const row = x.size / Math.max(1, rows);
  const flat = tf.scatterND(tf.reshape(segmentIds, [rows, 1]), tf.reshape(x, [rows, row]), [numSegments, row]);
  return tf.reshape(flat, [numSegments, ...x.shape.slice(segmentIds.rank)]);
};

/** tfjs 4.22 gives the gradient to the first element, not to the largest, where a whole window is zero or less. */
function maxPoolGradIsRight(tf: TensorFlow): boolean {
  if (tf.getKernel('MaxPoolGrad', 'wasm') == null) return false;
  const values = tf.tidy(() => {
    const [dy, input, output] = [tf.ones([1, 1, 1, 1]), tf.tensor4d([-4, -3, -2, -1], [1, 2, 2, 1]), tf.scalar(-1)];
    const inputs = { dy, input, output: tf.reshape(output, [1, 1, 1, 1]) };
    const dx = tf.engine().runKernel('MaxPoolGrad', inputs, { filterSize: 2, strides: 2, pad: 'valid' });
    return (dx as Tensor).dataSync();
  });
  return values[3] === 1;
}

/** Gives each window's gradient to the first of its largest elements. A plain loop: there is no kernel to compose it from. */
const MaxPoolGrad: Gradient = (tf, inputs, { filterSize, strides, pad, dimRoundingMode }) => {
  const { dy, input } = pick(inputs, 'dy', 'input');
  const shape = input.shape as Size4;
  const info = tf.backend_util.computePool2DInfo(shape, filterSize, strides, 1, pad, dimRoundingMode);
  const { batchSize, inHeight, inWidth, inChannels, outHeight, outWidth, padInfo } = info;
  const [x, gradient, dx] = [input.dataSync(), dy.dataSync(), new Float32Array(input.size)];
  let window = 0;
  for (let image = 0; image < batchSize; image++) {
    for (let row = 0; row < outHeight; row++) {
      const top = Math.max(0, row * info.strideHeight - padInfo.top);
      const bottom = Math.min(inHeight, row * info.strideHeight - padInfo.top + info.filterHeight);
      for (let column = 0; column < outWidth; column++) {
        const left = Math.max(0, column * info.strideWidth - padInfo.left);
        const right = Math.min(inWidth, column * info.strideWidth - padInfo.left + info.filterWidth);
        for (let channel = 0; channel < inChannels; channel++, window++) {
          let largest = Number.NEGATIVE_INFINITY;
          let at = -1;
          for (let y = top; y < bottom; y++) {
            const start = (image * inHeight + y) * inWidth;
            for (let i = (start + left) * inChannels + channel; i < (start + right) * inChannels; i += inChannels) {
              const value = x[i] as number;
              if (value > largest) {
                largest = value;
                at = i;
              }
            }
          }
          if (at !== -1) dx[at] = (dx[at] as number) + (gradient[window] as number);
        }
      }
    }
  }
  return tf.tensor(dx, shape);
};

function geometry(tf: TensorFlow, input: Size4, filter: Size4, attributes: Attributes, depthwise: boolean) {
  const { strides, pad, dimRoundingMode, dataFormat } = attributes;
  if (dataFormat !== undefined && dataFormat !== 'NHWC') throw new Error(`${dataFormat} has no gradient on wasm`);
  return tf.backend_util.computeConv2DInfo(input, filter, strides, 1, pad, dimRoundingMode, depthwise);
}

type Geometry = ReturnType<typeof geometry>;

function padded(tf: TensorFlow, x: Tensor4D, { padInfo }: Geometry): Tensor4D {
  const { top, bottom, left, right } = padInfo;
  return tf.pad(x, [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ]);
}

/** Splits output channels `c * multiplier + m` into one tensor of `channels` for each m. */
function channelParts(tf: TensorFlow, dy: Tensor4D, channels: number, multiplier: number): Tensor4D[] {
  if (multiplier === 1) return [dy];
  const [batch, height, width] = dy.shape;
  const rows = tf.reshape(dy, [batch * height * width, channels, multiplier]);
  return Array.from({ length: multiplier }, (_, m) =>
    tf.reshape(tf.slice(rows, [0, 0, m], [rows.shape[0], channels, 1]), [batch, height, width, channels]),
  );
}

/** Puts `stride - 1` zero rows and columns after each one. */
function spreadOut(tf: TensorFlow, dy: Tensor4D, strideHeight: number, strideWidth: number): Tensor4D {
  const [batch, height, width, channels] = dy.shape;
  if (strideHeight === 1 && strideWidth === 1) return dy;
  const rows = tf.pad(tf.reshape(dy, [batch * height, 1, width, channels]), [
    [0, 0],
    [0, strideHeight - 1],
    [0, 0],
    [0, 0],
  ]);
  const tall = batch * height * strideHeight;
  const columns = tf.pad(tf.reshape(rows, [tall, width, 1, channels]), [
    [0, 0],
    [0, 0],
    [0, strideWidth - 1],
    [0, 0],
  ]);
  return tf.reshape(columns, [batch, height * strideHeight, width * strideWidth, channels]);
}

function pick<K extends string>(inputs: Inputs, ...names: K[]): Record<K, Tensor> {
  for (const name of names) if (inputs[name] === undefined) throw new Error(`kernel called without ${name}`);
  return inputs as Record<K, Tensor>;
}
