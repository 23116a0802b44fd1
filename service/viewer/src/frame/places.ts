// Where one can go from every page, and which of these a page belongs to.

export interface Place { key: string; text: string; also: string[] }

export const PLACES: Place[] = [
  { key: "", text: "Atlases", also: ["atlas", "selection", "comparison", "new"] },
  { key: "models", text: "Models", also: ["model"] },
  { key: "datasets", text: "Datasets", also: ["dataset"] },
  { key: "audits", text: "Audits", also: ["audit"] },
  { key: "jobs", text: "Jobs", also: [] },
];

export const addressOf = ({ key }: Place): string => (key ? `?${key}` : "./");

/** The place that an address belongs to, and whether it is that place itself. */
export function placeOf(query: URLSearchParams): { place: Place; itself: boolean } | null {
  const [asked = ""] = query.keys();
  const place = PLACES.find(({ key, also }) => key === asked || also.includes(asked));
  return place ? { place, itself: place.key === asked && !query.get(asked) } : null;
}
