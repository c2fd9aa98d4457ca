import type { Tensor } from '@tensorflow/tfjs-core';
import type { TensorFlow } from './loaded.ts';

/** Operations that take the tensor first, and the rest as they are given. */
const SAME =
  `abs acos acosh add all any argMax argMin asin asinh atan atan2 atanh avgPool batchNorm batchToSpaceND broadcastTo cast
  ceil clipByValue conv1d conv2d conv2dTranspose cos cosh cumprod cumsum depthToSpace depthwiseConv2d dilation2d div divNoNan dot elu
  equal erf euclideanNorm exp expandDims expm1 fft floor floorDiv gather greater greaterEqual ifft irfft isFinite isInf isNaN leakyRelu
  less lessEqual localResponseNormalization log log1p logSigmoid logSoftmax logSumExp logicalAnd logicalNot logicalOr logicalXor matMul
  max maxPool maximum mean min minimum mirrorPad mod mul neg norm notEqual oneHot onesLike pad pool pow prelu prod reciprocal relu relu6
  reshape reverse rfft round rsqrt selu separableConv2d sigmoid sign sin sinh slice softmax softplus spaceToBatchND split sqrt square
  squaredDifference squeeze step stridedSlice sub sum tan tanh tile topk transpose unique unsortedSegmentSum unstack zerosLike`.split(
    /\s+/,
  );

type Method = (this: Tensor, ...given: never[]) => unknown;

/**
 * Gives tensors their operations as methods (`x.add(y)`), as `@tensorflow/tfjs` and tfjs-node do. tfjs-core alone has them in files
 * that Node can't load, and tfjs-layers calls them: a recurrent layer can't be made without. What is there is left as it is.
 */
export function chainOperations(tf: TensorFlow): void {
  const prototype = tf.Tensor.prototype as object;
  const operations = tf as unknown as Readonly<Record<string, (...given: unknown[]) => unknown>>;
  const methods = new Map<string, Method>(Object.entries(OTHERS(tf)));
  for (const name of SAME) {
    const operation = operations[name];
    if (operation !== undefined) methods.set(name, asMethod(operation));
  }
  const resize = { resizeBilinear: tf.image.resizeBilinear, resizeNearestNeighbor: tf.image.resizeNearestNeighbor };
  for (const [name, operation] of Object.entries(resize)) methods.set(name, asMethod(operation as never));
  for (const [name, method] of methods) {
    if (name in prototype) continue;
    Object.defineProperty(prototype, name, { value: checked(method), writable: true, configurable: true });
  }
}

function asMethod(operation: (...given: unknown[]) => unknown): Method {
  return function (this: Tensor, ...given: unknown[]) {
    return operation(this, ...given);
  };
}

function checked(method: Method): Method {
  return function (this: Tensor, ...given: never[]) {
    (this as unknown as { throwIfDisposed(): void }).throwIfDisposed();
    return method.apply(this, given);
  };
}

/** Those that are no operation of the same name and arguments. */
const OTHERS = (tf: TensorFlow) => {
  const asShape: Method = function (...shape: number[]) {
    return tf.reshape(this, shape);
  };
  const flat: Method = function () {
    return tf.reshape(this, [this.size]);
  };
  const cast = (type: 'bool' | 'float32' | 'int32'): Method =>
    function () {
      return tf.cast(this, type);
    };
  const several = (others: Tensor | Tensor[]) => (Array.isArray(others) ? others : [others]);
  return {
    ...{ as1D: flat, flatten: flat, as2D: asShape, as3D: asShape, as4D: asShape, as5D: asShape },
    ...{ toBool: cast('bool'), toFloat: cast('float32'), toInt: cast('int32') },
    asScalar() {
      tf.util.assert(this.size === 1, () => 'The array must have only 1 element.');
      return tf.reshape(this, []);
    },
    asType(type: 'int32') {
      return tf.cast(this, type);
    },
    reshapeAs(other: Tensor) {
      return tf.reshape(this, other.shape);
    },
    concat(others: Tensor | Tensor[], axis?: number) {
      return tf.concat([this, ...several(others)], axis);
    },
    stack(others: Tensor | Tensor[], axis?: number) {
      return tf.stack([this, ...several(others)], axis);
    },
    where(condition: Tensor, other: Tensor) {
      return tf.where(condition, this, other);
    },
  } satisfies Record<string, Method>;
};
