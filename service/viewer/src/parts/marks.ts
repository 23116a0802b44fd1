// What the marks of an icon mean; on the map a dot in its corner.

export interface Mark { short: string; long: string }

export const MARKS: Record<string, Mark> = {
  low_contrast: { short: "Icon low in contrast", long: "It is low in contrast: far less than real patches have." },
  low_fidelity: { short: "Icon hardly shows the cell", long: "It is low in fidelity: it hardly excites the layer as the cell does." },
  copy: { short: "Icon is nearly a copy", long: "It is nearly a copy of what it started from, or of a real patch." },
  grain: { short: "Icon is grainy", long: "It is grainy: finer noise than photographs have." },
};
