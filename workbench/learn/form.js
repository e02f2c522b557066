// The page's half of form.py: draws the form once, then follows the traits that Python changes.

const SIGNS = { right: "✓ ", wrong: "✗ ", note: "" };

function inputOf(model) {
  const kind = model.get("kind");
  if (kind === "none") return { node: element("span"), read: () => "", write: () => {} };
  if (kind === "choice") {
    const group = freshId("choice"); // radio buttons of one name exclude each other
    const radios = model.get("options").map(([key]) => element("input", { type: "radio", name: group, value: key }));
    const rows = model.get("options").map(([key, text], i) =>
      element("label", { class: "choice" }, radios[i], element("span", {}, key === text ? text : `${key}) ${text}`)),
    );
    return {
      node: element("div", { class: "choices" }, ...rows),
      read: () => radios.find((radio) => radio.checked)?.value ?? "",
      write: (value) => radios.forEach((radio) => (radio.checked = radio.value === value)),
    };
  }
  if (kind === "order") return ordered(model);
  const id = freshId("input");
  const input = element("input", { id, type: kind, step: kind === "number" ? "any" : null, autocomplete: "off" });
  const unit = model.get("unit") ? [element("span", { class: "unit" }, model.get("unit"))] : [];
  return {
    node: element("div", { class: "control" }, element("label", { for: id }, model.get("label")), input, ...unit),
    read: () => input.value,
    write: (value) => (input.value = value),
  };
}

// Lines of code in a list, each moved by its two buttons or by dragging it; read as the letters from top to bottom.
function ordered(model) {
  const list = element("ol", { class: "lines" });
  const rows = model.get("options").map(([key, text]) => {
    const row = element("li", { draggable: "true", "data-key": key });
    const mover = (sign, name, move) => {
      const button = element("button", { type: "button", "aria-label": `${name}: ${text.trim()}` }, sign);
      button.addEventListener("click", move);
      return button;
    };
    // the neighbor moves, not the row: so the focus stays on the button that was pressed
    row.append(
      mover("↑", "Move up", () => row.previousSibling && row.after(row.previousSibling)),
      mover("↓", "Move down", () => row.nextSibling && row.before(row.nextSibling)),
      element("code", {}, text),
    );
    row.addEventListener("dragstart", (event) => (list.closest("fieldset").disabled ? event.preventDefault() : row.classList.add("dragged")));
    row.addEventListener("dragend", () => row.classList.remove("dragged"));
    row.addEventListener("dragover", (event) => {
      const dragged = list.querySelector(".dragged");
      if (!dragged) return; // something from elsewhere
      event.preventDefault();
      const below = dragged.compareDocumentPosition(row) & Node.DOCUMENT_POSITION_FOLLOWING;
      if (dragged !== row) below ? row.after(dragged) : row.before(dragged);
    });
    return row;
  });
  list.append(...rows);
  const code = (name) => (model.get(name) ? [element("pre", {}, model.get(name))] : []);
  return {
    node: element("div", { class: "ordering" }, ...code("above"), list, ...code("below")),
    read: () => [...list.children].map((row) => row.dataset.key).join(""),
    write: (value) => list.append(...[...value].map((key) => rows.find((row) => row.dataset.key === key))),
  };
}

function render({ model, el }) {
  const input = inputOf(model);
  const button = element("button", { type: "submit" }, model.get("button"));
  // a fieldset names the group of radio buttons for a screen reader, and disables everything in it at once
  const fields = element("fieldset", {}, input.node, button);
  if (model.get("prompt")) fields.prepend(element("legend", {}, model.get("prompt")));
  const status = element("p", { role: "status", class: "feedback", tabindex: "-1" });
  const form = element("form", { class: "form" }, fields, status);
  let mine = false; // whether the reader of this view pressed the button last

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    mine = true;
    button.disabled = true;
    status.className = "feedback quiet";
    status.textContent = "Sent. Waiting for the kernel …";
    model.send({ type: "submit", value: input.read() });
  });

  const stop = follow(model, ["value", "locked", "feedback", "tone", "replies", "button"], () => {
    const tone = model.get("tone");
    if (model.get("value") !== "") input.write(model.get("value"));
    button.textContent = model.get("button");
    button.disabled = false;
    fields.disabled = model.get("locked");
    const [verdict, ...lines] = model.get("feedback").split("\n");
    status.className = "feedback";
    status.replaceChildren(element("span", { class: tone }, (SIGNS[tone] ?? "") + verdict), ...lines.map((l) => `\n${l}`));
    // a disabled button loses the focus to the page, where a key press would be a notebook command
    if (mine && model.get("locked")) status.focus();
  });
  el.append(form);
  return stop;
}

export default { render: native(render) };
