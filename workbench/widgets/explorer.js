// The browser's half of an explorer: builds native inputs once, sends their values, swaps the picture when Python has it.

// An input for one control of controls.py; `send(value)` is called while the reader moves it.
function input(control, value, id, send) {
  if (control.kind === "select") {
    const choices = control.options.map(([key, text]) => element("option", { value: key }, text));
    const list = element("select", { id }, ...choices);
    list.value = value;
    list.addEventListener("change", () => send(list.value));
    return list;
  }
  if (control.kind === "toggle") {
    const box = element("input", { id, type: "checkbox" });
    box.checked = value;
    box.addEventListener("change", () => send(box.checked));
    return box;
  }
  const { low: min, high: max, step } = control;
  const slider = element("input", { id, type: "range", min, max, step });
  slider.value = value;
  slider.addEventListener("input", () => send(Number(slider.value)));
  return slider;
}

// Sets an input to a value that Python holds, unless it is there already.
function setInput(node, value) {
  if (node.type === "checkbox") node.checked = value;
  else if (node.value !== String(value)) node.value = value;
}

function render({ model, el }) {
  const inputs = {};
  const readings = {};
  const controls = model.get("controls").map((control) => {
    const id = freshId(control.name);
    const send = (value) => {
      model.set("state", { ...model.get("state"), [control.name]: value });
      model.save_changes();
    };
    inputs[control.name] = input(control, model.get("state")[control.name], id, send);
    const parts = [element("label", { for: id }, control.label), inputs[control.name]];
    if (control.kind === "range") {
      readings[control.name] = element("output", { for: id });
      parts.push(readings[control.name]);
    }
    return element("span", { class: "control" }, ...parts);
  });

  const picture = element("div", { class: "picture" });
  const error = element("p", { class: "wrong", role: "alert" });
  const spoken = element("p", { class: "hidden-text", "aria-live": "polite" });
  el.setAttribute("role", "group");
  el.setAttribute("aria-label", model.get("title"));
  el.append(
    element("p", { class: "title" }, model.get("title")),
    element("p", { class: "question" }, model.get("question")),
    element("div", { class: "controls" }, ...controls),
    error,
    picture,
    spoken,
  );

  // Only picture and words are replaced, never an input: the reader's focus stays where it is.
  const stops = [
    follow(model, ["svg"], () => { picture.innerHTML = model.get("svg"); }),
    follow(model, ["error"], () => { error.textContent = model.get("error"); error.hidden = !error.textContent; }),
    follow(model, ["wording"], () => {
      for (const [name, reading] of Object.entries(readings)) reading.textContent = model.get("wording")[name];
    }),
    follow(model, ["state"], () => {
      for (const [name, value] of Object.entries(model.get("state"))) if (inputs[name]) setInput(inputs[name], value);
    }),
  ];
  // the first picture is read with the page; later ones are announced
  const speak = () => { spoken.textContent = model.get("alt"); };
  model.on("change:alt", speak);
  return () => { stops.forEach((stop) => stop()); model.off("change:alt", speak); };
}

export default { render: native(render) };
