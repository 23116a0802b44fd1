// Where an atlas is read from: files beside this page (`atlas open`), or the service that serves it.

export class Problem extends Error {
  constructor(status, detail) { super(detail); this.status = status; }
}

async function json(url, options) {
  let response;
  try {
    response = await fetch(url, options);
  } catch {
    throw new Problem(0, "The service does not answer. Is it still running?");
  }
  const value = await response.json().catch(() => null);
  if (!response.ok) throw new Problem(response.status, value?.detail ?? `The service answered ${response.status}.`);
  if (value === null) throw new Problem(response.status, "What answered is no atlas service.");
  return value;
}

function sent(file) {
  return { method: "POST", body: file, headers: { "content-type": file.type || "application/octet-stream" } };
}

async function listOf(path) {
  const found = [];
  let token = null;
  do {
    const page = await json(path + (token ? `?page_token=${encodeURIComponent(token)}` : ""));
    found.push(...page.items);
    token = page.next_page_token;
  } while (token);
  return found;
}

// From a spec to the names of its model and dataset.
async function names() {
  const [models, datasets] = await Promise.all([listOf("v1/models"), listOf("v1/datasets")]);
  const of = (found) => Object.fromEntries(found.map((one) => [one.id, one.name]));
  const [model, dataset] = [of(models), of(datasets)];
  return (spec) => ({ model: model[spec.model], dataset: dataset[spec.dataset] });
}

// As Python's quote(name, safe=""), which names the folders of layers.
const quoted = (name) =>
  encodeURIComponent(name).replace(/[!'()*]/g, (sign) => "%" + sign.charCodeAt(0).toString(16).toUpperCase());

// A manifest's layers in the order in which they were asked for.
function layersOf(manifest) {
  const order = manifest.spec?.layers ?? Object.keys(manifest.layers);
  return order.filter((name) => name in manifest.layers).map((name) => ({
    name, levels: manifest.layers[name].levels.map((level) => ({ ...level, ready: true, complete: true })), info: manifest.layers[name],
  }));
}

// The tiles of a published atlas, as the service lists them before: by layer and side, then by place.
function renderedOf(manifest) {
  const found = {};
  for (const [name, { levels }] of Object.entries(manifest.layers)) {
    for (const { side } of levels) {
      const folder = `${quoted(name)}/${side}/tiles/`;
      const tiles = Object.entries(manifest.artifacts).filter(([path]) => path.startsWith(folder));
      found[`${name} ${side}`] = new Map(tiles.map(([path, { sha256 }]) => [path.slice(folder.length, -".webp".length), { digest: sha256, preview: false }]));
    }
  }
  return found;
}

export class FileSource {
  constructor(manifest) { this.manifest = manifest; this.live = false; }

  static async find() {
    try {
      const response = await fetch("manifest.json");
      const manifest = response.ok ? await response.json() : null;
      return manifest?.layers ? new FileSource(manifest) : null;
    } catch { return null; }
  }

  async refresh() {
    return { state: "succeeded", manifest: this.manifest, layers: layersOf(this.manifest) };
  }

  folder(layer, side) { return `${encodeURIComponent(quoted(layer))}/${side}`; }
  cells(layer, side) { return json(`${this.folder(layer, side)}/cells.json`); }
  tile(layer, side, x, y) { return `${this.folder(layer, side)}/tiles/${x}-${y}.webp`; }
  previewed() { return false; }
  exemplar() { return null; }
}

export class ServiceSource {
  constructor(id) { this.id = id; this.root = `v1/atlases/${encodeURIComponent(id)}`; this.live = true; this.sides = {}; this.rendered = {}; }

  // All atlases, each with the names of its model and dataset.
  static async all() {
    const [jobs, named] = await Promise.all([listOf("v1/atlases"), names()]);
    return jobs.map((job) => ({ ...job, names: named(job.spec) }));
  }

  async refresh() {
    const job = await json(this.root);
    const manifest = job.manifest ?? null;
    if (manifest) this.rendered = renderedOf(manifest);
    const layers = manifest ? layersOf(manifest) : await this.unpublished(job);
    for (const layer of layers) this.sides[layer.name] = layer.levels.map((level) => level.side);
    if (!manifest) this.names ??= (await names())(job.spec);
    return { ...job, manifest, layers, names: this.names };
  }

  // Before the manifest: coarse levels can be read as soon as their cells are known.
  async unpublished(job) {
    const { layers = [], levels = [] } = job.spec ?? {};
    return Promise.all(layers.map(async (name) => ({
      name, info: null,
      levels: await Promise.all((levels ?? []).map(async (side, z) => {
        const level = await json(`${this.root}/layers/${quoted(name)}/levels/${z}`);
        this.rendered[`${name} ${side}`] = new Map(level.tiles.map((tile) => [`${tile.x}-${tile.y}`, tile]));
        return { ...level.qualities, side, ready: level.state !== "waiting", complete: level.state === "published" };
      })),
    })));
  }

  level(layer, side) { return `${this.root}/layers/${quoted(layer)}/levels/${this.sides[layer].indexOf(side)}`; }

  cells(layer, side) { return listOf(`${this.level(layer, side)}/cells`); }

  // Null for a tile that is not there yet, not even as a preview.
  tile(layer, side, x, y) {
    const tile = this.rendered[`${layer} ${side}`]?.get(`${x}-${y}`);
    return tile ? `${this.level(layer, side)}/tiles/${x}/${y}?v=${tile.digest}` : null;
  }

  previewed(layer, side, x, y) { return this.rendered[`${layer} ${side}`]?.get(`${x}-${y}`)?.preview ?? false; }

  // A tile that is asked for before it is there comes first.
  wish(layer, side, x, y) { fetch(`${this.level(layer, side)}/tiles/${x}/${y}`).catch(() => null); }

  exemplar(layer, side, cell, n) { return `${this.level(layer, side)}/cells/${cell.column}-${cell.row}/exemplars/${n}`; }

  // A page of the samples of a cell of a level, of a rectangle, or of those most like a picture at a position.
  samples(layer, { side, cell, box, file, position }, { token, size, wrong }) {
    const place = cell ? `${this.level(layer, side)}/cells/${cell.column}-${cell.row}` : `${this.root}/layers/${quoted(layer)}`;
    const query = new URLSearchParams({ page_size: size, ...(token && { page_token: token }), ...(wrong && { wrong }),
      ...(box && { bbox: [box.x0, box.y0, box.x1, box.y1].map((value) => value.toFixed(6)) }), ...position });
    return json(`${place}/samples?${query}`, file ? sent(file) : undefined);
  }

  crop(sample, source) { return sample.crop && `${sample.crop.slice(1)}&source=${source}`; }

  project(file) { return json(`${this.root}/projections`, sent(file)); }
}
