// Only makes quicker what works without it: the day changes when it is chosen, a page takes in what it would link to, the
// sandbox answers while one types.
"use strict";

for (const select of document.querySelectorAll("select[data-submit]")) {
  select.form.querySelector("button").hidden = true;
  select.addEventListener("change", () => select.form.requestSubmit());
}

for (const button of document.querySelectorAll("button[data-copy]")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = button.dataset.done;
  });
}

for (const place of document.querySelectorAll("[data-load]")) {
  fetch(place.dataset.load, { headers: { accept: "text/html" } }).then(async (answer) => {
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    place.replaceChildren(...page.getElementById("past").childNodes);
  });
}

const sandbox = document.querySelector("form[data-live]");
if (sandbox) {
  let waiting, asked = 0;
  const show = async () => {
    const query = new URLSearchParams(new FormData(sandbox)), number = ++asked;
    const answer = await fetch(`${sandbox.dataset.live}?${query}`, { headers: { accept: "application/json" } });
    if (!answer.ok || number !== asked) return;
    const found = await answer.json();
    for (const segment of found.segments) {
      const row = document.querySelector(`tr[data-segment="${segment.name}"]`);
      for (const cell of row.querySelectorAll("[data-cell]")) cell.textContent = segment[cell.dataset.cell];
      row.querySelector(".part").setAttribute("width", segment.width);
    }
    document.getElementById("config").textContent = found.config;
    history.replaceState(null, "", `?${query}`);
  };
  sandbox.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(show, 150);
  });
}
