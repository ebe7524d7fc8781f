// Finds the scenes with all of the terms, the better ones first, and among equals in film order.
const NAME_ONLY = 4;

const LETTER = /[\p{L}\p{N}]/u;

function isLetter(code) {
  if (code < 128) return (code > 96 && code < 123) || (code > 47 && code < 58);
  return LETTER.test(String.fromCharCode(code));
}

function findScenes(terms) {
  const ranks = [[], [], [], [], []];
  for (const film of library.films) {
    const lines = new Uint8Array(film.count); // 1 where it was found
    walk(film, terms, (line, rank) => {
      lines[line] = 1;
      ranks[rank].push({ film, line });
    });
    const others = terms.filter((term) => !film.foldedName.includes(term));
    if (others.length === terms.length) continue;
    walk(film, others, (line) => {
      if (!lines[line]) ranks[NAME_ONLY].push({ film, line });
    });
  }
  return ranks.flat();
}

// Calls `found` with each scene that has all `terms`, and how far it is from the best: 1 for a term
// that is not in what is seen, 2 for one in the middle of a word, 3 for both.
// Each term's next place only ever moves on, to where the furthest of them is: one pass over the
// film's text a term, however many scenes it is in.
function walk({ folded, foldedStarts: starts, count }, terms, found) {
  const places = terms.map(() => -1);
  const seek = (term, from) => {
    const place = folded.indexOf(term, from);
    return place < 0 ? Infinity : place;
  };
  for (let line = 0; line < count; ) {
    let furthest = line;
    for (let i = 0; i < terms.length; i++) {
      if (places[i] < starts[line]) places[i] = seek(terms[i], starts[line]);
      if (places[i] === Infinity) return;
      furthest = Math.max(furthest, lineAt(starts, places[i], line));
    }
    if (furthest > line) {
      line = furthest;
      continue;
    }
    const seenEnd = folded.indexOf("\x1f", starts[line]);
    let rank = 0;
    for (let i = 0; i < terms.length; i++) {
      let best = NAME_ONLY;
      let place = places[i];
      for (; place < starts[line + 1]; place = seek(terms[i], place + 1)) {
        const inWord = place > starts[line] && isLetter(folded.charCodeAt(place - 1));
        best = Math.min(best, 2 * inWord + (place > seenEnd));
        if (best <= rank) break; // the worst of the terms counts
      }
      places[i] = place;
      rank = Math.max(rank, best);
    }
    found(line, rank);
    line++;
  }
}

// The line at `place`, which is `line` or a later one.
function lineAt(starts, place, line) {
  if (place < starts[line + 1]) return line;
  let high = starts.length - 1;
  while (high - line > 1) {
    const middle = (line + high) >> 1;
    if (starts[middle] <= place) line = middle;
    else high = middle;
  }
  return line;
}
