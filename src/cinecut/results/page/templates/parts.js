// The parts of the film: which one is in sight, and how to get to another.
const partInSight = () => {
  const top = document.getElementById("bar").offsetHeight + 2; // where a heading comes to rest
  const shown = board.parts.filter(({ element }) => !element.hidden);
  const after = shown.findIndex(({ element }) => element.getBoundingClientRect().top > top);
  return { shown, at: (after < 0 ? shown.length : after) - 1 };
};

function moveToPart(step) {
  const { shown, at } = partInSight();
  shown[Math.max(at, step > 0 ? -1 : 0) + step]?.element.scrollIntoView();
}

function tellPart() {
  const choice = document.getElementById("part");
  if (!choice || document.activeElement === choice) return;
  const { shown, at } = partInSight();
  const part = shown[Math.max(at, 0)];
  if (part) choice.selectedIndex = board.parts.indexOf(part);
}

document.addEventListener("viewed", tellPart);
document.addEventListener("DOMContentLoaded", () => {
  const choice = document.getElementById("part");
  choice?.addEventListener("change", () => {
    const { element } = board.parts[choice.selectedIndex];
    if (element.hidden) clearFilters();
    element.scrollIntoView();
    choice.blur();
  });
});
