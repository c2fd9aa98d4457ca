import type { Digest } from '@dag/model';
import type { Store } from './types.ts';
export * from './types.ts';
export declare function openStore(options: { readonly dir: string }): Store;
export declare function hashBytes(bytes: Uint8Array): Digest;
export declare function hashText(text: string): Digest;
export declare function hashFile(path: string): { readonly digest: Digest; readonly size: number };
/** A fresh name for a half-made file in `tmpFolder()`, from which a later sweep can tell whether its maker is alive. */
export declare function tempName(kind: string): string;
