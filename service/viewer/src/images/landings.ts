// Pictures of the user's and where they land: kept side by side, one of them in the foreground.

import { type Signal, batch, computed, signal } from "@preact/signals";
import { Problem, send } from "../api";
import { say } from "../parts/said";
import type { Position, Projection } from "../types";
import { type View, feature } from "../view";

const KINDS = ["image/jpeg", "image/png", "image/webp"];
const TRIES = 6, PAUSE = 2500; // of a queue that is full, in milliseconds

export interface Landing {
  readonly id: number;
  readonly name: string;
  readonly file: Blob;
  readonly url: string;
  readonly image: HTMLImageElement;
  /** Whether its pixels can be shown. */
  readonly shown: Signal<boolean>;
  readonly answer: Signal<Projection | null>;
  readonly problem: Signal<string | null>;
  /** What it is waiting for, in words; empty when it waits for nothing. */
  readonly waiting: Signal<string>;
}

class Landings {
  readonly all = signal<Landing[]>([]);
  /** What was not taken, in words; empty while all was. */
  readonly refused = signal("");
  readonly front = signal<Landing | null>(null);
  /** The position of the one in front that is pointed at, on it or on the map. */
  readonly pointed = signal<Position | null>(null);
  private number = 0;

  constructor(private readonly view: View) {}

  /** Positions of the one in front at the shown layer. */
  readonly positions = computed<Position[]>(() => this.front.value?.answer.value?.layers[this.view.layer.value]?.positions ?? []);

  /** Place pictures; the last one comes to the front. */
  async place(files: Iterable<File>): Promise<void> {
    const all = [...files], taken = all.filter(({ type }) => !type || KINDS.includes(type));
    this.refused.value = all.filter((file) => !taken.includes(file)).map(({ name }) => unreadable(name)).join(" ");
    if (this.refused.value) say(this.refused.value);
    const landings = taken.map((file) => this.add(file));
    for (const landing of landings) await this.ask(landing);
  }

  private add(file: File): Landing {
    const url = URL.createObjectURL(file), image = new Image(), shown = signal(false);
    image.onload = () => { shown.value = true; };
    image.src = url;
    const landing: Landing = { id: ++this.number, name: file.name || "Pasted picture", file, url, image, shown, answer: signal(null), problem: signal(null), waiting: signal("Placing it…") };
    batch(() => {
      this.all.value = [...this.all.peek(), landing];
      this.front.value = landing;
      this.pointed.value = null;
    });
    return landing;
  }

  /** Ask the service where it lands; waits where too many others do. */
  async ask(landing: Landing): Promise<void> {
    landing.problem.value = null;
    for (let tried = 1; ; tried++) {
      try {
        landing.answer.value = await send<Projection>(`${this.view.source.root}/projections`, landing.file);
        landing.waiting.value = "";
        say(`${landing.name}: ${landing.answer.value.classes?.[0]?.name ?? "placed"}, ${landing.answer.value.novelty?.word ?? ""}`);
        return;
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        if (error.status === 429 && tried < TRIES) {
          landing.waiting.value = "Many pictures are waiting to be placed. Yours is tried again in a moment.";
          await new Promise((done) => setTimeout(done, PAUSE));
          continue;
        }
        batch(() => { landing.problem.value = plain(error, landing); landing.waiting.value = ""; });
        say(landing.problem.value!);
        return;
      }
    }
  }

  show(landing: Landing): void {
    batch(() => { this.front.value = landing; this.pointed.value = null; });
  }

  remove(landing: Landing): void {
    URL.revokeObjectURL(landing.url);
    batch(() => {
      this.all.value = this.all.peek().filter((one) => one !== landing);
      if (this.front.peek() === landing) this.front.value = this.all.peek().at(-1) ?? null;
      this.pointed.value = null;
    });
  }
}

export const landingsOf = feature((view: View) => new Landings(view));

/** Whether pictures can be placed sooner or later. */
export const takesPictures = (view: View): boolean => view.source.live && view.prefix === "";

/** Whether pictures can be placed: by a service that has finished the atlas. */
export const canPlace = (view: View): boolean => takesPictures(view) && view.atlas.value.state === "succeeded";

// The service's own words where they tell the remedy; what people may not know in plainer ones.
function plain(problem: Problem, { name }: Landing): string {
  switch (problem.status) {
    case 413: return `“${name}” is too large. ${problem.message}`;
    case 415: return unreadable(name);
    case 422: return `“${name}” cannot be placed: ${problem.message}`;
    case 503: case 504: return "The service is too busy to place it now. Try again in a moment.";
    case 429: return "Too many pictures are waiting to be placed. Try again in a minute.";
    default: return problem.message;
  }
}

const unreadable = (name: string) => `“${name}” is no picture that can be read here. Take a JPEG, PNG or WebP.`;
