// Asks the system. The token stays in this tab.

const TOKEN = "semcom-token";
const STATUS_DEADLINE_MS = 10_000;
const CHANGE_DEADLINE_MS = 70_000;

export function token() {
  return sessionStorage.getItem(TOKEN) ?? "";
}

export function keepToken(value) {
  if (value) sessionStorage.setItem(TOKEN, value);
  else sessionStorage.removeItem(TOKEN);
}

export async function readStatus(since) {
  const query = since === null ? "" : `?since=${since}`;
  return ask(`/api/status${query}`, {}, STATUS_DEADLINE_MS);
}

export async function readItem(link) {
  const headers = token() ? { Authorization: `Bearer ${token()}` } : {};
  return ask(`/api/item?link=${encodeURIComponent(link)}`, { headers }, CHANGE_DEADLINE_MS);
}

export async function change(path, content) {
  const headers = { "Content-Type": "application/json" };
  if (token()) headers.Authorization = `Bearer ${token()}`;
  return ask(path, { method: "POST", headers, body: JSON.stringify(content) }, CHANGE_DEADLINE_MS);
}

async function ask(path, options, deadline) {
  let response;
  try {
    response = await fetch(path, { ...options, signal: AbortSignal.timeout(deadline) });
  } catch (error) {
    throw new Error(error.name === "TimeoutError" ? "no answer in time" : "the system cannot be reached");
  }
  let answer;
  try {
    answer = await response.json();
  } catch {
    throw new Error(`the answer with HTTP status ${response.status} cannot be read`);
  }
  if (!response.ok) throw new Error(answer.error ?? `refused with HTTP status ${response.status}`);
  return answer;
}
