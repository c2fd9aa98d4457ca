import type { Artifact, Digest } from '@dag/model';
import { addEvidence, type Evidence, isBrief, noEvidence, type StoreBatch } from '@dag/store';
import type { Context } from '../context.ts';
import { type FolderNode, innerFirst } from './node.ts';

/** Trees of fewer files are read, or their files looked up, sooner than what is known of them. */
const FEW_FILES = 64;

/** Trees of which all was found in the cache before, so that nothing of them need be looked up while it is still there. */
export class KnownTrees {
  readonly #context: Context;
  readonly #batch: StoreBatch;
  readonly #asked = new Map<Digest, Evidence | undefined>();
  readonly #trusted = new Map<FolderNode, Evidence>();

  constructor(context: Context, batch: StoreBatch) {
    this.#context = context;
    this.#batch = batch;
  }

  /** Whether a tree, and all inside, is in the cache for sure. @param files at any depth. */
  has(tree: Digest, files: number): boolean {
    return this.#where(tree, files) !== undefined;
  }

  /** Whether all files of a folder are in the cache for sure, since a tree that named them is. */
  trust(node: FolderNode): boolean {
    const tree = node.record?.tree?.digest;
    const evidence = tree && this.#where(tree, node.fileCount);
    if (evidence !== undefined) this.#trusted.set(node, evidence);
    return evidence !== undefined;
  }

  /** Remembers where all of a folder is, once the batch is committed. */
  remember(top: FolderNode): void {
    if (!isBrief(this.#batch.found)) return;
    const nodes = innerFirst(top);
    const trees = new Set(nodes.map(({ digest }) => digest));
    const { packs, loose } = this.#batch.found;
    const files = { packs, loose: new Set([...loose].filter((digest) => !trees.has(digest))) };
    const all = new Map<FolderNode, Evidence>();
    for (const node of nodes) {
      const { digest } = node;
      if (digest === undefined) continue;
      const before = this.#where(digest, node.count);
      const found = before ?? this.#found(node, digest, files, all);
      all.set(node, found);
      if (before === undefined && node.count > FEW_FILES && isBrief(found))
        this.#context.statCache.rememberTree(digest, found);
    }
  }

  /** @param files where the files of all folders were found. */
  #found(node: FolderNode, tree: Digest, files: Evidence, inner: ReadonlyMap<FolderNode, Evidence>): Evidence {
    const found = noEvidence();
    addEvidence(found, files);
    if (this.#batch.found.loose.has(tree)) found.loose.add(tree);
    const own = this.#trusted.get(node);
    if (own !== undefined) addEvidence(found, own);
    for (const folder of node.folders) addEvidence(found, inner.get(folder.node) ?? noEvidence());
    return found;
  }

  #where(tree: Digest, files: number): Evidence | undefined {
    if (files <= FEW_FILES) return undefined;
    if (!this.#asked.has(tree)) {
      const evidence = this.#context.statCache.recallTree(tree);
      this.#asked.set(tree, evidence !== undefined && this.#batch.holds(evidence) ? evidence : undefined);
    }
    return this.#asked.get(tree);
  }
}

/** See `Workspace.isComplete`. */
export function isComplete(context: Context, artifact: Artifact): boolean {
  const { store, statCache } = context;
  if (artifact.kind === 'file' || artifact.files <= FEW_FILES) return store.isComplete(artifact);
  const known = { recall: statCache.recallTree, remember: statCache.rememberTree };
  try {
    return store.isComplete(artifact, known);
  } finally {
    statCache.flush();
  }
}
