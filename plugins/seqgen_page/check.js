// Run by node: the logits, ids and rows that a page gives, for a comparison with its run.
"use strict";
const fs = require("fs");
const [, , path, asked] = process.argv;
const html = fs.readFileSync(path, "utf-8");
const element = (id) => html.match(new RegExp(`<script id="${id}"[^>]*>([^<]*)</script>`))[1];
const script = html.match(/<script id="program">([\s\S]*?)<\/script>/)[1];
const run = new Function("read", "asked", `${script}\n
  const { model, texts, novelty } = loadPage(read);
  const found = { logits: asked.rows.map((ids) => model.replay(ids).map((row) => Array.from(row))) };
  found.ids = asked.texts.map((text) => texts.read === null ? null : texts.encode(text));
  found.samples = [];
  if (asked.sample) {
    const sampler = new Sampler(model, asked.sample);
    const rows = [...Array(asked.sample.n).keys()];
    for (const _ of sampler.sample(rows, 64, (row) => found.samples.push({ ...row, text: texts.decode(row.ids) }))) {}
    found.samples.sort((a, b) => a.row - b.row);
    if (novelty) for (const row of found.samples) row.known = novelty.has(row.text);
  }
  return found;`);
process.stdout.write(JSON.stringify(run(element, JSON.parse(fs.readFileSync(asked, "utf-8")))));
