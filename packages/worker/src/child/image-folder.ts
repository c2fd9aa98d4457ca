import fs from 'node:fs';
import path from 'node:path';

/** Most images that a run keeps, and the most bytes of one and of all. */
const MOST_IMAGES = 1000;
const MOST_BYTES = 16 * 1024 * 1024;
const MOST_BYTES_TOGETHER = 256 * 1024 * 1024;

/** Takes the images of a run. */
export interface ImageFolder {
  /** Writes one to a file of its own. @returns the file's name; undefined where it is not kept, which is said once. */
  add(bytes: Uint8Array, ending: 'png' | 'jpg'): string | undefined;
}

/** The folder that takes the images of a run, made with the first of them. What it holds is bounded. */
export function openImageFolder(folder: string, complain: (text: string) => void): ImageFolder {
  let [count, total] = [0, 0];
  let refused = false;
  const refuse = (why: string): undefined => {
    if (!refused) complain(why);
    refused = true;
  };
  return {
    add: (bytes, ending) => {
      if (bytes.length > MOST_BYTES) return refuse(`an image of ${bytes.length} bytes is not kept: 16 MiB is the most`);
      if (count >= MOST_IMAGES) return refuse(`more than ${MOST_IMAGES} images of a run are not kept`);
      if (total + bytes.length > MOST_BYTES_TOGETHER)
        return refuse('more than 256 MiB of images of a run are not kept');
      const name = `${count}.${ending}`;
      try {
        if (count === 0) fs.mkdirSync(folder, { recursive: true });
        fs.writeFileSync(path.join(folder, name), bytes);
      } catch (error) {
        return refuse(`images are not kept: ${(error as Error).message}`);
      }
      count++;
      total += bytes.length;
      return name;
    },
  };
}
