// What stands beside the map, a tab each; below it on a narrow screen.

import type { ComponentType } from "preact";
import { Gallery, hasGallery } from "../gallery/Gallery";
import { PANEL as GALLERY } from "../gallery/showing";
import { ComparePanel } from "../compare/ComparePanel";
import { canCompare, comparedIn } from "../compare/classes";
import { HeatPanel } from "../heat/HeatPanel";
import { hasHeat } from "../heat/heat";
import { Images } from "../images/Images";
import { canPlace, takesPictures } from "../images/landings";
import { PANEL as IMAGES } from "../images/taking";
import { VersionsPanel } from "../versions/VersionsPanel";
import { Through, isThrough } from "../linked/Through";
import { SelectPanel } from "../select/SelectPanel";
import { Places } from "../tour/Places";
import { hasTour } from "../tour/tour";
import type { View } from "../view";
import { Details } from "./details";

export interface Panel {
  /** Also its name in the address. */
  id: string;
  title: string;
  available(view: View): boolean;
  component: ComponentType<{ view: View }>;
}

export const PANELS: Panel[] = [
  { id: "details", title: "Details", available: () => true, component: Details },
  { id: GALLERY, title: "Gallery", available: hasGallery, component: Gallery },
  { id: "heat", title: "Heat map", available: hasHeat, component: HeatPanel },
  { id: "select", title: "Select", available: (view) => view.source.live, component: SelectPanel },
  { id: "compare", title: "Compare", available: (view) => comparedIn(view) !== null || canCompare(view), component: ComparePanel },
  { id: "layers", title: "Layers", available: isThrough, component: Through },
  { id: "versions", title: "Versions", available: canPlace, component: VersionsPanel },
  { id: IMAGES, title: "Pictures", available: takesPictures, component: Images },
  { id: "places", title: "Places", available: (view) => view.prefix === "" && hasTour(view), component: Places },
];
