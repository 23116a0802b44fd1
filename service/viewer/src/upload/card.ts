// A card and the files that it names, as a person picks them: read, checked, sent by digest, registered.

import { Problem, post } from "../api";
import type { Kind, Of } from "../registered";
import { sha256Of } from "./sha256";

type Card = Record<string, unknown>;

/** Fields of a card that name files to be sent, and those that name a list to be put in. */
const FILES: Record<Kind, string[]> = { models: ["weights", "source"], datasets: ["source"] };
const LISTS: Record<Kind, string> = { models: "labels", datasets: "classes" };
const RESOLVED = /^(sha256:|store:)/;

export interface Step { text: string; share: number | null }

/**
 * Register what a card describes.
 *
 * @param files The card, a JSON file, and the files that it names.
 * @param dataset Of a model: a labelled dataset on which to measure it.
 * @throws Problem Of status 422 where a file is missing or is no card; else as the service says.
 */
export async function register<K extends Kind>(kind: K, files: File[], dataset: string | null, onStep: (step: Step) => void): Promise<Of<K>> {
  const card = await cardAmong(files);
  for (const field of FILES[kind]) {
    const name = card[field];
    if (typeof name === "string" && !RESOLVED.test(name)) card[field] = `sha256:${await sent(named(files, name, field), onStep)}`;
  }
  const list = card[LISTS[kind]];
  if (typeof list === "string") card[LISTS[kind]] = await lines(named(files, list, LISTS[kind]));
  onStep({ text: "Registering", share: null });
  return post<Of<K>>(`v1/${kind}`, kind === "models" && dataset ? { card, dataset } : { card });
}

function refused(detail: string): Problem { return new Problem(422, detail); }

async function cardAmong(files: File[]): Promise<Card> {
  const [file, another] = files.filter(({ name }) => name.endsWith(".json"));
  if (!file) throw refused("Pick the card too, a JSON file such as model.json.");
  if (another) throw refused(`Pick one card: ${file.name} and ${another.name} are two.`);
  try {
    const card: unknown = JSON.parse(await file.text());
    if (card && typeof card === "object" && !Array.isArray(card)) return card as Card;
  } catch { /* told below */ }
  throw refused(`${file.name} is no card: it should be a JSON object.`);
}

function named(files: File[], path: string, field: string): File {
  const name = path.split("/").at(-1);
  const found = files.find((file) => file.name === name);
  if (!found) throw refused(`The card's ${field} is ${path}: pick ${name} too. A folder of pictures is picked as a zip or tar of it, which the card then names.`);
  return found;
}

async function lines(file: File): Promise<string[]> {
  return (await file.text()).split(/\r?\n/).map((line) => line.trim()).filter(Boolean);
}

/** Send a file; returns its digest. What the service has already it answers at once. */
async function sent(file: File, onStep: (step: Step) => void): Promise<string> {
  const digest = await sha256Of(file, (share) => onStep({ text: `Reading ${file.name}`, share }));
  await put(`v1/blobs/${digest}`, file, (share) => onStep({ text: `Sending ${file.name}`, share }));
  return digest;
}

// By XMLHttpRequest, which alone tells how far an upload is.
function put(url: string, file: File, onProgress: (share: number) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", url);
    request.upload.onprogress = ({ loaded, total }) => onProgress(total ? loaded / total : 0);
    request.onerror = () => reject(new Problem(0, "The upload broke off. Is the service still running?"));
    request.onload = () => {
      if (request.status < 300) return resolve();
      const said = parsed(request.responseText);
      reject(new Problem(request.status, said?.detail ?? `The service answered ${request.status}.`));
    };
    request.send(file);
  });
}

function parsed(text: string): { detail?: string } | null {
  try { return JSON.parse(text) as { detail?: string }; } catch { return null; }
}
