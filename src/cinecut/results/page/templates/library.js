// What the films' scenes say. Each film is unpacked once, while the page can be used already; then
// a search is a walk over one string a film. "unpacked" tells of more films, and of the end.
const library = { films: [], toCome: 0 };

const UNPACK_MS = 30; // at a stretch: a key pressed meanwhile is seen soon

async function unpack(packed) {
  const letters = atob(packed);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).text();
}

function readFilm(article, text) {
  const begin = text.indexOf("\n") + 1;
  const facts = JSON.parse(text.slice(0, begin));
  const count = facts.times.length;
  const said = text.slice(begin);
  const folded = fold(said);
  const name = article.querySelector("h2").textContent;
  const link = article.querySelector("a").getAttribute("href");
  return {
    ...facts, count, name, foldedName: fold(name), link,
    said, starts: startsOf(said, count), folded, foldedStarts: startsOf(folded, count),
  };
}

// Where each line of `text` begins, and after them where the last one ends.
function startsOf(text, count) {
  const starts = new Uint32Array(count + 1);
  for (let line = 0; line < count; line++) starts[line + 1] = text.indexOf("\n", starts[line]) + 1;
  return starts;
}

function fieldsOf({ said, starts }, line) {
  return said.slice(starts[line], starts[line + 1] - 1).split("\x1f");
}

document.addEventListener("DOMContentLoaded", async () => {
  const scripts = Array.from(document.querySelectorAll(".texts"));
  library.toCome = scripts.length;
  let since = performance.now();
  for (const script of scripts) {
    library.films.push(readFilm(script.closest("article"), await unpack(script.textContent)));
    library.toCome--;
    script.remove(); // its text is not needed twice
    if (performance.now() - since < UNPACK_MS && library.toCome) continue;
    document.dispatchEvent(new Event("unpacked"));
    await new Promise((done) => setTimeout(done));
    since = performance.now();
  }
});
