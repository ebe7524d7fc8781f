// Words as a search takes them: however they are accented, capitalised or composed.
const fold = (text) => text.replace(/[^\x00-\x7f]+/g, foldRun).toLowerCase();

function foldRun(run) {
  const plain = run.normalize("NFKD").replace(/\p{Mn}/gu, "").toLowerCase();
  return plain.replaceAll("ς", "σ").replace(/[‘’]/g, "'"); // the σ that ends a word, and typographers' '
}

// What is looked for, folded: words, and "several words" as one.
function termsOf(query) {
  const parts = Array.from(query.matchAll(/"([^"]*)"?|[^\s"]+/g), ([word, phrase]) => phrase ?? word);
  const terms = parts.map((part) => fold(part).replace(/^[\p{P}\s]+|[\p{P}\s]+$/gu, "").replace(/\s+/g, " "));
  return [...new Set(terms.filter(Boolean))];
}

// Where `terms` stand in `text`: pairs of begin and end that do not overlap, in order.
function placesOf(text, terms) {
  let folded = "";
  const origins = []; // of each character of `folded` its place in `text`
  let at = 0;
  for (const char of text) {
    const plain = fold(char);
    for (let i = 0; i < plain.length; i++) origins.push(at);
    folded += plain;
    at += char.length;
  }
  origins.push(at);
  const places = [];
  for (const term of terms) {
    for (let found = folded.indexOf(term); found >= 0; found = folded.indexOf(term, found + term.length)) {
      let next = found + term.length;
      while (next < folded.length && origins[next] === origins[next - 1]) next++; // half of an "ﬁ"
      places.push([origins[found], origins[next]]);
    }
  }
  return joined(places);
}

function joined(places) {
  const apart = [];
  for (const [begin, end] of places.sort(([a], [b]) => a - b)) {
    const last = apart.at(-1);
    if (last && begin <= last[1]) last[1] = Math.max(last[1], end);
    else apart.push([begin, end]);
  }
  return apart;
}
