// What recordings cost, and how that is written.

/**
 * The costs of `items` at what a task costs here, and the credits available; nothing while the server cannot be asked.
 * Where it is a task that `takesTurns`, those that have some cost less.
 */
export async function priceOf(items, task, takesTurns, address) {
  const query = new URLSearchParams({ task });
  items.forEach((item, place) => {
    query.append("seconds", item.seconds);
    if (takesTurns && item.turns) query.append("turns", place);
  });
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
