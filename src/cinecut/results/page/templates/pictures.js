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

// Shows in `image` what `shown` shows, which may have no picture.
function showSame(image, shown) {
  const address = shown.getAttribute("src");
  if (address !== null && address === image.getAttribute("src")) return;
  image.closest(".frame").classList.toggle("missing", address === null);
  if (address === null) image.removeAttribute("src");
  else image.setAttribute("src", address);
}
