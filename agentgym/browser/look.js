// Inside every page, before its own scripts: what there is to see, and elements by ref.
// Roles and names are those of WAI-ARIA and of the accessible name computation, for the cases that are common.
(() => {
  // Refs are numbers that stay with their element for the life of the document.
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

  // Elements that listen to the mouse: what else tells that a <div> can be clicked?
  const listening = new WeakSet();
  const MOUSE = new Set(["click", "dblclick", "mousedown", "mouseup", "pointerdown", "dragstart"]);
  const listen = EventTarget.prototype.addEventListener;
  EventTarget.prototype.addEventListener = function (type, ...given) {
    if (MOUSE.has(type) && this instanceof Element) listening.add(this);
    return listen.call(this, type, ...given);
  };

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
    "button", "checkbox", "heading", "link", "menuitem", "menuitemcheckbox", "menuitemradio", "option", "radio",
    "switch", "tab", "tooltip", "treeitem",
  ]);
  // Named by what they say where they hold nothing but words.
  const NAMED_BY_WORDS = new Set(["", "cell", "columnheader", "gridcell", "listitem", "paragraph", "rowheader"]);
  const SHAPES = new Set(["circle", "ellipse", "line", "path", "polygon", "polyline", "rect", "text"]);
  const SKIPPED = new Set([
    "SCRIPT", "STYLE", "NOSCRIPT", "TEMPLATE", "HEAD", "META", "LINK", "TITLE", "BR", "WBR", "title",
    "desc", "defs",
  ]);

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
    // A box of its own is not needed: what is in one of `display: contents` is seen.
    return element.getAttribute("aria-hidden") === "true" || style.display === "none" ||
      (style.display !== "contents" && !element.closest("select") && !element.checkVisibility()) || element.closest("[inert]") !== null;
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
    const name = NAMED_BY_CONTENT.has(role) ? contentOf(element) : "";
    if (name) return name;
    // Attributes: `form.title` is the field of that name, where there is one.
    return words(element.getAttribute("title") || element.getAttribute("placeholder") || "");
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
    if (element.tagName === "TEXTAREA" || aria("multiline") === "true") states.push("multiline");
    if (element.readOnly || aria("readonly") === "true") states.push("readonly");
    if (element.required || aria("required") === "true") states.push("required");
    if (aria("invalid") === "true") states.push("invalid");
    if (element.getRootNode().activeElement === element && element !== document.body) states.push("focused");
    return states;
  }

  function isInteractive(element, role, style, above) {
    return INTERACTIVE.has(role) || element.isContentEditable && element.contentEditable === "true" ||
      typeof element.onclick === "function" || element.getAttribute("draggable") === "true" ||
      (element.hasAttribute("tabindex") && element.tabIndex >= 0) || (style.cursor === "pointer" && above !== "pointer");
  }

  // The document as a flat list in reading order; a line of text is a node without a role.
  function look(options = {}) {
    const nodes = [];
    const root = document.scrollingElement ?? document.documentElement ?? { scrollWidth: 0, scrollHeight: 0 };
    if (document.body) walk(document.body, { depth: 0, dx: 0, dy: 0, cursor: "" }, nodes, options);
    for (const node of nodes) {
      if (node.acts || node.color) node.ref = refOf(node.element);
      delete node.element;
    }
    return {
      page, url: location.href, title: document.title, nodes: nodes.filter((node) => node.role || node.text),
      scroll: [scrollX, scrollY, root.scrollWidth, root.scrollHeight, innerWidth, innerHeight],
    };
  }

  // `at` is where the walk is: how deep, how far its document is moved, and the cursor around it.
  function walk(element, at, nodes, options) {
    if (SKIPPED.has(element.tagName) || (options.skip && element.matches(options.skip))) return;
    const style = element.ownerDocument.defaultView.getComputedStyle(element);
    if (hidden(element, style)) return;
    const isSeen = style.visibility === "visible" && Number(style.opacity) > 0;
    const role = roleOf(element);
    const rect = element.getBoundingClientRect();
    const acts = isSeen && isInteractive(element, role, style, at.cursor);
    const listens = isSeen && !acts && listening.has(element) && element !== document.body;
    const drawn = options.graphics && isSeen ? drawing(element, style, rect) : null;
    const node = isSeen && (role || acts || listens || drawn) ? nodeOf(element, role, drawn, rect, at) : null;
    if (node) nodes.push(node);
    const first = nodes.length;
    const inner = { ...at, depth: at.depth + (node ? 1 : 0), cursor: acts ? style.cursor : at.cursor };
    if (element.tagName === "IFRAME") inFrame(element, inner, rect, nodes, options);
    else if (!["TEXTAREA", "OPTION"].includes(element.tagName)) children(element, inner, isSeen, nodes, options);
    if (node) complete(node, element, role, acts, listens, nodes, first);
  }

  // What can be said of a node once all that it holds is known: from `first` on.
  function complete(node, element, role, acts, listens, nodes, first) {
    const inside = nodes.slice(first);
    // A listener around elements listens for them; one around others that act has nothing to tell.
    const own = inside.filter((each) => each.depth === node.depth + 1 && each.role);
    if (listens && own.length && !inside.some((each) => each.acts)) {
      for (const each of own) each.acts = true;
    } else if (acts || (listens && !own.length)) {
      node.acts = true;
    }
    if (!node.name && NAMED_BY_WORDS.has(role) && inside.every((each) => each.text !== undefined)) {
      node.name = inside.map((each) => each.text).join(" ");
    }
    const isSame = (each) => ["generic", "image"].includes(each.role) && each.name === node.name;
    const says = (each) => each.text !== undefined || isSame(each);
    if (node.name && inside.every(says)) nodes.length = first; // what a name says is not said again
    else if (!role && !node.acts && !node.color) node.role = "";
    if (node.acts && !node.name && !inside.length) node.hint = hintOf(element);
  }

  // What its author calls an element that has no name.
  function hintOf(element) {
    const classes = Array.from(element.classList, (name) => `.${name}`).join("");
    return (element.id ? `#${element.id}` : "") + classes;
  }

  function nodeOf(element, role, drawn, rect, { depth, dx, dy }) {
    const node = { element, depth, role: role || drawn?.shape || "generic", name: nameOf(element, role) };
    node.box = [rect.x + dx, rect.y + dy, rect.width, rect.height].map(Math.round);
    if (role === "heading") node.level = element.getAttribute("aria-level") ?? element.tagName.slice(1);
    const value = valueOf(element, role);
    if (value !== null && value !== undefined) node.value = value;
    const states = statesOf(element, role);
    if (states.length) node.states = states;
    if (drawn) node.color = drawn.color;
    return node;
  }

  function children(element, at, isSeen, nodes, options) {
    const first = nodes.length;
    for (const child of childrenOf(element)) {
      if (child.nodeType === Node.TEXT_NODE) {
        const isSaid = isSeen && !(element.tagName === "LABEL" && element.control) &&
          !(element.tagName === "DETAILS" && !element.open);
        const text = isSaid ? words(child.data) : "";
        if (text) push(nodes, { depth: at.depth, text }, first);
      } else if (child.nodeType === Node.ELEMENT_NODE) {
        walk(child, at, nodes, options);
      }
    }
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

  function inFrame(element, at, rect, nodes, options) {
    const { body } = element.contentDocument ?? {};
    const moved = { ...at, dx: at.dx + rect.x + element.clientLeft, dy: at.dy + rect.y + element.clientTop };
    if (body) walk(body, moved, nodes, options);
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

  // An element in a few words, for messages.
  function told(element) {
    const role = roleOf(element) || element.tagName.toLowerCase();
    const name = nameOf(element, role) || textOf(element);
    return name ? `${role} "${name.slice(0, 40)}"` : role;
  }

  Object.assign(window.__agentgym, { look, told, elementOf, page });
})();
