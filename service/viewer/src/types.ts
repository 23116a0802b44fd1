// What the service and an atlas's folder say, as far as the viewer reads it. docs/http.md describes it all.

export type State = "queued" | "running" | "succeeded" | "failed" | "cancelled";

export interface StageProgress { done: number; running: number; total: number; fraction: number }

export interface Job {
  id: string;
  kind: string;
  name: string | null;
  /** The atlas that it was asked of, and what for; none of an atlas itself. */
  atlas?: string | null;
  request?: Record<string, any> | null;
  state: State;
  spec: Record<string, unknown> & { model?: string; dataset?: string; layers?: string[]; levels?: number[]; recipe?: string };
  progress: Record<string, StageProgress>;
  digest: string | null;
  eta_seconds?: number | null;
  error?: { type: string; detail: string } | null;
  created?: string;
  finished?: string | null;
  links?: Record<string, string>;
}

export interface ClassAmount { index: number; name: string; attribution: number; share: number; images: number }

export interface Exemplar { image: string; row: number; column: number }

export interface IconMeasures {
  marks: string[];
  contrast?: number;
  high_frequency?: number;
  whitened_cosine?: number;
  robust?: number;
  retrieval_rank?: number;
  start_correlation?: number;
  exemplar_correlation?: number;
}

/** A cell as the service tells it; `classes` is null until samples are attributed. */
export interface CellDocument {
  column: number;
  row: number;
  count: number;
  images: number;
  few_images?: boolean;
  coherence: number | null;
  pair_cosine: number | null;
  classes: ClassAmount[] | null;
  exemplars?: Exemplar[];
  icon?: IconMeasures | null;
}

export interface ClassName { index: number; name: string }

/** A level's entry in the manifest. */
export interface LevelQualities { side: number; cells: number; shown?: number; icon_size: number | null; icons: Record<string, any> | null; [more: string]: any }

export interface LayerQualities { samples: number; images: number; layout?: Record<string, number>; levels: LevelQualities[]; [more: string]: any }

export interface Manifest {
  id: string;
  digest: string;
  seed: number;
  seeded_from_data: boolean | null;
  spec: Job["spec"];
  names?: { model?: string; dataset?: string };
  model?: { classes?: string[] | null; input?: ModelInput; [more: string]: any };
  dataset?: { classes?: string[] | null; images?: number; [more: string]: any };
  layers: Record<string, LayerQualities>;
  artifacts: Record<string, { sha256: string; [more: string]: any }>;
  /** Of a folder: what lies there beside its artifacts, by path. */
  beside?: Record<string, { sha256: string; [more: string]: any }>;
  [more: string]: any;
}

export interface ModelInput { width: number; height: number; channels: number; crop: string | null; resize: number | null; [more: string]: any }

/** A level that can be chosen: `ready` once its cells are known, `complete` once it is published. */
export interface Level { side: number; z: number; ready: boolean; complete: boolean; qualities: LevelQualities | null }

export interface Layer { name: string; levels: Level[]; qualities: LayerQualities | null }

/** One atlas (or selection, or comparison of two classes) as the viewer holds it, whatever it was read from. */
export interface Atlas {
  id: string;
  name: string | null;
  state: State;
  spec: Job["spec"];
  names: { model?: string; dataset?: string };
  progress: Job["progress"];
  etaSeconds: number | null;
  error: Job["error"];
  manifest: Manifest | null;
  layers: Layer[];
  /** Whether pictures of the dataset went into the icons; null where there are no icons. */
  seeded: boolean | null;
  /** Of a selection, or of two classes compared: the atlas that it was asked of, and what for. */
  of?: Pick<Job, "kind" | "atlas" | "request"> | null;
}

export interface SampleDocument {
  sample: number;
  image: string | number;
  row: number;
  column: number;
  x: number;
  y: number;
  label: ClassName | null;
  predicted: ClassName | null;
  right: boolean | null;
  /** What of the picture it sees: left, top, right, bottom, in shares of its sides. */
  field: [number, number, number, number];
  crop: string | null;
  distance?: number;
}

export interface Position { row: number; column: number; x: number; y: number; spread: number; ambiguous: boolean; distance: number; percentile: number; cells: Record<string, { column: number; row: number }> }

export interface Projection {
  classes: { index: number; name: string; probability: number }[] | null;
  layers: Record<string, { grid: [number, number]; positions: Position[]; typical_share?: number }>;
  novelty: NoveltyAnswer | null;
  novelty_reason?: string | null;
}

export type NoveltyWord = "ordinary" | "rare" | "unseen";

/** Whether an image is new to the atlas; judged on `n` of its images. docs/novelty.md says what each part is. */
export interface NoveltyAnswer {
  novelty_p: number;
  word: NoveltyWord;
  n: number;
  parts: Record<string, { p: number; word: NoveltyWord; weight: number; says: string }>;
  blind_spots: string[];
}
