// What can be taken along: a link to this view, its picture, the cells.

import { useSignal } from "@preact/signals";
import { addressNow } from "../address";
import { landingsOf } from "../images/landings";
import { copy } from "../offline";
import { Popover } from "../parts/Popover";
import { say } from "../parts/said";
import type { ServiceSource } from "../source";
import type { View } from "../view";
import { downloadPicture } from "./picture";

export function Share({ view }: { view: View }) {
  return <Popover icon="share" name="Share" kind="share">{() => <Ways view={view} />}</Popover>;
}

function Ways({ view }: { view: View }) {
  const done = useSignal(""), told = (text: string) => { done.value = text; say(text); };
  return (
    <>
      <button type="button" onClick={() => void copied(view).then(told)}>Copy link to this view</button>
      <button type="button" disabled={copy !== null} onClick={() => void downloadPicture(view).then(told)}>Download picture (PNG)</button>
      {copy && <p class="quiet">Browsers let no page of the file system save pictures; take a screenshot.</p>}
      {view.source.live && <Cells view={view} />}
      {done.value && <p class="quiet" aria-hidden="true">{done.value}</p>}
    </>
  );
}

function Cells({ view }: { view: View }) {
  const side = view.shownSide.value, level = `${(view.source as ServiceSource).level(view.layer.value, side)}/cells`;
  return (
    <>
      <span class="label">The cells of this level</span>
      <div class="share-row">
        <a class="button" href={`${level}?format=csv`} download>CSV</a>
        <a class="button" href={`${level}?format=parquet`} download>Parquet</a>
      </div>
    </>
  );
}

async function copied(view: View): Promise<string> {
  const link = addressNow();
  try {
    await navigator.clipboard.writeText(link);
    return `Link copied: it holds all that you see${landingsOf(view).all.value.length ? ", but no pictures of your own" : ""}.`;
  } catch {
    return `The browser did not let it be copied; here it is: ${link}`;
  }
}
