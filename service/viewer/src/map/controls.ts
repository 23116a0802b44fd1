// What floats on the edges of every map, in the order of this list.

import type { ComponentType } from "preact";
import { BesideControl } from "../linked/BesideControl";
import { canBeside } from "../linked/beside";
import type { View } from "../view";

export interface Control {
  id: string;
  corner: "top-left" | "top-right" | "bottom-left" | "bottom-right";
  /** Whether it has something to say or do; read anew whenever signals it reads change. */
  available?(view: View): boolean;
  component: ComponentType<{ view: View }>;
}

export const CONTROLS: Control[] = [
  { id: "beside", corner: "top-right", available: canBeside, component: BesideControl },
];
