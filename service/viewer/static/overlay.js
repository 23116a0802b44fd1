// What is drawn over a map: where a picture's positions land and how thickly, a rectangle, a sample.

const GRID = 96; // squares a side of the map that a heat is counted on
const REACH = 0.028; // of a landing position, in sides of the map
const VEIL = 0.74; // opacity of what hides the map where nothing lands

const veils = new WeakMap(); // by the list of points

// over: points, pointed, box, marked; square: left, top and size of the map in pixels of the canvas.
export function paintOverlay(pen, over, square, ratio, colour) {
  if (over.box) paintBox(pen, over.box, square, ratio, colour);
  const at = ({ x, y }) => [square.left + x * square.size, square.top + (1 - y) * square.size];
  for (const point of over.points) dot(pen, at(point), (point === over.pointed ? 8 : 3.5) * ratio, ratio, ["--for", "--mark"].map(colour), point.ambiguous);
  if (over.marked) dot(pen, at(over.marked), 7 * ratio, 1.4 * ratio, ["--accent", "--mark"].map(colour), false);
}

function dot(pen, [x, y], radius, ratio, [own, edge], hollow) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.fillStyle = own;
  if (!hollow) pen.fill();
  for (const [width, colour] of hollow ? [[3.6, edge], [1.6, own]] : [[1.5, edge]]) {
    pen.lineWidth = width * ratio;
    pen.strokeStyle = colour;
    pen.stroke();
  }
}

// The heat of a landing: the map is lit where positions land, the more of them the brighter.
export function paintHeat(pen, points, { left, top, size }, ground) {
  if (veils.get(points)?.ground !== ground) veils.set(points, { ground, picture: veil(points, ground) });
  pen.imageSmoothingQuality = "high";
  pen.drawImage(veils.get(points).picture, left, top, size, size);
}

// How thickly positions land, as a picture of the map; those that could lie in several places do not count.
export function density(points) {
  const found = new Float64Array(GRID * GRID), reach = REACH * GRID, far = Math.ceil(3 * reach);
  for (const { x, y, ambiguous } of points) {
    if (ambiguous) continue;
    const column = x * GRID - 0.5, row = (1 - y) * GRID - 0.5;
    for (let i = Math.max(0, Math.floor(row - far)); i <= Math.min(GRID - 1, row + far); i++) {
      for (let j = Math.max(0, Math.floor(column - far)); j <= Math.min(GRID - 1, column + far); j++) {
        found[i * GRID + j] += Math.exp(-((i - row) ** 2 + (j - column) ** 2) / (2 * reach * reach));
      }
    }
  }
  return found;
}

function veil(points, ground) {
  const picture = document.createElement("canvas");
  Object.assign(picture, { width: GRID, height: GRID });
  const pen = picture.getContext("2d");
  pen.fillStyle = ground;
  pen.fillRect(0, 0, GRID, GRID);
  const image = pen.getImageData(0, 0, GRID, GRID), found = density(points);
  const most = found.reduce((a, b) => Math.max(a, b), 1e-9);
  found.forEach((value, place) => { image.data[4 * place + 3] = 255 * VEIL * (1 - Math.sqrt(value / most)); });
  pen.putImageData(image, 0, 0);
  return picture;
}

function paintBox(pen, { x0, y0, x1, y1 }, { left, top, size }, ratio, colour) {
  const shape = [left + x0 * size, top + (1 - y1) * size, (x1 - x0) * size, (y1 - y0) * size];
  pen.fillStyle = colour("--accent");
  pen.globalAlpha = 0.14;
  pen.fillRect(...shape);
  pen.globalAlpha = 1;
  for (const [name, width] of [["--mark", 4], ["--accent", 2]]) {
    pen.lineWidth = width * ratio;
    pen.strokeStyle = colour(name);
    pen.strokeRect(...shape);
  }
}
