// Inside every page, before its own scripts: when it is still.
// Whatever these files give is reached through one name, `__agentgym`.
(() => {
  const frame = window.requestAnimationFrame.bind(window); // the page may get a clock of its own
  const later = window.setTimeout.bind(window);
  const SENDING_MS = 100;
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

  // What a form sends off is on its way a moment later; no page need come of it.
  window.addEventListener("submit", (event) => {
    if (!event.isTrusted) return;
    pending += 1;
    later(() => { pending -= 1; }, SENDING_MS);
  });

  // Pages that were opened from here, whose coming is told elsewhere.
  let opened = 0;
  const open = window.open;
  window.open = function (...given) {
    const page = open.apply(this, given);
    if (page) opened += 1;
    return page;
  };
  window.addEventListener("click", (event) => {
    const link = event.composedPath().find((each) => each instanceof HTMLAnchorElement && each.href);
    const target = link?.target.toLowerCase() ?? "";
    if (!event.defaultPrevented && !["", "_self", "_parent", "_top"].includes(target)) opened += 1;
  });

  function takeOpened() {
    const count = opened;
    opened = 0;
    return count;
  }

  const imagesLoad = () => Array.from(document.images).some((image) => !image.complete && image.loading !== "lazy");
  const isBusy = () => document.readyState !== "complete" || pending > 0 || isLeaving || imagesLoad();

  // Movements that have an end are at their end.
  function settle() {
    for (const animation of document.getAnimations()) {
      const { iterations } = animation.effect?.getComputedTiming() ?? {};
      if (animation.playState === "running" && Number.isFinite(iterations)) animation.finish();
    }
  }

  // Two frames in a row in which nothing is under way and nothing has changed; false where `ms` were not enough.
  function still(ms) {
    return new Promise((resolve) => {
      let seen = changed;
      let quiet = 0;
      later(() => resolve(false), ms);
      frame(function look() {
        settle();
        quiet = isBusy() || changed !== seen ? 0 : quiet + 1;
        seen = changed;
        if (quiet >= 2) resolve(true);
        else frame(look);
      });
    });
  }

  Object.defineProperty(window, "__agentgym", { value: { still, takeOpened } });
})();
