// The rows that were sampled, as a table and as pictures.
"use strict";

const SHOWN = { table: 200, pictures: 24 }; // rows drawn at first

class Results {
  // look: called with a text that is to be scored.
  constructor({ texts, at, look, novelty }) {
    Object.assign(this, { texts, at, look, novelty, view: viewer === null ? "table" : "pictures" });
    at("views").hidden = viewer === null;
    at("known-head").hidden = novelty === null;
    for (const button of document.querySelectorAll("[data-view]")) {
      button.addEventListener("click", () => {
        this.view = button.dataset.view;
        this.shown = SHOWN[this.view];
        this.draw();
      });
    }
    for (const button of document.querySelectorAll("[data-by]")) {
      button.addEventListener("click", () => {
        this.order = { by: button.dataset.by, up: this.order.by === button.dataset.by ? !this.order.up : true };
        this.draw();
      });
    }
    at("further").addEventListener("click", () => {
      this.shown += 5 * SHOWN[this.view];
      this.draw();
    });
    this.clear();
  }

  clear() {
    this.rows = [];
    this.shown = SHOWN[this.view];
    this.order = { by: "row", up: true };
  }

  draw() {
    const { at, order, rows, view } = this,
      sign = order.up ? 1 : -1;
    stopPlaying();
    rows.sort((a, b) => sign * (a[order.by] - b[order.by]) || a.row - b.row);
    at("rows-table").hidden = rows.length === 0 || view !== "table";
    at("gallery").hidden = rows.length === 0 || view !== "pictures";
    at("further").hidden = rows.length <= this.shown;
    at("save").disabled = rows.length === 0;
    const shown = rows.slice(0, this.shown);
    at("body").replaceChildren(
      ...(view === "table" ? shown.map((one) => tableRow(this.texts, one, this.look, this.novelty)) : []),
    );
    at("gallery").className = viewer === null ? "" : viewer.name;
    at("gallery").replaceChildren(...(view === "pictures" ? shown.map((one) => this.picture(one)) : []));
    for (const button of document.querySelectorAll("[data-view]"))
      button.setAttribute("aria-pressed", String(button.dataset.view === view));
    for (const button of document.querySelectorAll("[data-by]")) {
      const head = button.closest("th");
      if (button.dataset.by === order.by) head.setAttribute("aria-sort", order.up ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    }
  }

  // A row as a picture with its costs below, or as a text with the reason why it is not drawn.
  picture(one) {
    const drawing = drawn(one.text, `row ${one.row}`, this.at("gallery").clientWidth),
      facts = [`row ${one.row}`, `${one.bits.toFixed(2)} bits per character`];
    if (this.novelty !== null) facts.push(one.known ? "in training" : "new");
    const caption = element("p", { className: "dim caption" }, facts.join(" · "));
    const buttons = element("p", { className: "buttons" });
    if (drawing.fine && viewer.sound) buttons.append(playButton(one.text, `row ${one.row}`));
    if (this.texts.read !== null)
      buttons.append(
        element(
          "button",
          { type: "button", onclick: () => this.look(one.text), ariaLabel: `Score row ${one.row}` },
          "Score",
        ),
      );
    const text =
      viewer.captioned || !drawing.fine
        ? [element("p", { className: one.cut ? "text cut" : "text" }, one.text || "(empty)")]
        : [];
    return element("li", {}, drawing.element, ...text, caption, buttons);
  }
}
