// Builds src/ into static/: minified, split, named by content, each file also compressed. `--watch` builds again on change.

import { mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { build, context } from "esbuild";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const OUT = join(HERE, "static");
const watching = process.argv.includes("--watch");

const options = {
  absWorkingDir: HERE,
  entryPoints: { main: "src/main.tsx" },
  outdir: watching ? OUT : `${OUT}.new`,
  bundle: true,
  format: "esm",
  splitting: true,
  minify: !watching,
  sourcemap: watching ? "inline" : false,
  target: ["es2022"],
  jsx: "automatic",
  jsxImportSource: "preact",
  entryNames: "assets/[name]-[hash]",
  chunkNames: "assets/[name]-[hash]",
  assetNames: "assets/[name]-[hash]",
  loader: { ".svg": "file" },
  legalComments: "linked",
  metafile: true,
  logLevel: "info",
};

// The page names its script and its style, whose names hold their digests.
async function page(folder, { outputs }) {
  const [script, { cssBundle }] = Object.entries(outputs).find(([, output]) => output.entryPoint === "src/main.tsx");
  const address = (path) => relative(folder, join(HERE, path)).replaceAll("\\", "/");
  const template = await readFile(join(HERE, "src/index.html"), "utf8");
  const filled = template.replace("%SCRIPT%", address(script)).replace("%STYLE%", cssBundle ? address(cssBundle) : "");
  await writeFile(join(folder, "index.html"), filled);
}

// The page of offline copies: all in one file, and no module, which browsers refuse from the file system. The data that
// `atlas export` writes beside it come first; the policy holds it to its own folder.
const POLICY = "default-src 'none'; script-src 'self' 'unsafe-inline' file:; style-src 'unsafe-inline'; img-src 'self' blob: data: file:; base-uri 'none'; form-action 'none'";

async function offline(folder) {
  const { outputFiles } = await build({
    ...options, outdir: join(folder, "offline"), format: "iife", splitting: false, write: false, metafile: false, legalComments: "none", entryNames: "[name]", logLevel: "warning",
  });
  const text = (suffix) => outputFiles.find(({ path }) => path.endsWith(suffix)).text;
  const template = await readFile(join(HERE, "src/index.html"), "utf8");
  const filled = template
    .replace('<meta charset="utf-8">', () => `<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="${POLICY}">`)
    .replace(/<link rel="stylesheet".*>/, () => `<style>${text(".css")}</style>`)
    .replace(/<script type="module".*<\/script>\n/, "")
    .replace("</body>", () => `<script src="data/index.js"></script>\n<script>${text(".js")}</script>\n</body>`);
  await writeFile(join(folder, "offline.html"), filled);
}

async function compress(folder) {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath ?? entry.path, entry.name), bytes = await readFile(path);
    await writeFile(`${path}.gz`, gzipSync(bytes, { level: 9 }));
    await writeFile(`${path}.br`, brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }));
  }
}

if (watching) {
  const ready = { name: "page", setup: (it) => it.onEnd(async (done) => { if (!done.errors.length) await page(OUT, done.metafile); }) };
  await rm(OUT, { recursive: true, force: true });
  await mkdir(OUT, { recursive: true });
  await (await context({ ...options, plugins: [ready] })).watch();
} else {
  // Into a folder of its own first: who serves static/ meanwhile sees the old build or the new one.
  await rm(options.outdir, { recursive: true, force: true });
  const { metafile } = await build(options);
  await page(options.outdir, metafile);
  await offline(options.outdir);
  await compress(options.outdir);
  await rm(OUT, { recursive: true, force: true });
  await rename(options.outdir, OUT);
}
