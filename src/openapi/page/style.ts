/** The docs page's style sheet. Colours are given once for light and once for dark; contrast is at least 4.5:1 for text. */
export const style = `
:root {
  color-scheme: light dark;
  --paper: light-dark(#ffffff, #14171c);
  --panel: light-dark(#f5f6f8, #1c2027);
  --line: light-dark(#d9dde3, #343a45);
  --ink: light-dark(#1a1d21, #e7eaee);
  --soft: light-dark(#545c68, #a3acb9);
  --link: light-dark(#0b57d0, #8ab4f8);
  --good: light-dark(#146c2e, #6dd58c);
  --warn: light-dark(#8a4b00, #ffb86b);
  --bad: light-dark(#b3261e, #ff8f87);
  --mono: ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace;
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
a { color: var(--link); text-decoration-thickness: 1px; text-underline-offset: 2px; }
code, pre, textarea, .type, .path { font-family: var(--mono); font-size: .875em; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; border-radius: 3px; }
[hidden] { display: none !important; }
.skip { position: absolute; left: -999px; }
.skip:focus { left: .5rem; top: .5rem; background: var(--paper); padding: .5rem; z-index: 2; }
.frame { display: grid; grid-template-columns: 19rem minmax(0, 1fr); min-height: 100vh; }
nav { background: var(--panel); border-right: 1px solid var(--line); padding: 1.25rem 1rem; position: sticky; top: 0; height: 100vh; overflow: auto; }
nav h1 { font-size: 1.25rem; margin: 0; overflow-wrap: anywhere; }
nav h1 small { color: var(--soft); font-weight: 400; font-size: .875rem; margin-left: .4rem; }
nav p { margin: .25rem 0 1rem; font-size: .875rem; }
nav label { display: block; font-size: .8125rem; color: var(--soft); margin: .75rem 0 .25rem; }
input, select, textarea { width: 100%; padding: .45rem .6rem; font: inherit; font-size: .9375rem; color: inherit; background: var(--paper); border: 1px solid var(--line); border-radius: 6px; }
textarea { font-family: var(--mono); font-size: .875rem; resize: vertical; }
nav ul { list-style: none; margin: 0; padding: 0; }
#contents { margin-top: 1.25rem; }
#contents > li { margin-bottom: 1rem; }
.tag { font-weight: 600; font-size: .875rem; }
#contents a { display: flex; gap: .5rem; align-items: baseline; padding: .25rem .4rem; margin-left: -.4rem; border-radius: 5px; color: inherit; text-decoration: none; font-size: .875rem; }
#contents a:hover { background: var(--line); }
.method { flex: none; font: 700 .6875rem/1.6 var(--mono); min-width: 3.9em; text-align: center; border: 1px solid currentColor; border-radius: 4px; padding: 0 .25em; color: var(--soft); }
.method.get { color: var(--link); } .method.post { color: var(--good); }
.method.put, .method.patch { color: var(--warn); } .method.delete { color: var(--bad); }
main { padding: 1.5rem clamp(1rem, 3vw, 3rem) 4rem; max-width: 62rem; width: 100%; }
h2 { font-size: 1.375rem; margin: 2rem 0 .75rem; } section:first-child h2 { margin-top: 0; }
h3 { font-size: .9375rem; margin: 1.25rem 0 .4rem; } h5 { font-size: .8125rem; color: var(--soft); margin: .75rem 0 .25rem; }
.prose p { margin: .35rem 0; } .prose code { background: var(--panel); padding: .1em .3em; border-radius: 4px; }
summary { cursor: pointer; }
.operation { border: 1px solid var(--line); border-radius: 8px; margin: .6rem 0; }
.operation > summary { display: flex; flex-wrap: wrap; gap: .25rem .75rem; align-items: baseline; padding: .6rem .8rem; list-style: none; }
.operation > summary::-webkit-details-marker { display: none; }
.operation[open] > summary { border-bottom: 1px solid var(--line); background: var(--panel); border-radius: 8px 8px 0 0; }
.path { overflow-wrap: anywhere; font-weight: 600; }
.summary { color: var(--soft); flex: 1 1 12rem; }
.access, .place, .deprecated { font-size: .75rem; color: var(--soft); border: 1px solid var(--line); border-radius: 99px; padding: 0 .55em; }
.deprecated { color: var(--warn); border-color: currentColor; }
.inside { padding: .4rem 1rem 1rem; }
.tree { list-style: none; margin: .25rem 0; padding-left: .9rem; border-left: 2px solid var(--line); }
.tree li { margin: .3rem 0; } .tree .prose { color: var(--soft); font-size: .875rem; }
.row { display: inline-flex; flex-wrap: wrap; gap: .15rem .6rem; align-items: baseline; }
.name { font-weight: 600; } .type { color: var(--link); overflow-wrap: anywhere; } .limits { color: var(--soft); font-size: .8125rem; overflow-wrap: anywhere; }
.required { color: var(--bad); font-size: .75rem; }
.response { margin: .35rem 0; }
.code { font: 700 .8125rem var(--mono); color: var(--soft); } .s2 { color: var(--good); } .s4 { color: var(--warn); } .s5 { color: var(--bad); }
.try { display: grid; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); gap: .75rem; background: var(--panel); border-radius: 8px; padding: .9rem; }
.try label { display: flex; gap: .3rem; align-items: baseline; font-size: .875rem; margin-bottom: .2rem; }
.try small { color: var(--soft); margin-left: auto; overflow-wrap: anywhere; }
.wide, .actions, .answer { grid-column: 1 / -1; }
.actions { display: flex; gap: .75rem; align-items: center; }
button { font: inherit; font-weight: 600; color: light-dark(#ffffff, #10131a); background: var(--link); border: 0; border-radius: 6px; padding: .5rem 1.4rem; cursor: pointer; min-height: 2.5rem; }
button:hover { filter: brightness(1.1); }
.status { margin: .25rem 0; } .status.s2 strong { color: var(--good); }
.answer:empty { display: none; }
pre { margin: 0; padding: .7rem; background: var(--paper); border: 1px solid var(--line); border-radius: 6px; overflow: auto; max-height: 24rem; }
@media (max-width: 52rem) {
  .frame { display: block; }
  nav { position: static; height: auto; border-right: 0; border-bottom: 1px solid var(--line); }
  #contents { display: none; }
  .operation > summary { padding: .7rem; }
}
@media (prefers-reduced-motion: no-preference) { html { scroll-behavior: smooth; } }
`;
