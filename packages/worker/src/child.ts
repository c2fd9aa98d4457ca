/** The entry of a worker process. It is bundled into one file, and runs nothing until the parent has sent `init`. */
import { listen } from './child/listen.ts';

listen();
