/** Something that a traced process did with a file, or with the network. Paths are absolute, not yet in normal form. */
export type Access =
  /** It was opened to be read, or run as a program. */
  | Done<'read'>
  /** It was opened to be written: made, replaced or changed. */
  | (Done<'write'> & {
      /** It is known not to have been there before. */
      readonly isNew: boolean;
    })
  | Done<'delete'>
  /** A folder was opened. */
  | Done<'list'>
  /** A file was moved to `path`. */
  | (Done<'move'> & { readonly from: string })
  /** It was looked for and is not there. */
  | Done<'absent'>
  | {
      readonly kind: 'connect';
      /** `host:port`, or the path of a socket. */
      readonly to: string;
      readonly program: string;
    };

interface Done<K extends string> {
  readonly kind: K;
  /** As the process named it. */
  readonly path: string;
  /** Where that led, with all symlinks resolved; undefined where it is not known. */
  readonly real?: string | undefined;
  /** The name of the program that did it. */
  readonly program: string;
}
