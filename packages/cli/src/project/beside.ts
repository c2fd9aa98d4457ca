import { fileURLToPath } from 'node:url';

/** A file of the built program, beside this one. */
export function beside(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}
