export type { OpenOptions, RemoteConfig } from './config.ts';
export { openRemote } from './open.ts';
export { redact } from './redact.ts';
export type * from './remote.ts';
