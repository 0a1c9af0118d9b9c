// The filters of the page "Gallery". Without this script the page shows all cards and no form.

"use strict";

{
  const form = document.querySelector(".gallery-filters");
  const lists = [...document.querySelectorAll(".gallery")];
  const cards = [...document.querySelectorAll(".gallery > li")].map((element) => ({
    element,
    family: element.closest("section").id,
    system: element.dataset.system,
    text: [...element.querySelectorAll("h3, pre")].map((each) => each.textContent).join(" ").toLowerCase(),
  }));

  function show() {
    const wanted = new FormData(form);
    const families = wanted.getAll("family");
    const system = wanted.get("system");
    const words = wanted.get("text").toLowerCase().split(/\s+/);
    const fits = (card) =>
      (!families.length || families.includes(card.family)) &&
      (!system || card.system === system) &&
      words.every((word) => card.text.includes(word));
    for (const card of cards) card.element.hidden = !fits(card);
    for (const list of lists) list.closest("section").hidden = !list.querySelector("li:not([hidden])");
    const shown = cards.filter((card) => !card.element.hidden).length;
    form.querySelector("[role=status]").textContent = `${shown} of ${cards.length} schedules`;
  }

  /** Keeps the filters in the address, so that a link shows the same cards. */
  function keep() {
    const state = new URLSearchParams([...new FormData(form)].filter(([, value]) => value)).toString();
    history.replaceState(null, "", state ? `#${state}` : location.pathname + location.search);
  }

  /** Sets the filters from the address; a plain anchor such as `#shapes` sets none. */
  function restore() {
    const state = new URLSearchParams(location.hash.slice(1));
    for (const field of form.elements) {
      if (field.type === "checkbox") field.checked = state.getAll(field.name).includes(field.value);
      else if (field.name) field.value = state.get(field.name) ?? "";
      if (field.selectedIndex === -1) field.selectedIndex = 0;
    }
    show();
  }

  function changed() {
    show();
    keep();
  }

  form.addEventListener("input", changed);
  form.addEventListener("reset", () => setTimeout(changed)); // The fields are empty after the event.
  form.addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", restore);
  form.hidden = false;
  restore();
}
