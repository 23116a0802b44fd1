// What is said about a cell, a level, a picture.

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "class") made.className = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

const number = (value) => (value ?? 0).toLocaleString("en");
const percent = (value) => (value === null || value === undefined ? "–" : `${(100 * value).toFixed(value < 0.095 ? 1 : 0)} %`);
const decimal = (value) => (value === null || value === undefined ? "–" : value.toFixed(2));
const brief = (name) => name.split(", ")[0]; // ImageNet names classes by all their synonyms
// Attributions differ by orders of magnitude between models.
const amount = (value) => (Math.abs(value) >= 0.1 || value === 0 ? value.toFixed(2) : String(Number(value.toPrecision(2))));
const known = ([, value]) => value !== "–";

function facts(rows) {
  return element("dl", { class: "facts" }, ...rows.filter(known).flatMap(([name, value, title]) => [
    element("dt", { title }, name), element("dd", {}, value),
  ]));
}

// rows: name, value as text, share of the track in -1..1, a second line.
function bars(rows) {
  return element("ol", { class: "bars" }, ...rows.map(({ name, title, value, share, more }) => {
    const fill = element("div", { class: share < 0 ? "fill against" : "fill" });
    fill.style.width = `${Math.min(100, Math.abs(share) * 100)}%`;
    return element("li", {},
      element("div", { class: "row" }, element("span", { class: "name", title }, name), element("span", { class: "value" }, value)),
      element("div", { class: "track" }, fill), more && element("small", {}, more));
  }));
}

function enlarged(icon) {
  const canvas = element("canvas", { class: "icon", width: 312, height: 312, role: "img", "aria-label": "Icon of the cell" });
  if (icon) {
    const pen = canvas.getContext("2d");
    pen.imageSmoothingQuality = "high";
    pen.drawImage(icon.image, icon.left, icon.top, icon.size, icon.size, 0, 0, 312, 312);
  }
  return canvas;
}

export function seeding(seeded) {
  if (seeded === null) return "No icons";
  return seeded ? "Seeded from data" : "Pure: no data in the picture";
}

// What the marks of an icon mean; a dot in its corner on the map.
const MARKS = {
  low_contrast: "low in contrast", low_fidelity: "low in fidelity: it hardly shows what the cell is",
  copy: "nearly a copy of what it started from, or of a real patch", grain: "grainy",
};

// cell, level {side, strongest}, icon from the map, exemplar(n) giving an address or null, seeded, preview: of the icon.
export function cellDetails({ cell, level, icon, exemplar, seeded, preview }) {
  const { icon: measured } = cell;
  const classes = (cell.classes ?? []).map((one) => ({
    name: brief(one.name), title: one.name, value: amount(one.attribution), share: one.attribution / level.strongest,
    more: `largest for ${percent(one.share)} of the samples, in ${number(one.images)} ${one.images === 1 ? "image" : "images"}`,
  }));
  const marks = (measured?.marks ?? []).map((mark) => MARKS[mark] ?? mark);
  return [
    element("figure", { class: "cell" }, seeded !== null && enlarged(icon),
      element("figcaption", {}, element("h2", { title: classes[0]?.title }, classes[0]?.name ?? "Cell"),
        element("p", {}, `Column ${cell.column}, row ${cell.row} of ${level.side}. ${seeding(seeded)}.`),
        preview && element("p", { class: "note" }, "A preview: the icon itself is still to come."))),
    classes.length ? element("h3", {}, "Adds to the classes") : null,
    classes.length ? bars(classes) : null,
    cell.classes === null ? element("p", { class: "note" }, "The classes that it adds to are still to come.") : null,
    (cell.few_images ?? cell.images < 3) ? element("p", { class: "note" }, "Fewer than three different images fell into this cell.") : null,
    marks.length ? element("p", { class: "note" }, `This icon is marked: ${marks.join("; ")}.`) : null,
    element("h3", {}, "The cell"),
    facts([
      ["Samples", number(cell.count)], ["Images", number(cell.images)],
      ["Coherence", decimal(cell.coherence), "Length of the mean of the unit activations, 0 to 1: is the mean a fair summary?"],
      ["Mean pair cosine", decimal(cell.pair_cosine), "Cosine between two of its activations; does not rise by itself in small cells"],
    ]),
    measured ? element("h3", {}, "Fidelity of the icon") : null,
    measured ? facts([
      ["Whitened cosine", decimal(measured.whitened_cosine), "Between the cell's direction and what its icon excites, as served"],
      ["After blur, turn and zoom", decimal(measured.robust)],
      ["Own cell is nearest", measured.retrieval_rank === 0 ? "yes" : measured.retrieval_rank === undefined ? "–" : `rank ${measured.retrieval_rank + 1}`],
      ["Contrast", decimal(measured.contrast)], ["High frequencies", decimal(measured.high_frequency)],
      ["Like its start", decimal(measured.start_correlation), "Correlation with the picture that it started from; over 0.95 is a copy"],
      ["Like a real patch", decimal(measured.exemplar_correlation), "Highest correlation with one of the cell's nearest real patches; over 0.95 is a copy"],
    ]) : null,
    ...exemplarDetails(cell, exemplar),
  ].filter(Boolean);
}

function exemplarDetails(cell, exemplar) {
  const found = cell.exemplars ?? [];
  if (!found.length) return [];
  if (exemplar(0) === null) {
    const lines = found.map((one) => element("li", {}, one.image));
    return [element("h3", {}, "Nearest real patches are in"), element("ul", { class: "exemplars names" }, ...lines)];
  }
  const pictures = found.map((one, n) => element("li", {},
    element("img", { src: exemplar(n), alt: one.image, title: one.image, loading: "lazy" })));
  return [element("h3", {}, "Nearest real patches"), element("ul", { class: "exemplars" }, ...pictures)];
}

// Whitened cosines of what the icons are measured beside.
function beside(rows) {
  return [["– of the starts alone", "start_alone", "Of the pictures that icons start from, without a step"],
    ["– of nearest real patches", "nearest_real_patch", "Of the real patch nearest to each cell"]]
    .map(([name, row, title]) => [name, decimal(rows?.[row]?.whitened_cosine), title]);
}

export function levelDetails({ layer, level, seeded, live }) {
  const { info } = layer;
  return [
    element("h2", {}, layer.name),
    element("p", { class: "quiet" }, seeded === null
      ? "Every square is a cell of samples, the stronger its shade, the more there are. Like lies beside like."
      : "Every square is an icon: a picture made to excite the layer as the mean of the samples in its cell does. Like lies beside like."),
    seeded === null ? null : element("p", { class: "quiet" }, seeded
      ? "The icons are seeded from data: each starts from an average of real patches. Compare them with the nearest real patches of a cell."
      : "The icons are pure: no picture of the dataset went into them."),
    level.icons ? element("p", { class: "quiet" }, "A dot in an icon's corner marks it: low in contrast or fidelity, a copy, or grainy.") : null,
    element("p", { class: "quiet" }, "Point at a cell or choose one to see what it is."
      + (live ? " Drag with Shift, or after ▭, to see all samples of a part of the map." : "")),
    info ? element("h3", {}, "The layer") : null,
    info ? facts([
      ["Samples", number(info.samples)], ["Images", number(info.images)],
      ["Trustworthiness", decimal(info.layout?.trustworthiness), "Are neighbours on the map neighbours in the layer?"],
      ["Continuity", decimal(info.layout?.continuity), "Are neighbours in the layer neighbours on the map?"],
    ]) : null,
    level.icons ? element("h3", {}, `The level of ${level.side} cells a side`) : null,
    level.icons ? facts([
      ["Cells", number(level.cells)], ["Samples shown", percent(level.shown)],
      ["Whitened cosine", decimal(level.icons.whitened_cosine)], ...beside(level.icons.beside), ["After blur, turn and zoom", decimal(level.icons.robust)],
      ["Own cell is nearest", percent(level.icons.retrieval_top1)],
      ["Low in contrast", percent(level.icons.low_contrast_share)], ["Low in fidelity", percent(level.icons.low_fidelity_share)],
      ["Copies", percent(level.icons.copy_share)], ["Grainy", percent(level.icons.grain_share)],
    ]) : null,
  ].filter(Boolean);
}

// box: x0, y0, x1, y1 of the unit square.
export function boxDetails(box, onClose) {
  const span = (from, to) => `${from.toFixed(2)}–${to.toFixed(2)}`;
  return [
    element("div", { class: "top" }, element("h2", {}, "A part of the map"),
      element("button", { class: "close", type: "button", "aria-label": "Let the rectangle go", onclick: onClose }, "×")),
    element("p", { class: "quiet" }, `x ${span(box.x0, box.x1)}, y ${span(box.y0, box.y1)} of the map, from its left and bottom edge.`),
  ];
}

// The part of a picture that the network sees, by the model's card.
export function seen(image, input) {
  const width = image.naturalWidth, height = image.naturalHeight;
  if (input?.crop !== "center") return { left: 0, top: 0, width, height };
  const scale = input.resize ? input.resize / Math.min(width, height) : 1;
  const across = Math.min(width, input.width / scale), down = Math.min(height, input.height / scale);
  return { left: (width - across) / 2, top: (height - down) / 2, width: across, height: down };
}

// The dropped picture with its positions as a grid, the pointed one marked.
export function drawSeen(canvas, image, input, grid, point, accent) {
  const part = seen(image, input);
  const width = 264, height = Math.round((264 * (input?.height ?? part.height)) / (input?.width ?? part.width));
  Object.assign(canvas, { width, height });
  const pen = canvas.getContext("2d");
  pen.drawImage(image, part.left, part.top, part.width, part.height, 0, 0, width, height);
  if (!grid || !point) return;
  const [rows, columns] = grid, side = Math.max(width / columns, height / rows, 14);
  const x = ((point.column + 0.5) / columns) * width, y = ((point.row + 0.5) / rows) * height;
  pen.lineWidth = 4;
  pen.strokeStyle = accent;
  pen.strokeRect(x - side / 2, y - side / 2, side, side);
}

// Whether the atlas's own images hold anything like it, where the service says so.
const NOVELTY = {
  ordinary: "Ordinary: images like it are in the atlas", rare: "Rare: few images of the atlas are as strange",
  unseen: "Unseen: hardly any image of the atlas is as strange",
};

function noveltyDetails(novelty) {
  if (!novelty?.word) return null;
  const share = novelty.novelty_p === undefined ? "" : ` (${percent(novelty.novelty_p)} of them are as strange)`;
  const [part] = Object.values(novelty.parts ?? {}).sort((one, other) => one.p - other.p);
  const strangest = part && novelty.word !== "ordinary" ? ` Strangest is ${part.says}.` : "";
  return element("p", { class: novelty.word === "ordinary" ? "quiet novelty" : "note novelty" }, `${NOVELTY[novelty.word] ?? novelty.word}${share}.${strangest}`);
}

// layer: of the answer; like: the grid of the samples most like it, once asked for; onLike(): asks for them.
export function landingDetails({ name, canvas, answer, failed, layer, positions, like, onLike, onClose }) {
  const classes = (answer?.classes ?? []).map((one) => ({
    name: brief(one.name), title: one.name, value: percent(one.probability), share: one.probability,
  }));
  const unsure = positions.filter((one) => one.ambiguous).length;
  return [
    element("div", { class: "top" }, canvas,
      element("div", {}, element("h2", {}, name),
        failed ? element("p", { class: "failed" }, failed)
          : element("p", { class: "quiet" }, answer
            ? `${positions.length} positions on the map` + (unsure ? `, ${unsure} hollow ones could lie in several places` : "")
            : "Placing it…"),
        layer?.typical_share === undefined ? null : element("p", { class: "quiet", title: "As near to their neighbours as 95 % of the atlas's own samples are to theirs" },
          `${percent(layer.typical_share)} of them lie among samples like themselves`)),
      element("button", { class: "close", type: "button", "aria-label": "Take the picture away", onclick: onClose }, "×")),
    noveltyDetails(answer?.novelty),
    classes.length ? bars(classes) : null,
    answer && element("p", { class: "quiet like" }, element("button", { type: "button", onclick: onLike }, "Samples most like it"), " or touch the picture"),
    like,
  ].filter(Boolean);
}
