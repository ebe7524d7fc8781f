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
  const terms = searchTerms().map((term) => term.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  CSS.highlights.set("found", terms.length ? rangesOf(new RegExp(terms.join("|"), "giu")) : new Highlight());
}

function rangesOf(pattern) {
  const found = new Highlight();
  for (const scene of board.inView) {
    for (const part of scene.querySelectorAll(".seen, dd, .reason, .said p")) {
      const text = part.firstChild;
      if (text?.nodeType !== Node.TEXT_NODE) continue;
      for (const { index, 0: hit } of text.data.matchAll(pattern)) {
        found.add(new StaticRange({ startContainer: text, startOffset: index, endContainer: text, endOffset: index + hit.length }));
      }
    }
  }
  return found;
}

document.addEventListener("filtered", markFound);
document.addEventListener("viewed", markFound);
