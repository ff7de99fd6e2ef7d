/** Small words for the page's elements; what they mean is their callers'. */

/** The element of that id; the page has it, or it is broken. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page lacks #${id}`);
  return element as T;
}

/** A new element with text or children: text is never read as markup. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Whether somebody types: then keys are letters. */
export function isTyping(event: KeyboardEvent): boolean {
  const target = event.target;
  if (target instanceof HTMLInputElement) return target.type !== "range" && target.type !== "checkbox";
  return target instanceof HTMLSelectElement || target instanceof HTMLTextAreaElement;
}

/** A number with thin spaces between its thousands, as 37 000; an en dash where it is unknown. */
export function number(value: number | null | undefined, unit = ""): string {
  if (value === null || value === undefined) return "–";
  const text = Math.round(value).toLocaleString("en").replaceAll(",", "\u2009");
  return unit === "" ? text : `${text}\u00a0${unit}`;
}

/** A stretch of time in one or two words. */
export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5_400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}
