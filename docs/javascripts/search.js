// The search takes a leading hyphen for "without": who types or pastes --refit looks for the flag.
document.addEventListener("DOMContentLoaded", () => {
  const field = document.querySelector("[data-md-component=search-query]");
  const strip = () => {
    const plain = field.value.replace(/(^|\s)-+(?=\w)/g, "$1");
    if (plain !== field.value) field.value = plain;
  };
  // Before the handlers of the theme, which read the field.
  for (const kind of ["keyup", "input"]) field?.addEventListener(kind, strip, { capture: true });
});
