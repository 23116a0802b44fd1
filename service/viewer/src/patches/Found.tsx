// What a patch test found: one statement, and below it the same numbers for every patch and size, beside the controls.

import { count, sentence } from "../parts/words";

interface Share { hits: number; n: number; share: number; interval: [number, number] }
interface Size { size: number; corners?: Share | null }
export interface Description {
  base_images: number; held_out: boolean; verdict: "flips" | "no flips" | "inconclusive"; reason: string; needs: string | null;
  patches: { n: number; url: string | null; sizes: Size[] }[]; pooled: Size[]; controls: Partial<Record<"crops" | "noise", { sizes: Size[] }>>;
}
interface Row { name: string; picture?: string | null; share?: Share | null; together?: boolean }

const VERDICTS = {
  flips: "Its patches flip the answer, more often than the controls do.",
  "no flips": "Its patches flip the answer no more often than the controls do.",
  inconclusive: "Whether its patches flip the answer cannot be said for sure.",
};

/** Per cent as atlas_core/audit/flips.py tells them: to a tenth, halves up, but for whole ones. */
function hundredths(share: number): string {
  const tenths = Math.floor(1000 * share + 0.5);
  return (tenths / 10).toFixed(tenths % 10 ? 1 : 0);
}

interface Props { found: Description; root: string; one: string; other: string }

export function Found({ found, root, one, other }: Props) {
  const flips = found.patches.some(({ sizes }) => sizes.some(({ corners }) => (corners?.hits ?? 0) > 0));
  return (
    <>
      <p role="status" class="verdict"><strong>{VERDICTS[found.verdict]}</strong> {sentence(found.reason).replaceAll(" %", "\u00a0%")}{found.needs ? ` To be sure it takes ${found.needs}.` : ""}</p>
      <table>
        <caption>Of {count(found.base_images)} images of {one}, those that flip to {other} with the patch in the best corner: in one of the four at least. With 95 % intervals.</caption>
        <thead><tr><th scope="col">Pasted</th><th scope="col">Flip</th><th scope="col">Interval</th></tr></thead>
        {found.pooled.map(({ size }, n) => (
          <tbody key={size}>
            <tr class="size"><th scope="rowgroup" colSpan={3}>Patches of {hundredths(size)}{"\u00a0"}% of the picture's side</th></tr>
            {rowsOf(found, n, other).map((row) => <Line key={row.name} {...row} />)}
          </tbody>
        ))}
      </table>
      {found.patches.length > 0 && (
        <figure>
          <a href={`${root}/sheet`} target="_blank" rel="noreferrer"><img class="sheet" src={`${root}/sheet`} alt={`Images of ${one}, before and after a patch was pasted, with what the model says of each`} /></a>
          <figcaption class="quiet">The strongest of all pastes, not typical ones{flips ? "" : "; none flips"}: each image before, and after with the patch. <a href={`${root}/sheet`} target="_blank" rel="noreferrer">See them large</a></figcaption>
        </figure>
      )}
      {!found.held_out && <p class="quiet">The atlas was made of these images too, for it left none out. That makes them no better or worse to paste on, but the model may know them.</p>}
    </>
  );
}

function rowsOf({ patches, pooled, controls }: Description, size: number, other: string): Row[] {
  return [
    ...patches.map(({ url, sizes }, n) => ({ name: `Patch ${n + 1}`, picture: url, share: sizes[size]!.corners })),
    { name: patches.length > 1 ? "All patches" : "", share: pooled[size]!.corners, together: true },
    { name: `Control: crops of ${other}`, share: controls.crops?.sizes[size]!.corners },
    { name: "Control: noise", share: controls.noise?.sizes[size]!.corners },
  ].filter(({ name, share }) => name && share);
}

function Line({ name, picture, share, together }: Row) {
  const { share: value, interval: [low, high] } = share!;
  return (
    <tr class={together ? "together" : undefined}>
      <th scope="row">{picture && <img src={picture.replace(/^\//, "")} alt="" width="32" height="32" />}{name}</th>
      <td>{hundredths(value)} %</td>
      <td class="interval"><span class="range" aria-hidden="true"><span style={{ left: `${100 * low}%`, width: `${100 * (high - low)}%` }} /><i style={{ left: `${100 * value}%` }} /></span><span class="ends">{hundredths(low)}–{hundredths(high)} %</span></td>
    </tr>
  );
}
