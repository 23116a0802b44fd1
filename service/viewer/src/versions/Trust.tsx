// How far the map may be believed: everything stands beside the noise floor, the old model and itself laid out the same way.

import { Facts } from "../parts/Facts";
import { decimal, percent } from "../parts/words";
import type { PartProps } from "./VersionsPage";

const far = (value: number) => value.toFixed(3);

export function Trust({ halves }: PartProps) {
  const { map, cells } = halves.layer, beyond = map.twins.distance / Math.max(1e-9, map.twins.floor);
  return (
    <>
      <p>Both maps are laid out together, each sample tied to itself on the other. What they differ by is held against the <strong>noise floor</strong>: the old model and itself, laid out the same way with another seed. Nothing below it means anything.</p>
      <Facts rows={[
        ["Twins lie apart", `${far(map.twins.distance)} sides of the map`, "Median distance of a sample from itself on the other map"],
        ["– on the noise floor", far(map.twins.floor)],
        ["Twin among the nearest 1 %", percent(map.retrieval.share), "Share of samples that are found again at their place"],
        ["– on the noise floor", percent(map.retrieval.floor)],
        ["Samples far from their twins", percent(cells.astray.share), `Farther than ${far(cells.reach)} sides of the map`],
        ["– on the noise floor", percent(cells.astray.floor)],
        ["Trustworthiness, old half", decimal(map.trustworthiness.old), "Are neighbours on the map neighbours in the layer?"],
        ["Trustworthiness, new half", decimal(map.trustworthiness.new)],
      ]} />
      <p class="note">{beyond < 1.5 ? "The maps differ no more than chance would have it." : `The maps differ ${beyond < 9.5 ? beyond.toFixed(1) : Math.round(beyond)} times as much as chance would have it.`}</p>
    </>
  );
}
