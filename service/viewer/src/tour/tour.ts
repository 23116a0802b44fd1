// Saved places of a map, kept by the service for whoever looks at it, and played one after the other.

import { type Signal, batch, signal } from "@preact/signals";
import { goTo, stateNow } from "../address";
import { Problem, json } from "../api";
import { panelOf } from "../panels/open";
import { say } from "../parts/said";
import { type View, feature } from "../view";

/** A place: what is said of it, and the whole state of the view there. */
export interface Stop { caption: string; view: string }

interface TourDocument { version: number; title: string; stops: Stop[] }

export type Saving = "read" | "saved" | "saving" | Problem;

const QUIET = 700; // milliseconds without a change after which a change is saved
const STALE = 412;
const DWELL = 5000; // milliseconds at a place, and for every letter of its caption
const LETTER = 40;

export class Tour {
  readonly stops = signal<Stop[]>([]);
  readonly saving = signal<Saving>("read");
  /** Number of the place that is shown while the tour plays, null while it does not. */
  readonly at = signal<number | null>(null);
  readonly paused: Signal<boolean> = signal(false);
  private version = 0;
  private title = "";
  private timer = 0;
  private clock = 0;

  constructor(private readonly view: View) { void this.load(); }

  get canEdit(): boolean { return this.view.source.live; }

  /** Read what is saved, in the place of what is here. */
  async load(): Promise<void> {
    if (!this.view.source.root) return;
    try {
      this.take(await json<TourDocument>(this.address));
      this.saving.value = "saved";
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.saving.value = error;
    }
  }

  /** Save what the map shows now as the last place. */
  addHere(caption = ""): void {
    this.change([...this.stops.peek(), { caption, view: stateNow(["panel"]) }]);
    say(`Place ${this.stops.peek().length} saved`);
  }

  setCaption(n: number, caption: string): void { this.change(this.stops.peek().map((stop, at) => (at === n ? { ...stop, caption } : stop))); }

  remove(n: number): void { this.change(this.stops.peek().filter((_, at) => at !== n)); }

  move(n: number, by: number): void {
    const stops = [...this.stops.peek()], [stop] = stops.splice(n, 1);
    stops.splice(n + by, 0, stop!);
    this.change(stops);
    say(`Moved to place ${n + by + 1}`);
  }

  /** Save over what somebody else saved meanwhile. */
  async keepMine(): Promise<void> {
    this.version = (await json<TourDocument>(this.address)).version;
    await this.save();
  }

  play(): void {
    this.paused.value = matchMedia("(prefers-reduced-motion: reduce)").matches; // then each step is asked for
    this.show(0);
  }

  /** Go to a place of the tour. */
  show(n: number): void {
    const stop = this.stops.peek()[n];
    if (!stop) return this.end();
    batch(() => {
      this.at.value = n;
      const chosen = new URLSearchParams(stop.view).has("cell"); // its details are part of what is shown
      goTo(stop.view, chosen ? {} : { panel: panelOf(this.view).peek() });
    });
    say(`Place ${n + 1} of ${this.stops.peek().length}. ${stop.caption}`);
    this.wait();
  }

  step(by: number): void {
    const at = this.at.peek();
    if (at !== null && at + by >= 0 && at + by < this.stops.peek().length) this.show(at + by);
  }

  pause(paused: boolean): void {
    this.paused.value = paused;
    this.wait();
  }

  end(): void {
    clearTimeout(this.clock);
    this.at.value = null;
  }

  private get address(): string { return `${this.view.source.root}/tour`; }

  private wait(): void {
    clearTimeout(this.clock);
    const at = this.at.peek(), stops = this.stops.peek();
    if (at === null || this.paused.peek()) return;
    const last = at === stops.length - 1;
    this.clock = window.setTimeout(() => { if (last) this.pause(true); else this.step(1); }, DWELL + LETTER * stops[at]!.caption.length);
  }

  private change(stops: Stop[]): void {
    this.stops.value = stops;
    this.saving.value = "saving";
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.save(), QUIET);
  }

  private async save(): Promise<void> {
    const stops = this.stops.peek(), headers = { "content-type": "application/json", "if-match": `"${this.version}"` };
    try {
      const saved = await json<TourDocument>(this.address, { method: "PUT", headers, body: JSON.stringify({ title: this.title, stops }) });
      this.version = saved.version;
      if (this.stops.peek() === stops) this.saving.value = "saved";
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.saving.value = error;
    }
  }

  private take({ version, title, stops }: TourDocument): void {
    [this.version, this.title, this.stops.value] = [version, title, stops];
  }
}

export const isStale = (saving: Saving): boolean => saving instanceof Problem && saving.status === STALE;

export const tourOf = feature((view: View) => new Tour(view));

/** Whether a map has saved places to be played. */
export const canPlay = (view: View): boolean => view.prefix === "" && view.source.root !== "" && tourOf(view).stops.value.length > 0;

/** Whether a map has saved places, or may have. */
export const hasTour = (view: View): boolean => view.source.live || canPlay(view);
