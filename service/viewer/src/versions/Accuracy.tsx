// What both models get right: over all, by class, and the cells where that changed.

import { count, percent } from "../parts/words";
import { mixed } from "./Changes";
import type { PartProps } from "./VersionsPage";
import { type Accuracy as Told, local } from "./told";

export function Accuracy({ found, halves }: PartProps) {
  if (!found.accuracy) return <p class="quiet">The images have no labels, or a model has no logits: nobody can tell what is right. {found.agreement && `Both give the same answer for ${percent(found.agreement.share)} of them.`}</p>;
  const { overall, classes } = found.accuracy, cells = halves.layer.cells.accuracy;
  return (
    <>
      <p><strong>{percent(overall.old)} → {percent(overall.new)}</strong> of {count(overall.images)} images right: {points(overall)}.</p>
      <p class="quiet">{count(overall.lost)} images only the old one gets right, {count(overall.won)} only the new one.</p>
      <h3>By class, the surest changes first</h3>
      <table class="accuracy">
        <thead><tr><th scope="col">Class</th><th scope="col">Before</th><th scope="col">After</th><th scope="col">Change</th></tr></thead>
        <tbody>
          {classes.map((one) => (
            <tr key={one.index} class={one.verdict ?? ""}>
              <th scope="row">{one.name}{one.verdict && <small> {one.verdict}</small>}</th><td>{percent(one.old)}</td><td>{percent(one.new)}</td><td title={points(one)}>{signed(one.change)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {classes.filter((one) => one.url).map((one) => (
        <figure key={one.index} class="lost"><img src={local(one.url!)} alt={`Images of ${one.name} that only the old model gets right`} loading="lazy" /><figcaption class="quiet">{one.name}: images that only the old one gets right</figcaption></figure>
      ))}
      <h3>Cells where it changed beyond chance</h3>
      {cells.length === 0 ? <p class="quiet">None on this map.</p> : (
        <ol class="changes">
          {cells.map((cell, n) => (
            <li key={n}><button type="button" onClick={() => halves.choose("old", cell)}>
              <span class={`tag ${cell.change < 0 ? "against" : "for"}`}>{signed(cell.change)}</span>
              <span><strong>{mixed(cell.classes)}</strong><small>{percent(cell.old)} → {percent(cell.new)} of {count(cell.images)} images, column {cell.column}, row {cell.row}</small></span>
            </button></li>
          ))}
        </ol>
      )}
    </>
  );
}

const signed = (change: number) => `${change < 0 ? "−" : "+"}${Math.abs(100 * change).toFixed(1)}`;
const points = ({ change, low, high }: Told) => `${signed(change)} points, 95 % interval ${signed(low)} to ${signed(high)}`;
