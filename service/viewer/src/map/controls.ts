// What floats on the edges of every map, in the order of this list.

import type { ComponentType } from "preact";
import { Axis } from "../compare/Axis";
import { comparedIn } from "../compare/classes";
import { Legend } from "../heat/Legend";
import { heatOf } from "../heat/heat";
import { Strip } from "../line/Strip";
import { lineOf } from "../line/line";
import { GuideButton } from "../guide/Guide";
import { BesideControl } from "../linked/BesideControl";
import { canBeside } from "../linked/beside";
import { Share } from "../share/Share";
import { PlayControl } from "../tour/PlayControl";
import { Player } from "../tour/Player";
import { canPlay } from "../tour/tour";
import type { View } from "../view";
import { LayerChooser, LevelChooser } from "./chooser";
import { Displaying } from "./displaying";
import { Minimap } from "./minimap";
import { Zoom } from "./zoom";

export interface Control {
  id: string;
  /** `bar` stands above the map, `below` beneath it, the corners lie on it. */
  corner: "bar" | "below" | "top-left" | "top-right" | "bottom-left" | "bottom-right";
  /** Whether it has something to say or do; read anew whenever signals it reads change. */
  available?(view: View): boolean;
  component: ComponentType<{ view: View }>;
}

export const CONTROLS: Control[] = [
  { id: "layer", corner: "bar", component: LayerChooser },
  { id: "level", corner: "bar", component: LevelChooser },
  { id: "beside", corner: "bar", available: canBeside, component: BesideControl },
  { id: "display", corner: "bar", component: Displaying },
  { id: "tour", corner: "bar", available: canPlay, component: PlayControl },
  { id: "guide", corner: "bar", available: (view) => view.prefix === "", component: GuideButton },
  { id: "share", corner: "bar", available: (view) => view.prefix === "", component: Share },
  { id: "player", corner: "top-left", available: (view) => view.prefix === "" && view.source.root !== "", component: Player },
  { id: "zoom", corner: "bottom-right", component: Zoom },
  { id: "axis", corner: "below", available: (view) => comparedIn(view) !== null, component: Axis },
  { id: "legend", corner: "below", available: (view) => heatOf(view).of.value !== "", component: Legend },
  { id: "strip", corner: "below", available: (view) => lineOf(view).value !== null, component: Strip },
  { id: "minimap", corner: "bottom-left", component: Minimap },
];
