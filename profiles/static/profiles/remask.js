/* Takes what was revealed off the page after its time, and as soon as the page is left. */
"use strict";
addEventListener("DOMContentLoaded", () => {
  const list = document.querySelector("[data-remask-seconds]");
  if (!list) return;
  const mask = () => {
    for (const node of list.querySelectorAll("[data-mask]")) node.textContent = node.dataset.mask;
  };
  setTimeout(mask, Number(list.dataset.remaskSeconds) * 1000);
  addEventListener("pagehide", mask);
});
