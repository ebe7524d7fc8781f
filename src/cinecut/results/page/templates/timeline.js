// The film strip: shows where the matching scenes fall, and jumps to the one pointed at.
const filmLength = () => Number(document.body.dataset.length);
const percent = (seconds) => `${(100 * seconds) / filmLength()}%`;

function nearestScene(seconds, scenes = board.matching) {
  let low = 0;
  let high = scenes.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (scenes[middle].time < seconds) low = middle + 1;
    else high = middle;
  }
  const before = scenes[low - 1];
  return before && seconds - before.time < scenes[low].time - seconds ? before : scenes[low];
}

function drawTicks() {
  const length = filmLength();
  for (const path of document.querySelectorAll(".lanes .matching")) {
    const times = board.matching.filter((scene) => scene.source === path.dataset.source);
    path.setAttribute("d", times.map(({ time }) => `M${((1000 * time) / length).toFixed(2)} 0V1`).join(""));
  }
}

function drawNeedle() {
  const needle = document.getElementById("needle");
  const strip = document.getElementById("timeline");
  const scene = board.current;
  needle.hidden = !scene;
  if (!scene) return;
  needle.style.insetInlineStart = percent(scene.time);
  strip.setAttribute("aria-valuenow", scene.time);
  strip.setAttribute("aria-valuetext", `${textOf(scene, ".time")}: ${textOf(scene, ".seen")}`);
}

const textOf = (scene, part) => scene.element.querySelector(part).textContent;

function drawInView() {
  const times = Array.from(board.inView, (element) => Number(element.dataset.time));
  const mark = document.getElementById("in-view");
  mark.hidden = times.length === 0;
  if (!times.length) return;
  const first = Math.min(...times);
  mark.style.insetInlineStart = percent(first);
  mark.style.inlineSize = percent(Math.max(...times) - first);
}

function peekAt(scene, x, width) {
  const peek = document.getElementById("peek");
  showSame(peek.querySelector("img"), scene.element.querySelector("img"));
  peek.querySelector("b").textContent = textOf(scene, ".time");
  peek.querySelector("span[dir]").textContent = textOf(scene, ".seen");
  peek.hidden = false;
  const left = document.getElementById("timeline").offsetLeft + x - peek.offsetWidth / 2;
  peek.style.left = `${Math.max(8, Math.min(left, width - peek.offsetWidth - 8))}px`;
}

document.addEventListener("filtered", drawTicks);
document.addEventListener("selected", drawNeedle);
document.addEventListener("viewed", drawInView);
document.addEventListener("DOMContentLoaded", () => {
  const strip = document.getElementById("timeline");
  if (!strip) return;
  const pointedAt = (event) => {
    const box = strip.getBoundingClientRect();
    const x = Math.max(0, Math.min(event.clientX - box.left, box.width));
    return [nearestScene((x / box.width) * filmLength()), x];
  };
  const hidePeek = () => { document.getElementById("peek").hidden = true; };
  strip.addEventListener("click", (event) => {
    const [scene] = pointedAt(event);
    hidePeek();
    if (scene) selectScene(scene, { scroll: true });
  });
  strip.addEventListener("pointermove", (event) => {
    const [scene, x] = pointedAt(event);
    if (scene && event.pointerType === "mouse") peekAt(scene, x, document.getElementById("bar").offsetWidth);
  });
  strip.addEventListener("pointerleave", hidePeek);
});
