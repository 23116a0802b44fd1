// What changed in short, as a release note can quote it, and how alike the two are.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { bytes } from "../api";
import { Bars } from "../parts/Bars";
import { ProblemLine } from "../parts/Problem";
import { percent } from "../parts/words";
import type { PartProps } from "./VersionsPage";
import type { Interval } from "./told";

export function Summary({ job, found, halves }: PartProps) {
  const markdown = useSignal<string | null>(null), problem = useSignal<Error | null>(null);
  useEffect(() => {
    bytes(`v1/comparisons/${encodeURIComponent(job.id)}/summary`).then((data) => { markdown.value = new TextDecoder().decode(data); }, (error: Error) => { problem.value = error; });
  }, [job.id]);
  const { likeness, layer } = halves.layer, lines = markdown.value?.split("\n") ?? [];
  const bars = [
    ...(found.agreement ? [bar("The same answer", "Share of images that get one answer from both", found.agreement.share, [found.agreement.low, found.agreement.high])] : []),
    ...alike(`CKA at ${layer}`, "How alike both see whole images: 1 is the same up to turning", likeness.cka),
    ...alike(`Neighbours in common at ${layer}`, `Of the ${likeness.k} nearest samples; by chance ${percent(likeness.chance)}`, likeness.neighbours),
  ];
  return (
    <>
      {problem.value && <ProblemLine problem={problem.value} />}
      <div class="summary">
        {lines.filter((line) => line && !line.startsWith("- ")).map((line) => <p key={line}>{bold(line)}</p>)}
        <ul>{lines.filter((line) => line.startsWith("- ")).map((line) => <li key={line}>{bold(line.slice(2))}</li>)}</ul>
      </div>
      <h3>How alike the two are</h3>
      <Bars rows={bars} />
    </>
  );
}

/** Markdown's bold, the only mark that the summary has. */
function bold(line: string) {
  return line.split("**").map((part, n) => (n % 2 ? <strong key={n}>{part}</strong> : part));
}

const alike = (name: string, title: string, found: Interval | null) => (found ? [bar(name, title, found.value, [found.low, found.high])] : []);

function bar(name: string, title: string, share: number, [low, high]: [number, number]) {
  return { name, title, value: share.toFixed(2), share, more: `${title}. 95 % interval ${low.toFixed(2)} to ${high.toFixed(2)}.` };
}
