export * from './module.ts';
export * from './protocol.ts';
