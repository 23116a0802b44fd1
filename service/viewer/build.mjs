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
  await compress(options.outdir);
  await rm(OUT, { recursive: true, force: true });
  await rename(options.outdir, OUT);
}
