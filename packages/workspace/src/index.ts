export { DEFAULT_LINK } from './context.ts';
export { explainIgnore, type IgnoreRule } from './explain-ignore.ts';
export { ignoreLine } from './gitignore.ts';
export { holderText } from './lock/holder-text.ts';
export { mendedText } from './mended-text.ts';
export { type LinkProbe, probeLinks } from './probe-links.ts';
export * from './types.ts';
export { openWorkspace } from './workspace.ts';
