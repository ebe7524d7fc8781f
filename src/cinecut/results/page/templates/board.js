// The scenes, which of them match, and which is the current one. Other parts listen to the
// document's events "filtered", "selected", "viewed" and "looked".
const board = { scenes: [], matching: [], parts: [], current: null, inView: new Set(), tabStop: undefined, pressed: { source: new Set(), mood: new Set(), skipped: new Set() } };

function readScenes() {
  // Built once; a search is then a walk over plain strings.
  board.scenes = Array.from(document.querySelectorAll(".scene"), (element) => ({
    element,
    time: Number(element.dataset.time),
    source: element.dataset.source,
    moods: element.dataset.moods ? element.dataset.moods.split("|") : [],
    skipped: element.classList.contains("is-skipped"),
    text: fold(Array.from(element.querySelectorAll(".time, .source, .seen, dd, .reason, .said p"), (part) => part.textContent).join("\n")),
  }));
  board.matching = board.scenes;
}

// Headings of parts, and under which each scene stands; a film may have none.
function readParts() {
  let part = null;
  for (const element of document.getElementById("scenes").children) {
    if (element.classList.contains("part")) board.parts.push((part = { element, scenes: [] }));
    else if (part && element.classList.contains("scene")) part.scenes.push(element);
  }
}

const searchTerms = () => termsOf(document.getElementById("search").value);

function filterScenes() {
  const { source, mood, skipped } = board.pressed;
  const terms = searchTerms();
  const matches = (scene) =>
    (!source.size || source.has(scene.source)) &&
    (!mood.size || scene.moods.some((name) => mood.has(name))) &&
    (!skipped.size || scene.skipped) &&
    terms.every((term) => scene.text.includes(term));
  board.matching = [];
  for (const scene of board.scenes) {
    const shown = matches(scene);
    if (shown) board.matching.push(scene);
    if (scene.element.hidden === shown) scene.element.hidden = !shown;
  }
  for (const { element, scenes } of board.parts) element.hidden = scenes.every(({ hidden }) => hidden);
  if (board.current && board.current.element.hidden) selectScene(null);
  showCount(terms.length + source.size + mood.size + skipped.size > 0);
  keepOneTabStop();
  document.dispatchEvent(new Event("filtered"));
}

function showCount(filtered) {
  const all = board.scenes.length.toLocaleString("en");
  const some = board.matching.length.toLocaleString("en");
  document.getElementById("count").textContent = filtered ? `${some} of ${all}` : `${all} scenes`;
  document.getElementById("clear").hidden = !filtered;
  document.getElementById("nothing").hidden = board.matching.length > 0;
}

// Someone far down the page sees the matches begin, not where the page happens to end now.
function showFirst() {
  const stuck = document.getElementById("bar").getBoundingClientRect().top <= 0;
  if (stuck) document.getElementById("scenes").scrollIntoView();
}

function clearFilters() {
  document.getElementById("search").value = "";
  for (const values of Object.values(board.pressed)) values.clear();
  for (const chip of document.querySelectorAll("[data-filter]")) chip.setAttribute("aria-pressed", "false");
  showMoodsPressed();
  filterScenes();
}

function pressChip(chip) {
  const values = board.pressed[chip.dataset.filter];
  const pressed = !values.delete(chip.dataset.value);
  if (pressed) values.add(chip.dataset.value);
  chip.setAttribute("aria-pressed", pressed);
  showMoodsPressed();
  filterScenes();
}

function showMoodsPressed() {
  const button = document.getElementById("mood-button");
  const { size } = board.pressed.mood;
  if (button) button.textContent = size ? `Mood · ${size}` : "Mood";
}

// The scenes are one stop for the Tab key, however many there are; arrows move among them.
function keepOneTabStop() {
  const stop = (board.current ?? board.matching[0])?.element;
  if (stop === board.tabStop) return;
  board.tabStop?.setAttribute("tabindex", "-1");
  stop?.setAttribute("tabindex", "0");
  board.tabStop = stop;
}

function selectScene(scene, { scroll = false, focus = false } = {}) {
  board.current?.element.classList.remove("current");
  board.current = scene;
  if (scene) {
    scene.element.classList.add("current");
    if (scroll) scene.element.scrollIntoView({ block: scroll === true ? "start" : scroll });
    if (focus) scene.element.focus({ preventScroll: true });
  }
  keepOneTabStop();
  document.dispatchEvent(new Event("selected"));
}

document.addEventListener("DOMContentLoaded", () => {
  if (!document.getElementById("controls")) return;
  readScenes();
  readParts();
  const bar = document.getElementById("bar");
  new ResizeObserver(() => document.documentElement.style.setProperty("--bar", `${bar.offsetHeight}px`)).observe(bar);
  const controls = document.getElementById("controls");
  document.getElementById("search").addEventListener("input", () => { filterScenes(); showFirst(); });
  controls.addEventListener("submit", (event) => event.preventDefault());
  controls.addEventListener("click", ({ target }) => {
    const chip = target.closest("[data-filter]");
    if (!chip) return;
    pressChip(chip);
    showFirst();
  });
  document.getElementById("mood-button")?.addEventListener("click", ({ currentTarget: button }) => {
    const moods = document.getElementById("moods");
    moods.hidden = !moods.hidden;
    button.setAttribute("aria-expanded", !moods.hidden);
  });
  for (const id of ["clear", "clear-all"]) document.getElementById(id).addEventListener("click", clearFilters);
  // A link may lead to a scene that the search has hidden: the browser goes where it is shown again.
  document.addEventListener("click", ({ target }) => {
    const hash = target.closest("a")?.getAttribute("href");
    const scene = board.scenes.find(({ element }) => `#${element.id}` === hash);
    if (scene?.element.hidden) clearFilters();
    if (scene) selectScene(scene);
  });
  filterScenes(); // a browser that goes back to the page may have kept the search
  const named = board.scenes.find(({ element }) => `#${element.id}` === location.hash);
  if (named) selectScene(named, { scroll: true, focus: true });
});
