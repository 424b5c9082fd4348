// Errors of the scripts themselves are shown, and counted where a test can see them.

const root = document.documentElement;

function tell(text) {
  root.dataset.scriptErrors = String(Number(root.dataset.scriptErrors) + 1);
  root.dataset.scriptError = text;
  const banner = document.getElementById("banner");
  banner.textContent = `This page has failed: ${text}. Load it again.`;
  banner.hidden = false;
}

window.addEventListener("error", (event) => tell(event.message || "a part could not be loaded"));
window.addEventListener("unhandledrejection", (event) => tell(String(event.reason)));
