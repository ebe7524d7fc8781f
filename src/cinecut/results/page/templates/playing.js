// What the page shows of the film as it runs: the scene that is lit, the bar, the descriptions.
let sceneLit = null;

function lightUp(scene) {
  if (scene === sceneLit) return;
  // Who has scrolled elsewhere is left there.
  const follows = sceneLit && board.inView.has(sceneLit.element);
  sceneLit?.element.classList.remove("lit");
  scene?.element.classList.add("lit");
  if (follows) scene?.element.scrollIntoView({ block: "nearest" });
  sceneLit = scene;
}

const clockOf = (seconds) => {
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
};

function chapterAt(seconds) {
  const chapters = JSON.parse(filmPlayer().dataset.chapters);
  return chapters.filter(([start]) => start <= seconds).at(-1)?.[1] ?? "";
}

function tellTime() {
  if (filmPlayer().hidden) return;
  const seconds = now();
  const seek = document.getElementById("player-seek");
  const chapter = chapterAt(seconds);
  document.getElementById("player-now").textContent = clockOf(seconds);
  const place = document.getElementById("player-chapter");
  place.hidden = !chapter;
  place.firstElementChild.textContent = chapter;
  seek.value = seconds;
  seek.style.setProperty("--done", `${(100 * seconds) / filmLength()}%`);
  seek.setAttribute("aria-valuetext", [`${clockOf(seconds)} of ${clockOf(filmLength())}`, chapter].filter(Boolean).join(", "));
  lightUp(nearestScene(seconds, board.scenes));
}

function drawHits() {
  const hits = board.matching.length < board.scenes.length ? board.matching : [];
  const ticks = hits.map(({ time }) => `M${((1000 * time) / filmLength()).toFixed(2)} 0V1`);
  filmPlayer().querySelector(".hits").setAttribute("d", ticks.join(""));
}

// Cues made here and no file: a page from a file may load no track beside it. Browsers draw none
// that are called descriptions.
function captionsOf(player) {
  const video = filmIn(player);
  if (video.textTracks.length) return video.textTracks[0];
  const track = video.addTextTrack("captions", "Descriptions");
  const ends = player.dataset.captionEnds.split(" ");
  const plain = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  board.scenes.forEach(({ element, time }, at) => {
    const end = Number(ends[at]);
    if (!(end > time)) return;
    const text = [".seen", "dd"].map((part) => element.querySelector(part).textContent).join("\n");
    track.addCue(new VTTCue(time + startOfFilm(), end + startOfFilm(), plain(text)));
  });
  return track;
}

document.addEventListener("DOMContentLoaded", () => {
  const player = filmPlayer();
  if (!player) return;
  const video = filmIn(player);
  for (const event of ["timeupdate", "seeked", "loadedmetadata"]) video.addEventListener(event, tellTime);
  document.getElementById("player-seek").addEventListener("input", ({ target }) => seekTo(Number(target.value)));
  document.getElementById("player-captions").addEventListener("click", ({ target }) => {
    const track = captionsOf(player);
    track.mode = track.mode === "showing" ? "disabled" : "showing";
    target.setAttribute("aria-pressed", track.mode === "showing");
  });
  document.addEventListener("filtered", drawHits);
  drawHits();
  // Not before it is shown: what the root is told, thousands of scenes are styled anew for.
  new ResizeObserver(() => {
    if (!player.hidden) document.documentElement.style.setProperty("--player", `${player.offsetHeight}px`);
  }).observe(player);
});
