/* Shows the saved message for the chosen customer, variant and screen. */
"use strict";
addEventListener("DOMContentLoaded", () => {
  const root = document.querySelector("[data-preview]");
  const frame = document.getElementById("preview-frame");
  if (!root || !frame) return;
  const value = (id) => document.getElementById(id).value;
  const show = () => {
    const query = new URLSearchParams({ variant: value("preview-variant"), customer: value("preview-customer"), dark: value("preview-dark") });
    frame.src = `${root.dataset.preview}?${query}`;
    frame.style.width = value("preview-width");
  };
  for (const id of ["preview-variant", "preview-customer", "preview-width", "preview-dark"]) document.getElementById(id).addEventListener("change", show);
  show();
});
