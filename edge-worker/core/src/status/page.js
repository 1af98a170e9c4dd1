// Without this the page is the same, and is read anew by hand.
if (window.EventSource) {
  new EventSource("/v1/events").addEventListener("changed", async () => {
    const answer = await fetch("/status");
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.querySelector("main").replaceWith(page.querySelector("main"));
    document.title = page.title;
  });
}
