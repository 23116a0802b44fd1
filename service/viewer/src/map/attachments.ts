// What is attached to every map: overlays, tools, pieces of state. Each is a function of the map; what it returns ends it.

import type { AtlasMap } from "./map";

export type Attach = (map: AtlasMap) => (() => void) | void;

export const ATTACHMENTS: Attach[] = [];
