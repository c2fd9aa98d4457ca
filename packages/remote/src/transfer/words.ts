/** What several transfers say of objects, and how. */

export const NOWHERE = 'not in the cache, and not in the remote';
export const MISMATCH = 'damaged in the remote: its content does not match its digest';
export const PACK_GONE = 'damaged in the remote: the pack that should hold it is not there';
export const NO_LISTING = "not a folder's listing, though its digest is right";

/** Path of a name in a folder. */
export function under(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}
