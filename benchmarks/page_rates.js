// Run by node: the time in which the script of a page samples and scores rows, in rounds after one that is
// not timed: [seconds, seconds of the CPU] of each.
"use strict";
const fs = require("fs");
const [, , path, n, rounds] = process.argv;
const html = fs.readFileSync(path, "utf-8");
const element = (id) => html.match(new RegExp(`<script id="${id}"[^>]*>([^<]*)</script>`))[1];
const script = html.match(/<script id="program">([\s\S]*?)<\/script>/)[1];
const seconds = new Function("read", "n", "rounds", "cpu", `${script}\n
  const { facts, model, texts } = loadPage(read), found = [];
  for (let seed = 0; seed <= rounds; seed++) {
    const settings = { seed, temperature: 1, topK: null, topP: null, forced: facts.slots.map(() => PAD), maxLength: facts.maxLength };
    const rows = [], began = performance.now(), used = cpu();
    const work = sampled(model, texts, { settings, keep: () => true, plain: true, n }, (one) => rows.push(model.bits(one.nats, one.text)), () => {});
    while (!work.next().done) {}
    if (seed > 0) found.push([(performance.now() - began) / 1000, cpu() - used]);
  }
  return found;`)(element, Number(n), Number(rounds), () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
});
process.stdout.write(JSON.stringify(seconds));
