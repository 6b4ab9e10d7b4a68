// Inside every page: elements by ref, what there is to see, when it is still, and where an element can be acted on.
// Installed before the page's own scripts. Everything is reached through one name, `__agentgym`.
(() => {
  if (window.__agentgym) return;
  const frame = window.requestAnimationFrame.bind(window);
  const later = window.setTimeout.bind(window);

  // -- refs: numbers that stay with their element for the life of the document --------------------------

  const numbers = new WeakMap();
  const elements = new Map();
  const page = Math.random().toString(36).slice(2);
  let last = 0;

  function refOf(element) {
    let number = numbers.get(element);
    if (number === undefined) {
      number = ++last;
      numbers.set(element, number);
      elements.set(number, new WeakRef(element));
    }
    return String(number);
  }

  function elementOf(ref) {
    const element = elements.get(Number(ref))?.deref();
    return element && element.isConnected ? element : null;
  }

  // -- stillness ----------------------------------------------------------------------------------------

  let changed = 0;
  let pending = 0;
  let isLeaving = false;
  const observer = new MutationObserver(() => { changed += 1; });
  observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });

  const send = XMLHttpRequest.prototype.send;
  XMLHttpRequest.prototype.send = function (...given) {
    pending += 1;
    this.addEventListener("loadend", () => { pending -= 1; }, { once: true });
    try {
      return send.apply(this, given);
    } catch (error) {
      pending -= 1;
      throw error;
    }
  };
  const fetched = window.fetch;
  window.fetch = function (...given) {
    pending += 1;
    const answer = fetched.apply(this, given);
    const done = () => { pending -= 1; };
    answer.then(done, done);
    return answer;
  };
  window.navigation?.addEventListener("navigate", (event) => {
    if (!event.hashChange && event.downloadRequest === null) {
      // One that the page handles by itself is intercepted by a listener of its own, which may come after this one.
      queueMicrotask(() => { isLeaving = !event.defaultPrevented; });
    }
  });
  for (const name of ["navigateerror", "navigatesuccess"]) {
    window.navigation?.addEventListener(name, () => { isLeaving = false; });
  }

  const imagesLoad = () => Array.from(document.images).some((image) => !image.complete && image.loading !== "lazy");
  const isBusy = () => document.readyState !== "complete" || pending > 0 || isLeaving || imagesLoad();

  // Two frames in a row in which nothing is under way and nothing has changed; false where `ms` were not enough.
  function still(ms) {
    return new Promise((resolve) => {
      let seen = changed;
      let quiet = 0;
      later(() => resolve(false), ms);
      frame(function look() {
        quiet = isBusy() || changed !== seen ? 0 : quiet + 1;
        seen = changed;
        if (quiet >= 2) resolve(true);
        else frame(look);
      });
    });
  }

  // -- what there is to see -----------------------------------------------------------------------------

  const ROLES = {
    A: (e) => (e.hasAttribute("href") ? "link" : ""),
    ARTICLE: "article", ASIDE: "complementary", BUTTON: "button", CANVAS: "canvas", DIALOG: "dialog",
    FIELDSET: "group", FOOTER: "contentinfo", FORM: "form", H1: "heading", H2: "heading", H3: "heading",
    H4: "heading", H5: "heading", H6: "heading", HEADER: "banner", HR: "separator", IFRAME: "iframe",
    IMG: "image", LI: "listitem", MAIN: "main", MENU: "list", METER: "meter", NAV: "navigation", OL: "list",
    OPTION: "option", OPTGROUP: "group", OUTPUT: "status", P: "paragraph", PROGRESS: "progressbar",
    SECTION: (e) => (e.hasAttribute("aria-label") || e.hasAttribute("aria-labelledby") ? "region" : ""),
    SELECT: (e) => (e.multiple || e.size > 1 ? "listbox" : "combobox"), SUMMARY: "button", TABLE: "table",
    TBODY: "rowgroup", THEAD: "rowgroup", TFOOT: "rowgroup", TD: "cell", TH: "columnheader", TR: "row",
    TEXTAREA: "textbox", UL: "list", DETAILS: "group", VIDEO: "video", AUDIO: "audio",
  };
  const INPUTS = {
    button: "button", submit: "button", reset: "button", image: "button", checkbox: "checkbox", radio: "radio",
    range: "slider", number: "spinbutton", search: "searchbox", hidden: "",
  };
  const INTERACTIVE = new Set([
    "button", "checkbox", "combobox", "link", "listbox", "menuitem", "menuitemcheckbox", "menuitemradio", "option",
    "radio", "scrollbar", "searchbox", "slider", "spinbutton", "switch", "tab", "textbox", "treeitem", "gridcell",
  ]);
  const NAMED_BY_CONTENT = new Set([
    "button", "cell", "checkbox", "columnheader", "gridcell", "heading", "link", "menuitem", "menuitemcheckbox",
    "menuitemradio", "option", "radio", "row", "rowheader", "switch", "tab", "tooltip", "treeitem", "listitem",
  ]);
  const SHAPES = new Set(["circle", "ellipse", "line", "path", "polygon", "polyline", "rect", "text"]);
  const SKIPPED = new Set(["SCRIPT", "STYLE", "NOSCRIPT", "TEMPLATE", "HEAD", "META", "LINK", "TITLE", "BR", "WBR"]);

  const words = (text) => text.replace(/\s+/g, " ").trim();

  function roleOf(element) {
    const given = element.getAttribute("role")?.trim().split(/\s+/)[0];
    if (given && given !== "none" && given !== "presentation") return given;
    if (given) return "";
    if (element instanceof SVGElement) return element.tagName === "svg" ? "image" : "";
    if (element.tagName === "INPUT") return INPUTS[element.type] ?? "textbox";
    const role = ROLES[element.tagName] ?? "";
    return typeof role === "function" ? role(element) : role;
  }

  function hidden(element, style) {
    return element.getAttribute("aria-hidden") === "true" || element.hidden === true || style.display === "none" ||
      element.closest?.("[inert]") !== null;
  }

  function textOf(element) {
    return words(element.innerText ?? element.textContent ?? "");
  }

  function byIds(element, attribute) {
    const ids = element.getAttribute(attribute)?.split(/\s+/) ?? [];
    return words(ids.map((id) => element.getRootNode().getElementById?.(id)?.textContent ?? "").join(" "));
  }

  function nameOf(element, role) {
    const told = byIds(element, "aria-labelledby") || words(element.getAttribute("aria-label") ?? "");
    if (told) return told;
    if (element.labels?.length) {
      const name = words(Array.from(element.labels, labelText).join(" "));
      if (name) return name;
    }
    const tag = element.tagName;
    if (tag === "INPUT" && ["button", "submit", "reset"].includes(element.type)) {
      return element.value || { submit: "Submit", reset: "Reset" }[element.type] || "";
    }
    if (tag === "IMG" || (tag === "INPUT" && element.type === "image")) {
      return words(element.alt || element.title || "");
    }
    if (tag === "FIELDSET") return words(element.querySelector(":scope > legend")?.textContent ?? "");
    if (tag === "TABLE") return words(element.caption?.textContent ?? "");
    if (tag === "OPTION") return words(element.label);
    if (tag === "OPTGROUP") return element.label;
    if (NAMED_BY_CONTENT.has(role) || element.isContentEditable === false && role === "") {
      const name = NAMED_BY_CONTENT.has(role) ? contentOf(element) : "";
      if (name) return name;
    }
    return words(element.title || element.placeholder || "");
  }

  // What a label says beside the field that it may be around.
  function labelText(label) {
    const copy = label.cloneNode(true);
    for (const field of copy.querySelectorAll("input, select, textarea, button")) field.remove();
    return copy.textContent;
  }

  // Text, and what stands for an image.
  function contentOf(element) {
    const told = textOf(element);
    if (told) return told;
    const image = element.querySelector?.("img[alt], [aria-label], svg title");
    return image ? words(image.getAttribute("alt") ?? image.getAttribute("aria-label") ?? image.textContent) : "";
  }

  function valueOf(element, role) {
    if (element.tagName === "SELECT") return Array.from(element.selectedOptions, (o) => words(o.label)).join(", ");
    if (element.tagName === "INPUT" && ["checkbox", "radio", "button", "submit", "reset", "image"].includes(element.type)) {
      return null;
    }
    if (element.tagName === "INPUT" && element.type === "password") return "•".repeat(element.value.length);
    if (element.tagName === "INPUT" || element.tagName === "TEXTAREA") return element.value;
    if (element.isContentEditable && element.contentEditable === "true") return textOf(element);
    if (element.tagName === "PROGRESS" || element.tagName === "METER") return String(element.value);
    if (["slider", "spinbutton", "progressbar", "scrollbar", "meter"].includes(role)) {
      return element.getAttribute("aria-valuetext") ?? element.getAttribute("aria-valuenow");
    }
    return null;
  }

  function statesOf(element, role) {
    const states = [];
    const aria = (name) => element.getAttribute(`aria-${name}`);
    const checkable = element.tagName === "INPUT" && ["checkbox", "radio"].includes(element.type);
    if (checkable ? element.checked : aria("checked") === "true" || aria("pressed") === "true") states.push("checked");
    if (element.indeterminate || aria("checked") === "mixed") states.push("mixed");
    if (element.matches(":disabled") || aria("disabled") === "true") states.push("disabled");
    const expanded = element.tagName === "DETAILS" ? String(element.open) : aria("expanded");
    if (expanded === "true") states.push("expanded");
    if (expanded === "false") states.push("collapsed");
    if ((element.tagName === "OPTION" && element.selected) || aria("selected") === "true") states.push("selected");
    if (element.readOnly || aria("readonly") === "true") states.push("readonly");
    if (element.required || aria("required") === "true") states.push("required");
    if (aria("invalid") === "true") states.push("invalid");
    if (element.getRootNode().activeElement === element && element !== document.body) states.push("focused");
    return states;
  }

  function isInteractive(element, role, style, above) {
    return INTERACTIVE.has(role) || element.isContentEditable && element.contentEditable === "true" ||
      element.hasAttribute("onclick") || element.onclick !== null && element.onclick !== undefined ||
      element.draggable === true && element.getAttribute("draggable") === "true" ||
      (element.hasAttribute("tabindex") && element.tabIndex >= 0) || (style.cursor === "pointer" && above !== "pointer");
  }

  // The document as a flat list in reading order; a line of text is a node without role and ref.
  function look(options = {}) {
    const nodes = [];
    const doc = { page, url: location.href, title: document.title };
    walk(document.body ?? document.documentElement, 0, 0, 0, "", nodes, options);
    const root = document.scrollingElement ?? document.documentElement;
    doc.scroll = [window.scrollX, window.scrollY, root.scrollWidth, root.scrollHeight, innerWidth, innerHeight];
    doc.nodes = nodes;
    return doc;
  }

  function walk(element, depth, dx, dy, cursor, nodes, options) {
    if (SKIPPED.has(element.tagName)) return;
    const view = element.ownerDocument.defaultView;
    const style = view.getComputedStyle(element);
    if (hidden(element, style)) return;
    const isSeen = style.visibility === "visible" && Number(style.opacity) > 0;
    const role = roleOf(element);
    const acts = isSeen && isInteractive(element, role, style, cursor);
    const rect = element.getBoundingClientRect();
    const drawn = options.graphics && isSeen ? drawing(element, style, rect) : null;
    let below = depth;
    let name = "";
    if (isSeen && (role || acts || drawn)) {
      name = nameOf(element, role);
      if (!name && acts && !role) name = contentOf(element);
      const node = { depth, role: role || (drawn ? drawn.shape : "generic"), name };
      node.box = [rect.x + dx, rect.y + dy, rect.width, rect.height].map(Math.round);
      if (acts || drawn) node.ref = refOf(element);
      if (acts) node.acts = true;
      if (role === "heading") node.level = element.getAttribute("aria-level") ?? element.tagName.slice(1);
      const value = valueOf(element, role);
      if (value !== null && value !== undefined) node.value = value;
      const states = statesOf(element, role);
      if (states.length) node.states = states;
      if (drawn) node.drawn = drawn;
      nodes.push(node);
      below += 1;
    }
    if (element.tagName === "IFRAME") return inFrame(element, below, rect, dx, dy, nodes, options);
    if (["TEXTAREA", "SVG", "svg", "OPTION"].includes(element.tagName) && !options.graphics) return;
    const first = nodes.length;
    for (const child of childrenOf(element)) {
      if (child.nodeType === Node.TEXT_NODE) {
        const text = words(child.data);
        if (text && isSeen) push(nodes, { depth: below, text }, first);
      } else if (child.nodeType === Node.ELEMENT_NODE) {
        walk(child, below, dx, dy, acts ? style.cursor : cursor, nodes, options);
      }
    }
    // What a name says already is not said again.
    if (name && nodes.slice(first).every((node) => node.text !== undefined)) nodes.length = first;
  }

  function push(nodes, node, first) {
    const before = nodes[nodes.length - 1];
    if (nodes.length > first && before.text !== undefined && before.depth === node.depth) before.text += ` ${node.text}`;
    else nodes.push(node);
  }

  function childrenOf(element) {
    if (element.shadowRoot) return element.shadowRoot.childNodes;
    if (element.tagName === "SLOT" && element.assignedNodes().length) return element.assignedNodes();
    return element.childNodes;
  }

  function inFrame(element, depth, rect, dx, dy, nodes, options) {
    const inner = element.contentDocument;
    if (inner?.body) walk(inner.body, depth, dx + rect.x, dy + rect.y, "", nodes, options);
  }

  // What is told by its looks alone: shapes of a drawing, and colored boxes without words.
  function drawing(element, style, rect) {
    if (rect.width < 1 || rect.height < 1) return null;
    if (element instanceof SVGElement && SHAPES.has(element.tagName)) {
      return { shape: element.tagName, color: style.fill === "none" ? style.stroke : style.fill };
    }
    if (element instanceof HTMLElement && !element.childNodes.length && style.backgroundColor !== "rgba(0, 0, 0, 0)" &&
        !["INPUT", "TEXTAREA", "SELECT", "BUTTON"].includes(element.tagName)) {
      return { shape: "box", color: style.backgroundColor };
    }
    return null;
  }

  // -- acting -------------------------------------------------------------------------------------------

  const told = (element) => {
    const role = roleOf(element) || element.tagName.toLowerCase();
    const name = nameOf(element, role) || textOf(element);
    return name ? `${role} "${name.slice(0, 40)}"` : role;
  };

  // Where to act on an element: {x, y}, or {problem}.
  function point(ref, known) {
    if (known !== page) return { problem: "stale" };
    const element = elementOf(ref);
    if (element === null) return { problem: "gone" };
    if (element.matches(":disabled") || element.getAttribute("aria-disabled") === "true") {
      return { problem: "disabled", what: told(element) };
    }
    if (element.tagName === "OPTION") return { problem: "option", what: told(element) };
    let rect = element.getBoundingClientRect();
    if (rect.width < 1 && rect.height < 1) return { problem: "invisible", what: told(element) };
    if (!isInside(element, rect)) {
      element.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
      rect = element.getBoundingClientRect();
    }
    const found = spot(element, rect);
    if (found.over) return { problem: "covered", what: told(element), over: told(found.over) };
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
    const element = elementOf(ref);
    element.focus();
    if (typeof element.selectionStart === "number") element.setSelectionRange(element.value.length, element.value.length);
  }

  Object.defineProperty(window, "__agentgym", { value: { still, look, point, focus, elementOf } });
})();
