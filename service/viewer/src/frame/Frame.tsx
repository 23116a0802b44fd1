// What is around every page: where one is, where one can go, and in which light.

import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { asksForKey } from "../api";
import { Mark } from "../parts/Icon";
import { useArrival } from "./arrival";
import { Health } from "./Health";
import { query } from "./navigate";
import { PLACES, addressOf, placeOf } from "./places";
import { look } from "./session";
import { SignOut } from "./SignOut";
import { ThemeButton } from "./ThemeButton";

/**
 * @param alone Whether the page is all there is: no service is behind it that has others.
 * @param shown The address of the page that is shown; null while the first is fetched.
 */
export function Frame({ alone, shown, children }: { alone: boolean; shown: string | null; children: ComponentChildren }) {
  const here = placeOf(query.value);
  useArrival(shown);
  useEffect(() => { if (!alone) void look(); }, [alone]);
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>Skip to the content</a>
      <header class="frame">
        <Brand link={!alone} />
        {!alone && !asksForKey.value && (
          <nav aria-label="Pages">
            {PLACES.map((place) => (
              <a key={place.key} href={addressOf(place)} aria-current={place !== here?.place ? undefined : here.itself ? "page" : "true"}>{place.text}</a>
            ))}
          </nav>
        )}
        <span class="own">{!alone && <SignOut />}<ThemeButton /></span>
      </header>
      {!alone && <Health />}
      {children}
    </>
  );
}

function Brand({ link }: { link: boolean }) {
  const inside = <><Mark /><span class="word">Activation atlas</span></>;
  return link ? <a class="brand" href="./" aria-label="Activation atlas">{inside}</a> : <span class="brand">{inside}</span>;
}

function skip(event: Event): void {
  event.preventDefault();
  const main = document.querySelector<HTMLElement>("main");
  if (!main) return;
  main.tabIndex = -1;
  main.focus();
}
