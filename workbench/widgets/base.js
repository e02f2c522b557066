// What every widget's module starts with (see base.py): wrap the widget's own render function in `native`.

// Wraps `render({ model, el })`. JupyterLab listens for keys on the whole page, where an arrow moves between
// cells and `x` cuts one; so key presses made inside the widget end at its edge. The browser itself acts on a
// key after all listeners, so typing, arrows and Tab work as in any form.
function native(render) {
  return (view) => {
    view.el.classList.add("workbench");
    for (const kind of ["keydown", "keypress", "keyup"]) {
      view.el.addEventListener(kind, (event) => event.stopPropagation());
    }
    return render(view);
  };
}

// An element with attributes and children; text is set as text, never read as HTML.
//   element("label", { for: "width" }, "Width ", input)
function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null && value !== false) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

// An id no other element of the page has, to tie a label to its control.
let lastNumber = 0;
function freshId(name) {
  lastNumber += 1;
  return `workbench-${name}-${Math.random().toString(36).slice(2, 8)}-${lastNumber}`;
}

// Calls `update` now and whenever one of the traits changes; returns a function that stops it.
function follow(model, traits, update) {
  const events = traits.map((name) => `change:${name}`);
  events.forEach((event) => model.on(event, update));
  update();
  return () => events.forEach((event) => model.off(event, update));
}
