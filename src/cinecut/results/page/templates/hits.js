// Shows what was found in place of the films, a batch at a time: a search must not wait for
// thousands of pictures.
const BATCH = 60;

const hits = { found: [], terms: [], shown: 0 };

function showHits(found, terms) {
  Object.assign(hits, { found, terms, shown: 0 });
  document.getElementById("films").hidden = true;
  document.getElementById("hits").replaceChildren();
  showMore();
}

function hideHits() {
  hits.found = [];
  document.getElementById("hits").replaceChildren();
  document.getElementById("films").hidden = false;
  document.getElementById("more").hidden = true;
}

function showMore() {
  const batch = hits.found.slice(hits.shown, hits.shown + BATCH).map(hitElement);
  hits.shown += batch.length;
  document.getElementById("hits").append(...batch);
  const left = hits.found.length - hits.shown;
  const more = document.getElementById("more");
  more.hidden = left === 0;
  more.textContent = `Show ${Math.min(BATCH, left)} more of ${left.toLocaleString("en")}`;
  return batch[0];
}

function hitElement({ film, line }) {
  const hit = document.getElementById("hit").content.firstElementChild.cloneNode(true);
  const [seen, mood, action, setting, said, shown = ""] = fieldsOf(film, line);
  hit.querySelector("a").setAttribute("href", `${film.link}#scene-${film.indexes[line]}`);
  hit.querySelector(".time").textContent = clock(film.times[line]);
  mark(hit.querySelector(".film"), film.name);
  if (seen) mark(hit.querySelector(".seen"), seen);
  else hit.querySelector(".seen").textContent = "No description";
  for (const [name, text] of Object.entries({ mood, action, setting, said, shown })) {
    const part = hit.querySelector(`.${name}`);
    if (!mark(part, text)) (part.closest("dl > div") ?? part).remove();
  }
  const picture = film.pictures[line];
  const folder = film.link.slice(0, film.link.lastIndexOf("/") + 1);
  const frame = hit.querySelector(".frame");
  if (picture) frame.querySelector("img").src = folder + picture;
  else frame.classList.add("missing");
  return hit;
}

// Writes `text` with the terms in it marked, and says whether there were any.
function mark(element, text) {
  const places = placesOf(text, hits.terms);
  let at = 0;
  for (const [begin, end] of places) {
    const found = document.createElement("mark");
    found.textContent = text.slice(begin, end);
    element.append(text.slice(at, begin), found);
    at = end;
  }
  element.append(text.slice(at));
  return places.length > 0;
}

function clock(seconds) {
  const parts = [Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60];
  return [Math.floor(seconds / 3600), ...parts.map((part) => String(part).padStart(2, "0"))].join(":");
}
