// From how many samples on a cell counts among others: the mean of a few is often extreme. As atlas_core/heatmap.py.

const ENOUGH = 10;

/** Samples from which a cell of a level counts, by those of all its cells. */
export function enoughSamples(count: readonly number[]): number {
  const sorted = [...count].sort((a, b) => a - b), middle = (sorted.length - 1) / 2;
  return Math.min(ENOUGH, Math.floor(((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle)] ?? 0)) / 2));
}
