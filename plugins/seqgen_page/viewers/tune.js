// The viewer of tunes: staves, and the order in which bars are played.
"use strict";

const LINE = 78, // pixels from a staff to the next, at least
  ABOVE = 26, // and above the first one
  APART = 6, // pixels between what two staves reach
  DOTS = 10; // pixels that the dots of a repeat take

// Bars as lines of a given width: [{bars: [{bar, width}], width}].
function breakLines(tune, width, first, others) {
  const lines = [];
  let line = { bars: [], width: first },
    repeats = false;
  for (const bar of tune.bars) {
    const room = repeats ? DOTS : 0; // for the dots after the line before
    repeats = (bar.end || "").endsWith(":");
    const size = 14 + room + bar.events.map(spaceOf).reduce((sum, { before, after }) => sum + before + after, 0);
    if (line.bars.length > 0 && line.width + size > width) {
      lines.push(line);
      line = { bars: [], width: others };
    }
    line.bars.push({ bar, size, room });
    line.width += size;
  }
  lines.push(line);
  return lines;
}

// width: pixels that there are.
function drawTune(text, width = 640) {
  const tune = readTune(text),
    head = 34 + 8 * Math.abs(tune.key) + 6;
  const lines = breakLines(tune, width, head + (tune.metre ? 26 : 0), head),
    picture = svg("svg", { class: "tune" });
  const full = Math.max(width, ...lines.map((line) => line.width + 4));
  let key = tune.key,
    y = 0, // of the upper line of a staff
    lowest = 0; // that the staff before reaches
  lines.forEach((line, row) => {
    const own = row === 0 ? head + (tune.metre ? 26 : 0) : head,
      last = row === lines.length - 1 && line.width < 0.7 * width;
    const stretch = last ? 1 : Math.max(1, (width - 4 - own) / Math.max(1, line.width - own));
    const staff = svg("g", {}),
      reach = { top: 0, bottom: 32 };
    const end = own + (line.width - own) * stretch;
    for (let y = 0; y <= 32; y += 8) staff.append(stroke(0, y, end, y, "staff"));
    staff.append(trebleClef(6));
    const signature = keySignature(key, 30);
    staff.append(...signature.signs);
    if (row === 0 && tune.metre) staff.append(...timeSignature(tune.metre, 30 + signature.width).signs);
    let x = own;
    for (const { bar, size, room } of line.bars) {
      if (x === own && bar.start.endsWith(":")) staff.append(...barLine("|:", x - 9));
      key = drawBar(staff, bar, x, size, room, stretch, key, reach);
      x += size * stretch;
      staff.append(...barLine(bar.end || "|", x));
    }
    y = row === 0 ? Math.max(ABOVE, APART - reach.top) : Math.max(y + LINE, lowest + APART - reach.top);
    lowest = y + reach.bottom;
    staff.setAttribute("transform", `translate(2 ${Math.ceil(y)})`);
    picture.append(staff);
  });
  const height = Math.ceil(Math.max(y + LINE - ABOVE, lowest + APART));
  picture.setAttribute("viewBox", `0 0 ${Math.ceil(full)} ${height}`);
  picture.setAttribute("width", Math.ceil(full));
  return picture;
}

// Let what a staff reaches hold some places.
function extend(reach, ...ys) {
  reach.top = Math.min(reach.top, ...ys);
  reach.bottom = Math.max(reach.bottom, ...ys);
}

// Draw what is in a bar; return the key after it. reach: {top, bottom} of what is drawn on the staff, which grows.
function drawBar(staff, bar, left, size, room, stretch, key, reach) {
  let x = left + 10 + room;
  const placed = [];
  for (const event of bar.events) {
    const { before, after } = spaceOf(event);
    x += before * Math.min(stretch, 1.2);
    if (event.key !== undefined) {
      staff.append(...keySignature(event.key, x).signs);
      key = event.key;
    } else if (event.metre !== undefined) staff.append(...timeSignature(event.metre, x).signs);
    else {
      placed.push({ event, x });
      staff.append(...drawEvent(event, x));
      for (const { step } of event.notes) extend(reach, stepY(step) - HEAD_REACH, stepY(step) + HEAD_REACH);
      for (const { step } of event.grace) extend(reach, stepY(step) - GRACE_REACH, stepY(step) + HEAD_REACH);
    }
    x += after * stretch;
  }
  for (const group of beamed(placed)) staff.append(...drawStems(group, (y) => extend(reach, y)));
  if (bar.ending) {
    const highest = Math.max(...placed.flatMap(({ event }) => event.notes.map((note) => note.step))),
      y = Math.min(-10, stepY(highest) - 10);
    extend(reach, y - 8);
    staff.append(
      path(`M${left + 3},${y} v-8 h${(size * stretch - 8).toFixed(1)}`, "thin"),
      svg("text", { x: left + 7, y: y + 2, class: "small" }, bar.ending),
    );
  }
  placed.forEach(({ event, x: at }, place) => {
    const next = placed[place + 1];
    const until = next ? next.x : left + size * stretch,
      y = event.notes.length ? stepY(Math.min(...event.notes.map((note) => note.step))) + 7 : 0;
    if (event.tied && event.notes.length) {
      extend(reach, y + 4);
      staff.append(path(`M${at + 2},${y} Q${(at + until) / 2},${y + 7} ${until - 2},${y}`, "thin"));
    }
    if (event.tuplet && (place === 0 || placed[place - 1].event.tuplet !== event.tuplet)) {
      const all = placed.filter((one) => one.event.tuplet === event.tuplet),
        highest = Math.max(5, ...all.flatMap((one) => one.event.notes.map((note) => note.step))),
        above = Math.min(-6, stepY(highest) - 8);
      extend(reach, above - HEAD_REACH);
      staff.append(
        svg(
          "text",
          {
            x: (at + all[all.length - 1].x) / 2,
            y: above,
            class: "small",
            "text-anchor": "middle",
          },
          String(event.tuplet.count),
        ),
      );
    }
  });
  return key;
}

const viewer = { name: "tune", draw: drawTune, sound: soundTune, key: tuneKey };
