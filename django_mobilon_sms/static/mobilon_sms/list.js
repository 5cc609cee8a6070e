/* Of the actions, only those stay offered that are possible for at least one chosen message. */
"use strict";
{
  const form = document.getElementById("changelist-form");
  const select = form && form.querySelector("select[name=action]");

  function possible() {
    const across = form.querySelector("input.select-across");
    const chosen = form.querySelectorAll("input.action-select:checked");
    if (!chosen.length || (across && across.value === "1")) {
      return null; // nothing is chosen yet, or rows that no page shows
    }
    const rows = Array.from(chosen, box => box.closest("tr").querySelector("[data-possible]"));
    return new Set(rows.flatMap(row => (row ? row.dataset.possible.split(" ") : [])));
  }

  function offer() {
    const names = possible();
    for (const option of select.options) {
      option.disabled = option.hidden = Boolean(option.value && names && !names.has(option.value));
      if (option.disabled && option.selected) {
        select.value = "";
      }
    }
  }

  if (select) {
    // After Django's own script, which ticks other boxes on the same click.
    for (const event of ["click", "change"]) {
      form.addEventListener(event, () => setTimeout(offer));
    }
    offer(); // a browser remembers what was ticked
  }
}
