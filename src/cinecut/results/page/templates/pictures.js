// A picture that does not load leaves a plate; the first that loads gives all frames its shape.
document.addEventListener("error", ({ target }) => {
  if (target instanceof HTMLImageElement) target.closest(".frame")?.classList.add("missing");
}, true);

function takeShape({ target }) {
  if (!(target instanceof HTMLImageElement) || !target.closest(".scene")) return;
  const ratio = target.naturalWidth / target.naturalHeight;
  if (!(ratio > 0)) return;
  document.documentElement.style.setProperty("--ratio", ratio);
  document.documentElement.style.setProperty("--ratio-number", ratio);
  document.removeEventListener("load", takeShape, true);
}
document.addEventListener("load", takeShape, true);
