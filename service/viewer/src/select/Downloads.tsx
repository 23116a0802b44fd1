// The images of a selection as a file to keep.

import { useSignal } from "@preact/signals";
import { bytes, listOf } from "../api";
import { say } from "../parts/said";
import type { View } from "../view";
import { pathOf } from "./selection";

type Kind = "csv" | "json";

/** Give a file to the browser to keep. */
export function keep(content: BlobPart, type: string, name: string): void {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(new Blob([content], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export function Downloads({ view, query }: { view: View; query: string }) {
  const busy = useSignal(false), failed = useSignal<string | null>(null);
  const fetched = async (kind: Kind) => {
    busy.value = true;
    failed.value = null;
    try {
      const path = pathOf(view, "images", query);
      const content = kind === "csv" ? await bytes(path, { headers: { accept: "text/csv" } }) : JSON.stringify(await listOf(`${path}&page_size=1000`), null, 1);
      keep(content, kind === "csv" ? "text/csv" : "application/json", `images.${kind}`);
      say("The images were saved");
    } catch (error) {
      failed.value = (error as Error).message;
    }
    busy.value = false;
  };
  return (
    <div class="tools" role="group" aria-label="Its images as a list">
      <span class="quiet">Images as</span>
      <button type="button" disabled={busy.value} onClick={() => void fetched("csv")}>CSV</button>
      <button type="button" disabled={busy.value} onClick={() => void fetched("json")}>JSON</button>
      {failed.value && <p class="failed" role="alert">{failed.value}</p>}
    </div>
  );
}
