// Which scenes the window shows: they alone get their search words marked, so that a search costs
// the same in a short film and in a long one.
document.addEventListener("DOMContentLoaded", () => {
  const observer = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) board.inView[isIntersecting ? "add" : "delete"](target);
    document.dispatchEvent(new Event("viewed"));
  });
  for (const { element } of board.scenes) observer.observe(element);
});

function markFound() {
  if (!globalThis.CSS?.highlights) return; // an extra: the search does without
  const terms = searchTerms();
  CSS.highlights.set("found", terms.length ? rangesOf(terms) : new Highlight());
}

function rangesOf(terms) {
  const found = new Highlight();
  for (const scene of board.inView) {
    for (const part of scene.querySelectorAll(".seen, dd, .reason, .said p")) {
      const text = part.firstChild;
      if (text?.nodeType !== Node.TEXT_NODE) continue;
      for (const [startOffset, endOffset] of placesOf(text.data, terms)) {
        found.add(new StaticRange({ startContainer: text, startOffset, endContainer: text, endOffset }));
      }
    }
  }
  return found;
}

document.addEventListener("filtered", markFound);
document.addEventListener("viewed", markFound);
