// The page: which atlas, layer, level, cell; progress while a job runs; a picture placed on the map.

import { LevelMap } from "./map.js";
import { boxDetails, cellDetails, drawSeen, element, landingDetails, levelDetails } from "./panel.js";
import { SampleGrid } from "./samples.js";
import { FileSource, Problem, ServiceSource } from "./source.js";

const POLL = 1500; // milliseconds between looks at a job that runs
const WISHES = 2; // tiles in view asked for before their turn, at each look
const RUNNING = ["queued", "running"];
const $ = (id) => document.getElementById(id);
const state = { source: null, job: null, layer: null, level: null, cells: null, strongest: 1, picture: null, grid: null };
let map;

function only(...ids) {
  for (const id of ["message", "list", "atlas", "choices", "progress"]) $(id).hidden = !ids.includes(id);
}

function message(title, ...parts) {
  $("message").replaceChildren(element("h2", {}, title), ...parts);
  only("message");
}

function failed(error) {
  const again = element("button", { type: "button", onclick: () => location.reload() }, "Try again");
  if (error.status === 404 && state.source) {
    message("There is no such atlas here", element("p", {}, error.message), element("p", {}, element("a", { href: "./" }, "See those there are")));
  } else if (error.status === 404) {
    message("Nothing to show here", element("p", {}, "There is neither an atlas beside this page nor a service behind it. Open a folder made by atlas build, or start a service:"),
      element("pre", {}, "atlas open DIR\natlas up"));
  } else {
    message("The atlas cannot be shown", element("p", {}, error.message), again);
    if (!(error instanceof Problem)) throw error;
  }
}

// The list of a service's atlases

async function showList() {
  const atlases = await ServiceSource.all();
  $("title").textContent = "Atlases";
  if (!atlases.length) {
    message("No atlas yet", element("p", {}, "Register a model and a dataset, then ask for their atlas:"),
      element("pre", {}, "atlas models add model.json\natlas datasets add dataset.json\natlas submit --model ID --dataset ID --layer NAME --wait"));
  } else {
    $("list").replaceChildren(element("ul", {}, ...atlases.map(listed)));
    only("list");
  }
  if (!atlases.length || atlases.some((one) => RUNNING.includes(one.state))) setTimeout(() => showList().catch(failed), POLL);
}

function listed(job) {
  const { spec = {} } = job;
  const names = [job.names?.model, job.names?.dataset].filter(Boolean).join(" on ");
  const what = [names, (spec.layers ?? []).join(", "), spec.levels && `${spec.levels.join(", ")} cells a side`];
  const [done, total] = counted(job);
  return element("li", {}, element("a", { href: `./?atlas=${encodeURIComponent(job.id)}` },
    element("strong", {}, job.name || names || job.id), element("span", { class: job.state }, job.state),
    element("span", { class: "quiet" }, what.filter(Boolean).join(" · ")),
    RUNNING.includes(job.state) && total ? element("progress", { value: done, max: total, "aria-label": "Progress" }) : null));
}

function counted(job) {
  const stages = Object.values(job.progress ?? {});
  return [stages.reduce((sum, one) => sum + one.fraction * one.total, 0), stages.reduce((sum, one) => sum + one.total, 0)];
}

// One atlas

async function showAtlas(source) {
  state.source = source;
  map = new LevelMap($("map"), { onHover: pointed, onSelect: chosen, onBox: source.live ? boxed : null });
  $("zoom-box").hidden = !source.live;
  $("zoom-box").onclick = () => boxing(!map.boxing);
  $("zoom-in").onclick = () => map.zoom(1.5);
  $("zoom-out").onclick = () => map.zoom(1 / 1.5);
  $("zoom-fit").onclick = () => map.fit();
  $("home").hidden = !source.live;
  await look();
  if (source.live) acceptPictures();
}

async function look() {
  const first = state.job === null;
  const job = await state.source.refresh();
  state.job = job;
  head(job);
  progress(job);
  const running = RUNNING.includes(job.state), readable = firstChoice(job.layers);
  tabs();
  if (!readable) waiting(running ? "The first level appears here as soon as it is rendered." : "No level was finished.");
  else if (!state.level) await choose(readable.layer, readable.level);
  else if (!first) await reread();
  if (running) setTimeout(() => look().catch(retry), POLL);
}

// A service that restarts comes back; until then what is shown stays.
function retry(error) {
  if (!(error instanceof Problem) || (error.status && error.status < 500)) return failed(error);
  $("progress").hidden = false;
  $("progress").replaceChildren(element("span", { class: "state" }, "Connection lost, trying again"));
  return setTimeout(() => look().catch(retry), 2 * POLL);
}

function head(job) {
  const { manifest, spec = manifest?.spec ?? {} } = job;
  const names = manifest?.names ?? job.names ?? {};
  const model = names.model ?? spec.model, dataset = names.dataset ?? spec.dataset;
  $("title").textContent = job.name || model;
  $("subtitle").textContent = [job.name && model, `on ${dataset}`, seeded() !== null && `recipe ${spec.recipe}`, seeded() === null ? "no icons" : seeded() ? "seeded from data" : "pure"].filter(Boolean).join(" · ");
  document.title = `${$("title").textContent} – activation atlas`;
  only("atlas", "choices", ...(job.state === "succeeded" ? [] : ["progress"]));
}

// Whether pictures of the dataset went into the icons; null where there are no icons.
function seeded() {
  const { manifest, spec } = state.job, recipe = (manifest?.spec ?? spec)?.recipe;
  return recipe === "none" ? null : manifest?.seeded_from_data ?? recipe !== "pure";
}

function progress(job) {
  if (job.state === "succeeded") return;
  const stages = Object.entries(job.progress ?? {}).map(([name, { done, total, running, fraction }]) =>
    element("span", { class: running ? "stage busy" : "stage" }, name,
      element("progress", { value: fraction, max: 1, "aria-label": name }), `${done} of ${total}`));
  const said = job.state === "failed" ? `failed: ${job.error?.detail ?? "no reason given"}` : job.state;
  $("progress").replaceChildren(element("span", { class: "state" }, said), ...stages);
}

function waiting(text) {
  $("waiting").textContent = text;
  $("waiting").hidden = !text;
}

// What the address asks for, else the last layer's finest level that is complete, else its coarsest.
function firstChoice(layers) {
  const asked = new URLSearchParams(location.hash.slice(1));
  const ready = layers.filter((layer) => layer.levels.some((level) => level.ready));
  const layer = ready.find((one) => one.name === (state.layer?.name ?? asked.get("layer"))) ?? ready.at(-1);
  if (!layer) return null;
  const levels = layer.levels.filter((level) => level.ready);
  return { layer, level: levels.find((level) => String(level.side) === asked.get("side")) ?? levels.findLast((level) => level.complete) ?? levels[0] };
}

function tabs() {
  const { layers } = state.job;
  const layer = layers.find((one) => one.name === state.layer?.name) ?? firstChoice(layers)?.layer ?? layers[0];
  tablist($("layers"), layers.map((one) => ({
    text: one.name, on: one === layer, off: !one.levels.some((level) => level.ready),
    pick: () => choose(one, nearestLevel(one)),
  })));
  tablist($("levels"), (layer?.levels ?? []).map((level) => ({
    text: String(level.side), on: level.side === state.level?.side, off: !level.ready, pick: () => choose(layer, level),
  })));
}

function nearestLevel(layer) {
  const levels = layer.levels.filter((level) => level.ready);
  return levels.find((level) => level.side === state.level?.side) ?? levels.findLast((level) => level.complete) ?? levels[0];
}

function tablist(list, items) {
  const held = list.contains(document.activeElement) ? [...list.children].indexOf(document.activeElement) : -1;
  list.replaceChildren(...items.map(({ text, on, off, pick }) => element("button", {
    type: "button", role: "tab", "aria-selected": String(Boolean(on)), "aria-controls": "stage", disabled: off ? "" : null,
    tabindex: on ? 0 : -1, title: off ? "Not made yet" : null, onclick: () => pick().catch(failed),
  }, text)));
  if (held >= 0) list.children[Math.min(held, items.length - 1)].focus();
  list.onkeydown = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const open = [...list.children].filter((tab) => !tab.disabled);
    const next = open[open.indexOf(document.activeElement) + step];
    if (next) { next.focus(); next.click(); }
  };
}

async function choose(layer, level) {
  const asked = new URLSearchParams(location.hash.slice(1)).get("cell");
  const first = state.level === null;
  Object.assign(state, { layer, level });
  tabs();
  const cells = await state.source.cells(layer.name, level.side);
  if (state.layer !== layer || state.level !== level) return; // another was chosen meanwhile
  fill(cells);
  map.show(level.side, cells, seeded() === null ? null : (x, y) => state.source.tile(layer.name, level.side, x, y));
  $("map").setAttribute("aria-label", `${layer.name}, ${level.side} cells a side, ${cells.length} of them filled`);
  map.box = null;
  waiting(cells.length ? "" : "This level has no cell with enough samples.");
  places();
  chosen(null);
  if (first && asked && map.cells.get(asked)) map.select(map.cells.get(asked));
}

function fill(cells) {
  state.cells = cells;
  state.strongest = Math.max(1e-9, ...cells.flatMap((cell) => (cell.classes ?? []).map((one) => Math.abs(one.attribution))));
}

// While icons are made their measures come in; the choice stays.
async function reread() {
  const { layer, level } = state;
  const cells = await state.source.cells(layer.name, level.side).catch(() => null);
  if (!cells || state.layer !== layer || state.level !== level) return;
  state.layer = state.job.layers.find((one) => one.name === layer.name) ?? layer;
  state.level = state.layer.levels.find((one) => one.side === level.side) ?? level;
  fill(cells);
  for (const cell of cells) map.cells.set(`${cell.column}-${cell.row}`, cell);
  map.load();
  if (seeded() !== null && RUNNING.includes(state.job.state)) map.lacking().slice(0, WISHES).forEach((place) => state.source.wish(layer.name, level.side, ...place));
  for (const held of ["selected", "hovered"]) if (map[held]) map[held] = map.cells.get(`${map[held].column}-${map[held].row}`);
  details(map.hovered ?? map.selected);
}

function pointed(cell, point) {
  details(cell ?? map.selected);
  if (state.picture) drawPicture(point);
}

function chosen(cell) {
  const parts = { layer: state.layer.name, side: state.level.side, ...(cell && { cell: `${cell.column}-${cell.row}` }) };
  history.replaceState(null, "", `${location.search || "./"}#${new URLSearchParams(parts)}`);
  details(cell);
  if (cell) $("said").textContent = `Column ${cell.column}, row ${cell.row}: ${cell.classes === null ? "classes still to come" : cell.classes?.[0]?.name ?? "no class"}, ${cell.count} samples`;
}

function boxing(on) {
  map.boxing = on;
  $("zoom-box").setAttribute("aria-pressed", String(on));
}

function boxed() {
  boxing(false);
  details(null);
}

function gridOf(ask, heading) {
  const onPoint = (sample) => { map.marked = sample; map.draw(); };
  return new SampleGrid({ heading, ask, crop: (sample, from) => state.source.crop(sample, from), onPoint });
}

// The grid of a place's samples; the same one, page and all, for as long as the same place is asked for.
function samplesOf(place, heading) {
  const { layer, source } = state;
  const key = JSON.stringify([layer.name, place]);
  const again = state.grid?.shown.failed && RUNNING.includes(state.job.state); // they may be there by now
  if (state.grid?.key !== key || again) {
    state.grid = { key, shown: gridOf((options) => source.samples(layer.name, place, options), heading) };
    map.marked = null;
  }
  return state.grid.shown.root;
}

function samplesShown(cell) {
  if (!state.source.live) return [];
  const all = (total) => (total === 1 ? "Its only sample" : `All ${total.toLocaleString("en")} samples`);
  if (cell && cell === map.selected) return [samplesOf({ side: state.level.side, cell: { column: cell.column, row: cell.row } }, all)];
  return cell || !map.box ? [] : [samplesOf({ box: map.box }, all)];
}

function details(cell) {
  const { layer, level, source } = state;
  const shown = cell ? cellDetails({
    cell, seeded: seeded(), preview: source.previewed(layer.name, level.side, ...map.tileOf(cell)), icon: map.icon(cell), level: { side: level.side, strongest: state.strongest },
    exemplar: (n) => source.exemplar(layer.name, level.side, cell, n),
  }) : map.box ? boxDetails(map.box, () => map.select(null)) : levelDetails({ layer, level, seeded: seeded(), live: source.live });
  $("details").replaceChildren(...shown, ...samplesShown(cell));
}

// A picture of the user's

function acceptPictures() {
  const able = () => state.job.state === "succeeded";
  $("place").hidden = !able();
  if (!able()) return void setTimeout(acceptPictures, POLL);
  $("file").onchange = (event) => { if (event.target.files[0]) placePicture(event.target.files[0]); event.target.value = ""; };
  let depth = 0;
  const over = (by) => { depth += by; $("drop").hidden = depth <= 0; };
  addEventListener("dragenter", (event) => { event.preventDefault(); over(1); });
  addEventListener("dragleave", () => over(-1));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    over(-depth);
    if (event.dataTransfer.files[0]) placePicture(event.dataTransfer.files[0]);
  });
}

async function placePicture(file) {
  const image = new Image();
  const picture = { name: file.name, image, canvas: element("canvas", { role: "img", "aria-label": file.name }), answer: null, failed: null, file, at: null, like: null };
  picture.canvas.onclick = (event) => touched(picture, event);
  if (state.picture) URL.revokeObjectURL(state.picture.image.src);
  state.picture = picture;
  image.onload = () => drawPicture(null);
  image.src = URL.createObjectURL(file);
  places();
  try {
    picture.answer = await state.source.project(file);
  } catch (error) {
    picture.failed = error.message;
  }
  if (state.picture === picture) places();
}

function places() {
  const { picture, layer } = state;
  map.points = picture?.answer?.layers?.[layer?.name]?.positions ?? [];
  map.pointed = null;
  $("landing").hidden = !picture;
  if (picture) {
    const onClose = () => { state.picture = null; map.marked = null; places(); };
    if (picture.like && picture.like.layer !== layer.name) Object.assign(picture, { at: null, like: null });
    $("landing").replaceChildren(...landingDetails({
      ...picture, layer: picture.answer?.layers?.[layer?.name], positions: map.points, like: picture.like?.root, onLike: () => like(picture, null), onClose,
    }));
    drawPicture(null);
    if (picture.answer) $("said").textContent = `${picture.name}: ${picture.answer.classes?.[0]?.name ?? "placed"}, ${map.points.length} positions`;
  }
  map.draw();
}

// The samples most like a position of the picture, or like any of it.
function like(picture, at) {
  const { layer, source } = state;
  const position = at && { row: at.row, column: at.column };
  const grid = gridOf((options) => source.samples(layer.name, { file: picture.file, position }, options),
    (total) => `The ${total.toLocaleString("en")} samples most like ${at ? "the marked place" : "it"}`);
  Object.assign(picture, { at, like: { layer: layer.name, root: grid.root } });
  places();
}

function touched(picture, event) {
  const grid = picture.answer?.layers?.[state.layer.name]?.grid, { clientWidth, clientHeight } = picture.canvas;
  if (!grid || !state.source.live) return;
  const [row, column] = [event.offsetY / clientHeight, event.offsetX / clientWidth].map((share, axis) => Math.min(grid[axis] - 1, Math.floor(share * grid[axis])));
  like(picture, { row, column });
}

function drawPicture(point) {
  const { picture, layer, job } = state;
  if (!picture?.image.naturalWidth) return;
  const accent = getComputedStyle(document.body).getPropertyValue("--for");
  drawSeen(picture.canvas, picture.image, job.manifest?.model?.input, picture.answer?.layers?.[layer.name]?.grid, point ?? picture.at, accent);
}

async function start() {
  const asked = new URLSearchParams(location.search).get("atlas");
  const source = asked ? new ServiceSource(asked) : await FileSource.find();
  await (source ? showAtlas(source) : showList());
}

start().catch(failed);
