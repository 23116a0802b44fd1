// What is attached to every map: overlays, tools, pieces of state. Each is a function of the map; what it returns ends it.

import { showLanding } from "../images/overlay";
import { lightUp } from "../linked/lit";
import { stayWithSamples } from "../linked/staying";
import type { AtlasMap } from "./map";

export type Attach = (map: AtlasMap) => (() => void) | void;

export const ATTACHMENTS: Attach[] = [
  lightUp,
  ({ view }) => stayWithSamples(view),
  showLanding,
];
