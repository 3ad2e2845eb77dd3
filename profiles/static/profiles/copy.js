/* Buttons that copy a sample; where the browser does not let them, the sample is selected. */
"use strict";
for (const button of document.querySelectorAll("[data-copies]")) {
  const sample = document.querySelector(`[data-sample="${button.dataset.copies}"]`);
  const label = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(sample.textContent);
      button.textContent = button.dataset.done;
      setTimeout(() => (button.textContent = label), 2000);
    } catch {
      getSelection().selectAllChildren(sample);
    }
  });
}
