// The search field of the index, its keys, and the address that keeps what was looked for.
const ADDRESS_AFTER_MS = 300; // browsers count how often a page changes it

const field = () => document.getElementById("search");

let addressTimer = null;

function search() {
  const terms = termsOf(field().value);
  document.getElementById("clear").hidden = field().value === "";
  if (!terms.length) {
    hideHits();
    document.getElementById("count").textContent = "";
    return;
  }
  const found = findScenes(terms);
  showHits(found, terms);
  tell(found);
}

// Someone far down sees the matches begin, not where the page happens to end now.
function showFirst() {
  const stuck = document.getElementById("bar").getBoundingClientRect().top <= 0;
  if (stuck) document.querySelector("main").scrollIntoView();
}

function tell(found) {
  const counted = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
  const films = new Set(found.map(({ film }) => film)).size;
  const result = found.length ? `${counted(found.length, "scene")} in ${counted(films, "film")}` : "No scene matches";
  const text = library.toCome ? `${result} so far, ${counted(library.toCome, "film")} to go` : result;
  document.getElementById("count").textContent = text;
}

function clearSearch() {
  field().value = "";
  search();
  keepInAddress();
}

// One step back leads out of the search, however many letters were typed.
function keepInAddress() {
  clearTimeout(addressTimer);
  const text = field().value.trim();
  if (text === queryInAddress()) return;
  const address = text ? `#q=${encodeURIComponent(text)}` : location.pathname + location.search;
  if (text && !queryInAddress()) history.pushState(null, "", address);
  else history.replaceState(null, "", address);
}

function queryInAddress() {
  return new URLSearchParams(location.hash.slice(1)).get("q") ?? "";
}

function readAddress() {
  field().value = queryInAddress();
  search();
}

function moveTo(step) {
  const links = Array.from(document.querySelectorAll("#hits a"));
  const at = links.indexOf(document.activeElement);
  if (at < 0 && step < 0) return;
  const link = links[at + step];
  link?.focus();
  link?.closest("article").scrollIntoView({ block: "nearest" });
}

const INDEX_KEYS = {
  "/": () => { field().focus(); field().select(); },
  j: () => moveTo(1),
  k: () => moveTo(-1),
  t: () => nextTheme(),
  Escape: () => clearSearch(),
};

function onIndexKey(event) {
  const { key, target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (target === field()) {
    if (key === "Escape") clearSearch();
    else if (key === "Enter" || key === "ArrowDown") moveTo(1);
    else return;
  } else if (key === "ArrowDown" && target.closest("#hits")) moveTo(1);
  else if (key === "ArrowUp" && target.closest("#hits")) moveTo(-1);
  else if (key in INDEX_KEYS) INDEX_KEYS[key]();
  else return;
  event.preventDefault();
}

document.addEventListener("DOMContentLoaded", () => {
  if (!field()) return;
  field().addEventListener("input", () => {
    search();
    showFirst();
    clearTimeout(addressTimer);
    addressTimer = setTimeout(keepInAddress, ADDRESS_AFTER_MS);
  });
  document.getElementById("controls").addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("clear").addEventListener("click", () => { clearSearch(); field().focus(); });
  document.getElementById("more").addEventListener("click", () => showMore()?.querySelector("a").focus());
  document.addEventListener("keydown", onIndexKey);
  document.addEventListener("unpacked", () => {
    const isEnough = library.toCome && hits.shown === BATCH;
    if (field().value && !isEnough) search();
  });
  document.getElementById("hits").addEventListener("click", keepInAddress); // to come back to them
  window.addEventListener("popstate", readAddress);
  if (queryInAddress()) field().value = queryInAddress(); // else what a reload has kept
  search();
});
