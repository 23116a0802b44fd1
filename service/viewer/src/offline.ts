// An offline copy of an atlas, as `atlas export` writes it: a page of the file system may not fetch, so what a service
// would answer lies in scripts beside the page, and pictures in files.

/** What data/index.js says: which script holds the answer to which address, and how many real patches cells have. */
interface Contents {
  id: string;
  answers: Record<string, number>;
  /** By layer and side. */
  exemplars: Record<string, Record<string, number>>;
  keep?(number: number, answer: unknown): void;
}

declare global { interface Window { atlasCopy?: Contents } }

export class Copy {
  private readonly waiting = new Map<number, (answer: unknown) => void>();
  private readonly asked = new Map<number, Promise<unknown>>();

  constructor(private readonly contents: Contents) {
    contents.keep = (number, answer) => this.waiting.get(number)?.(answer);
  }

  get id(): string { return this.contents.id; }

  exemplars(layer: string, side: number): number { return this.contents.exemplars[layer]?.[String(side)] ?? 0; }

  /** Whether the answer to an address lies here. */
  has(url: string): boolean { return keyOf(url) in this.contents.answers; }

  /** The answer to an address; undefined where it does not lie here. */
  answer(url: string): Promise<unknown> {
    const number = this.contents.answers[keyOf(url)];
    if (number === undefined) return Promise.resolve(undefined);
    const found = this.asked.get(number) ?? this.read(number);
    this.asked.set(number, found);
    return found;
  }

  private read(number: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      this.waiting.set(number, resolve);
      script.src = `data/${number}.js`;
      script.onload = () => script.remove();
      script.onerror = () => reject(new Error(`data/${number}.js is missing from this copy`));
      document.head.append(script);
    });
  }
}

/** An address as the copy names it: its parameters in order, without those that only name a version or a part. */
function keyOf(url: string): string {
  const [path = "", query = ""] = url.split("?");
  const asked = new URLSearchParams(query);
  for (const name of ["v", "wish", "page_size", "page_token"]) asked.delete(name);
  asked.sort();
  return asked.size ? `${path}?${asked}` : path;
}

/** The copy that this page is of; null where a service or a folder answers. */
export const copy: Copy | null = window.atlasCopy ? new Copy(window.atlasCopy) : null;
