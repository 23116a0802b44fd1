// What words of the viewer mean, in a sentence each; as docs and the glossary use them.

export const MEANINGS = {
  samples: "One activation each: what the layer gives at one place of one image.",
  fidelity: "How well the icon excites the layer in the cell's direction: 1 is exactly so, 0 not at all. It is a cosine after whitening, so that channels which are always active do not count for more.",
  robust: "Fidelity after the icon is blurred, turned and zoomed a little. Where it falls far, the icon hangs on single pixels.",
  nearest: "Share of icons that excite their own cell's direction more than that of any other cell of the level.",
  starts: "Fidelity of the pictures that icons start from, before anything was drawn. Icons should lie well above it.",
  patches: "Fidelity of the real patch nearest to each cell: what a photograph reaches.",
  coherence: "How much the cell's samples point the same way, 0 to 1: is their mean a fair summary of them?",
  cosine: "Mean cosine between two of the cell's activations. Unlike coherence it does not rise by itself in cells of few samples.",
  trustworthiness: "Are neighbours on the map neighbours in the layer, too? 1: all of them.",
  continuity: "Are neighbours in the layer neighbours on the map, too? 1: all of them.",
  shown: "Samples in cells that are on the map; cells of too few samples are left out.",
  contrast: "Icons with far less contrast than real patches have.",
  low: "Icons that hardly excite the layer as their cells do.",
  copies: "Icons that are nearly a copy of what they started from, or of a real patch.",
  grain: "Icons with finer noise than photographs have.",
} as const;

/** Why a layer has fewer samples than were asked for. */
export const fewer = (asked: number): string =>
  `${MEANINGS.samples} ${asked.toLocaleString("en")} points were taken of the images; where two of an image fall on the same place of this layer's grid, they are one sample.`;
