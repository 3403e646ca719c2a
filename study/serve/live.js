"use strict";
// Follows a study: shows its state, and loads its page again when that has changed, at the same
// place. Tables and charts of the page keep nothing else.
const EVERY = 5000;
const frame = document.getElementById("page");
const state = document.getElementById("state");
let version = null;
let place = null;

function restore(tries) {
  const page = frame.contentDocument;
  const drawn = !page.querySelector(".plot") || page.documentElement.dataset.drawn;
  if (!drawn && tries > 0) {
    setTimeout(restore, 50, tries - 1);  // Charts change the height of the page.
    return;
  }
  frame.contentWindow.scrollTo(...place);
  place = null;
}

frame.addEventListener("load", () => {
  if (place !== null) restore(100);
});

async function look() {
  try {
    const answer = await fetch("version.json", { cache: "no-store" });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const now = await answer.json();
    state.textContent = now.state;
    if (version !== null && now.version !== version) {
      place = [frame.contentWindow.scrollX, frame.contentWindow.scrollY];
      frame.contentWindow.location.reload();
    }
    version = now.version;
  } catch (error) {
    state.textContent = `no answer from study.serve (${error.message})`;
  }
  setTimeout(look, EVERY);
}

look();
