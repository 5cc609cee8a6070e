"use strict";
// Updates the panels while a message is typed: counts segments, and lets the server check the
// recipients. Without scripts, the same buttons load the page with the same panels.

{
  const { countSegments, plainForms } = window.mobilonSms;
  const PAUSE = 300; // milliseconds without a key before the server is asked

  // Show the segments of the text, for one recipient and for all.
  const watchText = (form, panel, tables) => {
    const field = form.elements.text;
    const find = (name) => panel.querySelector(`[data-count="${name}"]`);

    const show = (name, value) => {
      find(name).textContent = value;
    };

    // On one line, with a mark for the invisible ones.
    const spaced = (characters) =>
      characters.map((char) => (/[\p{C}\p{Z}]/u.test(char) ? "␣" : char)).join(" ");

    const showCharacters = (distinct) => {
      const replaceable = distinct.filter((char) => char in tables.plain);
      const others = distinct.filter((char) => !(char in tables.plain));
      const max = Number(panel.dataset.maxCharacters);
      const more = others.length > max ? " …" : "";
      show("characters", spaced(others.slice(0, max)) + more);
      show("replaceable", spaced(replaceable));
      find("characters").closest("[data-row]").hidden = !others.length;
      find("replaceable").closest("[data-row]").hidden = !replaceable.length;
    };

    const count = () => {
      const text = field.value;
      const counted = countSegments(text, tables);
      show("alphabet", panel.dataset[counted.alphabet === "GSM-7" ? "gsm7" : "ucs2"]);
      show("segments", counted.count);
      show("remaining", counted.remaining);
      showCharacters(counted.ucs2Characters);
      const recipients = form.querySelector("[data-recipients]");
      if (recipients) {
        show("total", counted.count * Number(recipients.dataset.recipients));
      }
      panel.classList.toggle("mobilon-sms-over", counted.count > Number(panel.dataset.allowed));
    };

    const replace = (event) => {
      event.preventDefault();
      field.value = plainForms(field.value, tables);
      field.focus();
      count();
    };

    field.addEventListener("input", count);
    panel.querySelector('[name="_plain"]').addEventListener("click", replace);
    count();
    return count;
  };

  // Let the server check what is typed, because only it knows what would be refused.
  const watchRecipients = (form, panel, count) => {
    const field = form.elements.numbers;
    let timer = 0;
    let request = new AbortController();
    let shown = null; // a screen reader announces the panel again each time it is replaced

    const ask = async (button) => {
      clearTimeout(timer);
      request.abort();
      request = new AbortController();
      const typed = field.value;
      const body = new FormData(form); // no button is part of it, so that nothing is written
      if (button) {
        body.set(button.name, button.value);
      }
      try {
        const options = { method: "POST", body, signal: request.signal };
        const reply = await fetch(panel.dataset.address, options);
        if (!reply.ok || reply.redirected) {
          throw new Error(reply.status);
        }
        const answer = await reply.text();
        if (answer !== shown) {
          panel.innerHTML = shown = answer;
        }
      } catch (error) {
        if (error.name === "AbortError") {
          return;
        }
        panel.textContent = panel.dataset.unchecked;
        shown = null;
      }
      const left = panel.querySelector("[data-left]");
      if (left && button && field.value === typed) {
        field.value = left.dataset.left;
        field.focus();
      }
      count();
    };

    const askSoon = () => {
      clearTimeout(timer);
      timer = setTimeout(ask, PAUSE);
    };

    field.addEventListener("input", askSoon);
    for (const event of ["input", "change"]) {
      // The text and the times too, but not before there is a recipient.
      form.addEventListener(event, ({ target }) => {
        if (target !== field && target.value !== undefined && field.value.trim()) {
          askSoon();
        }
      });
    }
    panel.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) {
        event.preventDefault();
        ask(button);
      }
    });
    if (field.value.trim()) {
      ask();
    }
  };

  document.addEventListener("DOMContentLoaded", () => {
    const counter = document.getElementById("mobilon-sms-counter");
    if (!counter) {
      return;
    }
    const form = counter.closest("form");
    const tables = JSON.parse(counter.dataset.tables);
    const count = watchText(form, counter, tables);
    const recipients = document.getElementById("mobilon-sms-recipients");
    if (recipients) {
      watchRecipients(form, recipients, count);
    }
    form.querySelectorAll(".mobilon-sms-without-script").forEach((button) => button.remove());
  });
}
