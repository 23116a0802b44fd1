// Icons on request: asked for, waited for, found again.

import { type Signal, signal } from "@preact/signals";
import { Problem, json, listOf, post } from "../api";
import type { Job } from "../types";
import { type View, feature } from "../view";

/** A picture and how true it is. */
export interface IconPicture { n: number; url: string; channel?: number; class?: number; fidelity: { whitened_cosine?: number; robust?: number; contrast?: number; marks?: string[] } }

export interface IconsJob extends Job {
  request: { kind: string; layer: string; channels?: number[]; classes?: number[]; of?: string };
  description: { seeded_from_data: boolean; pictures: IconPicture[] } | null;
}

export type Wanted = { kind: "channels"; channels: number[] } | { kind: "classes"; classes: number[]; of: "cells" };

/** What came of a request so far; null where it was not made. */
export type Asked = Signal<IconsJob | Problem | null>;

const POLL = 900;
const running = (job: Job) => job.state === "queued" || job.state === "running";

class Requests {
  private readonly made = new Map<string, Asked>();
  private listed: Promise<IconsJob[]> | null = null;

  constructor(private readonly view: View) {}

  private get root(): string { return `${this.view.source.root}/icons`; }

  /** What came of a request for a layer; looks whether somebody made it before. */
  of(layer: string, wanted: Wanted): Asked {
    const key = JSON.stringify([layer, wanted]), known = this.made.get(key);
    if (known) return known;
    const asked: Asked = signal(null);
    this.made.set(key, asked);
    void this.find(layer, wanted, asked);
    return asked;
  }

  /** Make it. */
  async ask(layer: string, wanted: Wanted): Promise<void> {
    const asked = this.of(layer, wanted);
    try {
      const job = await post<IconsJob>(this.root, { layer, ...wanted });
      asked.value = { ...job, description: null };
      await this.follow(asked, job.id);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      asked.value = error;
    }
  }

  private async find(layer: string, wanted: Wanted, asked: Asked): Promise<void> {
    this.listed ??= listOf<IconsJob>(this.root);
    const jobs = await this.listed.catch(() => []);
    const same = ({ request, state }: IconsJob) => state !== "failed" && state !== "cancelled" && request.layer === layer && answers(request, wanted);
    const job = jobs.filter(same).at(-1);
    if (job && asked.peek() === null) await this.follow(asked, job.id).catch(() => undefined);
  }

  private async follow(asked: Asked, id: string): Promise<void> {
    for (;;) {
      const job = await json<IconsJob>(`${this.root}/${id}`);
      asked.value = job;
      if (!running(job)) return;
      await new Promise((go) => setTimeout(go, POLL));
    }
  }
}

// Whether a request that was made has all pictures that are wanted.
function answers(request: IconsJob["request"], wanted: Wanted): boolean {
  if (request.kind !== wanted.kind) return false;
  if (wanted.kind === "channels") return wanted.channels.every((one) => request.channels?.includes(one));
  return request.of === wanted.of && wanted.classes.every((one) => request.classes?.includes(one));
}

export const requestsOf = feature((view: View) => new Requests(view));
