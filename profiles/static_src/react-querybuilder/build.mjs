/* Builds react-querybuilder into one file, with the licences of all that is in it and checksums.

   npm ci && npm run build */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const version = JSON.parse(readFileSync("package.json", "utf8")).dependencies["react-querybuilder"];
const target = `../../static/vendor/react-querybuilder/${version}`;
mkdirSync(target, { recursive: true });

const { metafile } = await build({
  entryPoints: ["library.js"],
  outfile: `${target}/react-querybuilder.js`,
  bundle: true,
  format: "iife",
  globalName: "ReactQueryBuilder",
  target: "es2020",
  minify: true,
  legalComments: "none",
  define: { "process.env.NODE_ENV": '"production"' },
  metafile: true,
});

const inside = Object.keys(metafile.inputs)
  .map((path) => path.match(/^node_modules\/((?:@[^/]+\/)?[^/]+)\//)?.[1])
  .filter(Boolean);
const licences = [...new Set(inside)].sort().map((name) => {
  const folder = `node_modules/${name}`;
  const facts = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
  const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
  const text = file ? readFileSync(`${folder}/${file}`, "utf8").trim() : "The package states its licence and carries no text.";
  return `${facts.name} ${facts.version} (${facts.license})\n\n${text}\n`;
});
writeFileSync(`${target}/LICENSES.txt`, licences.join(`\n${"-".repeat(72)}\n\n`));

const sums = ["LICENSES.txt", "react-querybuilder.js"].map((name) => {
  const digest = createHash("sha256").update(readFileSync(`${target}/${name}`)).digest("hex");
  return `${digest}  ${name}\n`;
});
writeFileSync(`${target}/SHA256SUMS`, sums.join(""));
