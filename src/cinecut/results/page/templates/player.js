// The film itself, in a corner of the page: from a scene on, where the browser can play it, or the
// commands of programs that can.
const filmPlayer = () => document.getElementById("player");
const filmIn = (player) => player.querySelector("video");

// A frame's time is rounded on its way here, and a browser shows the frame before a hair sooner.
const INTO_FRAME_S = 0.001;

let sceneToPlay = null;

function playFrom(scene) {
  if (!scene) return;
  sceneToPlay = scene;
  const player = filmPlayer();
  const video = filmIn(player);
  document.getElementById("viewer").close();
  if (video.readyState > 0) beginScene();
  else {
    document.documentElement.classList.add("opening");
    video.src = player.dataset.film;
    video.load();
  }
}

// Some browsers play what they can of a film, which may be its sound alone.
function onOpened() {
  document.documentElement.classList.remove("opening");
  if (!filmIn(filmPlayer()).videoWidth) return onUnplayable(null);
  showPlayer();
  beginScene();
}

function showPlayer() {
  const player = filmPlayer();
  if (!player.hidden) return;
  player.hidden = false;
  document.documentElement.classList.add("watching");
  document.getElementById("player-toggle").focus({ preventScroll: true });
}

function beginScene() {
  seekTo(sceneToPlay.time + INTO_FRAME_S);
  showPlayer();
  filmIn(filmPlayer()).play().catch(() => {}); // a browser may want one more click: it is there
}

// The page counts from 0:00, the browser as the file does.
const startOfFilm = () => Number(filmPlayer().dataset.start);
const now = () => Math.max(0, filmIn(filmPlayer()).currentTime - startOfFilm());
let wanted = 0;

function seekTo(seconds) {
  wanted = seconds + startOfFilm();
  filmIn(filmPlayer()).currentTime = wanted;
}

// Of a file whose clock starts late Chromium takes the length for the end, and goes no further until
// it has read on.
function seekFurther({ target: video }) {
  if (video.currentTime > wanted - 0.01) wanted = 0;
  else if (!video.seeking && video.duration > video.currentTime) video.currentTime = wanted;
}

// Most browsers leave it by themselves, and tell the page of no key.
function leaveFullScreen() {
  const isFull = Boolean(document.fullscreenElement);
  if (isFull) document.exitFullscreen();
  return isFull;
}

function closePlayer() {
  const player = filmPlayer();
  if (!player || player.hidden) return false;
  const hadFocus = player.contains(document.activeElement);
  letGo();
  if (hadFocus) selectScene(board.current ?? sceneToPlay, { scroll: "nearest", focus: true });
  return true;
}

function letGo() {
  const player = filmPlayer();
  leaveFullScreen();
  const video = filmIn(player);
  video.pause();
  video.removeAttribute("src");
  video.load();
  player.hidden = true;
  document.documentElement.classList.remove("opening", "watching");
  lightUp(null);
}

function onUnplayable(error) {
  // A file that breaks off does so where it was, and not where it was begun.
  if (!filmPlayer().hidden) sceneToPlay = nearestScene(now(), board.scenes);
  letGo();
  // Chromium says this of a file that it could not even open, and nothing of its own of others.
  const isGone = error?.message === "MEDIA_ELEMENT_ERROR: Format error";
  showInViewer(sceneToPlay);
  tellElsewhere(isGone);
}

function tellElsewhere(isGone) {
  const box = document.getElementById("elsewhere");
  const { name } = filmPlayer().dataset;
  const list = box.querySelector("ul");
  box.hidden = false;
  if (isGone) {
    box.querySelector("p").textContent = `${name} does not lie where it was when this page was made.`;
    list.replaceChildren();
    return;
  }
  box.querySelector("p").textContent = `This browser cannot play ${name}. From this moment it plays with`;
  list.replaceChildren(...commandLines());
  copy(list.querySelector("li"));
}

// The next scene in the viewer begins at another moment.
function tellCommands() {
  const list = document.querySelector("#elsewhere:not([hidden]) ul");
  if (list?.firstChild) list.replaceChildren(...commandLines());
}

const commandLines = () => Object.entries(JSON.parse(filmPlayer().dataset.players)).map(commandLine);

function commandLine([program, option]) {
  const line = document.createElement("li");
  const command = document.createElement("code");
  command.textContent = `${program} ${option}=${sceneInViewer.time.toFixed(3)} ${filmAddress()}`;
  command.tabIndex = 0;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.setAttribute("aria-label", `Copy the command for ${program}`);
  button.addEventListener("click", () => copy(line));
  line.append(command, button);
  return line;
}

// As an address, and of that only what no shell takes for anything else: names may hold anything.
function filmAddress() {
  const address = new URL(filmPlayer().dataset.film, location.href).href;
  return address.replace(/[^\w\-.~/:%]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

async function copy(line) {
  const command = line.querySelector("code");
  getSelection().selectAllChildren(command); // should copying fail, the keys for it will do
  let copied = true;
  try {
    await navigator.clipboard.writeText(command.textContent);
  } catch {
    copied = document.execCommand("copy");
  }
  for (const button of line.parentElement.querySelectorAll("button")) button.textContent = "Copy";
  if (copied) line.querySelector("button").textContent = "Copied";
}

document.addEventListener("DOMContentLoaded", () => {
  const player = filmPlayer();
  if (!player) return;
  const video = filmIn(player);
  const viewer = document.getElementById("viewer");
  const on = (id, act) => document.getElementById(id).addEventListener("click", act);
  const toggle = () => (video.paused ? video.play().catch(() => {}) : video.pause());
  const tellState = () => { document.getElementById("player-toggle").textContent = video.paused ? "Play" : "Pause"; };
  const hint = () => document.documentElement.classList.toggle("plays", canPerhapsPlay(player.dataset.film));
  document.addEventListener("pointerover", hint, { once: true });
  video.addEventListener("loadedmetadata", onOpened);
  video.addEventListener("error", () => video.hasAttribute("src") && onUnplayable(video.error));
  for (const event of ["play", "pause", "ended"]) video.addEventListener(event, tellState);
  video.addEventListener("click", toggle);
  for (const event of ["durationchange", "seeked"]) video.addEventListener(event, seekFurther);
  on("player-toggle", toggle);
  on("player-close", closePlayer);
  on("player-mute", ({ target }) => {
    video.muted = !video.muted;
    target.setAttribute("aria-pressed", video.muted);
  });
  on("player-picture", () => {
    video.pause();
    showInViewer(nearestScene(now(), board.scenes));
  });
  on("player-full", () => leaveFullScreen() || player.requestFullscreen?.());
  on("viewer-play", () => playFrom(sceneInViewer));
  viewer.addEventListener("keydown", ({ key }) => { if (key === "P") playFrom(sceneInViewer); });
  document.addEventListener("looked", tellCommands);
  viewer.addEventListener("close", () => { document.getElementById("elsewhere").hidden = true; });
});

// Told by its name, and only for the hint on the pictures: a browser tells less than it can.
function canPerhapsPlay(address) {
  const kinds = { mp4: "mp4", m4v: "mp4", mov: "mp4", webm: "webm", mkv: "x-matroska", ogv: "ogg" };
  const kind = kinds[address.split(".").at(-1).toLowerCase()];
  return Boolean(kind && document.createElement("video").canPlayType(`video/${kind}`));
}
