"use strict";
// The buttons that copy a value; without this script the page lacks nothing else.
const said = document.getElementById("said");
let silence;
function say(text) {
  said.textContent = text;
  clearTimeout(silence);
  silence = setTimeout(() => { said.textContent = ""; }, 6000);
}
for (const button of document.querySelectorAll("button.copy")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const place = document.getElementById(button.dataset.of);
    try {
      await navigator.clipboard.writeText(place.textContent);
      say("Copied: " + place.textContent);
    } catch {
      getSelection().selectAllChildren(place);
      say("The text is marked; copy it now.");
    }
  });
}
