// What recordings cost, and how that is written.

/** The costs of `items` at what a task costs here, and the credits available; nothing while the server cannot be asked. */
export async function priceOf(items, task, address) {
  const query = new URLSearchParams({ task });
  for (const item of items) query.append("seconds", item.seconds);
  try {
    const answer = await fetch(`${address}?${query}`, { headers: { Accept: "application/json" } });
    const { credits: costs = [], available } = await answer.json();
    return { costs, available };
  } catch {
    return { costs: [] };
  }
}

export function credits(count) {
  return `${number(count)} credit${count === 1 ? "" : "s"}`;
}

export function number(value) {
  return value.toLocaleString("en");
}
