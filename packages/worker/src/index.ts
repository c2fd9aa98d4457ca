export { type CudaFacts, findCuda } from './child/backend/cuda.ts';
export type { Problem } from './child/backend/diagnose.ts';
export * from './installed.ts';
export * from './module.ts';
export type { Probed } from './probe.ts';
export * from './protocol.ts';
