// Tells the site what a field holds as soon as it holds it, and shows what the site has to say to that. The page waits for
// the answer: whatever is done next finds a site that knows.
document.addEventListener("input", (event) => {
  const told = new XMLHttpRequest();
  told.open("POST", "/typed", false);
  told.send(new URLSearchParams({ id: event.target.id, value: event.target.value }));
  const alert = document.querySelector("[role=alert]");
  alert.textContent = told.responseText;
  alert.hidden = !told.responseText;
});
