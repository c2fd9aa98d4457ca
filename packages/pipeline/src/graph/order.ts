/**
 * Topological order, in the order of the list among equals. Stages of a cycle come last.
 * @param downstream for each stage, the indices of those that need it; @param waiting how many each one needs.
 */
export function topologicalOrder(downstream: readonly (readonly number[])[], waiting: readonly number[]): number[] {
  const left = [...waiting];
  const heap = new IndexHeap();
  left.forEach((count, i) => {
    if (count === 0) heap.push(i);
  });
  const order: number[] = [];
  for (let next = heap.pop(); next !== undefined; next = heap.pop()) {
    order.push(next);
    for (const other of downstream[next] ?? []) {
      const count = (left[other] ?? 0) - 1;
      left[other] = count;
      if (count === 0) heap.push(other);
    }
  }
  return order;
}

/** A binary heap of numbers, smallest first. */
class IndexHeap {
  private readonly items: number[] = [];

  push(value: number): void {
    const { items } = this;
    let i = items.length;
    items.push(value);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = items[parent] as number;
      if (above <= value) break;
      items[i] = above;
      items[parent] = value;
      i = parent;
    }
  }

  pop(): number | undefined {
    const { items } = this;
    const top = items[0];
    const last = items.pop();
    if (top === undefined || last === undefined || items.length === 0) return top;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && (items[child + 1] as number) < (items[child] as number)) child++;
      if ((items[child] as number) >= last) break;
      items[i] = items[child] as number;
      i = child;
    }
    items[i] = last;
    return top;
  }
}

/** One cycle among stages that no topological order holds: indices in the order of the edges, the earliest first. */
export function findCycle(upstream: readonly (readonly number[])[], rest: ReadonlySet<number>): number[] {
  const start = Math.min(...rest);
  const seen = new Map<number, number>();
  const path: number[] = [];
  // Every stage that is left has an upstream that is left too: following it must come back.
  for (let at: number | undefined = start; at !== undefined; ) {
    const before = seen.get(at);
    if (before !== undefined) {
      const cycle = path.slice(before).reverse();
      const first = cycle.indexOf(Math.min(...cycle));
      return [...cycle.slice(first), ...cycle.slice(0, first)];
    }
    seen.set(at, path.length);
    path.push(at);
    at = upstream[at]?.find((other) => rest.has(other));
  }
  return [];
}
