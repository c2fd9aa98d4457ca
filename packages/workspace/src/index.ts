export { DEFAULT_LINK } from './context.ts';
export { ignoreLine } from './gitignore.ts';
export * from './types.ts';
export { openWorkspace } from './workspace.ts';
