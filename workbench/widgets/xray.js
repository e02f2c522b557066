// The x-ray's additions to an explorer: a button for each hazard under the knobs, and a line's PTX under the picture.

// A button for each hazard; pressing one shows it, pressing it again goes back to the step.
function hazardButtons(model) {
  const buttons = model.get("hazards").map(([key, text]) => {
    const button = element("button", { type: "button" }, text);
    button.addEventListener("click", () => {
      const state = model.get("state");
      model.set("state", { ...state, hazard: state.hazard === key ? "" : key });
      model.save_changes();
    });
    return [key, button];
  });
  const label = element("span", { class: "quiet", id: freshId("hazards") }, "Hazards");
  const row = element("div", { class: "hazards", role: "group", "aria-labelledby": label.id }, label);
  row.append(...buttons.map(([, button]) => button));
  row.hidden = buttons.length === 0;
  const stop = follow(model, ["state"], () => {
    for (const [key, button] of buttons) button.setAttribute("aria-pressed", model.get("state").hazard === key);
  });
  return [row, stop];
}

// What the compiler made of the line that is highlighted, folded away until somebody asks.
function machineCode(model) {
  const summary = element("summary");
  const text = element("pre");
  const fold = element("details", { class: "ptx" }, summary, text);
  const stop = follow(model, ["ptx"], () => {
    const [line, code] = model.get("ptx");
    fold.hidden = line === "";
    summary.textContent = `PTX of line ${line}`;
    text.textContent = code;
  });
  return [fold, stop];
}

function renderXRay(view) {
  const stopExplorer = render(view);
  const [row, stopRow] = hazardButtons(view.model);
  const [fold, stopFold] = machineCode(view.model);
  view.el.querySelector(".controls").after(row);
  view.el.querySelector(".picture").after(fold);
  return () => { stopExplorer(); stopRow(); stopFold(); };
}

export default { render: native(renderXRay) };
