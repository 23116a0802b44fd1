// One dataset: how many images of which classes, and what was left out and why.

import { useSignal } from "@preact/signals";
import { Bars } from "../parts/Bars";
import { Body } from "../parts/Body";
import { Facts } from "../parts/Facts";
import { Removal } from "../parts/Removal";
import { StandingBadge } from "../parts/Standing";
import { Ghosts, Wrong } from "../parts/States";
import { count } from "../parts/words";
import { type Dataset, useOne } from "../registered";
import type { PageProps } from ".";

const FROM = { href: "?datasets", text: "Datasets" };
const SOME = 20; // classes, and skipped files, that are shown at first

export default function DatasetPage({ query }: PageProps) {
  const asked = useOne("datasets", query.get("dataset") ?? "");
  const dataset = asked.value.value, problem = asked.problem.value;
  if (problem && !dataset) return <Body title="Dataset" from={FROM}><Wrong problem={problem} what="The dataset" again={asked.again} back={{ href: "?datasets", text: "See the datasets" }} /></Body>;
  if (!dataset) return <Body title="Dataset" from={FROM}><Ghosts count={3} kind="line" /></Body>;
  return (
    <Body title={dataset.name} from={FROM} lead={<StandingBadge standing={dataset.state} />} actions={<>
      <Removal kind="datasets" id={dataset.id} name={dataset.name} />
      {dataset.state === "ready" && <a class="button primary" href={`?new&dataset=${dataset.id}`}>Make an atlas</a>}
    </>}>
      {dataset.state === "inspecting" && <p class="note">A worker is listing its images. This page follows.</p>}
      {dataset.state === "refused" && <section class="notes wrong"><h2>Why it cannot be used</h2><ul>{dataset.reasons.map((reason) => <li key={reason}>{reason}</li>)}</ul></section>}
      <div class="two">
        <section class="sheet" aria-labelledby="what"><h2 id="what">What there is</h2><Facts rows={facts(dataset)} /></section>
        <section class="sheet" aria-labelledby="classes"><h2 id="classes">Images of each class</h2><Classes counts={dataset.class_counts} /></section>
      </div>
      {dataset.skipped.length > 0 && <Skipped files={dataset.skipped} />}
    </Body>
  );
}

function facts({ images, class_counts, skipped, card, digest }: Dataset): [string, string, string?][] {
  return [
    ["Images", count(images)],
    ["Classes", class_counts ? count(Object.keys(class_counts).length) : "not labelled"],
    ["Skipped", count(skipped.length)],
    ["From", card.source.startsWith("sha256:") ? `an upload, ${card.source.slice(7, 19)}…` : card.source],
    ["Below", card.prefix || "–"],
    ["Revision", card.revision ?? "–"],
    ["Digest", digest ? `${digest.slice(0, 12)}…` : "–", digest ?? undefined],
  ];
}

function Classes({ counts }: { counts: Record<string, number> | null }) {
  const all = useSignal(false);
  if (!counts) return <p class="quiet">It is not labelled. Atlases can be made of it; accuracy and audits need labels: name its classes in its card.</p>;
  const rows = Object.entries(counts).sort(([, a], [, b]) => b - a), most = rows[0]?.[1] ?? 1;
  const shown = all.value ? rows : rows.slice(0, SOME);
  return (
    <>
      <Bars rows={shown.map(([name, images]) => ({ name, value: count(images), share: images / most }))} />
      {rows.length > shown.length && <button type="button" onClick={() => { all.value = true; }}>Show all {count(rows.length)}</button>}
    </>
  );
}

function Skipped({ files }: { files: Dataset["skipped"] }) {
  const all = useSignal(false), shown = all.value ? files : files.slice(0, SOME);
  return (
    <section aria-labelledby="skipped">
      <h2 id="skipped">Skipped files</h2>
      <p class="quiet">They are in no atlas. Where they should be, mend them and register the dataset again.</p>
      <div class="scroll" tabIndex={0} role="group" aria-label="Skipped files">
        <table><thead><tr><th scope="col">File</th><th scope="col">Why</th></tr></thead>
          <tbody>{shown.map(({ image, reason }) => <tr key={image}><th scope="row"><code>{image}</code></th><td>{reason}</td></tr>)}</tbody></table>
      </div>
      {files.length > shown.length && <p><button type="button" onClick={() => { all.value = true; }}>Show all {count(files.length)}</button></p>}
    </section>
  );
}
