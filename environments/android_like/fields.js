// Tells the phone what a field holds as soon as it holds it. The screen waits for the answer: whatever is done next finds
// a phone that knows.
document.addEventListener("input", (event) => {
  const told = new XMLHttpRequest();
  told.open("POST", "/typed", false);
  told.send(new URLSearchParams({ id: event.target.id, value: event.target.value }));
});
// A conversation is read from its end.
document.querySelector("main.thread")?.scrollTo(0, 1e6);
