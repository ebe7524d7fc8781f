// Keys: letters work everywhere but in a field, arrows once a scene or the strip has the focus.
function sceneBeside(step) {
  const at = board.matching.indexOf(board.current);
  if (at < 0) return step > 0 ? board.matching[0] : board.matching.at(-1);
  return board.matching[at + step];
}

// The scene above or below: rows are short where a part ends.
function sceneInRow(step) {
  const here = board.current?.element;
  const at = board.matching.indexOf(board.current);
  if (at < 0) return sceneBeside(step);
  let best = null;
  for (let next = at + step; board.matching[next]; next += step) {
    const { element } = board.matching[next];
    if (element.offsetTop === here.offsetTop) continue;
    if (best && element.offsetTop !== best.element.offsetTop) break;
    const away = Math.abs(element.offsetLeft - here.offsetLeft);
    if (!best || away < Math.abs(best.element.offsetLeft - here.offsetLeft)) best = board.matching[next];
  }
  return best;
}

function moveTo(scene, keepFocus) {
  if (scene) selectScene(scene, { scroll: "nearest", focus: !keepFocus });
}

const KEYS = {
  "/": () => {
    document.getElementById("search").focus();
    document.getElementById("search").select();
  },
  "?": () => document.getElementById("help").showModal(),
  j: () => moveTo(sceneBeside(1)),
  k: () => moveTo(sceneBeside(-1)),
  n: () => moveToPart(1),
  p: () => moveToPart(-1),
  t: () => nextTheme(),
  P: () => filmPlayer() && playFrom(board.current ?? board.matching[0]),
  Escape: () => leaveFullScreen() || closePlayer() || clearFilters(),
};

const MOVES = {
  ArrowRight: () => sceneBeside(1),
  ArrowLeft: () => sceneBeside(-1),
  ArrowDown: () => sceneInRow(1),
  ArrowUp: () => sceneInRow(-1),
  Home: () => board.matching[0],
  End: () => board.matching.at(-1),
};

// On a slider up means more, which here is later; among the scenes it is the row above.
const ON_TIMELINE = { ...MOVES, ArrowUp: MOVES.ArrowRight, ArrowDown: MOVES.ArrowLeft };

function onKey(event) {
  const { key, target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const dialog = document.querySelector("dialog[open]");
  if (dialog) {
    const step = { ArrowRight: 1, ArrowDown: 1, j: 1, ArrowLeft: -1, ArrowUp: -1, k: -1 }[key];
    if (step && dialog.id === "viewer") moveInViewer(step);
    return;
  }
  if (target.id === "search") {
    if (key === "Escape") clearFilters();
    else if (key === "Enter" || key === "ArrowDown") moveTo(board.matching[0]);
    else return;
  } else if (key in MOVES && target.closest(".scene")) {
    moveTo(MOVES[key]());
  } else if (key in ON_TIMELINE && target.id === "timeline") {
    moveTo(ON_TIMELINE[key](), true);
  } else if (key === "Enter" && target.matches(".scene, #timeline") && board.current) {
    showInViewer(board.current);
  } else if (key in KEYS) {
    KEYS[key]();
  } else return;
  event.preventDefault();
}

document.addEventListener("DOMContentLoaded", () => {
  if (!document.getElementById("controls")) return;
  document.addEventListener("keydown", onKey);
  document.getElementById("scenes").addEventListener("focusin", ({ target }) => {
    const element = target.closest(".scene");
    if (element && element !== board.current?.element) selectScene(board.scenes.find((scene) => scene.element === element));
  });
});
