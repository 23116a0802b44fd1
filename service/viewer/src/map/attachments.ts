// What is attached to every map: overlays, tools, pieces of state. Each is a function of the map; what it returns ends it.

import { attachBox } from "./box";
import { attachFrames } from "./frames";
import type { AtlasMap } from "./map";
import { attachMarked } from "./marked";
import { attachMarks } from "./marks";
import { attachPoints } from "./points";

export type Attach = (map: AtlasMap) => (() => void) | void;

export const ATTACHMENTS: Attach[] = [attachMarks, attachPoints, attachBox, attachMarked, attachFrames];
