// Inside every page, before its own scripts: where an element can be acted on, and whether it can.
(() => {
  const own = window.__agentgym;

  // Where to act on an element: {x, y}, or {problem}.
  function point(ref, known) {
    if (known !== own.page) return { problem: "stale" };
    const element = own.elementOf(ref);
    if (element === null) return { problem: "gone" };
    if (element.matches(":disabled") || element.getAttribute("aria-disabled") === "true") {
      return { problem: "disabled", what: own.told(element) };
    }
    if (element.tagName === "OPTION") return { problem: "option", what: own.told(element) };
    let rect = element.getBoundingClientRect();
    if (rect.width < 1 && rect.height < 1) return { problem: "invisible", what: own.told(element) };
    if (!isInside(element, rect)) {
      element.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
      rect = element.getBoundingClientRect();
    }
    const found = spot(element, rect);
    if (found.over) return { problem: "covered", what: own.told(element), over: own.told(found.over) };
    let { x, y } = found;
    for (let view = element.ownerDocument.defaultView; view !== window && view.frameElement; view = view.parent) {
      const outer = view.frameElement.getBoundingClientRect();
      x += outer.x + view.frameElement.clientLeft;
      y += outer.y + view.frameElement.clientTop;
    }
    return { x, y };
  }

  function isInside(element, rect) {
    const view = element.ownerDocument.defaultView;
    const x = rect.x + rect.width / 2, y = rect.y + rect.height / 2;
    if (x < 0 || y < 0 || x >= view.innerWidth || y >= view.innerHeight) return false;
    const found = hit(element, x, y);
    return found === null || belongs(found, element) || !clips(element, x, y);
  }

  // Whether something that scrolls around the element hides that point of it.
  function clips(element, x, y) {
    for (let around = element.parentElement; around; around = around.parentElement) {
      const style = getComputedStyle(around);
      if (style.overflowX === "visible" && style.overflowY === "visible") continue;
      const rect = around.getBoundingClientRect();
      if (x < rect.x || y < rect.y || x > rect.right || y > rect.bottom) return true;
    }
    return false;
  }

  function hit(element, x, y) {
    let found = element.ownerDocument.elementFromPoint(x, y);
    while (found?.shadowRoot) {
      const inner = found.shadowRoot.elementFromPoint(x, y);
      if (!inner || inner === found) break;
      found = inner;
    }
    return found;
  }

  function belongs(found, element) {
    if (element.contains(found)) return true;
    for (let node = found; node; node = node.assignedSlot ?? node.parentNode ?? node.host) {
      if (node === element) return true;
    }
    return found.tagName === "LABEL" && found.control === element || found.closest("label")?.control === element;
  }

  // A point of the element that is hit when it is clicked: the middle, or one beside it.
  function spot(element, rect) {
    let over = null;
    const rects = [rect, ...element.getClientRects()];
    for (const { x: left, y: top, width, height } of rects) {
      for (const [across, down] of [[0.5, 0.5], [0.25, 0.5], [0.75, 0.5], [0.5, 0.25], [0.5, 0.75]]) {
        const x = left + width * across, y = top + height * down;
        const found = hit(element, x, y);
        if (found === null) continue;
        if (belongs(found, element)) return { x, y };
        over ??= found;
      }
    }
    return { over: over ?? document.documentElement };
  }

  // The focus, and in a field the cursor behind what it holds.
  function focus(ref) {
    const element = own.elementOf(ref);
    element.focus();
    if (typeof element.selectionStart === "number") element.setSelectionRange(element.value.length, element.value.length);
  }

  // Indexes of the options that a list has by that text or value, or else but for case; {problem} where one is missing.
  function optionsOf(list, wanted) {
    if (list.tagName !== "SELECT") return { problem: "it is no list" };
    const options = Array.from(list.options);
    const named = (same) => options.findIndex((option) => same(option.label.trim()) || same(option.value));
    const indexes = [];
    for (const name of wanted) {
      let index = named((text) => text === name);
      if (index < 0) index = named((text) => text.toLowerCase() === name.trim().toLowerCase());
      if (index < 0) return { problem: `there is no option "${name}"`, known: options.map((option) => option.label.trim()) };
      if (options[index].disabled) return { problem: `the option "${name}" is disabled` };
      indexes.push(index);
    }
    return { indexes };
  }

  // The clipboard of the browser is everybody's; a page's own text is copied here, and its pages hand it on.
  const clip = { text: "" };

  function chosen() {
    const element = document.activeElement;
    if (typeof element?.selectionStart !== "number") return String(window.getSelection());
    return element.value.slice(element.selectionStart, element.selectionEnd);
  }

  for (const type of ["copy", "cut", "paste"]) {
    window.addEventListener(type, (event) => {
      if (event.defaultPrevented) return;
      event.preventDefault();
      if (type === "paste") document.execCommand("insertText", false, clip.text);
      else clip.text = chosen();
      if (type === "cut") document.execCommand("delete");
    });
  }

  Object.assign(own, { point, focus, optionsOf, clip });
})();
