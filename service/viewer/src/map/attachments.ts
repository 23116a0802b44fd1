// What is attached to every map: overlays, tools, pieces of state. Each is a function of the map; what it returns ends it.

import { attachGuide } from "../guide/steps";
import { attachAxes } from "../compare/classes";
import { attachEdges } from "../heat/edges";
import { attachHeat } from "../heat/heat";
import { attachAnnounce } from "./announce";
import { showLanding } from "../images/overlay";
import { lightUp } from "../linked/lit";
import { stayWithSamples } from "../linked/staying";
import { attachLine } from "../line/line";
import { attachLasso } from "../select/tools";
import { attachNames } from "../names/overlay";
import { attachTip } from "../tip/Tip";
import { attachBox } from "./box";
import { attachFrames } from "./frames";
import type { AtlasMap } from "./map";
import { attachMarked } from "./marked";
import { attachMarks } from "./marks";
import { attachPoints } from "./points";

export type Attach = (map: AtlasMap) => (() => void) | void;

export const ATTACHMENTS: Attach[] = [
  attachMarks,
  attachPoints,
  attachHeat,
  attachEdges,
  attachBox,
  attachLasso,
  attachLine,
  attachAxes,
  lightUp,
  ({ view }) => stayWithSamples(view),
  showLanding,
  attachNames,
  attachGuide,
  attachMarked,
  attachFrames,
  attachAnnounce,
  attachTip,
];
