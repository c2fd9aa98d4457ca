import type { Loaded, LoadOptions, SourceReader } from './pipeline.ts';

export function loadPipeline(_reader: SourceReader, _options: LoadOptions = {}): Loaded {
  throw new Error('in work');
}
