// Points drawn by WebGL on a canvas of their own beneath the overlays.

import type { Points } from "../source";
import type { Frame } from "./map";

const VERTEX = `
attribute vec2 place; attribute float right; uniform vec3 square; uniform vec2 room; uniform float size; varying float wrong;
void main() {
  vec2 at = (square.xy + vec2(place.x, 1.0 - place.y) * square.z) / room;
  gl_Position = vec4(at.x * 2.0 - 1.0, 1.0 - at.y * 2.0, 0.0, 1.0);
  gl_PointSize = size;
  wrong = right == 0.0 ? 1.0 : 0.0;
}`;
const FRAGMENT = `
precision mediump float; uniform vec3 plain; uniform vec3 other; varying float wrong;
void main() { gl_FragColor = vec4(mix(plain, other, wrong) * 0.6, 0.6); }`;

const SOFTWARE = /swiftshader|llvmpipe|software/i;

function renderer(gl: WebGLRenderingContext): string {
  const more = gl.getExtension("WEBGL_debug_renderer_info");
  return String(gl.getParameter(more ? more.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
}

export class GlPoints {
  private loaded: Points | null = null;

  private constructor(private readonly canvas: HTMLCanvasElement, private readonly gl: WebGLRenderingContext, private readonly program: WebGLProgram) {}

  /** Beneath a canvas; null where the browser has no WebGL, or only the processor behind it, which is slower than ours. */
  static beneath(above: HTMLCanvasElement): GlPoints | null {
    const canvas = document.createElement("canvas");
    const gl = canvas.getContext("webgl", { premultipliedAlpha: true, antialias: false });
    const program = gl && !SOFTWARE.test(renderer(gl)) ? linked(gl) : null;
    if (!gl || !program) return null;
    canvas.className = "overlays";
    above.before(canvas);
    return new GlPoints(canvas, gl, program);
  }

  show(visible: boolean): void { this.canvas.hidden = !visible; }

  draw(points: Points, { width, height, pixelRatio }: Frame, { left, top, size: whole }: { left: number; top: number; size: number }, size: number, colours: string[]): void {
    const { canvas, gl, program } = this;
    const [w, h] = [Math.round(width * pixelRatio), Math.round(height * pixelRatio)];
    if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
    if (this.loaded !== points) this.load(points);
    const at = (name: string) => gl.getUniformLocation(program, name);
    gl.viewport(0, 0, w, h);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.uniform3f(at("square"), left, top, whole);
    gl.uniform2f(at("room"), width, height);
    gl.uniform1f(at("size"), Math.max(1, size * pixelRatio));
    for (const [name, colour] of [["plain", colours[0]!], ["other", colours[1]!]] as const) gl.uniform3f(at(name), ...channels(colour));
    gl.drawArrays(gl.POINTS, 0, points.count);
  }

  close(): void {
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
    this.canvas.remove();
  }

  private load(points: Points): void {
    const { gl, program } = this;
    gl.useProgram(program);
    for (const [name, data, size, type] of [["place", points.places, 2, gl.FLOAT], ["right", points.right, 1, gl.BYTE]] as const) {
      const place = gl.getAttribLocation(program, name);
      gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
      gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW);
      gl.enableVertexAttribArray(place);
      gl.vertexAttribPointer(place, size, type, false, 0, 0);
    }
    this.loaded = points;
  }
}

function linked(gl: WebGLRenderingContext): WebGLProgram | null {
  const program = gl.createProgram()!;
  for (const [type, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]] as const) {
    const shader = gl.createShader(type)!;
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  return gl.getProgramParameter(program, gl.LINK_STATUS) ? program : null;
}

function channels(colour: string): [number, number, number] {
  const value = Number.parseInt(colour.slice(1), 16);
  return [(value >> 16) / 255, ((value >> 8) & 255) / 255, (value & 255) / 255];
}
