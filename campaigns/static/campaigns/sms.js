/* Counts a text message's parts while it is typed, as rendering/sms.py does when it is saved. */
"use strict";
addEventListener("DOMContentLoaded", () => {
  const form = document.querySelector("[data-sms-sign]");
  const words = document.getElementById("sms-words");
  if (!form || !words) return;
  const basic = new Set("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà");
  const extended = new Set("^{}\\[~]|€\f");
  const size = (text) => {
    const signs = [...text];
    const unicode = signs.some((sign) => !basic.has(sign) && !extended.has(sign));
    const n = unicode ? text.length : signs.reduce((sum, sign) => sum + (extended.has(sign) ? 2 : 1), 0);
    const [single, joined] = unicode ? [70, 67] : [160, 153];
    const parts = n <= single ? Math.min(n, 1) : Math.ceil(n / joined);
    return { unicode, n, parts, left: (parts > 1 ? parts * joined : single) - n };
  };
  const linkForm = /https?:\/\/(?:\([^\s()<>"']*\)|[^\s()<>"'])+/g;
  const shortened = (url) => form.dataset.smsLink + url.slice(url.replace(/[.,;:!?]+$/, "").length);
  const asSent = (text, fields) => {
    const said = text.replace(/\{\{\s*([\w.]+)\s*\}\}/g, (written, name) => fields[name] ?? written).trim();
    return form.dataset.smsLink ? said.replace(linkForm, shortened) : said;
  };
  for (const area of form.querySelectorAll("[data-sms]")) {
    const shown = area.closest("details").querySelector("[data-sms-size]");
    const fields = JSON.parse(area.closest("details").querySelector("script").textContent);
    area.addEventListener("input", () => {
      const found = size(form.dataset.smsSign + asSent(area.value, fields));
      const told = words.dataset.one.replace("[n]", found.n).replace("[parts]", found.parts).replace("[left]", found.left);
      shown.textContent = found.unicode ? `${told} · ${words.dataset.unicode}` : told;
    });
  }
});
