// The samples of a place as a grid of crops, page by page.

import { element } from "./panel.js";

const SHOWN = 30;
const brief = (one) => one?.name.split(", ")[0];

// What a sample is, in a line.
function said(sample) {
  const label = brief(sample.label), predicted = brief(sample.predicted);
  if (sample.right === false) return `${label}, taken for ${predicted}`;
  return label ?? (predicted ? `taken for ${predicted}` : "");
}

export class SampleGrid {
  // heading(total): text; ask({ token, size, wrong }): a page; crop(sample, source): address, null where none are kept;
  // onPoint(sample or null): a crop is pointed at.
  constructor({ heading, ask, crop, onPoint }) {
    Object.assign(this, { heading, ask, crop, onPoint, tokens: [null], wrong: false });
    this.root = element("section", { class: "samples", "aria-label": "Samples" }, element("p", { class: "quiet" }, "Looking for samples…"));
    this.load(0);
  }

  async load(place) {
    const asked = (this.asked = {});
    let page;
    try {
      page = await this.ask({ token: this.tokens[place], size: SHOWN, wrong: this.wrong });
    } catch (error) {
      this.failed = true;
      if (asked === this.asked) this.root.replaceChildren(element("p", { class: "quiet" }, error.message));
      return;
    }
    if (asked !== this.asked) return; // another page was asked for meanwhile
    this.tokens[place + 1] = page.next_page_token;
    this.show(place, page);
  }

  show(place, { items, total }) {
    const held = this.root.contains(document.activeElement) ? document.activeElement.dataset.turn : null;
    this.known ||= items.some((sample) => sample.right !== null);
    this.root.replaceChildren(...[
      element("h3", {}, this.heading(total)),
      this.known ? this.errorsOnly() : null,
      element("ul", { class: "crops" }, ...items.map((sample) => this.item(sample))),
      this.pager(place, items.length, total),
      (this.chosen = element("div", { class: "chosen" })),
    ].filter(Boolean));
    if (held) (this.root.querySelector(`[data-turn="${held}"]:not(:disabled)`) ?? this.root.querySelector("[data-turn]:not(:disabled)"))?.focus();
  }

  errorsOnly() {
    const box = element("input", { type: "checkbox", onchange: () => { this.wrong = box.checked; this.tokens = [null]; this.load(0); } });
    box.checked = this.wrong;
    return element("label", { class: "wrong-only" }, box, "Only of images that the network got wrong");
  }

  item(sample) {
    const address = this.crop(sample, "stored"), text = said(sample) || String(sample.image);
    const on = { onpointerenter: () => this.onPoint(sample), onpointerleave: () => this.onPoint(null),
      onfocus: () => this.onPoint(sample), onblur: () => this.onPoint(null), onclick: () => this.choose(sample) };
    const inside = address ? element("img", { src: address, alt: text, loading: "lazy", width: 20, height: 20 }) : text;
    return element("li", {}, element("button", { type: "button", class: sample.right === false ? "crop wrong" : "crop", title: `${text} · ${sample.image}`, ...on }, inside));
  }

  // One of them larger, cut anew from its image.
  choose(sample) {
    const address = this.crop(sample, "dataset");
    this.chosen.replaceChildren(element("figure", {},
      address && element("img", { src: address, alt: said(sample) }),
      element("figcaption", {}, element("strong", {}, said(sample) || "Sample"), element("br"), String(sample.image),
        element("br"), `row ${sample.row}, column ${sample.column} of the layer`)));
    this.chosen.scrollIntoView({ block: "nearest" });
  }

  pager(place, count, total) {
    const first = place * SHOWN;
    const turn = (name, by, able) => element("button", { type: "button", "data-turn": name.toLowerCase(), disabled: able ? null : "", onclick: () => this.load(place + by) }, name);
    if (total <= SHOWN) return null;
    return element("nav", { class: "pager", "aria-label": "Pages of samples" }, turn("Previous", -1, place > 0),
      element("span", {}, `${(first + 1).toLocaleString("en")}–${(first + count).toLocaleString("en")}`),
      turn("Next", 1, Boolean(this.tokens[place + 1])));
  }
}
