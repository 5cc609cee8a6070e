"use strict";
// The page to write on: counts while one types, and lets the server read the recipients. Without
// this file the same buttons ask the server for the same panels.

{
  const { countSegments, plainForms } = window.mobilonSms;
  const PAUSE = 300; // milliseconds without a key until the server is asked

  // The text, its parts, and the parts of all recipients.
  const watchText = (form, panel, tables) => {
    const field = form.elements.text;
    const place = (name) => panel.querySelector(`[data-count="${name}"]`);

    const show = (name, value) => {
      place(name).textContent = value;
    };

    // In one line, with a mark for what has no look of its own.
    const shown = (characters) =>
      characters.map((each) => (/[\p{C}\p{Z}]/u.test(each) ? "␣" : each)).join(" ");

    const showCharacters = (distinct) => {
      const plain = distinct.filter((character) => character in tables.plain);
      const others = distinct.filter((character) => !(character in tables.plain));
      const most = Number(panel.dataset.most);
      const more = others.length > most ? " …" : "";
      show("characters", shown(others.slice(0, most)) + more);
      show("typography", shown(plain));
      place("characters").closest("[data-row]").hidden = !others.length;
      place("typography").closest("[data-row]").hidden = !plain.length;
    };

    const count = () => {
      const text = field.value;
      const counted = countSegments(text, tables);
      show("alphabet", panel.dataset[counted.alphabet === "GSM-7" ? "gsm7" : "ucs2"]);
      show("parts", counted.count);
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

  // The recipients, read by the server: it alone knows which numbers are allowed.
  const watchRecipients = (form, panel, counted) => {
    const field = form.elements.numbers;
    let timer = 0;
    let request = new AbortController();

    const ask = async (button) => {
      clearTimeout(timer);
      request.abort();
      request = new AbortController();
      const typed = field.value;
      const body = new FormData();
      body.set("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
      body.set("numbers", typed);
      if (button) {
        body.set(button.name, button.value);
      }
      try {
        const options = { method: "POST", body, signal: request.signal };
        const reply = await fetch(panel.dataset.address, options);
        if (!reply.ok || reply.redirected) {
          throw new Error(reply.status);
        }
        panel.innerHTML = await reply.text();
      } catch (error) {
        if (error.name === "AbortError") {
          return;
        }
        panel.textContent = panel.dataset.unread;
      }
      const left = panel.querySelector("[data-left]");
      if (left && button && field.value === typed) {
        field.value = left.dataset.left;
        field.focus();
      }
      counted();
    };

    field.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(ask, PAUSE);
    });
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
    form.querySelectorAll(".mobilon-sms-without-script").forEach((each) => each.remove());
  });
}
