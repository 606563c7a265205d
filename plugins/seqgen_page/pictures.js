// Pictures of texts by the viewer of their domain, and the button that plays one.
"use strict";

let stopPlaying = () => {};

// Return {element, fine}: the picture of a text; where it cannot be drawn, a line with the reason.
function drawn(text, name, width) {
  try {
    const made = viewer.draw(text, Math.max(240, width - 34));
    if (made instanceof SVGElement) {
      made.setAttribute("role", "img");
      made.setAttribute("aria-label", `${viewer.name} of ${name}${viewer.captioned ? `: ${text}` : ""}`);
    }
    return { element: element("div", { className: "picture" }, made), fine: true };
  } catch (error) {
    return { element: element("p", { className: "dim" }, `Not drawn: ${error.message}.`), fine: false };
  }
}

// A button that plays a text and, while it plays, stops it. One text plays at a time.
function playButton(text, name) {
  let context = null,
    timer = 0;
  const show = () => {
    button.textContent = context ? "■ Stop" : "▶ Play";
    button.ariaLabel = `${context ? "Stop" : "Play"} ${name}`;
  };
  const stop = () => {
    clearTimeout(timer);
    if (context !== null) context.close();
    context = null;
    stopPlaying = () => {};
    show();
  };
  const button = element("button", {
    type: "button",
    className: "play",
    onclick() {
      if (context !== null) {
        stop();
        return;
      }
      stopPlaying();
      context = new AudioContext();
      timer = setTimeout(stop, 1000 * viewer.sound(text, context));
      stopPlaying = stop;
      show();
    },
  });
  show();
  return button;
}
