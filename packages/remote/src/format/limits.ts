/** The sizes that FORMAT.md fixes, in bytes unless it says otherwise. A reader refuses what goes beyond them. */

/** Content up to this is one entry; what is larger is cut into pieces, none of which is larger. */
export const PIECE_MAX = 2 * 1024 * 1024;
/** No piece but the last one of its content is smaller. */
export const PIECE_MIN = 128 * 1024;
/** A writer closes a pack that has grown to this. */
export const PACK_SIZE = 16 * 1024 * 1024;
/** Or to so many entries. */
export const PACK_ENTRIES = 1 << 15;
/** No honest pack is larger. */
export const PACK_LIMIT = 64 * 1024 * 1024;
/** An index object has at most so many entries, */
export const INDEX_ENTRIES = 1 << 21;
/** and is not read beyond this. */
export const INDEX_LIMIT = 256 * 1024 * 1024;
/** No folder's listing is larger; about two million names in one folder. */
export const TREE_LIMIT = 256 * 1024 * 1024;
