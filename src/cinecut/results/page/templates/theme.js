"use strict";
// Light, dark, or as the system has it; kept for the next page where the browser allows it.
const THEMES = ["auto", "light", "dark"];

function keptTheme(chosen) {
  try {
    if (chosen) localStorage.setItem("cinecut-theme", chosen);
    return localStorage.getItem("cinecut-theme");
  } catch {
    return null; // some browsers give a page from a file no storage
  }
}

function setTheme(name) {
  const theme = THEMES.includes(name) ? name : "auto";
  document.documentElement.dataset.theme = theme;
  const button = document.getElementById("theme");
  if (button) button.textContent = { auto: "◐ Auto", light: "○ Light", dark: "● Dark" }[theme];
  button?.setAttribute("aria-label", `Theme: ${theme}. Change`);
}

function nextTheme() {
  const now = THEMES.indexOf(document.documentElement.dataset.theme);
  const theme = THEMES[(now + 1) % THEMES.length];
  keptTheme(theme);
  setTheme(theme);
}

setTheme(keptTheme()); // at once, so that a dark page never flashes white
document.addEventListener("DOMContentLoaded", () => {
  setTheme(keptTheme());
  document.getElementById("theme").addEventListener("click", nextTheme);
});
