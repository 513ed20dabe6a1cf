// Moves the bar of one's own welcome mail. What it reads are the six fields of the task's `get`.
"use strict";

const card = document.querySelector("[data-progress]");
const bar = card.querySelector("progress");
const text = card.querySelector("[role=status]");
const OFTEN = 400; // ms
const SELDOM = 10000; // ms, where the server doesn't answer
let pause = OFTEN;

async function look() {
  try {
    const answer = await fetch(card.dataset.progress, { headers: { Accept: "application/json" } });
    if (answer.status === 404) return location.reload(); // logged out meanwhile
    if (!answer.ok) throw new Error(answer.status);
    show(await answer.json());
  } catch {
    pause = Math.min(2 * pause, SELDOM);
    say(card.dataset.lost);
    setTimeout(look, pause);
  }
}

function show(job) {
  if (job.status === "SUCCESS" || job.status === "FAILURE") return location.reload(); // the page draws the end
  if (job.total) {
    bar.max = job.total;
    bar.value = job.current;
  }
  say(job.message || card.dataset.waiting);
  pause = OFTEN;
  setTimeout(look, pause);
}

function say(message) {
  // A screen reader speaks whatever is written here, so nothing is written twice.
  if (text.textContent !== message) text.textContent = message;
}

card.querySelector(".reload").remove(); // that is for browsers that don't run this
setTimeout(look, pause);
