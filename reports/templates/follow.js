"use strict";
// While 'study report --watch' rewrites the page, a small file beside it says which version is the newest; without that
// file the page is final. The page is loaded again where the reader was, but not while something is typed.
const { follow, version } = document.body.dataset;
const KEPT = "kept over a reload";
const ids = (selector) => [...document.querySelectorAll(selector)].map(({ id }) => id);
const reload = () => {
  if (document.activeElement.matches("input")) return;
  const marked = [...tables].map(([space, table]) => [space, table.picked()]);
  const folds = ids("article:has(> details[open])"), tabs = ids("[role=tab][aria-selected=true]");
  sessionStorage.setItem(KEPT, JSON.stringify({ theme: root.dataset.theme, folds, tabs, marked, top: scrollY }));
  location.reload();
};
window.rewritten = (newest) => { if (newest !== version) reload(); };
if (follow) {
  setInterval(() => {
    const probe = made("script", "", { src: `${follow}?${Date.now()}`, onload: () => probe.remove(), onerror: reload });
    document.head.append(probe);
  }, 1000);
}
try {
  const kept = JSON.parse(sessionStorage.getItem(KEPT));
  sessionStorage.removeItem(KEPT);
  if (kept) {
    if (kept.theme) root.dataset.theme = kept.theme;
    for (const id of kept.folds) document.querySelector(`#${CSS.escape(id)} > details`)?.setAttribute("open", "");
    for (const id of kept.tabs) if (document.getElementById(id)) choose(document.getElementById(id));
    for (const [space, trials] of kept.marked) for (const trial of trials) tables.get(space)?.pick(trial);
    history.scrollRestoration = "manual";
    scrollTo(0, kept.top);
  }
} catch (error) {
  console.warn(error);  // a browser that keeps nothing for files
}
