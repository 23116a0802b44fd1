// Pictures that a finding rests on, with what they show.

import { useSignal } from "@preact/signals";
import type { Evidence, ToldPictures } from "../audits";

/** Address of an audit, which its pictures lie below. */
type At = { at: string };

const WIDE = 2.2; // width over height from which on a picture is several beside each other

export function Shown({ at, picture, heading }: At & { picture: Evidence; heading: string }) {
  const wide = useSignal(false);
  const look = ({ currentTarget: { naturalWidth, naturalHeight } }: { currentTarget: HTMLImageElement }) => { wide.value = naturalWidth > WIDE * naturalHeight; };
  return (
    <figure class={`shown ${picture.role}${wide.value ? " wide" : ""}`}>
      {picture.name ? <img src={`${at}/evidence/${encodeURIComponent(picture.name)}`} alt={`${heading}: ${picture.caption}`} loading="lazy" decoding="async" onLoad={look} /> : <span class="absent">No picture is kept</span>}
      <figcaption>{picture.caption}</figcaption>
    </figure>
  );
}

export function Pictures({ at, groups }: At & { groups: ToldPictures[] }) {
  return (
    <>
      {groups.map(({ heading, items, pairs }) => (
        <section key={heading} class="pictures" aria-label={heading}>
          <h4>{heading}</h4>
          {pairs.length > 0 && (
            <ul class="pairs">{pairs.map(([before, after], n) => (
              <li key={n}><Shown at={at} picture={before} heading="Before" /><span class="arrow" aria-hidden="true">→</span><Shown at={at} picture={after} heading="After" /></li>
            ))}</ul>
          )}
          {items.length > 0 && <ul class="shots">{items.map((each, n) => <li key={n}><Shown at={at} picture={each} heading={heading} /></li>)}</ul>}
        </section>
      ))}
    </>
  );
}
