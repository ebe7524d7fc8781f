// One scene in full, over the page.
let sceneInViewer = null;

function showInViewer(scene) {
  sceneInViewer = scene;
  const viewer = document.getElementById("viewer");
  const shown = scene.element.querySelector("img");
  const image = viewer.querySelector("img");
  image.alt = shown.alt;
  showSame(image, shown);
  const words = scene.element.querySelector(".words").cloneNode(true);
  words.querySelector(".moment").id = "viewer-time";
  words.querySelector(".time").removeAttribute("href");
  document.getElementById("viewer-words").replaceChildren(words);
  if (!viewer.open) viewer.showModal();
  document.dispatchEvent(new Event("looked"));
}

function moveInViewer(step) {
  const scene = sceneBeside(step);
  if (!scene) return;
  selectScene(scene, { scroll: "nearest" });
  showInViewer(scene);
}

document.addEventListener("DOMContentLoaded", () => {
  const viewer = document.getElementById("viewer");
  document.getElementById("scenes").addEventListener("click", (event) => {
    const link = event.target.closest(".frame");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const scene = board.scenes.find(({ element }) => element.contains(link));
    selectScene(scene);
    if (filmPlayer()) playFrom(scene);
    else showInViewer(scene);
  });
  viewer.addEventListener("click", ({ target }) => {
    const go = target.closest("[data-go]")?.dataset.go ?? (target === viewer ? "close" : null);
    if (go === "close") viewer.close();
    else if (go) moveInViewer(go === "next" ? 1 : -1);
  });
  // The browser gives the focus back to where the viewer was opened; the eye is elsewhere by now.
  viewer.addEventListener("close", () => selectScene(sceneInViewer, { scroll: "nearest", focus: true }));
  document.getElementById("help-button").addEventListener("click", () => document.getElementById("help").showModal());
});
